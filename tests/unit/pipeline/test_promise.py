"""The promise of the design, checked after every run of the simulation; a failing seed is a test.

A seed that fails here, or among the many of `make prove`, is looked at by
`python -m simulation --trace --seeds N`.
"""

from __future__ import annotations

from collections import Counter

import pytest

from reprise import metric
from simulation import Simulation
from simulation.scenario import LATER_FAULTS, OTHER_FAULTS, STORE_FAULTS

SEEDS = range(500)
PARTS = {
    metric.OBJECTS_FOLDED,
    metric.OBJECTS_PARKED,
    metric.FOLDED_LOOKS,
    metric.OBJECTS_FAILED,
    metric.CLAIM_CHECKS,
    metric.DUPLICATES_SUPPRESSED,
    metric.RETRIED,
    metric.WASTED_REPLAYS,
    metric.GATE_WAITS,
    metric.SUCCEEDED,
    metric.DEAD_LETTERED,
}


@pytest.mark.parametrize("seed", SEEDS)
def test_under_any_faults_the_promise_is_kept(seed: int) -> None:
    assert Simulation(seed).run() == []


def test_the_seeds_meet_every_fault_and_every_part_of_the_pipeline() -> None:
    """Without this they could pass by never coming near what they are to break."""
    met: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for seed in SEEDS[:60]:
        simulation = Simulation(seed)
        simulation.run()
        met += simulation.faults.met
        counts += simulation.world.pipeline.meter.counts
    assert {*STORE_FAULTS, *OTHER_FAULTS, *LATER_FAULTS} - set(met) == set()
    assert PARTS - {name for name, count in counts.items() if count > 5} == set()

"""A failing seed is told with the few faults that it takes."""

from __future__ import annotations

from simulation import Simulation
from simulation.shrink import shrink


def _unreconciled(seed: int, kept: frozenset[int] | None) -> Simulation:
    return Simulation(seed, is_reconciled=False, kept=kept)


def test_a_seed_in_which_a_notice_is_lost_and_nobody_looks_shrinks_to_that_fault() -> None:
    seed = next(seed for seed in range(60) if Simulation(seed, is_reconciled=False).run())
    shrunk = shrink(seed, _unreconciled)
    assert shrunk is not None
    assert shrunk.faults > 20
    assert len(shrunk.kept) <= 5
    assert shrunk.simulation.faults.met["lose notice"] == 1
    assert {kind for kind, _ in shrunk.broken} == {"lost"}
    assert 0 < len(shrunk.trace()) < len(shrunk.simulation.trace())


def test_a_seed_that_keeps_the_promise_has_nothing_to_shrink() -> None:
    assert shrink(0, lambda seed, kept: Simulation(seed, kept=kept)) is None


def test_without_any_fault_a_run_has_none() -> None:
    simulation = Simulation(3, kept=frozenset())
    assert simulation.run() == []
    assert set(simulation.faults.met) <= {"disable", "flip idempotent"}  # its policy, no fault

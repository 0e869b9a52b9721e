"""One seed, one run: on any machine, in any process, whatever else that does."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from threading import Event, Thread, active_count

import pytest

from simulation import Simulation

SEEDS = (2, 3, 5, 8)
SCRIPT = f"""
from unit.simulation.test_determinism import digest_of
print(*(digest_of(seed) for seed in {SEEDS}))
"""


def digest_of(seed: int) -> str:
    simulation = Simulation(seed)
    simulation.run()
    return hashlib.sha256("\n".join(simulation.trace()).encode()).hexdigest()


@pytest.mark.parametrize("seed", SEEDS)
def test_two_runs_of_one_seed_give_the_same_trace(seed: int) -> None:
    assert digest_of(seed) == digest_of(seed)


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_a_process_that_hashes_otherwise_gives_the_same_trace(hash_seed: str) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONHASHSEED": hash_seed,
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [digest_of(seed) for seed in SEEDS]


def test_beside_threads_that_take_the_processor_away_the_trace_is_the_same() -> None:
    is_over = Event()
    others = [Thread(target=_compute, args=(is_over,)) for _ in range(3)]
    alone = digest_of(SEEDS[0])
    for each in others:
        each.start()
    try:
        assert digest_of(SEEDS[0]) == alone
    finally:
        is_over.set()
        for each in others:
            each.join()


def test_a_run_starts_no_thread_of_its_own() -> None:
    before = active_count()
    digest_of(SEEDS[1])
    assert active_count() == before


def _compute(is_over: Event) -> None:
    while not is_over.is_set():
        sum(range(1000))


def test_seeds_differ() -> None:
    assert len({digest_of(seed) for seed in SEEDS}) == len(SEEDS)

"""One seed, one run: on any machine, in any process, however its threads are scheduled."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

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


def test_seeds_differ() -> None:
    assert len({digest_of(seed) for seed in SEEDS}) == len(SEEDS)

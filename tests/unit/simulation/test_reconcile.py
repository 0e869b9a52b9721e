"""What S3 never told of is lost, unless somebody compares its objects with what was told of."""

from __future__ import annotations

from simulation import Simulation

SEEDS = range(60)


def _run(*, is_reconciled: bool) -> tuple[int, int]:
    """Return how many notifications were lost, and in how many runs calls were."""
    notices = runs = 0
    for seed in SEEDS:
        simulation = Simulation(seed, is_reconciled=is_reconciled)
        broken = simulation.run()
        notices += simulation.faults.met["lose notice"]
        runs += any(kind == "lost" and "no row" in what for kind, what in broken)
    return notices, runs


def test_calls_whose_notification_was_lost_are_found_by_the_reconciler() -> None:
    notices, runs = _run(is_reconciled=True)
    assert notices > 3
    assert runs == 0


def test_without_it_they_are_lost_and_the_simulation_says_so() -> None:
    notices, runs = _run(is_reconciled=False)
    assert notices > 3
    assert runs > 0

"""What S3 never told of is found by whoever looks: the simulation has a place for that."""

from __future__ import annotations

from simulation import Simulation

SEEDS = range(30)


def _resend(simulation: Simulation) -> None:
    """Stand in for a reconciler: send what names no call that the ledger knows."""
    rows = simulation.world.rows()
    for key, ids in simulation.objects.items():
        if not set(ids) & set(rows):
            simulation.notify(key)


def _lost(reconcile: bool) -> tuple[int, int]:  # noqa: FBT001 - two cases
    """Return how many notifications were lost, and in how many runs calls were."""
    notices = runs = 0
    for seed in SEEDS:
        simulation = Simulation(seed, reconcile=_resend if reconcile else lambda _: None)
        broken = simulation.run()
        notices += simulation.faults.met["lose notice"]
        runs += any(kind == "lost" and "no row" in what for kind, what in broken)
    return notices, runs


def test_calls_whose_notification_was_lost_are_found_by_a_reconciler() -> None:
    notices, runs = _lost(reconcile=True)
    assert notices > 3
    assert runs == 0


def test_without_one_they_are_lost_and_the_simulation_says_so() -> None:
    notices, runs = _lost(reconcile=False)
    assert notices > 3
    assert runs > 0

"""What the faults of the log path, of clocks and of deployments do, each alone."""

from __future__ import annotations

import pytest

from simulation import Simulation
from simulation.history import Batch, Held, History
from simulation.points import Points

CALL = "orders:1"


@pytest.fixture(scope="module")
def runs() -> list[Simulation]:
    """Return twenty runs, which break nothing."""
    runs = [Simulation(seed) for seed in range(20)]
    assert [run.run() for run in runs] == [[]] * len(runs)
    return runs


def test_a_call_whose_line_was_skipped_need_not_have_a_row(runs: list[Simulation]) -> None:
    skipped = [(run, name) for run in runs for name in run.history.skipped]
    assert skipped
    assert any(run.world.look(name) is None for run, name in skipped)


def test_an_object_is_stored_again_under_its_key_and_under_another(runs: list[Simulation]) -> None:
    keys = [key for run in runs for _, _, what, key, _ in run.faults.trace if what == "object"]
    assert len(keys) > len(set(keys))
    assert any(run.faults.met["deliver twice"] for run in runs)


def test_after_a_deployment_old_code_still_ends_what_it_does(runs: list[Simulation]) -> None:
    beside = 0
    for run in runs:
        names = [(at_s, who) for at_s, who, *_ in run.faults.trace if who.startswith("replayer")]
        for deployed_at_s in (at_s for at_s, _, what, *_ in run.faults.trace if what == "deploy"):
            before = {who for at_s, who in names if at_s <= deployed_at_s}
            beside += any(at_s > deployed_at_s and who in before for at_s, who in names)
    assert beside


def _taken(*, ahead_s: float) -> History:
    """Let a batch take a call from another, whose clock is so far behind, while that one works on it."""
    history = History(lambda: 10.0)
    owner = Batch(name="owner", deadline_s=40.0, holds={CALL: "a"})
    history.owners["a"] = owner
    by = Batch(name="by", clock_s=ahead_s)
    before, after = Held("leased", "a", None), Held("leased", "b", None)
    history.see(CALL, before, after, by, 10.0)
    return history


def test_a_lease_may_be_taken_by_who_must_think_that_it_ran_out() -> None:
    assert _taken(ahead_s=30.0).violations == []
    assert _taken(ahead_s=30.0).excuses[CALL]["clock"] == 1


def test_within_a_second_clocks_may_differ_and_no_lease_is_taken() -> None:
    assert [kind for kind, _ in _taken(ahead_s=0.9).violations] == ["lease"]


def test_a_crash_point_is_reached_before_and_after_each_operation() -> None:
    points = Points()
    points.note("replayer-1", "ledger settle", "")
    points.note("replayer-2", "ledger settle", "crash")
    assert points.missed() == ["replayer: before ledger settle"]
    assert len(points.all) == 2

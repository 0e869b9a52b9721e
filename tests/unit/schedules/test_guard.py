from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.errors import IllegalTransitionError
from reprise.instant import format_instant
from reprise.ledger import transition
from reprise_schedules.decision import AlreadyDone, Expire, Recover, Skip, Start, Stop, Wait
from reprise_schedules.elsewhere import ASK_FOR_S, NOWHERE, Elsewhere, elsewhere_of, without_answer
from reprise_schedules.overlap import Overlap, Rules, decide
from reprise_schedules.run import (
    HOLDING,
    MAX_RUNS,
    OPEN,
    TRANSITIONS,
    JobState,
    Run,
    RunEvent,
    RunState,
    is_holding,
)

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
EARLIER, MINE, LATER = "2026-11-21T09:00:00Z", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"


def run(state: RunState, *, at: str = EARLIER, left_ms: int = 60_000) -> Run:
    return Run(scheduled_at=at, state=state, changed_at=EARLIER, until_ms=NOW_MS + left_ms)


def decided(
    overlap: Overlap, *runs: Run, late: bool = False, elsewhere: Elsewhere = NOWHERE
) -> object:
    rules = Rules(overlap=overlap, deadline_at=NOW + timedelta(hours=-1 if late else 1))
    return decide(JobState(runs=runs), MINE, rules, now=NOW, elsewhere=elsewhere)


@pytest.mark.parametrize("state", sorted(HOLDING))
def test_run_before_that_is_still_going_is_skipped_waited_for_or_ignored(state: RunState) -> None:
    before = run(state)
    assert isinstance(decided(Overlap.SKIP, before), Skip)
    assert decided(Overlap.QUEUE, before) == Wait(wait_s=2.0, is_queued=True)
    assert decided(Overlap.ALLOW, before) == Start()


HAND, OWN = Elsewhere(others=("j7",)), Elsewhere(own=("j1",))


@pytest.mark.parametrize("elsewhere", [HAND, OWN], ids=["by hand", "own"])
def test_batch_job_that_is_going_is_in_the_way_though_no_run_is(elsewhere: Elsewhere) -> None:
    skipped = decided(Overlap.SKIP, elsewhere=elsewhere)
    assert isinstance(skipped, Skip)
    assert (elsewhere.own + elsewhere.others)[0] in skipped.message
    assert decided(Overlap.QUEUE, elsewhere=elsewhere) == Wait(wait_s=2.0, is_queued=True)
    assert decided(Overlap.ALLOW, elsewhere=elsewhere) == Start()


def test_job_of_another_schedule_is_in_nobodys_way() -> None:
    @dataclass(frozen=True)
    class Going:
        job_id: str
        scheduled_job: str | None

    going = [Going("j1", "mine"), Going("j2", "another"), Going("j3", None)]
    assert elsewhere_of(going, "mine") == Elsewhere(own=("j1",), others=("j3",))


def test_replace_ends_its_own_batch_job_and_waits_until_that_has_ended() -> None:
    before = msgspec.structs.replace(run(RunState.SUBMITTED), call_id="j1")
    assert decided(Overlap.REPLACE, before) == Stop(job_ids=("j1",), wait_s=2.0)
    assert decided(Overlap.REPLACE, elsewhere=OWN) == Stop(job_ids=("j1",), wait_s=2.0)
    assert decided(Overlap.REPLACE) == Start()


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.CAPTURED])
def test_replace_waits_for_a_submission_that_is_under_way(state: RunState) -> None:
    assert decided(Overlap.REPLACE, run(state)) == Wait(wait_s=2.0, is_queued=True)


def test_replace_leaves_a_job_that_was_submitted_by_hand_alone() -> None:
    assert isinstance(decided(Overlap.REPLACE, elsewhere=HAND), Skip)


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.SUBMITTED, RunState.QUEUED])
def test_replace_never_ends_a_later_run(state: RunState) -> None:
    later = msgspec.structs.replace(run(state, at=LATER), call_id="j1")
    assert decided(Overlap.REPLACE, later) == Skip(message="a later run takes its place")


def test_run_waits_for_batch_to_answer_but_not_for_ever() -> None:
    fresh = Run(scheduled_at=MINE)
    assert without_answer(fresh, "Timeout", NOW) == Wait(
        wait_s=20.0, is_queued=True, is_asking=True
    )
    asking = msgspec.structs.replace(
        run(RunState.QUEUED, at=MINE), asking_since=format_instant(NOW)
    )
    soon, later = (NOW + timedelta(seconds=ASK_FOR_S + more) for more in (-1, 0))
    assert without_answer(asking, "Timeout", soon) == Wait(wait_s=20.0, is_asking=True)
    started = without_answer(asking, "Timeout", later)
    assert isinstance(started, Start)
    assert "Timeout" in str(started.note)


def test_run_does_not_wait_where_nobody_may_ask() -> None:
    """Before the add-on batch is deployed anew its runs start as they did."""
    assert isinstance(without_answer(Run(scheduled_at=MINE), "AccessDeniedException", NOW), Start)


@pytest.mark.parametrize("overlap", Overlap)
def test_lease_that_has_ended_holds_up_nobody(overlap: Overlap) -> None:
    assert decided(overlap, run(RunState.RUNNING, left_ms=0)) == Start()


def test_queue_is_one_deep() -> None:
    going, waiting = run(RunState.RUNNING, at="a"), run(RunState.QUEUED)
    assert isinstance(decided(Overlap.QUEUE, going, waiting), Skip)


def test_run_that_waits_goes_before_one_that_is_due_now() -> None:
    assert decided(Overlap.QUEUE, run(RunState.QUEUED)) == Wait(wait_s=2.0)
    mine = run(RunState.QUEUED, at=MINE)
    assert decided(Overlap.QUEUE, mine, run(RunState.QUEUED, at=LATER)) == Start()


def test_waiting_run_is_looked_at_more_seldom_the_longer_it_waits() -> None:
    """It has waited for an hour: a tenth of that is six minutes."""
    going, mine = run(RunState.RUNNING, at="a"), run(RunState.QUEUED, at=MINE)
    assert decided(Overlap.QUEUE, going, mine) == Wait(wait_s=360.0)


def test_second_delivery_of_a_run_does_not_run_it_again() -> None:
    for state in set(RunState) - OPEN | {RunState.CAPTURED, RunState.SUBMITTED}:
        assert decided(Overlap.ALLOW, run(state, at=MINE)) == AlreadyDone()
    assert decided(Overlap.ALLOW, run(RunState.RUNNING, at=MINE)) == Wait(wait_s=60.0)


def test_dead_runners_run_is_recovered() -> None:
    assert decided(Overlap.SKIP, run(RunState.RUNNING, at=MINE, left_ms=0)) == Recover()
    assert decided(Overlap.SKIP, run(RunState.LOST, at=MINE)) == Recover()


def test_run_after_its_deadline_is_left_out() -> None:
    assert decided(Overlap.SKIP, late=True) == Expire()
    assert decided(Overlap.QUEUE, run(RunState.QUEUED, at=MINE), late=True) == Expire()


def test_illegal_event_is_refused_and_changes_nothing() -> None:
    with pytest.raises(IllegalTransitionError, match="succeeded cannot start"):
        transition(TRANSITIONS, RunState.SUCCEEDED, RunEvent.START)


def test_every_end_is_final() -> None:
    assert {state for state, _ in TRANSITIONS} == OPEN


@given(
    overlap=st.sampled_from([Overlap.SKIP, Overlap.QUEUE, Overlap.REPLACE]),
    steps=st.lists(
        st.tuples(st.sampled_from(["due", "again", "end", "crash", "time"]), st.integers(0, 5)),
        max_size=40,
    ),
)
def test_no_two_runs_hold_a_job_and_at_most_one_waits(  # noqa: C901 - a machine's steps
    overlap: Overlap, steps: list[tuple[str, int]]
) -> None:
    job, now, serial, names = JobState(), NOW, 0, [MINE]
    for what, number in steps:
        name = names[number % len(names)]
        if what == "due":
            serial += 1
            name = f"{serial:04}"
            names.append(name)
        if what in ("due", "again"):
            rules = Rules(overlap=overlap, deadline_at=now + timedelta(days=1))
            decision = decide(job, name, rules, now=now)
            until_ms = int(now.timestamp() * 1000) + 60_000
            match decision:
                case Start():
                    # As the stage does: a dead runner's run is marked before the next one starts.
                    for other in job.others(name):
                        if (
                            other.state is RunState.RUNNING
                            and now.timestamp() * 1000 >= other.until_ms
                        ):
                            job = job.change(other.scheduled_at, RunEvent.LOSE, now)
                    job = job.change(name, RunEvent.START, now, until_ms=until_ms)
                case Skip():
                    job = job.change(name, RunEvent.SKIP, now)
                case Wait(is_queued=True):
                    job = job.change(name, RunEvent.QUEUE, now, until_ms=until_ms * 2)
                case _:
                    pass
        elif what == "end" and job.find(name).state is RunState.RUNNING:
            job = job.change(name, RunEvent.SUCCEED, now)
        elif what == "time":
            now += timedelta(seconds=20 * number)
        now_ms = int(now.timestamp() * 1000)
        assert sum(is_holding(found, now_ms) for found in job.runs) <= 1
        if overlap is not Overlap.REPLACE:
            # There, those that wait step back one by one, as each is looked at.
            assert sum(found.state is RunState.QUEUED for found in job.runs) <= 1


def test_oldest_ended_runs_are_dropped_and_open_ones_never() -> None:
    job = JobState().change("open", RunEvent.START, NOW)
    for number in range(MAX_RUNS + 10):
        job = job.change(f"{number:03}", RunEvent.SKIP, NOW)
    assert len(job.runs) == MAX_RUNS
    assert job.runs[0].scheduled_at == "open"
    assert job.runs[1].scheduled_at == "011"

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.errors import IllegalTransitionError
from reprise.ledger import transition
from reprise_schedules.overlap import (
    AlreadyDone,
    Expire,
    Overlap,
    Recover,
    Skip,
    Start,
    Wait,
    decide,
)
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


def decided(overlap: Overlap, *runs: Run, late: bool = False) -> object:
    deadline_at = NOW + timedelta(hours=-1 if late else 1)
    return decide(JobState(runs=runs), MINE, overlap, deadline_at=deadline_at, now=NOW)


@pytest.mark.parametrize("state", sorted(HOLDING))
def test_run_before_that_is_still_going_is_skipped_waited_for_or_ignored(state: RunState) -> None:
    before = run(state)
    assert isinstance(decided(Overlap.SKIP, before), Skip)
    assert decided(Overlap.QUEUE, before) == Wait(wait_s=2.0, is_queued=True)
    assert decided(Overlap.ALLOW, before) == Start()


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
    overlap=st.sampled_from([Overlap.SKIP, Overlap.QUEUE]),
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
            decision = decide(job, name, overlap, deadline_at=now + timedelta(days=1), now=now)
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
        assert sum(found.state is RunState.QUEUED for found in job.runs) <= 1


def test_oldest_ended_runs_are_dropped_and_open_ones_never() -> None:
    job = JobState().change("open", RunEvent.START, NOW)
    for number in range(MAX_RUNS + 10):
        job = job.change(f"{number:03}", RunEvent.SKIP, NOW)
    assert len(job.runs) == MAX_RUNS
    assert job.runs[0].scheduled_at == "open"
    assert job.runs[1].scheduled_at == "011"

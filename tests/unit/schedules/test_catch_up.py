"""Late runs of a job: which are made up for, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.instant import format_instant
from reprise_schedules.catch_up import SETTLE_S, CatchUp
from reprise_schedules.decision import AlreadyDone, Expire, Skip, Start, Wait
from reprise_schedules.message import RunRequest, read_due, write_due
from reprise_schedules.overlap import Overlap, Rules, decide
from reprise_schedules.run import JobState, RunEvent, RunState
from reprise_schedules.written import written

THREE = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
OUTAGE_ENDS = THREE + timedelta(hours=4)


class Job:
    """A job whose messages come when a test says, and whose runs end when it says."""

    def __init__(self, catch_up: CatchUp, overlap: Overlap = Overlap.SKIP) -> None:
        self.state, self.now = JobState(), OUTAGE_ENDS
        self.catch_up, self.overlap = catch_up, overlap
        self.started: list[int] = []

    def due(self, hours: int, *, deadline_s: int = 86_400) -> object:
        """Deliver the message of an instant, so many hours after three."""
        at = format_instant(THREE + timedelta(hours=hours))
        message = RunRequest(
            job="job", scheduled_at=at, overlap=self.overlap, catch_up=self.catch_up,
            deadline_s=deadline_s, call={},
        )  # fmt: skip
        rules = Rules(overlap=self.overlap, catch_up=self.catch_up, deadline_at=message.deadline_at)
        decision = decide(self.state, at, rules, now=self.now)
        until_ms = int((self.now + timedelta(hours=9)).timestamp() * 1000)
        self.state = written(
            self.state, message, decision, owner="me", until_ms=until_ms, now=self.now
        )
        if isinstance(decision, Start):
            self.started.append(hours)
        return decision

    def end(self, hours: int) -> None:
        at = format_instant(THREE + timedelta(hours=hours))
        self.state = self.state.change(at, RunEvent.SUCCEED, self.now)

    def after(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_last_runs_the_latest_of_what_an_outage_held_back_and_leaves_out_the_others() -> None:
    job = Job(CatchUp.LAST)
    for hours in (1, 3, 2):
        assert job.due(hours) in (
            Wait(wait_s=SETTLE_S, is_queued=True, is_late=True),
            Skip(message="a later run was due meanwhile, and only the last is caught up"),
        )
    job.after(SETTLE_S)
    assert isinstance(job.due(1), Skip)
    assert job.due(2) == AlreadyDone()
    assert job.due(3) == Start()
    assert job.started == [3]


def test_last_leaves_out_what_a_run_in_time_has_overtaken() -> None:
    job = Job(CatchUp.LAST)
    assert job.due(4) == Start()
    assert isinstance(job.due(3), Skip)


def test_all_makes_one_run_after_the_other_the_earliest_first() -> None:
    job = Job(CatchUp.ALL)
    assert job.due(1) == Start()
    for hours in (3, 2):
        assert job.due(hours) == Wait(wait_s=2.0, is_queued=True, is_late=True)
    job.end(1)
    assert isinstance(job.due(3), Wait)
    assert job.due(2) == Start()
    job.end(2)
    assert job.due(3) == Start()
    assert job.started == [1, 2, 3]


def test_none_is_as_it_was_before_there_was_such_a_rule() -> None:
    job = Job(CatchUp.NONE)
    assert job.due(1) == Start()
    assert isinstance(job.due(2), Skip)


def test_run_that_waited_for_its_turn_is_not_late_for_that() -> None:
    """Its place in the queue was taken in time: a later one that found no place does not oust it."""
    job = Job(CatchUp.LAST, Overlap.QUEUE)
    job.now = THREE
    assert job.due(0) == Start()
    job.after(3600)
    assert job.due(1) == Wait(wait_s=2.0, is_queued=True)
    job.after(3600)
    assert isinstance(job.due(2), Skip)
    job.end(0)
    assert job.due(1) == Start()


def test_schedule_that_catches_nothing_up_sends_what_it_sent_before() -> None:
    due = RunRequest(job="job", scheduled_at="2026-11-21T03:00:00Z", call={})
    assert "catch_up" not in write_due(due)
    caught = RunRequest(
        job="job", scheduled_at="2026-11-21T03:00:00Z", call={}, catch_up=CatchUp.ALL
    )
    assert read_due(write_due(caught)).catch_up is CatchUp.ALL


@pytest.mark.parametrize("catch_up", [CatchUp.LAST, CatchUp.ALL])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["due", "end", "time"]), st.integers(0, 6)), max_size=60
    )
)
def test_no_instant_runs_twice_none_after_its_deadline_and_no_two_at_once(
    catch_up: CatchUp, steps: list[tuple[str, int]]
) -> None:
    """Messages come again, and in any order; six hours are their deadline."""
    job = Job(catch_up)
    for what, number in steps:
        if what == "due":
            started = len(job.started)
            decision = job.due(number, deadline_s=6 * 3600)
            late_s = (job.now - THREE).total_seconds() - number * 3600
            if len(job.started) > started:
                assert late_s < 6 * 3600
            if isinstance(decision, Expire):
                assert late_s >= 6 * 3600
        elif what == "end":
            at = format_instant(THREE + timedelta(hours=number))
            if job.state.find(at).state is RunState.RUNNING:
                job.end(number)
        else:
            job.after(number * 10)
        assert len(set(job.started)) == len(job.started)
        assert sum(run.state is RunState.RUNNING for run in job.state.runs) <= 1

"""Decide whether a run may start: a pure function from what is known of its job to a value.

The guard that keeps runs of one job apart is a lease in each run, never a lock: a runner that dies
holds up the next run until its lease ends, and no longer.

`replace` ends what it has itself submitted to Batch, and nothing else: a submission under way is waited for,
a job that somebody submitted by hand is left alone, and the run is skipped. The run that replaces waits until
Batch says that the other one has ended, so no two overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from reprise.instant import parse_instant
from reprise_schedules.catch_up import SETTLE_S, CatchUp, is_late, is_overtaken
from reprise_schedules.decision import (
    AlreadyDone,
    Decision,
    Expire,
    Recover,
    Skip,
    Start,
    Stop,
    Wait,
)
from reprise_schedules.elsewhere import NOWHERE
from reprise_schedules.run import JobState, Run, RunState, is_holding, is_waiting

if TYPE_CHECKING:
    from datetime import datetime

    from reprise_schedules.elsewhere import Elsewhere

SHORTEST_LOOK_S: Final = 2.0
LONGEST_LOOK_S: Final = 900.0
"""Waits between looks at a run that waits for its turn: a tenth of how long it has waited, within these.

So a queue's 1,000 deliveries last for more than nine days.
"""


class Overlap(StrEnum):
    """What becomes of a run that is due while the one before is still going."""

    SKIP = "skip"
    """It does not run."""
    QUEUE = "queue"
    """It waits; a third one that is due meanwhile does not run."""
    ALLOW = "allow"
    """It runs at once."""
    REPLACE = "replace"
    """The one before is ended, and it runs: of batch jobs only, as nothing ends a Lambda call."""


CANNOT_REPLACE: Final = (
    "replace ends the run before it, and nothing ends a Lambda call that runs",
    "Use queue or skip; replace is for calls of Batch (jobDefinition)",
)
"""Message and next step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a job's file says of runs that meet, and of runs that were missed."""

    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.NONE
    deadline_at: datetime
    """When the run is of no use any more."""


def decide(
    job: JobState, scheduled_at: str, rules: Rules, *, now: datetime, elsewhere: Elsewhere = NOWHERE
) -> Decision:
    """Return what becomes of a run that is due.

    Args:
        job: What is known of the job; the ends of captured calls have been looked up.
        scheduled_at: Which run.
        rules: The job's.
        now: The present.
        elsewhere: What Batch says is going besides; asked for only if the run could start otherwise.
    """
    run = job.find(scheduled_at)
    now_ms = int(now.timestamp() * 1000)
    match run.state:
        case RunState.RUNNING if now_ms < run.until_ms:
            return Wait(wait_s=(run.until_ms - now_ms) / 1000)
        case RunState.RUNNING | RunState.LOST:
            return Recover()
        case RunState.DUE | RunState.QUEUED if now >= rules.deadline_at:
            return Expire()
        case RunState.DUE | RunState.QUEUED:
            turn = _Turn(job=job, run=run, now=now, elsewhere=elsewhere)
            if rules.catch_up is not CatchUp.NONE and is_late(run, now):
                return _catch_up(turn, rules)
            return _take_turn(turn, rules.overlap)
        case _:
            return AlreadyDone()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """A run that may start, and what it has beside it."""

    job: JobState
    run: Run
    now: datetime
    elsewhere: Elsewhere

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    @property
    def others(self) -> list[Run]:
        return self.job.others(self.run.scheduled_at)

    @property
    def holding(self) -> list[Run]:
        return [other for other in self.others if is_holding(other, self.now_ms)]

    @property
    def waiting(self) -> list[Run]:
        return [other for other in self.others if is_waiting(other, self.now_ms)]

    @property
    def is_alone(self) -> bool:
        return not self.holding and self.elsewhere == NOWHERE

    @property
    def is_first(self) -> bool:
        return all(other.scheduled_at > self.run.scheduled_at for other in self.waiting)

    @property
    def waited_s(self) -> float:
        """Seconds since it took its place in the queue; 0 if it has none."""
        if self.run.state is not RunState.QUEUED:
            return 0.0
        return (self.now - parse_instant(self.run.changed_at)).total_seconds()

    @property
    def look_s(self) -> float:
        return min(LONGEST_LOOK_S, max(SHORTEST_LOOK_S, self.waited_s / 10))

    def in_line(self, *, wait_s: float | None = None, is_late: bool = False) -> Wait:
        is_queued = self.run.state is not RunState.QUEUED
        wait_s = self.look_s if wait_s is None else wait_s
        return Wait(wait_s=wait_s, is_queued=is_queued, is_late=is_late)


def _catch_up(turn: _Turn, rules: Rules) -> Decision:
    """Return what becomes of a late run of a job that catches up."""
    if rules.catch_up is CatchUp.LAST:
        if is_overtaken(turn.run, turn.others):
            return Skip(message="a later run was due meanwhile, and only the last is caught up")
        if turn.waited_s < SETTLE_S:
            return turn.in_line(wait_s=SETTLE_S - turn.waited_s, is_late=True)
    elif rules.overlap in (Overlap.SKIP, Overlap.QUEUE):
        # One after the other, however many there are.
        is_next = turn.is_alone and turn.is_first
        return Start() if is_next else turn.in_line(is_late=True)
    return _take_turn(turn, rules.overlap)


def _take_turn(turn: _Turn, overlap: Overlap) -> Decision:
    """Return what becomes of a run, given the other runs of its job."""
    match overlap:
        case Overlap.ALLOW:
            return Start()
        case Overlap.SKIP if turn.is_alone:
            return Start()
        case Overlap.SKIP:
            return Skip(message=turn.elsewhere.message or "the run before it is still going")
        case Overlap.QUEUE:
            return _stand_in_line(turn)
        case Overlap.REPLACE:
            return _replace(turn)
        case _:
            assert_never(overlap)


def _stand_in_line(turn: _Turn) -> Decision:
    """Return what becomes of a run that may wait, one deep."""
    if turn.is_alone and turn.is_first:
        return Start()
    if turn.run.state is RunState.QUEUED:
        return turn.in_line()
    if turn.is_alone:
        # The one that waits goes first; its place is free in a moment.
        return Wait(wait_s=SHORTEST_LOOK_S)
    if turn.waiting:
        return Skip(message="the run before it is still going, and another one waits")
    return turn.in_line()


def _replace(turn: _Turn) -> Decision:
    """Return what becomes of a run that ends those before it."""
    if any(other.scheduled_at > turn.run.scheduled_at for other in (*turn.holding, *turn.waiting)):
        return Skip(message="a later run takes its place")
    if turn.elsewhere.others:
        return Skip(message=turn.elsewhere.message or "")
    submitted = tuple(
        other.call_id
        for other in turn.holding
        if other.state is RunState.SUBMITTED and other.call_id is not None
    )
    if submitted or turn.elsewhere.own:
        return Stop(job_ids=submitted + turn.elsewhere.own, wait_s=turn.look_s)
    return turn.in_line() if turn.holding else Start()

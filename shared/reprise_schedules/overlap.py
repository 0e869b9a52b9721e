"""Decide whether a run may start: a pure function from what is known of its job to a value.

The guard that keeps runs of one job apart is a lease in each run, never a lock: a runner that dies
holds up the next run until its lease ends, and no longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from reprise.instant import parse_instant
from reprise_schedules.run import JobState, Run, RunState, is_holding, is_waiting

if TYPE_CHECKING:
    from datetime import datetime

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Run it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """Its runner died: what it did is unknown, and a replay has to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Leave it out."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Look again later."""

    wait_s: float
    is_queued: bool = False
    """Whether it takes the place in the queue now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """Leave it out: it is too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyDone:
    """It was dealt with already; this is a second delivery."""


Decision = Start | Recover | Skip | Wait | Expire | AlreadyDone


def decide(
    job: JobState, scheduled_at: str, overlap: Overlap, *, deadline_at: datetime, now: datetime
) -> Decision:
    """Return what becomes of a run that is due.

    Args:
        job: What is known of the job; the ends of captured calls have been looked up.
        scheduled_at: Which run.
        overlap: The job's rule.
        deadline_at: When the run is of no use any more.
        now: The present.
    """
    run = job.find(scheduled_at)
    now_ms = int(now.timestamp() * 1000)
    match run.state:
        case RunState.RUNNING if now_ms < run.until_ms:
            return Wait(wait_s=(run.until_ms - now_ms) / 1000)
        case RunState.RUNNING | RunState.LOST:
            return Recover()
        case RunState.DUE | RunState.QUEUED if now >= deadline_at:
            return Expire()
        case RunState.DUE | RunState.QUEUED:
            return _take_turn(job, run, overlap, now)
        case _:
            return AlreadyDone()


def _take_turn(job: JobState, run: Run, overlap: Overlap, now: datetime) -> Decision:
    """Return what becomes of a run, given the other runs of its job."""
    now_ms = int(now.timestamp() * 1000)
    others = job.others(run.scheduled_at)
    is_alone = not any(is_holding(other, now_ms) for other in others)
    match overlap:
        case Overlap.ALLOW:
            return Start()
        case Overlap.SKIP:
            return Start() if is_alone else Skip(message="the run before it is still going")
        case Overlap.QUEUE:
            waiting = [other for other in others if is_waiting(other, now_ms)]
            return _stand_in_line(run, waiting, now, is_alone=is_alone)
        case _:
            assert_never(overlap)


def _stand_in_line(run: Run, waiting: list[Run], now: datetime, *, is_alone: bool) -> Decision:
    """Return what becomes of a run that may wait, one deep."""
    if is_alone and all(other.scheduled_at > run.scheduled_at for other in waiting):
        return Start()
    if run.state is RunState.QUEUED:
        return Wait(wait_s=_look_s(run.changed_at, now))
    if is_alone:
        # The one that waits goes first; its place is free in a moment.
        return Wait(wait_s=SHORTEST_LOOK_S)
    if waiting:
        return Skip(message="the run before it is still going, and another one waits")
    return Wait(wait_s=SHORTEST_LOOK_S, is_queued=True)


def _look_s(since: str, now: datetime) -> float:
    waited_s = (now - parse_instant(since)).total_seconds()
    return min(LONGEST_LOOK_S, max(SHORTEST_LOOK_S, waited_s / 10))

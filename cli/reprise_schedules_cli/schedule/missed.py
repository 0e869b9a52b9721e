"""Which instants of a job were never sent, and which of them are made up for: pure rules.

An instant is missed if it lies within the deadline, after the schedule was last changed, and no run of it is
known, whatever became of that. What is sent has the instant as its name, so nothing runs twice for one, even
if EventBridge Scheduler sends it late, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.errors import ScheduleError
from reprise.instant import format_instant, parse_instant
from reprise_schedules.catch_up import LATE_S, CatchUp
from reprise_schedules.message import RunRequest
from reprise_schedules_cli.schedule.expression import find_zone, parse_expression, runs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reprise_schedules.run import JobState

MOST: Final = 20
"""Instants that are made up for at a time: each is a run, and 50 runs are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Instants of a job to make up for, the earliest first."""

    job: str
    instants: tuple[datetime, ...] = ()
    left: int = 0
    """How many more there are, for another time."""
    message: Mapping[str, Any]
    """What the schedule sends."""

    def bodies(self) -> list[str]:
        """Return the message of each instant."""
        return [
            json.dumps({**self.message, "scheduled_at": format_instant(at)}) for at in self.instants
        ]


def choose(
    instants: Iterable[datetime], seen: Collection[str], catch_up: CatchUp
) -> tuple[list[datetime], int]:
    """Return which instants are made up for, the earliest first, and how many more there are.

    Args:
        instants: Those that were due within the time that counts, in order.
        seen: Scheduled times of runs that are known.
        catch_up: The job's rule.
    """
    due = list(instants)
    missed = [at for at in due if format_instant(at) not in seen]
    if catch_up is CatchUp.NONE or not missed:
        return [], 0
    if catch_up is CatchUp.LAST:
        # What counts is that it ran since it was last due.
        is_overtaken = any(scheduled_at > format_instant(missed[-1]) for scheduled_at in seen)
        return ([], 0) if is_overtaken else (missed[-1:], 0)
    return missed[:MOST], max(0, len(missed) - MOST)


def find_missed(schedule: Mapping[str, Any], state: JobState, now: datetime) -> Missed | None:
    """Return what a schedule of a job has missed; None if it catches nothing up.

    Args:
        schedule: As GetSchedule tells it. A paused one has missed all since it was paused.
        state: What is known of its job's runs.
        now: The present.

    Raises:
        ScheduleError: If it is no schedule of a job.
    """
    try:
        message = json.loads(schedule["Target"]["Input"])
        due = msgspec.convert(message, RunRequest)
    except (KeyError, ValueError) as error:
        raise ScheduleError(
            "Input", f"is no message of a job: {error}", "Let `reprise schedule apply` write it"
        ) from error
    if due.catch_up is CatchUp.NONE:
        return None
    since = max(now - timedelta(seconds=due.deadline_s), schedule["LastModificationDate"])
    if state.forgotten:
        since = max(since, parse_instant(state.forgotten))
    until = now if schedule["State"] == "DISABLED" else now - _sent_within(schedule)
    expression = parse_expression(schedule["ScheduleExpression"])
    zone = find_zone(schedule.get("ScheduleExpressionTimezone", "UTC"))
    instants = takewhile(lambda at: at <= until, runs(expression, zone, since))
    seen = {run.scheduled_at for run in state.runs}
    chosen, left = choose(instants, seen, due.catch_up)
    return Missed(job=due.job, instants=tuple(chosen), left=left, message=message)


def _sent_within(schedule: Mapping[str, Any]) -> timedelta:
    """Return how long after its time a run may come without anything being wrong."""
    window = schedule.get("FlexibleTimeWindow", {}).get("MaximumWindowInMinutes", 0)
    return timedelta(minutes=window, seconds=LATE_S)

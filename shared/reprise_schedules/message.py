"""The message that a schedule sends when a job is due: everything that its run needs.

EventBridge Scheduler puts the scheduled time in. The message is what `reprise schedule apply` and the
example template write into a schedule's `Input`.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from reprise.errors import ScheduleError
from reprise.instant import format_instant, parse_instant
from reprise_schedules.catch_up import CatchUp
from reprise_schedules.overlap import Overlap

if TYPE_CHECKING:
    from datetime import datetime

SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
"""EventBridge Scheduler User Guide, "Adding context attributes"."""
DEFAULT_DEADLINE_S: Final = 21_600
"""Six hours, as Lambda's own asynchronous invocation."""
NAME: Final = re.compile(r"[0-9A-Za-z_.-]{1,64}")
"""EventBridge Scheduler API reference, CreateSchedule, Name."""


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run of a job that is due."""

    reprise_job: Literal[1] = 1
    """Version of this message."""
    job: str
    scheduled_at: str = SCHEDULED_TIME
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.NONE
    deadline_s: Annotated[int, Meta(ge=60, le=9 * 86_400)] = DEFAULT_DEADLINE_S
    """Seconds from the scheduled time, after which the run, and every replay of it, is of no use.

    At most nine days: the queue keeps a message for ten.
    """
    call: dict[str, Any]
    """The call, as the invoker takes it, or a batch job, as SubmitJob takes it."""

    @property
    def deadline_at(self) -> datetime:
        """Return when the run is of no use any more."""
        return parse_instant(self.scheduled_at) + timedelta(seconds=self.deadline_s)

    @property
    def key(self) -> str:
        """Return the run's own idempotency key: two deliveries of one run have one effect."""
        return f"{self.job}@{self.scheduled_at}"


def write_due(due: RunRequest) -> str:
    """Return the message as JSON."""
    document = msgspec.to_builtins(due)
    if due.catch_up is CatchUp.NONE:
        # As before there was such a field: an upgrade changes no schedule.
        del document["catch_up"]
    return json.dumps(document, separators=(",", ":"))


def read_due(body: str) -> RunRequest:
    """Return the run that a message tells of, its scheduled time in our own spelling.

    Raises:
        ScheduleError: Naming the field.
    """
    try:
        due = msgspec.convert(json.loads(body), RunRequest)
    except (ValueError, RecursionError) as error:
        raise ScheduleError(
            "message", str(error), "Let `reprise schedule apply` write the schedule"
        ) from error
    if not NAME.fullmatch(due.job):
        raise ScheduleError("job", f"{due.job!r} is no name", "Use letters, digits, _ . and -")
    try:
        scheduled_at = format_instant(parse_instant(due.scheduled_at))
    except ValueError as error:
        raise ScheduleError(
            "scheduled_at", str(error), f"Put {SCHEDULED_TIME} there: Scheduler fills it in"
        ) from error
    return msgspec.structs.replace(due, scheduled_at=scheduled_at)

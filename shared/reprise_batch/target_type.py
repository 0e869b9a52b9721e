"""The target type `batch`: what the kernel asks of job definitions, of which jobs are submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.call.target_type import FailureEvents, TargetType
from reprise_batch.event import EVENTS_PREFIX, read_event, report_of
from reprise_batch.submit import ARN, mark, read_submission

if TYPE_CHECKING:
    from reprise.capturing.record import Record


def attempts_before(record: Record) -> int | None:
    """Return the attempts that were spent before a failed job; None if the record is of a call."""
    report = report_of(record)
    return None if report is None else report.attempts


BATCH: Final = TargetType(
    name="batch",
    arn=ARN,
    marker="jobDefinition",
    read_call=read_submission,
    adapter="reprise_batch.jobs:connect",
    mark=mark,
    failures=FailureEvents(prefix=EVENTS_PREFIX, read=read_event, attempts=attempts_before),
)

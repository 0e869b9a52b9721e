"""The target type `batch`: what the kernel asks of job definitions, of which jobs are submitted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.target_type import FailureEvents, TargetType
from reprise_batch.again import changes_of
from reprise_batch.event import EVENTS_PREFIX, read_event, report_of
from reprise_batch.failure import describe_failure
from reprise_batch.submit import ARN, mark, read_submission

if TYPE_CHECKING:
    from reprise.capturing.record import Record
    from reprise.retry.policy import Policy


def attempts_before(record: Record) -> int | None:
    """Return the attempts that were spent before a failed job; None if the record is of a call."""
    report = report_of(record)
    return None if report is None else report.attempts


def describe(record: Record) -> tuple[str, str] | None:
    """Return name and reason of a failed job; None if the record is of a call."""
    return None if report_of(record) is None else describe_failure(record.outcome)


def instruct(payload: bytes, policy: Policy) -> bytes:
    """Return the payload of a failed job's record with what a policy says of another run."""
    document: dict[str, Any] = json.loads(payload)
    said = msgspec.to_builtins(changes_of(policy))
    return json.dumps({**document, "policy": said}, separators=(",", ":")).encode()


BATCH: Final = TargetType(
    name="batch",
    arn=ARN,
    marker="jobDefinition",
    read_call=read_submission,
    adapter="reprise_batch.jobs:connect",
    mark=mark,
    failures=FailureEvents(
        prefix=EVENTS_PREFIX,
        read=read_event,
        attempts=attempts_before,
        describe=describe,
        instruct=instruct,
    ),
)

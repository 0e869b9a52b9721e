"""Read the events of failed batch jobs out of capture objects, as records of calls.

No MAC: AWS writes these lines, not a holder of a key of ours. They count only in objects below a prefix that
nothing but the events' own stream may write to, and even there they are hints: what is submitted again
is what Batch itself says of the job (docs/adr/0014). From there on the pipeline's own MAC vouches for them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.payload import Payload, digest
from reprise.call.target import Target, is_allowed
from reprise.capturing.record import Record, Source
from reprise.capturing.signature import PIPELINE
from reprise.errors import BadRecordError
from reprise.instant import format_instant, parse_instant
from reprise.retry.decision import COUNTED
from reprise.version import __version__
from reprise_batch.failure import ATTEMPTS, SINCE, BatchJob, classify_failure, count_of, read_job
from reprise_batch.submit import unversioned

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS_PREFIX: Final = "batch-events/"
"""Where the events' own stream writes, in the stack's bucket."""


class FailureReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a record carries of a failed job."""

    job_id: str
    attempts: int = 0
    """Attempts that were spent before this job."""
    is_counted: bool = True
    """Whether this job spent one: one whose host was taken away did not."""
    since: str
    """When the first job of its chain failed, ISO 8601."""


def read_event(text: str, account_id: str, allowed: tuple[str, ...]) -> Record | None:
    """Return the record of a failed job, or None if the event is none that we act on.

    Raises:
        BadRecordError: `account_not_allowed`, `target_not_allowed` or `invalid_record`.
    """
    try:
        event = json.loads(text)
        if not isinstance(event, dict) or event.get("source") != "aws.batch":
            return None
        job = read_job(event["detail"])
        at = format_instant(parse_instant(str(event["time"])))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadRecordError("invalid_record", f"event of a batch job: {error}") from error
    if event.get("account") != account_id:
        raise BadRecordError("account_not_allowed", f"account is {event.get('account')!r}")
    if job.status != "FAILED" or not job.is_ours_to_submit:
        return None
    target = unversioned(job.job_definition)
    if not is_allowed(target, allowed):
        raise BadRecordError("target_not_allowed", f"{target!r} is not among the stack's Targets")
    return _record(job, target, at)


def _record(job: BatchJob, target: str, at: str) -> Record:
    since = _since(job.tags, at)
    outcome = classify_failure(job)
    report = FailureReport(
        job_id=job.job_id,
        attempts=count_of(job.tags, ATTEMPTS),
        is_counted=outcome.kind in COUNTED,
        since=since,
    )
    payload = json.dumps({"again": msgspec.to_builtins(report)}, separators=(",", ":"))
    return Record(
        id=f"batch:{job.job_id}",
        # The age of a chain counts from its first failure, or hosts that keep vanishing never end it.
        captured_at=since,
        source=Source(name=PIPELINE, version=__version__),
        target=Target(function=target),
        payload=Payload(inline=payload, size_bytes=len(payload), sha256=digest(payload.encode())),
        outcome=outcome,
    )


def report_of(record: Record) -> FailureReport | None:
    """Return what a record tells of a failed job; None if it is a call like any other."""
    if record.source.name != PIPELINE or record.payload.inline is None:
        return None
    document: dict[str, Any] = json.loads(record.payload.inline)
    return msgspec.convert(document["again"], FailureReport)


def _since(tags: Mapping[str, str], at: str) -> str:
    try:
        return min(format_instant(parse_instant(tags[SINCE])), at)
    except (KeyError, ValueError):
        return at

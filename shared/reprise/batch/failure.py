"""Classify how a batch job failed: the table of its reasons, in one place.

A host that was taken away says nothing of the job, and costs no attempt. A job that somebody
cancelled, and a child of an array, is nobody's to submit again.

Source: AWS Batch User Guide, "Automated job retries" (status reasons `Host EC2*`), "Array jobs",
"AWS Batch events"; API reference, DescribeJobs (`isCancelled`, `isTerminated`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.outcome.classify import shorten
from reprise.outcome.outcome import Outcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGIN: Final = "reprise:origin"
"""Tag of a job that we submitted: the id of the first job of its chain."""
ATTEMPTS: Final = "reprise:attempts"
"""Tag: attempts spent before this job."""
SINCE: Final = "reprise:since"
"""Tag: when the first job of the chain failed, ISO 8601; the chain's age counts from here."""
OUR_TAGS: Final = frozenset({ORIGIN, ATTEMPTS, SINCE})
_BY_PREFIX: Final = (
    ("Host EC2", OutcomeKind.TRANSIENT, "HostTerminated"),
    ("OutOfMemory", OutcomeKind.FUNCTION_ERROR, "OutOfMemory"),
    ("Job attempt duration exceeded timeout", OutcomeKind.FUNCTION_ERROR, "JobTimeout"),
    ("CannotPull", OutcomeKind.FUNCTION_ERROR, "CannotPullContainer"),
    ("Dependent Job failed", OutcomeKind.PERMANENT, "DependencyFailed"),
)
"""Looked up in the job's status reason, then in the container's reason; the first that fits."""


class _Container(msgspec.Struct, frozen=True, rename="camel"):
    exit_code: int | None = None
    reason: str | None = None
    log_stream_name: str | None = None


class Job(msgspec.Struct, frozen=True, rename="camel"):
    """What a failed job's event, or DescribeJobs, tells of it, as far as we decide by it."""

    job_id: str
    job_name: str
    job_queue: str
    job_definition: str
    status: str
    status_reason: str | None = None
    container: _Container = _Container()
    array_properties: dict[str, Any] = msgspec.field(default_factory=dict)
    node_properties: dict[str, Any] | None = None
    eks_properties: dict[str, Any] | None = None
    ecs_properties: dict[str, Any] | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    is_cancelled: bool = False
    is_terminated: bool = False

    @property
    def is_ours_to_submit(self) -> bool:
        """Tell whether a failed job may be submitted again at all."""
        is_child = "index" in self.array_properties
        return not (is_child or self.is_cancelled or self.is_terminated)


def read_job(document: Mapping[str, Any]) -> Job:
    """Return the job that a decoded event's detail tells of.

    Raises:
        ValueError: If it is no job.
    """
    return msgspec.convert(document, Job)


def classify_failure(job: Job) -> Outcome:
    """Return how a job failed, for a policy to decide by."""
    reasons = [text for text in (job.status_reason, job.container.reason) if text]
    message = shorten(_say(job, reasons))
    if any(
        part is not None for part in (job.node_properties, job.eks_properties, job.ecs_properties)
    ):
        return Outcome(kind=OutcomeKind.PERMANENT, code="UnsupportedJobType", message=message)
    if "size" in job.array_properties:
        # Some of its children have run: a second run of them must be harmless.
        return Outcome(kind=OutcomeKind.UNKNOWN, code="ArrayJobFailed", message=message)
    for prefix, kind, code in _BY_PREFIX:
        if any(reason.startswith(prefix) for reason in reasons):
            return Outcome(kind=kind, code=code, message=message)
    exit_code = job.container.exit_code
    code = f"Exit{exit_code}" if exit_code is not None else "JobFailed"
    return Outcome(kind=OutcomeKind.FUNCTION_ERROR, code=code, message=message)


def _say(job: Job, reasons: list[str]) -> str:
    parts = [f"job {job.job_id} ({job.job_name})", *reasons]
    if job.container.exit_code is not None:
        parts.append(f"exit code {job.container.exit_code}")
    if job.container.log_stream_name:
        parts.append(f"log stream {job.container.log_stream_name}")
    return "; ".join(parts)

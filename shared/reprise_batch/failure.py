"""Classify how a batch job failed: the table of its reasons, in one place.

A host that was taken away, or that the task never got, says nothing of the job, and costs no attempt. A
job that somebody cancelled, a child of an array and a node of a multi-node job are nobody's to submit again.

Source: AWS Batch User Guide, "Automated job retries" (status reasons `Host EC2*`), "Array jobs", "Multi-node
parallel jobs", "AWS Batch events"; API reference, DescribeJobs (`isCancelled`, `isTerminated`). ECS Developer
Guide, "Stopped tasks error codes"; what Fargate says: nextflow-io/nextflow#5786, apache/airflow#22002,
aws/amazon-ecs-agent#4825.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.outcome import Outcome, OutcomeKind, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGIN: Final = "reprise:origin"
"""Tag of a job that we submitted: the id of the first job of its chain."""
ATTEMPTS: Final = "reprise:attempts"
"""Tag: attempts spent before this job."""
SINCE: Final = "reprise:since"
"""Tag: when the first job of the chain failed, ISO 8601; the chain's age counts from here."""
JOB: Final = "reprise:job"
"""Tag: the scheduled job of which it is a run. It goes with the job when that is submitted again."""
OUR_TAGS: Final = frozenset({ORIGIN, ATTEMPTS, SINCE})
_BY_PREFIX: Final = (
    ("Host EC2", OutcomeKind.TRANSIENT, "HostTerminated"),
    ("Your Spot Task was interrupted", OutcomeKind.TRANSIENT, "HostTerminated"),
    ("Timeout waiting for network interface provisioning", OutcomeKind.TRANSIENT, "TaskNotStarted"),
    ("Timeout waiting for EphemeralStorage provisioning", OutcomeKind.TRANSIENT, "TaskNotStarted"),
    ("Capacity is unavailable at this time", OutcomeKind.TRANSIENT, "TaskNotStarted"),
    ("OutOfMemory", OutcomeKind.FUNCTION_ERROR, "OutOfMemory"),
    ("OOMKilled", OutcomeKind.FUNCTION_ERROR, "OutOfMemory"),
    ("Job attempt duration exceeded timeout", OutcomeKind.FUNCTION_ERROR, "JobTimeout"),
    # These two did not run, either, but are mostly faults of the definition, and must come to an end.
    ("CannotPull", OutcomeKind.FUNCTION_ERROR, "CannotPullContainer"),
    ("ResourceInitializationError", OutcomeKind.FUNCTION_ERROR, "ResourceInitialization"),
    ("Dependent Job failed", OutcomeKind.PERMANENT, "DependencyFailed"),
)
"""Looked up in the job's status reason and in its containers' reasons; the first that fits."""


class _Container(msgspec.Struct, frozen=True, rename="camel"):
    exit_code: int | None = None
    reason: str | None = None
    log_stream_name: str | None = None


class _Task(msgspec.Struct, frozen=True, rename="camel"):
    containers: tuple[_Container, ...] = ()


class _Ecs(msgspec.Struct, frozen=True, rename="camel"):
    task_properties: tuple[_Task, ...] = ()


class _Pod(msgspec.Struct, frozen=True, rename="camel"):
    containers: tuple[_Container, ...] = ()
    init_containers: tuple[_Container, ...] = ()


class _Eks(msgspec.Struct, frozen=True, rename="camel"):
    pod_properties: _Pod | None = None


class BatchJob(msgspec.Struct, frozen=True, rename="camel"):
    """What a failed job's event, or DescribeJobs, tells of it, as far as we decide by it."""

    job_id: str
    job_name: str
    job_queue: str
    job_definition: str
    status: str
    status_reason: str | None = None
    container: _Container | None = None
    array_properties: dict[str, Any] = msgspec.field(default_factory=dict)
    eks_properties: _Eks | None = None
    ecs_properties: _Ecs | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    is_cancelled: bool = False
    is_terminated: bool = False

    @property
    def containers(self) -> list[_Container]:
        """Return what is told of the job's containers, of whatever kind the job is."""
        found = [] if self.container is None else [self.container]
        for task in () if self.ecs_properties is None else self.ecs_properties.task_properties:
            found += task.containers
        if self.eks_properties is not None and self.eks_properties.pod_properties is not None:
            pod = self.eks_properties.pod_properties
            found += [*pod.init_containers, *pod.containers]
        return found

    @property
    def exit_code(self) -> int | None:
        """Return the exit code that is not 0, of the first container that has one."""
        codes = [each.exit_code for each in self.containers if each.exit_code is not None]
        return next((code for code in codes if code), codes[0] if codes else None)

    @property
    def is_ours_to_submit(self) -> bool:
        """Tell whether a failed job may be submitted again at all."""
        is_child = "index" in self.array_properties or "#" in self.job_id
        return not (is_child or self.is_cancelled or self.is_terminated)


def read_job(document: Mapping[str, Any]) -> BatchJob:
    """Return the job that a decoded event's detail tells of.

    Raises:
        ValueError: If it is no job.
    """
    return msgspec.convert(document, BatchJob)


def classify_failure(job: BatchJob) -> Outcome:
    """Return how a job failed, for a policy to decide by."""
    told = [job.status_reason, *(container.reason for container in job.containers)]
    reasons = [text for text in told if text]
    message = shorten(_say(job, reasons))
    if "size" in job.array_properties:
        # Some of its children have run: a second run of them must be harmless.
        return Outcome(kind=OutcomeKind.UNKNOWN, code="ArrayJobFailed", message=message)
    for prefix, kind, code in _BY_PREFIX:
        if any(reason.startswith(prefix) for reason in reasons):
            return Outcome(kind=kind, code=code, message=message)
    code = f"Exit{job.exit_code}" if job.exit_code is not None else "JobFailed"
    return Outcome(kind=OutcomeKind.FUNCTION_ERROR, code=code, message=message)


def _say(job: BatchJob, reasons: list[str]) -> str:
    parts = [f"job {job.job_id} ({job.job_name})", *reasons]
    if job.exit_code is not None:
        parts.append(f"exit code {job.exit_code}")
    streams = (container.log_stream_name for container in job.containers)
    parts += [f"log stream {stream}" for stream in streams if stream]
    return "; ".join(parts)

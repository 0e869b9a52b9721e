"""Classify how a batch job failed: the table of its reasons, in one place.

A host that was taken away, or that the job never got, says nothing of the job, and costs no attempt. A
job that somebody cancelled, a child of an array and a node of a multi-node job are nobody's to submit again;
one that its queue cancelled, since it had waited at the head for too long, is.

Source: AWS Batch User Guide, "Automated job retries" (status reasons `Host EC2*`), "Array jobs", "Multi-node
parallel jobs", "AWS Batch events", "Automatic remediation with jobStateTimeLimitActions" and "Jobs stuck in
RUNNABLE due to capacity" (`Canceled by JobStateTimeLimit action due to reason: ...`); API reference,
DescribeJobs (`isCancelled`, `isTerminated`, `statusReason`). ECS Developer
Guide, "Stopped tasks error codes"; what Fargate says: nextflow-io/nextflow#5786, apache/airflow#22002,
aws/amazon-ecs-agent#4825.
"""

from __future__ import annotations

import re
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
HOSTS: Final = "reprise:hosts"
"""Tag: hosts that the chain missed or lost before this job; there is none where it is 0."""
JOB: Final = "reprise:job"
"""Tag: the scheduled job of which it is a run. It goes with the job when that is submitted again."""
OUR_TAGS: Final = frozenset({ORIGIN, ATTEMPTS, SINCE, HOSTS})

UNFIT: Final = "QueueCannotRunIt"
"""No compute environment of the queue can ever run the job."""
NO_HOST: Final = frozenset({"HostTerminated", "TaskNotStarted", "NoCapacity", UNFIT})
"""Codes of jobs that missed a host, or lost theirs."""
OUT_OF_MEMORY: Final = frozenset({"OutOfMemory", "Exit137"})
"""Codes of jobs that need more memory.

Where the kernel killed a child process there is 137 (128 + SIGKILL), and no reason. A host's end, a timeout
and TerminateJob, which leave 137 too, are known before by what is told of them.
"""
_COUNT: Final = re.compile(r"[0-9]{1,3}")
_TIME_LIMIT: Final = "Canceled by JobStateTimeLimit action"
_BY_PREFIX: Final = (
    (f"{_TIME_LIMIT} due to reason: MISCONFIGURATION:", OutcomeKind.TRANSIENT, UNFIT),
    (_TIME_LIMIT, OutcomeKind.TRANSIENT, "NoCapacity"),
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
        is_ended = self.is_cancelled or self.is_terminated
        is_by_its_queue = (self.status_reason or "").startswith(_TIME_LIMIT)
        return not is_child and (is_by_its_queue or not is_ended)


def read_job(document: Mapping[str, Any]) -> BatchJob:
    """Return the job that a decoded event's detail tells of.

    Raises:
        ValueError: If it is no job.
    """
    return msgspec.convert(document, BatchJob)


def count_of(tags: Mapping[str, str], name: str) -> int:
    """Return the number in a tag of ours; 0 if it is none, since anybody may tag a job."""
    text = tags.get(name, "0")
    return int(text) if _COUNT.fullmatch(text) else 0


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


_SAID: Final = re.compile(r"job \S+ \((?P<name>[^)]*)\)(?:; (?P<why>.*))?")
_LOG_STREAM: Final = "log stream "
_QUOTED: Final = re.compile(r'"[^"]*"?')


def describe_failure(outcome: Outcome) -> tuple[str, str] | None:
    """Return the name of a job that failed, and why, from how that was classified; None if it was not.

    What AWS quotes is left out: it may be a part of the job's command.
    """
    match = _SAID.fullmatch(outcome.message or "")
    if match is None:
        return None
    told = [part for part in (match["why"] or "").split("; ") if not part.startswith(_LOG_STREAM)]
    return match["name"], _QUOTED.sub("...", "; ".join(told)) or outcome.kind.value


def _say(job: BatchJob, reasons: list[str]) -> str:
    parts = [f"job {job.job_id} ({job.job_name})", *reasons]
    if job.exit_code is not None:
        parts.append(f"exit code {job.exit_code}")
    streams = (container.log_stream_name for container in job.containers)
    parts += [f"log stream {stream}" for stream in streams if stream]
    return "; ".join(parts)

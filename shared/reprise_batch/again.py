"""Change what a failed job is submitted with again, as its definition's policy says: pure.

A job that ran out of memory gets more; one that found no host, or lost its own, may go to another queue.
Only the overrides of jobs of one container are changed: what the memory of a task, a pod or a node is
made of, several containers decide together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.outcome import Outcome, OutcomeKind
from reprise_batch.failure import (
    HOSTS,
    NO_HOST,
    OUT_OF_MEMORY,
    UNFIT,
    classify_failure,
    count_of,
)
from reprise_batch.memory import JobSize, grown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.retry.policy import Policy
    from reprise_batch.failure import BatchJob

_QUEUE: Final = "job-queue/"
_FARGATE: Final = "FARGATE"


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a policy that say what is changed; `Policy` explains each."""

    memory_factor: float = 1.0
    memory_cap_mib: int | None = None
    memory_adds_vcpus: bool = False
    fallback_queue: str | None = None
    fallback_after: int = 1


def changes_of(policy: Policy) -> Changes:
    """Return what a policy says of another run."""
    return msgspec.convert(policy, Changes, from_attributes=True)


def changed(
    request: dict[str, Any], detail: Mapping[str, Any], job: BatchJob, changes: Changes
) -> dict[str, Any] | Outcome:
    """Return a submission as the policy changes it, or why another run is of no use.

    Args:
        request: What would repeat the job as it was.
        detail: The failed job, as DescribeJobs tells it.
        job: The same, as far as it is decided by.
        changes: What the policy says.
    """
    code = classify_failure(job).code
    if code in OUT_OF_MEMORY and changes.memory_factor > 1:
        return _with_more_memory(request, detail, changes)
    if code in NO_HOST:
        return _on_another_host(request, job, code, changes)
    return request


def _with_more_memory(
    request: dict[str, Any], detail: Mapping[str, Any], changes: Changes
) -> dict[str, Any] | Outcome:
    overrides = request.get("containerOverrides", {})
    amounts = {each["type"]: each["value"] for each in overrides.get("resourceRequirements", [])}
    if "MEMORY" not in amounts or changes.memory_cap_mib is None:
        return request
    had = JobSize(vcpus=float(amounts.get("VCPU", 1)), memory_mib=int(amounts["MEMORY"]))
    is_fargate = _FARGATE in detail.get("platformCapabilities", [])
    now = grown(
        had,
        factor=changes.memory_factor,
        cap_mib=changes.memory_cap_mib,
        is_fargate=is_fargate,
        may_add_vcpus=changes.memory_adds_vcpus,
    )
    if now is None:
        return _no_more_memory(had, changes, is_fargate=is_fargate)
    amounts["MEMORY"] = str(now.memory_mib)
    if now.vcpus != had.vcpus:
        amounts["VCPU"] = f"{now.vcpus:g}"
    resources = [{"type": kind, "value": value} for kind, value in amounts.items()]
    return request | {"containerOverrides": overrides | {"resourceRequirements": resources}}


def _no_more_memory(had: JobSize, changes: Changes, *, is_fargate: bool) -> Outcome:
    why = f"it ran out of memory with {had.memory_mib} MiB, and memory_cap_mib is {changes.memory_cap_mib}"
    step = "Raise memory_cap_mib"
    if is_fargate and had.memory_mib < (changes.memory_cap_mib or 0):
        why = f"{why}, but Fargate has no more for {had.vcpus:g} vCPUs"
        step = "Set memory_adds_vcpus"
    return Outcome(
        kind=OutcomeKind.PERMANENT,
        code="NoMoreMemory",
        message=f"{why}. {step} in the target's policy, then redrive it",
    )


def _on_another_host(
    request: dict[str, Any], job: BatchJob, code: str, changes: Changes
) -> dict[str, Any] | Outcome:
    """Return the submission to the queue that the number of hosts missed or lost calls for."""
    hosts = count_of(job.tags, HOSTS) + 1
    request = request | {"tags": request["tags"] | {HOSTS: str(hosts)}}
    fallback = changes.fallback_queue
    is_other = fallback is not None and _name(fallback) != _name(job.job_queue)
    if is_other and (hosts >= changes.fallback_after or code == UNFIT):
        return request | {"jobQueue": fallback}
    if code == UNFIT:
        why = f"queue {_name(job.job_queue)} can never run it: {job.status_reason}"
        return Outcome(
            kind=OutcomeKind.PERMANENT,
            code=UNFIT,
            message=f"{why}. Mend the queue, or set fallback_queue in the target's policy, then redrive it",
        )
    return request


def _name(queue: str) -> str:
    return queue.rpartition(_QUEUE)[2]


def told(request: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, str]:
    """Return what another run is given that the run before was not, by name."""
    found: dict[str, str] = {}
    if request["jobQueue"] != before["jobQueue"]:
        found["jobQueue"] = request["jobQueue"]
    amounts, had = (
        {
            each["type"]: each["value"]
            for each in of.get("containerOverrides", {}).get("resourceRequirements", [])
        }
        for of in (request, before)
    )
    names = {"MEMORY": "memoryMib", "VCPU": "vcpus"}
    return found | {
        name: amounts[kind] for kind, name in names.items() if amounts.get(kind) != had.get(kind)
    }

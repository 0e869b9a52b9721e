"""Build the submission that repeats a failed job: what the job was given, in SubmitJob's form.

DescribeJobs tells what the container got in the end, not what was overridden; given back as overrides,
it makes the same job.

Source: AWS Batch API reference, DescribeJobs (JobDetail, ContainerDetail) and SubmitJob.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reprise.batch.failure import ATTEMPTS, ORIGIN, OUR_TAGS, SINCE

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESERVED: Final = "AWS_BATCH_"
"""Batch sets these variables itself, and refuses them in overrides."""
_AS_THEY_ARE: Final = (
    "jobName",
    "jobQueue",
    "jobDefinition",
    "parameters",
    "dependsOn",
    "retryStrategy",
    "timeout",
    "shareIdentifier",
    "propagateTags",
)
_OVERRIDES: Final = ("command", "instanceType", "resourceRequirements")


def submission_of(detail: Mapping[str, Any], *, attempts: int, since: str) -> dict[str, Any]:
    """Return SubmitJob's request for another run of a job.

    Args:
        detail: The failed job, as DescribeJobs tells it.
        attempts: Attempts spent, this job's own included.
        since: When the first job of the chain failed, ISO 8601.
    """
    request = {name: detail[name] for name in _AS_THEY_ARE if detail.get(name)}
    if "size" in detail.get("arrayProperties", {}):
        request["arrayProperties"] = {"size": detail["arrayProperties"]["size"]}
    if detail.get("schedulingPriority") is not None and detail.get("shareIdentifier"):
        request["schedulingPriorityOverride"] = detail["schedulingPriority"]
    container = detail.get("container", {})
    overrides = {name: container[name] for name in _OVERRIDES if container.get(name)}
    environment = [
        variable
        for variable in container.get("environment", [])
        if not variable.get("name", "").startswith(_RESERVED)
    ]
    if environment:
        overrides["environment"] = environment
    if overrides:
        request["containerOverrides"] = overrides
    tags = {name: value for name, value in detail.get("tags", {}).items() if name not in OUR_TAGS}
    origin = detail.get("tags", {}).get(ORIGIN, detail["jobId"])
    request["tags"] = {**tags, ORIGIN: origin, ATTEMPTS: str(attempts), SINCE: since}
    return request

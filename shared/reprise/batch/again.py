"""Build the submission that repeats a failed job: what the job was given, in SubmitJob's form.

DescribeJobs tells what the containers got in the end, not what was overridden; given back as overrides,
it makes the same job.

Source: AWS Batch API reference, DescribeJobs (JobDetail, ContainerDetail, EcsPropertiesDetail,
EksPropertiesDetail, NodeProperties) and SubmitJob (ContainerOverrides, EcsPropertiesOverride,
EksPropertiesOverride, NodeOverrides).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reprise.batch.failure import ATTEMPTS, ORIGIN, OUR_TAGS, SINCE

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESERVED: Final = "AWS_BATCH"
"""Batch sets variables of this beginning itself, and refuses them in overrides."""
_RESERVED_TAGS: Final = "aws:"
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
_CONTAINER: Final = ("command", "environment", "instanceType", "resourceRequirements")
_OF_TASK: Final = ("name", "command", "environment", "resourceRequirements")
_OF_POD: Final = ("name", "image", "command", "args", "env", "resources")
_METADATA: Final = ("labels", "annotations", "namespace")
_AMOUNTS: Final = {"VCPU": "vcpus", "MEMORY": "memory"}
"""How definitions of old say what is among the resource requirements today."""


def submission_of(detail: Mapping[str, Any], *, attempts: int, since: str) -> dict[str, Any]:
    """Return SubmitJob's request for another run of a job.

    Args:
        detail: The failed job, as DescribeJobs tells it.
        attempts: Attempts spent, this job's own included.
        since: When the first job of the chain failed, ISO 8601.
    """
    request = _some(detail, _AS_THEY_ARE) | _overrides(detail)
    if "size" in detail.get("arrayProperties", {}):
        request["arrayProperties"] = {"size": detail["arrayProperties"]["size"]}
    if detail.get("schedulingPriority") is not None and detail.get("shareIdentifier"):
        request["schedulingPriorityOverride"] = detail["schedulingPriority"]
    if detail.get("nodeProperties"):
        request["nodeOverrides"] = _nodes(detail["nodeProperties"])
    tags = {
        name: value
        for name, value in detail.get("tags", {}).items()
        if name not in OUR_TAGS and not name.lower().startswith(_RESERVED_TAGS)
    }
    origin = detail.get("tags", {}).get(ORIGIN, detail["jobId"])
    request["tags"] = {**tags, ORIGIN: origin, ATTEMPTS: str(attempts), SINCE: since}
    return request


def _some(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of these names that say something; False does."""
    found = {name: fields[name] for name in names if fields.get(name) not in (None, "", [], {})}
    for name in ("environment", "env"):
        if name in found:
            found[name] = [
                variable
                for variable in found[name]
                if not variable.get("name", "").startswith(_RESERVED)
            ]
            if not found[name]:
                del found[name]
    return found


def _overrides(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides of a job, or of a range of its nodes."""
    found = {
        "containerOverrides": _container(detail.get("container") or {}),
        "ecsPropertiesOverride": _ecs(detail.get("ecsProperties") or {}),
        "eksPropertiesOverride": _eks((detail.get("eksProperties") or {}).get("podProperties", {})),
        "consumableResourcePropertiesOverride": detail.get("consumableResourceProperties"),
    }
    return {name: override for name, override in found.items() if override}


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    found = _some(container, _CONTAINER)
    resources = list(found.get("resourceRequirements", []))
    said = {resource.get("type") for resource in resources}
    resources += [
        {"type": kind, "value": str(container[name])}
        for kind, name in _AMOUNTS.items()
        if kind not in said and container.get(name)
    ]
    return found | ({"resourceRequirements": resources} if resources else {})


def _ecs(ecs: Mapping[str, Any]) -> dict[str, Any]:
    tasks = [
        {"containers": [_some(container, _OF_TASK) for container in task.get("containers", [])]}
        for task in ecs.get("taskProperties", [])
    ]
    return {"taskProperties": tasks} if tasks else {}


def _eks(pod: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: [_some(container, _OF_POD) for container in pod[name]]
        for name in ("containers", "initContainers")
        if pod.get(name)
    }
    metadata = _some(pod.get("metadata") or {}, _METADATA)
    if metadata:
        found["metadata"] = metadata
    return {"podProperties": found} if found else {}


def _nodes(nodes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides of a multi-node job; their number can be one only where a range is open."""
    ranges = nodes.get("nodeRangeProperties", [])
    found: dict[str, Any] = {
        "nodePropertyOverrides": [
            _some(each, ("targetNodes", "instanceTypes")) | _overrides(each) for each in ranges
        ]
    }
    if any(each["targetNodes"].endswith(":") for each in ranges):
        found["numNodes"] = nodes["numNodes"]
    return found

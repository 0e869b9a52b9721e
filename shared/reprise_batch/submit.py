"""Submit jobs: for the first time, by SubmitJob's own names, or again.

A target is a job definition without its revision, so that one policy and one gate serve all of them.

A failed job is repeated by what it was given. DescribeJobs tells what the containers got in the end, not what
was overridden; given back as overrides, it makes the same job.

Source: AWS Batch API reference, DescribeJobs (JobDetail, ContainerDetail, EcsPropertiesDetail,
EksPropertiesDetail, NodeProperties) and SubmitJob (ContainerOverrides, EcsPropertiesOverride,
EksPropertiesOverride, NodeOverrides).
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.request import CallRequest, spelt
from reprise.call.target import Target, is_allowed
from reprise.errors import BadRequestError
from reprise_batch.failure import ATTEMPTS, HOSTS, JOB, ORIGIN, OUR_TAGS, SINCE

if TYPE_CHECKING:
    from collections.abc import Mapping


_NAME: Final = r"[A-Za-z0-9_-]{1,128}"
_ARN: Final = rf"arn:aws[a-z-]*:batch:[a-z0-9-]+:[0-9]{{12}}:job-definition/{_NAME}"

ARN: Final = re.compile(_ARN)
"""A job definition without its revision: what a target is called."""
DEFINITION: Final = re.compile(rf"(?P<arn>{_ARN})(?::[0-9]+)?|(?P<name>{_NAME})(?::[0-9]+)?")
"""What SubmitJob takes; the group `arn` or the group `name` is without a revision."""


def unversioned(definition: str) -> str:
    """Return the ARN of a job definition without its revision."""
    match = DEFINITION.fullmatch(definition)
    return match["arn"] if match and match["arn"] else definition


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
    ours = {
        ORIGIN: detail["jobId"],
        **{
            name: value for name, value in detail.get("tags", {}).items() if name in (ORIGIN, HOSTS)
        },
    }
    request["tags"] = {**tags, **ours, ATTEMPTS: str(attempts), SINCE: since}
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


class Submission(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """A job to submit, by SubmitJob's own names; what is left out is the definition's."""

    job_name: str | None = None
    job_queue: str
    job_definition: str
    parameters: dict[str, str] | None = None
    array_properties: dict[str, int] | None = None
    depends_on: list[dict[str, str]] | None = None
    container_overrides: dict[str, Any] | None = None
    ecs_properties_override: dict[str, Any] | None = None
    eks_properties_override: dict[str, Any] | None = None
    node_overrides: dict[str, Any] | None = None
    consumable_resource_properties_override: dict[str, Any] | None = None
    retry_strategy: dict[str, Any] | None = None
    timeout: dict[str, int] | None = None
    share_identifier: str | None = None
    scheduling_priority_override: int | None = None
    tags: dict[str, str] | None = None
    propagate_tags: bool | None = None
    IdempotencyKey: str | None = None
    NotAfter: str | None = None


def read_submission(document: Mapping[str, object], allowed: tuple[str, ...]) -> CallRequest:
    """Return the call that submits a job.

    Raises:
        BadRequestError: Naming the field.
    """
    try:
        wire = msgspec.convert(spelt(document, Submission.__struct_encode_fields__), Submission)
    except msgspec.ValidationError as error:
        raise BadRequestError("call", str(error), "Use the names of Batch's SubmitJob") from error
    match = DEFINITION.fullmatch(wire.job_definition)
    if match is None:
        raise BadRequestError(
            "jobDefinition",
            "is no name or ARN of a job definition",
            "Send NAME, NAME:REVISION or an ARN",
        )
    target = match["arn"] or _complete(match["name"], allowed)
    if target is None or not is_allowed(target, allowed):
        raise BadRequestError(
            "jobDefinition",
            f"{wire.job_definition!r} is not an allowed target",
            "Add its ARN to the stack's Targets parameter and deploy again",
            status=403,
        )
    submission: dict[str, Any] = msgspec.to_builtins(wire)
    extras = {name: submission.pop(name) for name in ("IdempotencyKey", "NotAfter")}
    submission = {name: value for name, value in submission.items() if value is not None}
    submission.setdefault("jobName", target.rpartition("/")[2])
    return CallRequest(
        target=Target(function=target),
        payload=json.dumps({"submit": submission}, separators=(",", ":")).encode(),
        idempotency_key=extras["IdempotencyKey"],
        not_after=extras["NotAfter"],
    )


def mark(request: CallRequest, job: str) -> CallRequest:
    """Return a submission that carries the name of the scheduled job of which it is a run."""
    document = json.loads(request.payload)
    submission = document["submit"]
    submission["tags"] = {**submission.get("tags", {}), JOB: job}
    return replace(request, payload=json.dumps(document, separators=(",", ":")).encode())


def _complete(name: str, allowed: tuple[str, ...]) -> str | None:
    """Return the full ARN that a name means among the allowed ones, if any."""
    for entry in allowed:
        prefix, slash, tail = entry.rpartition("/")
        if slash and (tail == name or (tail.endswith("*") and name.startswith(tail[:-1]))):
            return f"{prefix}/{name}"
    return None

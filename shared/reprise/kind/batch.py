"""The kind `batch`: job definitions, of which jobs are submitted.

A target is a job definition without its revision, so that one policy and one gate serve all of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.batch.definition import ARN, DEFINITION
from reprise.call.request import CallRequest
from reprise.call.spelling import spelt
from reprise.call.target import Target, is_allowed
from reprise.errors import BadRequestError
from reprise.kind.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.aws.session import Clients
    from reprise.ports import Functions


class Submission(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job to submit, by SubmitJob's own names; what is left out is the definition's."""

    jobName: str | None = None  # noqa: N815 - AWS's own names, here and below
    jobQueue: str  # noqa: N815
    jobDefinition: str  # noqa: N815
    parameters: dict[str, str] | None = None
    arrayProperties: dict[str, int] | None = None  # noqa: N815
    dependsOn: list[dict[str, str]] | None = None  # noqa: N815
    containerOverrides: dict[str, Any] | None = None  # noqa: N815
    ecsPropertiesOverride: dict[str, Any] | None = None  # noqa: N815
    eksPropertiesOverride: dict[str, Any] | None = None  # noqa: N815
    nodeOverrides: dict[str, Any] | None = None  # noqa: N815
    consumableResourcePropertiesOverride: dict[str, Any] | None = None  # noqa: N815
    retryStrategy: dict[str, Any] | None = None  # noqa: N815
    timeout: dict[str, int] | None = None
    shareIdentifier: str | None = None  # noqa: N815
    schedulingPriorityOverride: int | None = None  # noqa: N815
    tags: dict[str, str] | None = None
    propagateTags: bool | None = None  # noqa: N815
    IdempotencyKey: str | None = None
    NotAfter: str | None = None


def read_submission(document: Mapping[str, object], allowed: tuple[str, ...]) -> CallRequest:
    """Return the call that submits a job.

    Raises:
        BadRequestError: Naming the field.
    """
    try:
        wire = msgspec.convert(spelt(document, Submission.__struct_fields__), Submission)
    except msgspec.ValidationError as error:
        raise BadRequestError("call", str(error), "Use the names of Batch's SubmitJob") from error
    match = DEFINITION.fullmatch(wire.jobDefinition)
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
            f"{wire.jobDefinition!r} is not an allowed target",
            "Add its ARN to the stack's BatchJobDefinitions and deploy again",
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


def _complete(name: str, allowed: tuple[str, ...]) -> str | None:
    """Return the full ARN that a name means among the allowed ones, if any."""
    for entry in allowed:
        prefix, slash, tail = entry.rpartition("/")
        if slash and (tail == name or (tail.endswith("*") and name.startswith(tail[:-1]))):
            return f"{prefix}/{name}"
    return None


def _connect(clients: Clients, call_timeout_s: int) -> Functions:
    del call_timeout_s  # A submission is answered at once.
    # Late: the core knows kinds, and loads no AWS.
    from reprise.aws.batch_jobs import BatchJobs  # noqa: PLC0415

    return BatchJobs(clients.batch())


BATCH: Final = Kind(
    name="batch",
    arn=ARN,
    marker="jobDefinition",
    read_call=read_submission,
    connect=_connect,
)

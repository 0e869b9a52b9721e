"""The policy document as a public contract: pydantic models, and the JSON Schema made from them.

For editors and tools; the stack reads the same document by msgspec (`reprise.retry.policy`), and a property
test keeps the two verdicts equal. The schema has the present names only, and not those of 0.1.0.

    python -m reprise_cli.policy.model > docs/reference/policy.schema.json
    python -m reprise_cli.policy.model table       the table of docs/reference/policy.md
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from reprise.errors import PolicyError
from reprise.retry.policy import JOB_QUEUE, with_new_names

SCHEMA_ID: Final = "urn:reprise:policy:1"
_RELATED: Final = ("initial_interval_s", "maximum_interval_s", "memory_factor", "memory_cap_mib")
_Kind = Literal["throttled", "transient", "unknown", "function_error", "permanent"]
_Outcome = Literal["succeeded", "throttled", "transient", "function_error", "unknown", "permanent"]

# Lists in JSON: strict types would want Python's own sets, since fields are renamed before they are read.
_Outcomes = Annotated[frozenset[_Outcome], Field(strict=False)]
_Kinds = Annotated[frozenset[_Kind], Field(strict=False)]
_Texts = Annotated[frozenset[str], Field(strict=False)]


class _Model(BaseModel):
    """Strict types; a field that nobody knows is a typing error."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True
    )


class TargetPolicy(_Model):
    """How the calls of one target are replayed; a field that is left out is that of `default`."""

    enabled: bool = True
    """False keeps calls waiting: nothing is invoked, nothing is given up. `reprise policy pause` sets it."""
    maximum_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """Executions that failed, the caller's own included, before a call is given up; throttles and 5xx do not
    count."""
    max_age_s: Annotated[int, Field(ge=60, le=14 * 86_400)] = 21_600
    """Seconds after its capture at which a call is given up, whatever its attempts."""
    initial_interval_s: Annotated[float, Field(ge=0, le=43_200)] = 60.0
    """Longest wait in seconds after the first failed attempt; not above `maximum_interval_s`."""
    maximum_interval_s: Annotated[float, Field(ge=0, le=43_200)] = 300.0
    """Longest wait in seconds after any attempt."""
    backoff_coefficient: Annotated[float, Field(ge=1, le=10)] = 2.0
    """Growth of the longest wait from one attempt to the next; the wait is drawn evenly from 0 to it."""
    replay_on: _Outcomes = frozenset({"throttled", "transient", "function_error"})
    """Outcomes worth a replay; calls that end otherwise are given up at once. It has no say over `unknown`,
    which is `idempotent`'s, nor over `permanent`, which is never replayed."""
    non_retryable_error_types: _Texts = frozenset()
    """`errorType`s of the target's own that no replay can heal."""
    idempotent: bool = False
    """True also replays calls whose outcome is unknown: the target tolerates a second run. False gives them
    up, whatever `replay_on` says."""
    max_concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Most replays of this target at once, over all replayers; without it 2 on Lambda Managed Instances, and
    what `headroom` leaves elsewhere."""
    capture_on: _Kinds | None = None
    """Outcomes of callers' own calls that are captured; null leaves it to whoever captures."""
    headroom: Annotated[float, Field(ge=0, le=0.9)] = 0.1
    """Share of the target's concurrency that is left to live traffic."""
    memory_factor: Annotated[float, Field(ge=1, le=10)] = 1.0
    """Batch: growth of the memory of a job that ran out of it, from one run to the next; 1 is none. Needs
    `memory_cap_mib`."""
    memory_cap_mib: Annotated[int, Field(ge=4, le=33_554_432)] | None = None
    """Batch: most memory in MiB that a job may get so."""
    memory_adds_vcpus: bool = False
    """Batch: true takes more vCPUs where Fargate has no such memory with those of the job."""
    fallback_queue: Annotated[str, Field(pattern=f"^{JOB_QUEUE}$")] | None = None
    """Batch: name or ARN of the job queue for jobs that found no host or lost theirs; one of the add-on's
    `BatchJobQueues`."""
    fallback_after: Annotated[int, Field(ge=1, le=100)] = 1
    """Batch: hosts missed or lost, in a chain of jobs, from which on it goes to `fallback_queue`."""


def _renamed(fields: object) -> object:
    try:
        return with_new_names(fields, "policy", is_told=False)
    except PolicyError as error:
        raise ValueError(str(error)) from error


_Policy = Annotated[TargetPolicy, BeforeValidator(_renamed)]


class PolicyDocument(_Model):
    """The document in the parameter that the stack's output `PolicyParameter` names."""

    default: _Policy = TargetPolicy()
    """Of every target, where its own says nothing."""
    targets: dict[str, _Policy] = Field(default_factory=dict)
    """What single targets change of it, by the function's name without its ARN."""

    @model_validator(mode="after")
    def _is_coherent(self) -> PolicyDocument:
        for policy in (self.default, *self.targets.values()):
            first, longest, factor, cap_mib = (
                getattr(policy if name in policy.model_fields_set else self.default, name)
                for name in _RELATED
            )
            if longest < first:
                msg = "maximum_interval_s must not be below initial_interval_s"
                raise ValueError(msg)
            if factor > 1 and cap_mib is None:
                msg = "memory_factor needs memory_cap_mib, the most that a job may get"
                raise ValueError(msg)
        return self


def schema_text() -> str:
    """Return the JSON Schema of the document, as its file holds it."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **_schema(),
        "title": "Reprise policy document",
    }
    return json.dumps(document, indent=2) + "\n"


def _schema() -> dict[str, Any]:
    """Return pydantic's schema; sets sorted, and without a default that a left-out field does not have."""
    schema = PolicyDocument.model_json_schema()
    for field in schema["$defs"]["TargetPolicy"]["properties"].values():
        if isinstance(field.get("default"), list):
            field["default"] = sorted(field["default"])
        field.get("items", {}).pop("title", None)
    schema["properties"]["default"].pop("default", None)
    return schema


def table() -> str:
    """Return the fields as a table in Markdown, as docs/reference/policy.md holds it."""
    lines = ["| field | values | default | |", "|---|---|---|---|"]
    for name, field in _schema()["$defs"]["TargetPolicy"]["properties"].items():
        said = _said(field.get("default"))
        text = " ".join(field["description"].split())
        lines.append(f"| `{name}` | {_values(field)} | {said} | {text} |")
    return "\n".join(lines) + "\n"


def _values(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return ", or ".join(_values(each) for each in field["anyOf"])
    match field["type"]:
        case "array":
            words = field["items"].get("enum")
            return "a list of " + (", ".join(f"`{word}`" for word in words) if words else "texts")
        case "integer" | "number" as kind:
            whole = "whole, " if kind == "integer" else ""
            return f"{whole}{field['minimum']:,} to {field['maximum']:,}"
        case "boolean":
            return "`true`, `false`"
        case "string":
            return "a text"
        case kind:
            return f"`{kind}`"


def _said(default: object) -> str:
    if isinstance(default, list):
        return ", ".join(f"`{word}`" for word in default) or "none"
    return f"`{json.dumps(default)}`"


if __name__ == "__main__":
    sys.stdout.write(table() if sys.argv[1:] == ["table"] else schema_text())

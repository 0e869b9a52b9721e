"""The capture line as a public contract: a pydantic model, and the JSON Schema made from it.

For people and tools outside the pipeline, which reads the same shape by msgspec (`reprise.capturing.wire`);
a property test keeps the two verdicts equal. Nothing else imports this.

    python -m reprise_cli.capture_schema > docs/reference/capture-line.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    WithJsonSchema,
    model_validator,
)

from reprise.instant import parse_instant

SCHEMA_ID: Final = "urn:reprise:capture-line:1"
_WAYS: Final = ("inline", "gzip_base64", "claim_check")
# "oneOf" counts the ways that are set: exactly one must be.
_ONE_WAY: Final[list[Any]] = [
    {"required": [way], "properties": {way: {"not": {"type": "null"}}}} for way in _WAYS
]


def _check_instant(text: str) -> str:
    parse_instant(text)
    return text


def _check_whole_number(value: object) -> object:
    # A Literal compares by value, and so takes True and 1.0 for 1.
    if type(value) is not int:
        msg = "must be a whole number"
        raise ValueError(msg)
    return value


_Instant = Annotated[
    str,
    AfterValidator(_check_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class _Model(BaseModel):
    """Strict types; fields of a later version are left alone."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", use_attribute_docstrings=True
    )


class LineSource(_Model):
    """Who wrote the line."""

    name: str
    """The source whose key signed the line."""
    version: str
    """Version of the package that wrote it."""


class LineTarget(_Model):
    """The original function of the call."""

    function: str
    """Unqualified function ARN."""
    qualifier: str | None = None
    """Version or alias; none means `$LATEST`."""
    tenant_id: str | None = None
    """Tenant, for functions with tenant isolation."""


class LineClaimCheck(_Model):
    """A reference to a payload kept in S3."""

    bucket: str
    key: str
    version_id: str | None = None


class LinePayload(_Model):
    """The payload: exactly one of `inline`, `gzip_base64` and `claim_check` is set."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _ONE_WAY})

    inline: str | None = None
    """The payload as text, when it is UTF-8."""
    gzip_base64: str | None = None
    """The payload compressed, when it is not text or is too long as text."""
    claim_check: LineClaimCheck | None = None
    """Where the payload is kept, when it fits no line."""
    size_bytes: int
    """Length of the original bytes."""
    sha256: str
    """Hex digest of the original bytes."""

    @model_validator(mode="after")
    def _travels_once(self) -> LinePayload:
        if sum(getattr(self, way) is not None for way in _WAYS) != 1:
            msg = "exactly one of inline, gzip_base64 and claim_check must be set"
            raise ValueError(msg)
        return self


class LineOutcome(_Model):
    """How the caller's own invocation ended."""

    kind: Literal["succeeded", "throttled", "transient", "function_error", "unknown", "permanent"]
    """Class of the end."""
    code: str | None = None
    """AWS error code, exception name, or the target's own error type."""
    reason: str | None = None
    """`Reason` of a throttle: function, account or caller."""
    status: int | None = None
    """HTTP status of the answer; none if there was no answer."""
    message: str | None = None
    """One line for people, at most 1,024 characters."""
    retry_after_s: float | None = None
    """The server's `Retry-After`; a floor for the next try."""
    request_id: str | None = None
    """Request id of the invocation, to find it in the target's log."""
    function_error: str | None = None
    """The `X-Amz-Function-Error` header, opaque."""


class LineReplyTo(_Model):
    """Where the late result goes: exactly one of these is set."""

    queue: str | None = None
    """ARN or URL of an SQS queue."""
    event: bool | str | None = None
    """True, or a text of the caller's own that the event carries."""
    task_token: str | None = None
    """Of a Step Functions task that waits for it."""
    callback_id: str | None = None
    """Of a callback that a durable execution of a Lambda function waits for."""
    webhook: str | None = None
    """Address that is posted to."""

    @model_validator(mode="after")
    def _goes_one_way(self) -> LineReplyTo:
        said = [value for _, value in self if value is not None]
        if len(said) != 1 or said[0] is False:
            msg = "exactly one of queue, event, task_token, callback_id and webhook must be set"
            raise ValueError(msg)
        return self


class LineMac(_Model):
    """The proof that the line was written by a holder of the key."""

    key_id: str
    """Source and key, `<source>/<key>`: the key in the secret `<stack>/source/<source>`."""
    value: str
    """Hex HMAC-SHA-256 over every field of this schema, null where it is not set (but `edits`, and
    `reply_to` and what it holds, only where they are), `mac` reduced to its `key_id`; as JSON with sorted
    keys, no blanks, ASCII."""


class CaptureLine(_Model):
    """A captured call, schema version 1: one JSON object on one line, at most 200 KB.

    Text is Unicode: lone surrogates are refused here.
    """

    reprise: Annotated[Literal[1], BeforeValidator(_check_whole_number)] = 1
    """Version of this schema."""
    event: Literal["invocation.captured"] = "invocation.captured"
    """What the subscription filter selects by."""
    level: Literal["ERROR"] = "ERROR"
    id: str
    """The call's name for ever: a UUIDv7, or `<function name>:<idempotency key>~<digest>`."""
    captured_at: _Instant
    """UTC, with microseconds."""
    source: LineSource
    target: LineTarget
    payload: LinePayload
    client_context: str | None = None
    """As the caller sent it, base64."""
    outcome: LineOutcome
    not_after: _Instant | None = None
    """Instant after which a replay is of no use."""
    trace: str | None = None
    """X-Ray header of the caller's request."""
    idempotency_key: str | None = None
    """The caller's own name of the effect, from which the id is made. Absent from lines of version 0.1.0."""
    scope: str | None = None
    """The caller's own namespace of such names."""
    edits: str | None = None
    """Hex digest of the captured payload that an operator's replaces; set in no capture line."""
    reply_to: LineReplyTo | None = None
    """Where the caller wants the late result. Absent where it did not say."""
    mac: LineMac | None = None

    @model_validator(mode="after")
    def _is_text(self) -> CaptureLine:
        # Strict text lets lone surrogates in; no service would take them on.
        self.model_dump_json()
        return self


def schema_text() -> str:
    """Return the JSON Schema of the capture line, as its file holds it."""
    schema = CaptureLine.model_json_schema()
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **schema,
        "title": "Reprise capture line, version 1",
    }
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())

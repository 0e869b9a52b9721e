"""Read an invoker request: Lambda's Invoke API's own names, and some of ours.

AWS's own tools spell one field two ways: `FunctionName` is `functionName` in Java and `JobQueue` is Step
Functions' name of `jobQueue`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.call.payload import MAX_PAYLOAD_BYTES
from reprise.call.reply_to import KINDS, ReplyTo, read_reply_to
from reprise.call.target import Target, check_name, resolve_target
from reprise.errors import BadRequestError
from reprise.instant import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reprise.settings import CallerSettings

_MAX_CONTEXT_CHARS: Final = 3583
"""Lambda API reference, Invoke, X-Amz-Client-Context: at most 3,583 bytes of base64."""
_CONTEXT: Final = re.compile(r"[!-~]*")
_TENANT: Final = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]{1,256}")
"""Lambda API reference, Invoke, X-Amz-Tenant-Id. Both travel as headers, which carry no line end."""

LONGEST_WAIT_S: Final = 50
"""The longest of one request: boto3 gives up after 60 seconds without an answer, and sends again
(botocore, Config, read_timeout)."""


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """The request as it arrives."""

    function_name: str
    payload: Any = msgspec.UNSET
    payload_base64: str | None = None
    qualifier: str | None = None
    client_context: str | None = None
    tenant_id: str | None = None
    idempotency_key: str | None = None
    scope: str | None = None
    not_after: str | None = None
    wait_seconds: Any = None
    reply_to: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """One synchronous invocation asked for."""

    target: Target
    payload: bytes
    client_context: str | None = None
    idempotency_key: str | None = None
    """The caller's own name of the effect."""
    scope: str | None = None
    """The caller's own namespace of such names."""
    key_covers_payload: bool = False
    """Whether key and scope say all that makes two calls the same, though their payloads differ."""
    not_after: str | None = None
    trace: str | None = None
    wants_json: bool = False
    """Whether the payload came as a JSON value, and the reply should too."""
    wait_s: float = 0.0
    """How long the caller will wait for the outcome of a call that is kept, or that another makes."""
    reply_to: ReplyTo | None = None
    """Where the late result of a call that is kept goes."""

    def without_key(self) -> CallRequest:
        """Return the same call as one of its own."""
        return replace(self, idempotency_key=None, scope=None, key_covers_payload=False)


def read_request(
    event: object, settings: CallerSettings, *, trace: str | None = None
) -> CallRequest:
    """Return the call that an event asks for.

    `Payload` is the target's payload: a string is sent as it is, byte for byte; any other JSON value
    is written as JSON. `PayloadBase64` carries bytes that are no text.

    Raises:
        BadRequestError: Naming the field, and the next step.
    """
    return read_call(event, settings.targets, trace=trace, may_wait_for_s=settings.call_timeout_s)


def read_call(
    event: object, targets: tuple[str, ...], *, trace: str | None = None, may_wait_for_s: int = 0
) -> CallRequest:
    """Return the call that a document asks for, of one of these targets.

    Args:
        event: The document.
        targets: Those that may be called.
        trace: The X-Ray header.
        may_wait_for_s: How long its caller may wait for a call that is kept; a job's does not.

    Raises:
        BadRequestError: Naming the field, and the next step.
    """
    if not isinstance(event, dict):
        raise BadRequestError(
            "request", "must be a JSON object", 'Send {"FunctionName": "...", "Payload": "..."}'
        )
    try:
        wire = msgspec.convert(spelt(event, _Wire.__struct_encode_fields__), _Wire)
    except msgspec.ValidationError as error:
        raise _from_validation(str(error)) from error
    request = CallRequest(
        target=resolve_target(
            wire.function_name,
            targets,
            qualifier=wire.qualifier,
            tenant_id=wire.tenant_id,
        ),
        payload=_payload(wire),
        client_context=wire.client_context,
        idempotency_key=wire.idempotency_key,
        scope=wire.scope,
        not_after=_instant(wire.not_after) if wire.not_after is not None else None,
        trace=trace,
        wants_json=wire.payload_base64 is None and not isinstance(wire.payload, str),
        wait_s=check_wait(wire.wait_seconds, may_wait_for_s),
        reply_to=read_reply_to(
            spelt(wire.reply_to, KINDS) if isinstance(wire.reply_to, dict) else wire.reply_to
        ),
    )
    check_request(request)
    return request


def library_call(  # noqa: PLR0913 - what may be said of a call, each by its own name
    function_name: object,
    payload: object,
    targets: tuple[str, ...],
    *,
    not_after: object = None,
    wait_s: object = 0.0,
    reply_to: object = None,
    trace: str | None = None,
    **texts: object,
) -> CallRequest:
    """Return the call that a library's caller asks for, whatever was passed.

    Args:
        function_name: As `resolve_target` takes it.
        payload: Bytes or text.
        targets: Those that may be called.
        not_after: Aware instant, or None.
        wait_s: Seconds.
        reply_to: As `ReplyTo` of a request, or None.
        trace: The X-Ray header.
        texts: `qualifier`, `client_context`, `tenant_id`, `idempotency_key` and `scope`; None is not said.

    Raises:
        BadRequestError: Naming the argument, or the request's field, and the next step.
    """
    said = {name: _text(name, value) for name, value in texts.items() if value is not None}
    request = CallRequest(
        target=resolve_target(
            _text("function_name", function_name),
            targets,
            qualifier=said.get("qualifier"),
            tenant_id=said.get("tenant_id"),
        ),
        payload=_bytes(payload),
        client_context=said.get("client_context"),
        idempotency_key=said.get("idempotency_key"),
        scope=said.get("scope"),
        not_after=None if not_after is None else _aware(not_after),
        trace=trace,
        wait_s=check_timeout("wait_s", wait_s),
        reply_to=read_reply_to(reply_to),
    )
    check_request(request)
    return request


def check_call_id(call_id: object) -> None:
    """Accept what a library's caller asks for the status of.

    Raises:
        BadRequestError: If it is no text, or empty.
    """
    if not _text("call_id", call_id):
        raise BadRequestError("call_id", "is empty", "Pass the CallResult's own")


def check_wait(value: object, call_timeout_s: int) -> float:
    """Return the seconds that a request asks to wait.

    Args:
        value: What it says; None is not said.
        call_timeout_s: How long a call may take: whoever answers may run a little longer.

    Raises:
        BadRequestError: If it is no number, or out of bounds.
    """
    longest_s = min(LONGEST_WAIT_S, call_timeout_s)
    if value is None:
        return 0.0
    # A bool is an int, and NaN is in no bounds.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= longest_s:
        raise BadRequestError(
            "WaitSeconds", f"must be a number from 0 to {longest_s}", "Ask again for a longer wait"
        )
    return float(value)


def check_timeout(name: str, value: object) -> float:
    """Return how long a library's caller will wait, in seconds.

    Raises:
        BadRequestError: If it is no number of seconds from 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise BadRequestError(name, "is no number of seconds", "Pass a number from 0")
    return float(value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadRequestError(name, f"is of type {type(value).__name__}", "Pass text")
    return value


def _bytes(payload: object) -> bytes:
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    if not isinstance(payload, str):
        what = f"is of type {type(payload).__name__}"
        raise BadRequestError("payload", what, "Pass bytes, or text such as json.dumps returns")
    try:
        return payload.encode()
    except UnicodeEncodeError as error:
        what = "holds a lone surrogate, which is no text"
        raise BadRequestError("payload", what, "Pass bytes") from error


def _aware(instant: object) -> str:
    if not isinstance(instant, datetime):
        what = f"is of type {type(instant).__name__}"
        raise BadRequestError("not_after", what, "Pass an aware datetime")
    if instant.utcoffset() is None:
        raise BadRequestError("not_after", "has no time zone", "Pass an aware datetime")
    return format_instant(instant)


def check_request(request: CallRequest) -> None:
    """Accept a request that Lambda and the pipeline can carry.

    Raises:
        BadRequestError: If the payload, the client context, the tenant, the idempotency key or its scope
            is out of bounds.
    """
    if len(request.payload) > MAX_PAYLOAD_BYTES:
        raise BadRequestError(
            "Payload",
            f"has {len(request.payload)} bytes, over Lambda's limit of {MAX_PAYLOAD_BYTES}",
            "Keep the body in S3 and send its key",
            status=413,
        )
    context, tenant_id = request.client_context, request.target.tenant_id
    if context is not None and len(context) > _MAX_CONTEXT_CHARS:
        raise BadRequestError(
            "ClientContext", f"is over {_MAX_CONTEXT_CHARS} characters", "Send a shorter context"
        )
    if context is not None and not _CONTEXT.fullmatch(context):
        raise BadRequestError("ClientContext", "is not base64", "Encode the JSON of the context")
    if tenant_id is not None and not _TENANT.fullmatch(tenant_id):
        raise BadRequestError(
            "TenantId",
            "must be 1 to 256 letters, digits, blanks or ._:/=+-@",
            "Send the tenant's id as Lambda's Invoke API takes it",
        )
    if request.idempotency_key is not None:
        check_name("IdempotencyKey", request.idempotency_key)
    if request.scope is not None:
        check_name("Scope", request.scope)
        if request.idempotency_key is None:
            raise BadRequestError(
                "Scope", "stands without IdempotencyKey", "Send the key that it is a namespace of"
            )


def _payload(wire: _Wire) -> bytes:
    if wire.payload_base64 is not None:
        if wire.payload is not msgspec.UNSET:
            raise BadRequestError("PayloadBase64", "stands beside Payload", "Send one of the two")
        try:
            return base64.b64decode(wire.payload_base64, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadRequestError("PayloadBase64", "is not base64", "Encode the bytes") from error
    if wire.payload is msgspec.UNSET:
        return b""
    try:
        text = (
            wire.payload
            if isinstance(wire.payload, str)
            else json.dumps(wire.payload, separators=(",", ":"), allow_nan=False)
        )
    except ValueError as error:
        # Lambda would refuse it, but only a call that is not throttled.
        raise BadRequestError(
            "Payload", "holds NaN or an infinity, which JSON does not have", "Send null or text"
        ) from error
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BadRequestError(
            "Payload", "holds a lone surrogate, which is no text", "Send PayloadBase64"
        ) from error


def _instant(text: str) -> str:
    try:
        return format_instant(parse_instant(text))
    except ValueError as error:
        raise BadRequestError("NotAfter", str(error), "Send an ISO 8601 instant with Z") from error


def _from_validation(message: str) -> BadRequestError:
    """Turn msgspec's message into one that names the field."""
    what, _, path = message.partition(" - at `$.")
    if path:
        return BadRequestError(
            path.rstrip("`"), what, "Send the type that Lambda's Invoke API takes"
        )
    if "`" in what:
        return BadRequestError(
            what.split("`")[-2], what, "See the table of request fields, docs/howto/invoker.md"
        )
    return BadRequestError(
        "request", what, "See the table of request fields, docs/howto/invoker.md"
    )


def other_spelling(name: str) -> str:
    """Return a field's name with its first letter in the other case."""
    return name[:1].swapcase() + name[1:]


def spelt(document: Mapping[str, object], names: Collection[str]) -> dict[str, object]:
    """Return a document with its fields spelt as in `names`; what stands there both ways is left alone."""
    return {
        other_spelling(name)
        if name not in names
        and other_spelling(name) in names
        and other_spelling(name) not in document
        else name: value
        for name, value in document.items()
    }

"""Make the call that an event through a front door asks for."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import msgspec

from reprise.call.request import CallRequest, check_request
from reprise.errors import BadRequestError
from reprise.instant import format_instant, parse_instant

if TYPE_CHECKING:
    from reprise.call.target import Target
    from reprise.doors.sender import Sending


class _Said(msgspec.Struct, frozen=True):
    """What a caller of Lambda's API says to us, in its client context."""

    idempotency_key: str | None = None
    scope: str | None = None
    not_after: str | None = None


class _Custom(msgspec.Struct, frozen=True):
    reprise: _Said = _Said()


class _Context(msgspec.Struct, frozen=True):
    custom: msgspec.Raw = msgspec.Raw()


_NEXT_STEP: Final = 'Send {"custom": {"reprise": {"idempotency_key": "...", "not_after": "..."}}}'


def door_request(
    target: Target,
    event: bytes,
    sending: Sending,
    *,
    request_id: str,
    client_context: bytes = b"",
    trace: str | None = None,
) -> CallRequest:
    """Return the call of a door's target, with the event as it came.

    Its key is what its caller says: in the client context, or, of an HTTP request, in a header. Of what AWS
    itself may send again it is else the invocation's request id, which stays the same: one event is one call.

    Args:
        target: The door's.
        event: The payload.
        sending: What it says of its sender.
        request_id: Of the invocation of the door.
        client_context: JSON, as the runtime API gives it.
        trace: X-Ray's header.

    Raises:
        BadRequestError: If the client context says something to us that is not to be understood.
    """
    said = _said(client_context)
    key, scope, covers = said.idempotency_key, said.scope, False
    if key is None and sending.key is not None:
        key, scope, covers = sending.key, sending.scope, True
    elif key is None and sending.sender.is_repeated:
        key, scope = request_id, "invocation"
    request = CallRequest(
        target=target,
        payload=event,
        client_context=base64.b64encode(client_context).decode() if client_context else None,
        idempotency_key=key,
        scope=scope,
        key_covers_payload=covers,
        not_after=None if said.not_after is None else _instant(said.not_after),
        trace=trace,
    )
    check_request(request)
    return request


def _said(client_context: bytes) -> _Said:
    try:
        custom = msgspec.json.decode(client_context, type=_Context).custom
    except (ValueError, RecursionError):
        return _Said()
    if b'"reprise"' not in bytes(custom):
        return _Said()
    try:
        return msgspec.json.decode(custom, type=_Custom).reprise
    except (ValueError, RecursionError) as error:
        raise BadRequestError("ClientContext", str(error), _NEXT_STEP) from error


def _instant(text: str) -> str:
    try:
        return format_instant(parse_instant(text))
    except ValueError as error:
        raise BadRequestError("ClientContext", f"not_after: {error}", _NEXT_STEP) from error

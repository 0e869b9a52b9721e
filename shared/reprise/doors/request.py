"""Make the call that an event through a front door asks for."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from reprise.call.request import CallRequest, check_request
from reprise.call.said import read_said

if TYPE_CHECKING:
    from reprise.call.target import Target
    from reprise.doors.sending import Sending


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
    context = base64.b64encode(client_context).decode() if client_context else None
    said = read_said({}, context)
    key, scope, covers = said.idempotency_key, said.scope, False
    if key is None and sending.key is not None:
        key, scope, covers = sending.key, sending.scope, True
    elif key is None and sending.sender.is_repeated:
        key, scope = request_id, "invocation"
    request = CallRequest(
        target=target,
        payload=event,
        client_context=context,
        idempotency_key=key,
        scope=scope,
        key_covers_payload=covers,
        not_after=said.not_after,
        reply_to=said.reply_to,
        trace=trace,
    )
    check_request(request)
    return request

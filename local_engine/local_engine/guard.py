"""Let in the engine's owner and its functions, and nobody else.

Every request must be signed with a key that this run of the engine issued, and none may come from a web
page. The paths that control the engine are no service of AWS: they take its token instead, so that a
function whose role allows little cannot empty it.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from local_engine.asgi import headers_of, read_body, send_answer
from local_engine.browsers import Refusal, refuse_page
from local_engine.errors import error_answer
from local_engine.operations import signing_name
from local_engine.signatures import Request, check, read_claim

if TYPE_CHECKING:
    from local_engine.asgi import Application, Message, Receive, Scope, Send
    from local_engine.key import EngineKey

_CONTROL = ("/_reprise/", "/_ministack/", "/_localstack/")
_FORBIDDEN = 403
_POLICY_VIOLATION = 1008


def guard(inner: Application, key: EngineKey, port: int) -> Application:
    """Return an application that hands on what the owner of the key, or a function of his, asks."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await inner(scope, receive, send)
        elif scope["type"] != "http":
            # A page may open a WebSocket to any address; nothing here needs one.
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            headers = headers_of(scope)
            admitted = await _admit(scope, headers, receive, key, port)
            if isinstance(admitted, Refusal):
                service = signing_name(headers)
                answer = error_answer(service, _FORBIDDEN, admitted.code, admitted.message)
                await send_answer(send, answer)
            else:
                await inner(scope, admitted, _without_cors(send))

    return guarded


async def _admit(
    scope: Scope, headers: dict[str, str], receive: Receive, key: EngineKey, port: int
) -> Receive | Refusal:
    """Return a receive that gives the request's body, or why it is not let in."""
    if refusal := refuse_page(scope["method"], headers, port):
        return refusal
    if scope["path"].startswith(_CONTROL):
        return _refuse_control(headers, key.token) or receive
    query = scope.get("query_string", b"").decode("utf-8", "replace")
    request = Request(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1"),
        query=parse_qs(query, keep_blank_values=True),
        headers=headers,
    )
    claim = read_claim(request, key.access_key_id)
    if isinstance(claim, Refusal):
        return claim
    body, again = await read_body(receive)
    return check(claim, body) or again


def _refuse_control(headers: dict[str, str], token: str) -> Refusal | None:
    given = headers.get("authorization", "")
    if hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return None
    message = (
        "The local engine is controlled with its token only: "
        "send `Authorization: Bearer …` with the one in its state folder's engine.json"
    )
    return Refusal(code="AccessDenied", message=message)


def _without_cors(send: Send) -> Send:
    """Drop what would let a web page read an answer; ministack allows every page."""

    async def send_without(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message.get("headers", [])
                if not name.lower().startswith(b"access-control-")
            ]
            message = {**message, "headers": kept}
        await send(message)

    return send_without

"""The ASGI wrapper round ministack: its own paths, faults, and the trace header."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from local_engine.admin import PREFIX, Admin
from local_engine.context import TRACE_HEADER
from local_engine.operations import recognise

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from local_engine.faults import Fault

    type Scope = MutableMapping[str, Any]
    type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    type Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def wrap(inner: Application, admin: Admin, ready_line: str) -> Application:
    """Return an application that answers the engine's own paths and hands on the rest.

    Prints ``ready_line`` when ministack has started.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await inner(scope, receive, _announce(send, ready_line))
        elif scope["type"] != "http":
            await inner(scope, receive, send)
        elif scope["path"].startswith(PREFIX):
            status, answer = admin.answer(scope["method"], scope["path"], await _read_body(receive))
            await _send_json(send, status, answer)
        else:
            TRACE_HEADER.set(_headers(scope).get("x-amzn-trace-id", ""))
            if admin.plan:
                await _serve_with_faults(inner, admin, scope, receive, send)
            else:
                await inner(scope, receive, send)

    return application


async def _serve_with_faults(
    inner: Application, admin: Admin, scope: Scope, receive: Receive, send: Send
) -> None:
    body = await _read_body(receive)
    query = scope.get("query_string", b"").decode("latin-1")
    operation = recognise(scope["method"], scope["path"], _headers(scope), query, body)
    text = f"{scope['path']}?{query}\n{body.decode('utf-8', 'replace')}"
    fault = admin.plan.choose(operation, text)
    replay = _replay(body, receive)
    if fault is None:
        await inner(scope, replay, send)
        return
    if fault.after and fault.status:
        await inner(scope, replay, _discard)
        await asyncio.sleep(fault.delay_s)
        await _send_fault(send, fault)
    elif fault.after:
        await inner(scope, replay, _delayed(send, fault.delay_s))
    else:
        await asyncio.sleep(fault.delay_s)
        if fault.status:
            await _send_fault(send, fault)
        else:
            await inner(scope, replay, send)


async def _send_fault(send: Send, fault: Fault) -> None:
    status, headers, body = fault.answer()
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _announce(send: Send, ready_line: str) -> Send:
    async def announcing_send(message: MutableMapping[str, Any]) -> None:
        await send(message)
        if message["type"] == "lifespan.startup.complete":
            print(ready_line, flush=True)  # noqa: T201 - the launcher's one line

    return announcing_send


async def _discard(_message: MutableMapping[str, Any]) -> None:
    """Lose an answer."""


def _delayed(send: Send, delay_s: float) -> Send:
    async def delayed_send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(delay_s)
        await send(message)

    return delayed_send


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a receive that gives a body again that was read already."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def replaying_receive() -> MutableMapping[str, Any]:
        return pending.pop() if pending else await receive()

    return replaying_receive


async def _read_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _headers(scope: Scope) -> dict[str, str]:
    return {
        key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]
    }


async def _send_json(send: Send, status: int, answer: dict[str, Any]) -> None:
    data = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})

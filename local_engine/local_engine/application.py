"""The ASGI wrapper round ministack: its own paths, faults, and the trace header."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from local_engine.admin import PREFIX, Admin
from local_engine.asgi import HANG_UP, headers_of, read_body, send_answer, send_json
from local_engine.context import TRACE_HEADER
from local_engine.operations import recognise

if TYPE_CHECKING:
    from local_engine.asgi import Application, Message, Receive, Scope, Send


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
            body, _ = await read_body(receive)
            status, answer = admin.answer(scope["method"], scope["path"], body)
            await send_json(send, status, answer)
        else:
            TRACE_HEADER.set(headers_of(scope).get("x-amzn-trace-id", ""))
            if admin.plan:
                await _serve_with_faults(inner, admin, scope, receive, send)
            else:
                await inner(scope, receive, send)

    return application


async def _serve_with_faults(
    inner: Application, admin: Admin, scope: Scope, receive: Receive, send: Send
) -> None:
    body, again = await read_body(receive)
    query = scope.get("query_string", b"").decode("latin-1")
    operation = recognise(scope["method"], scope["path"], headers_of(scope), query, body)
    text = f"{scope['path']}?{query}\n{body.decode('utf-8', 'replace')}"
    fault = admin.plan.choose(operation, text)
    if fault is None:
        await inner(scope, again, send)
        return
    if fault.cut:
        await inner(scope, again, _discard)
        await asyncio.sleep(fault.delay_s)
        await scope[HANG_UP]()
    elif fault.after and fault.status:
        await inner(scope, again, _discard)
        await asyncio.sleep(fault.delay_s)
        await send_answer(send, fault.answer())
    elif fault.after:
        await inner(scope, again, _delayed(send, fault.delay_s))
    else:
        await asyncio.sleep(fault.delay_s)
        if fault.status:
            await send_answer(send, fault.answer())
        else:
            await inner(scope, again, send)


def _announce(send: Send, ready_line: str) -> Send:
    async def announcing_send(message: Message) -> None:
        await send(message)
        if message["type"] == "lifespan.startup.complete":
            print(ready_line, flush=True)  # noqa: T201 - the launcher's one line

    return announcing_send


async def _discard(_message: Message) -> None:
    """Lose an answer."""


def _delayed(send: Send, delay_s: float) -> Send:
    async def delayed_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(delay_s)
        await send(message)

    return delayed_send

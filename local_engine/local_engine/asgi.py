"""Short ways with ASGI: what a request holds, and answers.

Source: ASGI specification 3.0, "HTTP & WebSocket ASGI Message Format".
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from hypercorn.protocol.events import StreamClosed

type Message = MutableMapping[str, Any]
type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Scope, Receive, Send], Awaitable[None]]
HANG_UP = "reprise.hang_up"
"""Key in a scope: closes its connection without an answer."""
type Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body."""


def with_hang_up(inner: Application) -> Application:
    """Return an application whose requests can be left without an answer; ASGI has no word for that.

    Raises:
        AttributeError: On a request, if the server is not Hypercorn in the version that is pinned.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            stream: Any = send.__self__  # type: ignore[attr-defined]

            async def hang_up() -> None:
                stream.closed = True
                await stream.send(StreamClosed(stream_id=stream.stream_id))

            scope[HANG_UP] = hang_up
        await inner(scope, receive, send)

    return application


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers, names in lower case; one that came several times is joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


async def read_body(receive: Receive) -> tuple[bytes, Receive]:
    """Return the body of a request, and a receive that gives the same again.

    Of a client that left meanwhile it is what arrived.
    """
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    pending = iter(messages)

    async def receive_again() -> Message:
        return next(pending, None) or await receive()

    return b"".join(message.get("body", b"") for message in messages), receive_again


async def send_answer(send: Send, answer: Answer) -> None:
    """Send an answer."""
    status, headers, body = answer
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, status: int, document: dict[str, Any]) -> None:
    """Send an answer in JSON."""
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send_answer(send, (status, headers, body))

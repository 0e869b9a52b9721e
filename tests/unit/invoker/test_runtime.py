"""The loop on the runtime API, with a fake of that API on the loopback."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from invoker.runtime import Invocation, Reply, RuntimeApi, RuntimeGoneError, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = b'{"x":"' + b"\xc3\xbc" * 3_000_000 + b'"}'


@dataclass
class FakeRuntime:
    """What the fake gives, and what it was told; without an invocation left it is gone."""

    address: str = ""
    invocations: deque[tuple[dict[str, str], bytes]] = field(default_factory=deque)
    answers: deque[int] = field(default_factory=deque)
    told: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)

    def give(self, event: bytes, request_id: str = "r-1", **headers: str) -> None:
        named = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:r:1:function:f:orders",
            "Lambda-Runtime-Deadline-Ms": "1542409706888",
        }
        more = {f"Lambda-Runtime-{name.replace('_', '-')}": text for name, text in headers.items()}
        self.invocations.append(({**named, **more}, event))


@pytest.fixture
def runtime() -> Iterator[FakeRuntime]:
    fake = FakeRuntime()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            assert self.path == "/2018-06-01/runtime/invocation/next"
            fake.connections.add(self.client_address)
            if not fake.invocations:
                self._send(500, {}, b"")
                return
            headers, event = fake.invocations.popleft()
            self._send(200, headers, event)

        def do_POST(self) -> None:
            fake.connections.add(self.client_address)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            error_type = self.headers.get("Lambda-Runtime-Function-Error-Type")
            prefix = "/2018-06-01/runtime/invocation/"
            fake.told.append((self.path.removeprefix(prefix), error_type, body))
            self._send(fake.answers.popleft() if fake.answers else 202, {}, b'{"status":"OK"}')

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(runtime: FakeRuntime, handle: object) -> list[Invocation]:
    """Serve until the fake is gone; return what was handled."""
    seen: list[Invocation] = []

    def keep(invocation: Invocation) -> Reply:
        seen.append(invocation)
        reply = handle(invocation) if callable(handle) else handle
        assert isinstance(reply, Reply)
        return reply

    with closing(RuntimeApi(runtime.address)) as api, pytest.raises(RuntimeGoneError):
        serve(api, keep)
    return seen


@pytest.mark.parametrize("event", [b'{ "a":\t1.0,"b":"\\u00fc\xc3\xbc"}', BIG], ids=["odd", "6-mb"])
def test_bytes_come_and_go_as_they_are(runtime: FakeRuntime, event: bytes) -> None:
    runtime.give(event)
    (seen,) = run(runtime, lambda invocation: Reply(payload=invocation.event))
    assert seen.event == event
    assert runtime.told == [("r-1/response", None, event)]


def test_all_invocations_take_one_connection(runtime: FakeRuntime) -> None:
    for number in range(3):
        runtime.give(b"{}", f"r-{number}")
    run(runtime, Reply(payload=b"null"))
    assert [path for path, _, _ in runtime.told] == [f"r-{number}/response" for number in range(3)]
    assert len(runtime.connections) == 1


def test_error_goes_with_its_type_and_its_own_body(runtime: FakeRuntime) -> None:
    runtime.give(b"{}")
    body = b'{"errorType":"Own.\\u00e4","errorMessage":"no"}'
    run(runtime, Reply(payload=body, error_type="Own.ä\r\n"))
    assert runtime.told == [("r-1/error", "Own.???", body)]


def test_invocation_says_what_it_carries(runtime: FakeRuntime) -> None:
    context = '{"custom":{"name":"ü"}}'
    runtime.give(
        b"{}",
        Trace_Id="Root=1-2-3;Sampled=1",
        Client_Context=context.encode().decode("latin-1"),
    )
    (seen,) = run(runtime, Reply(payload=b"null"))
    assert seen == Invocation(
        request_id="r-1",
        arn="arn:aws:lambda:r:1:function:f:orders",
        event=b"{}",
        client_context=context.encode(),
        trace="Root=1-2-3;Sampled=1",
    )


def test_trace_is_where_the_sdk_looks_for_it_and_of_this_invocation_only(
    runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "of another time")
    runtime.give(b"{}", Trace_Id="Root=1")
    runtime.give(b"{}")
    found: list[str | None] = []

    def look(_: Invocation) -> Reply:
        found.append(os.environ.get("_X_AMZN_TRACE_ID"))
        return Reply(payload=b"null")

    run(runtime, look)
    assert found == ["Root=1", None]


def test_handler_that_raises_fails_its_own_invocation_only(
    runtime: FakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    runtime.give(b"{}", "r-1")
    runtime.give(b"{}", "r-2")

    def handle(invocation: Invocation) -> Reply:
        if invocation.request_id == "r-1":
            message = "the secret is away"
            raise LookupError(message)
        return Reply(payload=b"null")

    run(runtime, handle)
    (path, error_type, body), after = runtime.told
    assert (path, error_type, after) == (
        "r-1/error",
        "LookupError",
        ("r-2/response", None, b"null"),
    )
    told = json.loads(body)
    assert told["errorType"] == "LookupError"
    assert told["errorMessage"] == "the secret is away"
    assert told["requestId"] == "r-1"
    assert told["stackTrace"]
    assert "invocation failed" in caplog.text


def test_answer_that_is_too_long_for_lambda_is_logged_and_the_next_is_served(
    runtime: FakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    runtime.give(b"{}", "r-1")
    runtime.give(b"{}", "r-2")
    runtime.answers.append(413)
    assert len(run(runtime, Reply(payload=b"null"))) == 2
    assert "answer was refused" in caplog.text


def test_runtime_api_that_is_broken_ends_the_process(runtime: FakeRuntime) -> None:
    runtime.give(b"{}", "r-1")
    runtime.give(b"{}", "r-2")
    runtime.answers.append(500)
    assert len(run(runtime, Reply(payload=b"null"))) == 1


def test_log_lines_name_the_invocation(
    runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record.__dict__["aws_request_id"])

    monkeypatch.setattr(logging.getLogger(), "handlers", [Keeper()])
    runtime.give(b"{}", "r-7")

    def handle(_: Invocation) -> Reply:
        logging.getLogger("reprise.x").warning("look")
        return Reply(payload=b"null")

    run(runtime, handle)
    assert kept == ["r-7"]

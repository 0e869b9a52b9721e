"""The endpoint's binary, and all that it meets, on the loopback address; DynamoDB is moto's."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from botocore.exceptions import ClientError

from doubles import FakeKeys
from reprise.capturing.line import Verifier, read_line
from reprise.capturing.signature import MacKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reprise.capturing.record import Record

MACHINE: Final = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[os.uname().machine]
BINARY: Final = Path(__file__).parents[1] / "dist" / "endpoint" / MACHINE / "extensions" / "reprise"
ARN: Final = "arn:aws:lambda:us-east-1:123456789012:function:"
TABLE: Final = "ledger"
KEYS: Final = MacKeys("web-shop", "k1", {"k1": "0123456789abcdef" * 4}, (ARN + "*",))
TRUSTED: Final = Verifier(keys=FakeKeys(KEYS), targets=(ARN + "*",))
SIGNED: Final = (
    "AWS4-HMAC-SHA256 Credential=AK/20261129/us-east-1/lambda/aws4_request, "
    "SignedHeaders=host, Signature=00"
)
THROTTLE: Final = json.dumps(
    {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."}
).encode()


class Answer(NamedTuple):
    """What Lambda says, or what a caller gets."""

    status: int
    body: bytes = b'"fine"'
    headers: Mapping[str, str] = {}


FINE: Final = Answer(200)
THROTTLED: Final = Answer(429, THROTTLE, {"x-amzn-errortype": "TooManyRequestsException"})
LOST: Final = Answer(0)
"""No answer: the connection is closed."""


@dataclass(slots=True)
class World:
    """What the servers keep."""

    dynamodb: Any
    answer: Answer = FINE
    meanwhile: Callable[[], object] | None = None
    """Happens while the target runs."""
    sends: list[tuple[str, bytes]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    refuse: dict[str, str] = field(default_factory=dict)
    """By operation, the code that it is refused with."""
    said: str = ""
    """What the endpoint has said on standard error and output, once it has ended."""
    lock: Lock = field(default_factory=Lock)

    def records(self) -> list[Record]:
        """Return what the pipeline's reader makes of the lines; it refuses what it does not trust."""
        found = [read_line(line, TRUSTED) for line in self.lines]
        return [record for record in found if record is not None]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    world: World
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer by the operation that the headers name; without one it is an invocation."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        with self.world.lock:
            if operation:
                self._serve(operation, json.loads(body))
                return
            self.world.sends.append((self.path, body))
            answer = self.world.answer
        if self.world.meanwhile is not None:
            self.world.meanwhile()
        if answer is LOST:
            self.close_connection = True
            return
        self._send(answer.status, answer.body, answer.headers)

    def do_PUT(self) -> None:
        """Keep an object."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.world.objects[unquote(self.path)] = body
        self._send(200, b"", {"x-amz-version-id": "v1"})

    def do_GET(self) -> None:
        """Return an object."""
        found = self.world.objects.get(unquote(self.path))
        self._send(200 if found is not None else 404, found or b"")

    def _serve(self, operation: str, request: dict[str, Any]) -> None:
        self.world.asked[operation] += 1
        if operation in self.world.refuse:
            document = {"__type": f"x#{self.world.refuse[operation]}", "message": "refused"}
            self._send(400, json.dumps(document).encode())
            return
        try:
            answer = self._answer(operation, request)
        except ClientError as error:
            response: dict[str, Any] = dict(error.response)
            details = response["Error"]
            document = {"__type": f"x#{details['Code']}", "message": details["Message"]}
            if "Item" in response:
                document["Item"] = response["Item"]
            self._send(400, json.dumps(document).encode())
            return
        self._send(200, json.dumps(answer).encode())

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        match operation:
            case "GetParameter":
                callers = {
                    "bucket": "bucket",
                    "capture_log_group": "/reprise/reprise/capture",
                    "ledger_table": TABLE,
                    "targets": [ARN + "*"],
                    "policy_parameter": "/reprise/policy",
                    "call_timeout_s": 30,
                }
                is_callers = request["Name"] == "/reprise/callers"
                value = json.dumps(callers) if is_callers else "{}"
                return {"Parameter": {"Value": value}}
            case "GetSecretValue":
                document = {"current": "k1", "k1": "0123456789abcdef" * 4, "targets": ["*"]}
                return {
                    "Name": "reprise/source/web-shop",
                    "SecretString": json.dumps(document),
                }
            case "PutLogEvents":
                self.world.lines += [event["message"] for event in request["logEvents"]]
                return {}
            case "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem":
                method = operation.removesuffix("Item").lower() + "_item"
                response = getattr(self.world.dynamodb, method)(**request)
                return {
                    name: value for name, value in response.items() if name != "ResponseMetadata"
                }
            case _:
                raise LookupError(operation)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        with suppress(OSError):  # Whoever asked may have gone, as after a time-out.
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Stay silent."""


@dataclass(frozen=True, slots=True)
class Place:
    """A running endpoint."""

    port: int
    world: World

    @property
    def url(self) -> str:
        """Return what `AWS_ENDPOINT_URL_LAMBDA` says."""
        return f"http://127.0.0.1:{self.port}"

    def invoke(self, body: bytes = b'{"n": 1}', *, name: str = "orders", **headers: str) -> Answer:
        """Call a function; names of headers have underscores for hyphens."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Authorization"] = SIGNED
        connection.request("POST", f"/2015-03-31/functions/{name}/invocations", body, sent)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, response.read(), found)
        connection.close()
        return answer

    def health(self) -> dict[str, Any]:
        """Return what it says of itself."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/health")
        document: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return document


def run(world: World, **environment: str) -> Iterator[Place]:
    """Run servers and endpoint, and end them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneWorld", (Handler,), {"world": world}))
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    env = {
        "AWS_ACCESS_KEY_ID": "AKOWN",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "REPRISE_ENDPOINT_PORT": str(port),
        "REPRISE_SOURCE": "web-shop",
        "HOME": "/nonexistent",
        **environment,
    }
    process = subprocess.Popen([BINARY], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        _await(port, process)
        yield Place(port, world)
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=30)
        world.said = output.decode()
        server.shutdown()
        server.server_close()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the endpoint listens."""
    pause = Event()
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None:
                output, _ = process.communicate()
                raise AssertionError(output.decode()) from None
            pause.wait(0.005)
        else:
            return
    msg = "the endpoint does not listen"
    raise AssertionError(msg)

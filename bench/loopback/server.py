"""Answer for Lambda, DynamoDB, SQS, S3, Secrets Manager, SSM, Logs and EventBridge, as the adapters ask.

It runs in a process of its own, whose CPU does not count. Items, objects and messages are kept, so that a
bench can look at what became of its calls; requests and bytes are counted by operation. DynamoDB is
the simulation's.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote
from urllib.request import urlopen

from botocore.exceptions import ClientError

from simulation.dynamodb import DynamoDB

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

REPLY: Final = b'{"ok":true}'
THROTTLED: Final = "throttled"
"""What the function is called that refuses every call."""
SECRET: Final = json.dumps(
    {"current": "k1", "k1": "a key for measuring, of enough characters", "targets": ["*"]}
)
"""What every secret holds."""


type Request = dict[str, Any]
type Answer = dict[str, Any]


class World:
    """What the server keeps."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.lock = Lock()
        self.table = DynamoDB()
        self.objects: dict[str, bytes] = {}
        self.queues: dict[str, list[dict[str, Any]]] = {}
        self.secrets: dict[str, str] = {}
        self.requests: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()


def _send_messages(world: World, request: Request) -> Answer:
    entries = request["Entries"]
    world.queues.setdefault(request["QueueUrl"], []).extend(entries)
    return {
        "Successful": [
            {
                "Id": each["Id"],
                "MessageId": each["Id"],
                "MD5OfMessageBody": hashlib.md5(each["MessageBody"].encode()).hexdigest(),  # noqa: S324 - SQS's own
            }
            for each in entries
        ]
    }


def _all_of_them(_world: World, request: Request) -> Answer:
    return {"Successful": [{"Id": each["Id"]} for each in request["Entries"]]}


def _secret(_world: World, request: Request) -> Answer:
    return {"ARN": request["SecretId"], "Name": request["SecretId"], "SecretString": SECRET}


OPERATIONS: Final[dict[str, Callable[[World, Request], Answer]]] = {
    "BatchExecuteStatement": lambda world, request: world.table.batch_execute_statement(**request),
    "BatchGetItem": lambda world, request: world.table.batch_get_item(**request),
    "ChangeMessageVisibilityBatch": _all_of_them,
    "CreateLogStream": lambda _world, _request: {},
    "DeleteMessageBatch": _all_of_them,
    "GetItem": lambda world, request: world.table.get_item(**request),
    "GetParameter": lambda _world, request: {"Parameter": {"Name": request["Name"], "Value": "{}"}},
    "GetQueueAttributes": lambda _world, request: {
        "Attributes": dict.fromkeys(request["AttributeNames"], "0")
    },
    "GetSecretValue": _secret,
    "PutEvents": lambda _world, request: {
        "FailedEntryCount": 0,
        "Entries": [{"EventId": "1"} for _ in request["Entries"]],
    },
    "PutItem": lambda world, request: world.table.put_item(**request),
    "PutLogEvents": lambda _world, _request: {},
    "SendMessageBatch": _send_messages,
    "UpdateItem": lambda world, request: world.table.update_item(**request),
}
"""What the adapters ask, by operation."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    world: World

    def do_POST(self) -> None:
        """Answer by the operation that the headers name; without one it is an invocation."""
        body = self._body()
        operation = self.headers.get("X-Amz-Target", "Invoke").rpartition(".")[2]
        with self.world.lock:
            self._count(operation, body)
            if operation == "Invoke":
                self._invoke()
                return
            try:
                answer = OPERATIONS[operation](self.world, json.loads(body or b"{}"))
            except ClientError as error:
                self._refuse(error)
                return
        self._send(200, json.dumps(answer).encode())

    def do_PUT(self) -> None:
        """Keep an object."""
        body = self._body()
        with self.world.lock:
            self._count("PutObject", body)
            self.world.objects[unquote(self.path.partition("?")[0])] = body
        self._send(200, b"", {"ETag": '"0"'})

    def do_GET(self) -> None:
        """Return an object, a function's concurrency, or what this server keeps."""
        path = unquote(self.path.partition("?")[0])
        if path.startswith("/-/"):
            self._send(200, json.dumps(getattr(self, f"tell_{path[3:]}")()).encode())
            return
        with self.world.lock:
            if path.endswith("/concurrency"):
                self._count("GetFunctionConcurrency", b"")
                self._send(200, b'{"ReservedConcurrentExecutions":1000}')
                return
            self._count("GetObject", b"")
            found = self.world.objects.get(path)
        self._send(200 if found is not None else 404, found or b"", {"ETag": '"0"'})

    # --- What benches ask ---

    def tell_counts(self) -> dict[str, Any]:
        """Return what was asked since the last time, by operation, and begin anew."""
        with self.world.lock:
            told = {"requests": dict(self.world.requests), "bytes": dict(self.world.bytes)}
            self.world.requests.clear()
            self.world.bytes.clear()
        return told

    def tell_queues(self) -> dict[str, list[dict[str, Any]]]:
        """Return what was sent since the last time, by queue, and begin anew."""
        with self.world.lock:
            told, self.world.queues = self.world.queues, {}
        return told

    def tell_states(self) -> dict[str, int]:
        """Return how many rows there are, by state."""
        with self.world.lock:
            items = self.world.table.items.values()
            return dict(Counter(item["state"]["S"] for item in items if "state" in item))

    def _refuse(self, error: ClientError) -> None:
        response: Answer = dict(error.response)
        details = response.pop("Error")
        answer = {"__type": f"#{details['Code']}", "message": details["Message"], **response}
        self._send(400, json.dumps(answer).encode())

    def _invoke(self) -> None:
        name = unquote(self.path).split("/")[3].rpartition(":")[2]
        if name != THROTTLED:
            self._send(200, REPLY)
            return
        code, reason = (
            "TooManyRequestsException",
            "ReservedFunctionConcurrentInvocationLimitExceeded",
        )
        answer = json.dumps({"message": "Rate exceeded", "Reason": reason})
        self._send(429, answer.encode(), {"x-amzn-ErrorType": code})

    # --- HTTP ---

    def _body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _chunks(self) -> list[bytes]:
        found = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return found

    def _count(self, operation: str, body: bytes) -> None:
        self.world.requests[operation] += 1
        self.world.bytes[operation] += len(body)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        lines = [f"HTTP/1.1 {status} X", "x-amzn-RequestId: r", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

    def log_message(self, *_args: object) -> None:
        """Stay silent."""


@dataclass(frozen=True, slots=True)
class Loopback:
    """The running server, from outside."""

    url: str
    process: Any

    def ask(self, what: str) -> Any:  # noqa: ANN401 - JSON's edge
        """Return what the server tells of `counts`, `queues` or `states`."""
        with urlopen(f"{self.url}/-/{what}") as answer:  # noqa: S310 - the loopback's own
            return json.loads(answer.read())

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.join()


def start() -> Loopback:
    """Start a server of one's own."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(there,), daemon=True)
    process.start()
    return Loopback(f"http://127.0.0.1:{here.recv()}", process)


def _serve(port: Connection) -> None:
    Handler.world = World()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    port.send(server.server_port)
    server.serve_forever()

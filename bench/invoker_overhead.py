"""Compare the invoker's own CPU per call on the happy path with a bare boto3 invoke.

Both invoke the same function of the same loopback server (a process of its own, whose CPU does not count), in
turn, in one process; so does a front door, which gets the event of an HTTP API. Also counts requests, to show
that the invoker adds none: one call, one invoke; and with a key no more than a look a second at the gate of a
target without a backlog.

    make bench            or            .tools/bench/bin/python bench/invoker_overhead.py [--calls 2000]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from contextlib import redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

ROOT = Path(__file__).parents[1]
TARGET = "arn:aws:lambda:us-east-1:123456789012:function:target"
OK = 200
PAYLOAD = json.dumps({"order": "x" * 1000})

DOORS = "arn:aws:lambda:us-east-1:123456789012:function:reprise-invoker"
HTTP_EVENT = json.dumps(
    {
        "version": "2.0",
        "headers": {"host": "api.example.com", "content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/orders"}, "requestId": "r"},
        "body": PAYLOAD,
    }
).encode()
"""As an HTTP API sends it: API Gateway developer guide, "Create Lambda proxy integrations for HTTP APIs"."""


class FakeLambda(BaseHTTPRequestHandler):
    """Answers every invocation with the same kilobyte, and GET with how many there were."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    count = 0

    def do_POST(self) -> None:
        """Answer an invocation."""
        FakeLambda.count += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(PAYLOAD.encode())

    def do_GET(self) -> None:
        """Tell how many invocations there were."""
        self._answer(str(FakeLambda.count).encode())

    def _answer(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nx-amzn-RequestId: r\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_args: object) -> None:
        """Stay silent."""


def serve(port: Connection) -> None:
    """Run the fake server, and say at which port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeLambda)
    port.send(server.server_port)
    server.serve_forever()


def cpu_us_per_call(call: Callable[[], object], calls: int) -> float:
    """Return this process's CPU time per call, in microseconds."""
    started_s = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - started_s) / calls * 1e6


def show_keyed(call: Callable[[int], dict[str, Any]], calls: int, url: str) -> None:
    """Make calls with a key each, and print how many requests they took."""
    before, began_s = asked_of(url), time.monotonic()
    with Path(os.devnull).open("w") as nowhere:
        for number in range(calls):
            with redirect_stdout(nowhere):
                answer = call(number)
            if answer["StatusCode"] != OK or "reprise" in answer:
                sys.exit(f"the target did not answer: {answer}")
    per_call = (asked_of(url) - before) / calls
    took_s = time.monotonic() - began_s
    print(f"the same with a key, no backlog {per_call:.3f} ({calls} calls in {took_s:.1f} s)")


def asked_of(url: str) -> int:
    """Return how many invocations the fake server has had."""
    with urlopen(url) as told:  # noqa: S310 - our own server
        return int(told.read())


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    ours_end, theirs_end = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(
        target=serve, args=(theirs_end,), daemon=True
    )
    server.start()
    url = f"http://127.0.0.1:{ours_end.recv()}"
    os.environ.update(
        AWS_ENDPOINT_URL=url,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        POWERTOOLS_SERVICE_NAME="bench",
        POWERTOOLS_METRICS_NAMESPACE="Reprise",
        REPRISE_TARGETS=TARGET,
        REPRISE_BUCKET="bucket",
        REPRISE_MAC_SECRET_ARN="arn",
        REPRISE_LEDGER_TABLE="ledger",
        REPRISE_CALL_TIMEOUT_S="60",
    )
    sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "functions")]
    import boto3
    from botocore.config import Config

    from invoker.handler import handle, lambda_handler
    from invoker.runtime import Invocation

    client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))
    event = {"FunctionName": "target", "Payload": PAYLOAD}
    nowhere = Path(os.devnull).open("w")  # noqa: SIM115 - until the end

    def bare() -> object:
        return client.invoke(FunctionName=TARGET, Payload=PAYLOAD)["Payload"].read()

    def through_invoker() -> object:
        # Its metric lines go where Lambda's would, and not between ours.
        with redirect_stdout(nowhere):
            return lambda_handler(event, None)

    asked = Invocation(request_id="r", arn=DOORS, event=json.dumps(event).encode())
    asked_at_door = Invocation(request_id="r", arn=f"{DOORS}:target", event=HTTP_EVENT)

    def as_lambda_does(invocation: Invocation) -> object:
        with redirect_stdout(nowhere):
            return handle(invocation)

    ways = {
        "bare boto3 invoke": bare,
        "the invoker": through_invoker,
        "the same, bytes to bytes": lambda: as_lambda_does(asked),
        "a front door": lambda: as_lambda_does(asked_at_door),
    }
    for warm_up in ways.values():
        cpu_us_per_call(warm_up, 100)
    calls = options.calls // options.rounds
    rows = [[cpu_us_per_call(way, calls) for way in ways.values()] for _ in range(options.rounds)]
    print(
        f"CPU per call, median of {options.rounds} interleaved rounds of {calls} calls, 1 KB payload"
    )
    for column, name in enumerate(ways):
        took_us = statistics.median(row[column] for row in rows)
        ratio = statistics.median(row[column] / row[0] for row in rows)
        print(f"{name:25} {took_us:7.0f} us   {ratio:.2f}")
    made = len(ways) * (100 + calls * options.rounds)
    print(f"requests per call  {asked_of(url) / made:10.2f}")
    show_keyed(
        lambda number: lambda_handler({**event, "IdempotencyKey": str(number)}, None),
        options.calls,
        url,
    )
    server.kill()


if __name__ == "__main__":
    main()

"""Compare the invoker's own CPU per call on the happy path with a bare boto3 invoke.

Both invoke the same function of the same loopback server (a process of its own, whose CPU does not count), in
turn, in one process. Also counts requests, to show that the invoker adds none: one call, one invoke; and with
a key no more than a look a second at the gate of a target without a backlog.

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
from typing import TYPE_CHECKING
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

ROOT = Path(__file__).parents[1]
TARGET = "arn:aws:lambda:us-east-1:123456789012:function:target"
OK = 200
PAYLOAD = json.dumps({"order": "x" * 1000})


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

    from invoker.handler import lambda_handler

    client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))
    event = {"FunctionName": "target", "Payload": PAYLOAD}
    nowhere = Path(os.devnull).open("w")  # noqa: SIM115 - until the end

    def bare() -> object:
        return client.invoke(FunctionName=TARGET, Payload=PAYLOAD)["Payload"].read()

    def through_invoker() -> object:
        # Its metric lines go where Lambda's would, and not between ours.
        with redirect_stdout(nowhere):
            return lambda_handler(event, None)

    for warm_up in (bare, through_invoker):
        cpu_us_per_call(warm_up, 100)
    calls = options.calls // options.rounds
    rows = [
        (cpu_us_per_call(bare, calls), cpu_us_per_call(through_invoker, calls))
        for _ in range(options.rounds)
    ]
    print(
        f"CPU per call, median of {options.rounds} interleaved rounds of {calls} calls, 1 KB payload"
    )
    print(f"bare boto3 invoke  {statistics.median(bare_us for bare_us, _ in rows):7.0f} us   1.00")
    ratio = statistics.median(ours_us / bare_us for bare_us, ours_us in rows)
    print(
        f"the invoker        {statistics.median(ours_us for _, ours_us in rows):7.0f} us   {ratio:.2f}"
    )
    with urlopen(url) as told:
        invocations = int(told.read())
    made = 2 * (100 + calls * options.rounds)
    print(f"requests per call  {invocations / made:10.2f}")
    began_s = time.monotonic()
    for number in range(options.calls):
        with redirect_stdout(nowhere):
            answer = lambda_handler({**event, "IdempotencyKey": str(number)}, None)
        if answer["StatusCode"] != OK or "reprise" in answer:
            sys.exit(f"the target did not answer: {answer}")
    took_s = time.monotonic() - began_s
    with urlopen(url) as told:
        with_key = int(told.read()) - invocations
    print(
        f"the same with a key, no backlog {with_key / options.calls:.3f}"
        f" ({options.calls} calls in {took_s:.1f} s)"
    )
    server.kill()


if __name__ == "__main__":
    main()

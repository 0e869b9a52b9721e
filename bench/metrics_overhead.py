"""Compare what metrics, books and events cost a replay with the replay itself: CPU, and bytes of log.

The baseline is the real stage of the replayer with the real adapters, against a loopback server (a process
of its own, whose CPU does not count) that answers as Lambda and DynamoDB do: lease, invocation, settlement.
The other side runs the same batches and finishes each as the handler does: gauges, books (one more request),
metrics. Both in turn, in one process. The limit is for the metrics alone: counting them, writing the lines.
Checks that every call was invoked once and succeeded: a bench that replays nothing measures nothing.

    make bench            or            .tools/bench/bin/python bench/metrics_overhead.py [--batches 60]
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import statistics
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from reprise.call.target import Target
    from reprise.capturing.signature import MacKeys
    from reprise.ports import Invoker, Reply

ROOT = Path(__file__).parents[1]
TARGET = "arn:aws:lambda:us-east-1:123456789012:function:target"
LIMIT = 0.03
BATCH = 10


class FakeAws(BaseHTTPRequestHandler):
    """Answers for Lambda, DynamoDB and SQS with the least that the adapters read."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer by the operation that the headers name."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers.get("X-Amz-Target", "Invoke").rpartition(".")[2]
        answer: dict[str, Any] = {}
        if operation == "UpdateItem":
            request = json.loads(body)
            call_id = request["Key"]["id"]["S"]
            answer["Attributes"] = (
                {"known": {"N": "9"}, "ended": {"N": "4"}}
                if call_id.startswith("book#")
                else row_item(call_id)
            )
        data = json.dumps(answer or {"ok": True}).encode()
        head = f"HTTP/1.1 200 OK\r\nx-amzn-RequestId: r\r\nContent-Length: {len(data)}\r\n\r\n"
        self.wfile.write(head.encode() + data)

    def log_message(self, *_args: object) -> None:
        """Stay silent."""


def row_item(call_id: str) -> dict[str, Any]:
    """Return a captured call's row, as DynamoDB has it."""
    at = captured_at()
    texts = {"id": call_id, "state": "captured", "target": TARGET, "sha256": "0" * 64}
    texts |= {"captured_at": at, "opened_at": at, "updated_at": at}
    return {name: {"S": text} for name, text in texts.items()}


def captured_at() -> str:
    """Return the instant of a minute ago: a call that is too old is not replayed."""
    minute_ago = datetime.now(UTC) - timedelta(minutes=1)
    return minute_ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def serve(port: Connection) -> None:
    """Run the fake server, and say at which port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeAws)
    port.send(server.server_port)
    server.serve_forever()


@dataclass
class Counting:
    """Invokes, and counts what succeeded."""

    functions: Invoker
    succeeded: int = 0

    def invoke(
        self, target: Target, payload: bytes, client_context: str | None, trace: str | None = None
    ) -> Reply:
        """Invoke."""
        reply = self.functions.invoke(target, payload, client_context, trace)
        self.succeeded += reply.outcome.kind == "succeeded"
        return reply


@dataclass
class Silent:
    """A meter that measures nothing: the baseline."""

    def count(self, name: str, value: int = 1, **_labels: str | None) -> None:
        """Count nothing."""

    def observe(self, name: str, value: float, *, target: str | None = None) -> None:
        """Keep nothing."""


def make_replayer(*, is_measured: bool) -> Callable[[list[Any], str], None]:
    """Return what replays a batch, with or without all that is for those who watch.

    It ends the bench if a call of the batch was not invoked, did not succeed, or came back.
    """
    from doubles import (
        FakeConcurrency,
        FakeKeys,
        FakePolicies,
        InMemoryBus,
        InMemoryObjects,
        InMemoryQueue,
    )
    from reprise.aws.clients import Clients
    from reprise.aws.counters_table import CountersTable
    from reprise.aws.event_bus import Outbox
    from reprise.aws.functions import LambdaFunctions
    from reprise.aws.gate_table import GateTable
    from reprise.aws.ledger_table import LedgerTable
    from reprise.events import NULL_PUBLISHER, EventPublisher
    from reprise.instant import utc_now
    from reprise.monitor.counters import BatchMonitor, CounterPublisher
    from reprise.monitor.gates import RecordingGates, TransitionLog
    from reprise.replay.message import Worker
    from reprise.retry.policy import read_policy_document
    from reprise.telemetry import EmfMeter
    from reprise.wiring.replayer import ReplayerParts, make_replayer

    clients = Clients()
    dynamodb = clients.dynamodb()
    meter = EmfMeter(targets=(TARGET,))
    used: Any = meter if is_measured else Silent()
    outbox = Outbox(InMemoryBus(), meter=meter, monotonic=time.monotonic, has_successes=False)
    publisher = EventPublisher("reprise", outbox.add) if is_measured else NULL_PUBLISHER
    store = GateTable(dynamodb, "ledger")
    log = TransitionLog()
    gates = RecordingGates(store, log)
    keys = FakeKeys(make_keys())
    functions = Counting(LambdaFunctions(clients.functions(60)))
    objects, queue, ledger = InMemoryObjects(), InMemoryQueue(), LedgerTable(dynamodb, "ledger")
    stage = make_replayer(
        ReplayerParts(
            functions=functions,
            targets=(TARGET,),
            ledger=ledger,
            objects=objects,
            keys=keys,
            queue=queue,
            dead_letters=queue,
            gates=gates if is_measured else store,
            concurrency=FakeConcurrency(),
            policies=FakePolicies(read_policy_document("{}")),
            publisher=publisher,
            meter=used,
            draw=lambda: 0.5,
            call_timeout_s=60,
            retention_days=30,
        )
    )
    observer = BatchMonitor(
        meter=meter,
        counters=CounterPublisher(counters=CountersTable(dynamodb, "ledger"), meter=meter),
        gates=log,
        publisher=publisher,
        outbox=outbox,
        clock=utc_now,
    )

    def run(deliveries: list[Any], owner: str) -> None:
        before = functions.succeeded
        again = stage.run(deliveries, Worker(owner=owner, remaining_ms=lambda: 300_000))
        succeeded = functions.succeeded - before
        if again or queue.sent or succeeded != len(deliveries):
            sys.exit(
                f"error: of {len(deliveries)} calls {succeeded} succeeded, {len(again)} came back, "
                f"{len(queue.sent)} were sent on or given up"
            )
        if is_measured:
            observer.finish(())

    return run


def make_keys() -> MacKeys:
    """Return the keys that the calls are signed with."""
    from reprise.capturing.signature import MacKeys

    return MacKeys("invoker", "k1", {"k1": "a key for measuring, of enough characters"}, ("*",))


def make_batch(number: int, size: int) -> list[Any]:
    """Return deliveries of calls that no other batch has."""
    from reprise.call.outcome import Outcome, OutcomeKind
    from reprise.call.payload import pack
    from reprise.call.target import Target
    from reprise.capturing.line import sign_record
    from reprise.capturing.record import Record, Source
    from reprise.replay.message import Delivery, ReplayMessage, write_message

    keys = make_keys()
    payload = pack(json.dumps({"order": "x" * 1000}).encode(), 100_000)
    if payload is None:
        sys.exit("error: a kilobyte does not fit a line")
    return [
        Delivery(
            message_id=f"m{index}",
            receipt_handle=f"r{index}",
            body=write_message(
                ReplayMessage(
                    record=sign_record(
                        Record(
                            id=f"call-{number}-{index}",
                            captured_at=captured_at(),
                            source=Source(name="invoker", version="0.1.0"),
                            target=Target(function=TARGET),
                            payload=payload,
                            outcome=Outcome(kind=OutcomeKind.THROTTLED),
                        ),
                        keys,
                    )
                )
            ),
        )
        for index in range(size)
    ]


def measure(
    plain: Callable[[list[Any], str], None],
    full: Callable[[list[Any], str], None],
    batches: int,
    size: int,
) -> tuple[float, float, float, float]:
    """Return CPU a replay without and with, the ratio of the median pair, and bytes of log a replay."""
    spent: dict[str, list[float]] = {"plain": [], "full": []}
    log = io.StringIO()
    for number in range(batches):
        batch = make_batch(number, size)
        # In turn, and each first every other time, so that neither has the warmer caches.
        order = [("plain", plain), ("full", full)]
        for name, run in order if number % 2 else order[::-1]:
            with redirect_stdout(log if name == "full" else io.StringIO()):
                start_s = time.process_time()
                run(batch, f"owner-{number}")
                spent[name].append((time.process_time() - start_s) / size * 1e6)
    ratios = [b / a for a, b in zip(spent["plain"], spent["full"], strict=True)]
    replays = batches * size
    return (
        statistics.median(spent["plain"]),
        statistics.median(spent["full"]),
        statistics.median(ratios),
        len(log.getvalue()) / replays,
    )


def emission_us(size: int) -> float:
    """Return the CPU of counting and writing one batch's metrics, by replay."""
    from reprise import metric
    from reprise.telemetry import EmfMeter

    meter = EmfMeter(targets=(TARGET,))

    def batch() -> None:
        for _ in range(size):
            meter.count(metric.REPLAYS, target=TARGET, outcome="succeeded")
            meter.count(metric.SUCCEEDED, target=TARGET)
            meter.observe(metric.AGE_AT_SUCCESS, 12.345, target=TARGET)
        meter.observe(metric.GATE_STATE, 0, target=TARGET)
        meter.observe(metric.GATE_HOLD_AGE, 0, target=TARGET)
        meter.gauge(metric.BACKLOG, 7, label="target")
        meter.flush()

    rounds = []
    for _ in range(15):
        with redirect_stdout(io.StringIO()):
            start_s = time.process_time()
            for _ in range(100):
                batch()
            rounds.append((time.process_time() - start_s) / 100 / size * 1e6)
    return statistics.median(rounds)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--batches", type=int, default=60)
    batches = parser.parse_args().batches
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(there,), daemon=True)
    server.start()
    os.environ.update(
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{here.recv()}",
        REPRISE_STACK="reprise",
    )
    sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "tests")]
    plain, full = make_replayer(is_measured=False), make_replayer(is_measured=True)
    measure(plain, full, 5, BATCH)
    print(f"CPU of a replay in microseconds, median of {batches} interleaved batches")
    heads = ("batch", "replay", "with all", "ratio", "metrics", "share", "limit", "bytes")
    print(" ".join(f"{head:>8}" for head in heads))
    worst = 0.0
    for size in (1, BATCH):
        base_us, all_us, ratio, length = measure(plain, full, batches, size)
        own_us = emission_us(size)
        share = own_us / base_us
        row = (size, round(base_us), round(all_us), f"{ratio:.2f}", round(own_us), f"{share:.3f}")
        print(" ".join(f"{value:>8}" for value in (*row, LIMIT, round(length))))
        worst = max(worst, share)
    server.terminate()
    if worst > LIMIT:
        sys.exit("error: over the limit")


if __name__ == "__main__":
    main()

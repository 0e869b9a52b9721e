"""Count what a captured call costs at each station: CPU of ours, requests and bytes sent.

The product's own handlers, adapters and command run against a loopback server (a process of its own, whose
CPU does not count) that answers as AWS does and keeps what it is told. Each round runs every station, and in
turn with them two named baselines: a bare boto3 invoke, and one conditional `PutItem` a call by boto3.
Ratios are medians over the rounds. A row ends the bench if its calls did not do what the row says.

    make bench            or            .tools/bench/bin/python bench/cost_per_call.py [--rounds 7]

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import os
import statistics
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / name) for name in ("shared", "functions", "cli", "tests")]

from loopback.server import SECRET, Loopback, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFIX: Final = "arn:aws:lambda:us-east-1:123456789012:function:"
TARGET, THROTTLED, STALE, HELD = (
    f"{PREFIX}{name}" for name in ("target", "throttled", "stale", "held")
)
GROUP: Final = "/reprise/reprise/capture"
CAPTURED: Final = 202
PAYLOAD: Final = json.dumps({"order": "x" * 1000})
CALLS: Final = 300
"""Calls of a station in a round."""
BATCH: Final = 10
"""Messages of a batch of the replay queue, as the template has it."""


@dataclass
class Row:
    """What one station cost, by round."""

    cpu_us: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)
    sent_bytes: list[float] = field(default_factory=list)
    beside: str = ""
    """A request that is the station's purpose, and so is counted apart."""


class Bench:
    """The product's handlers, on one server."""

    def __init__(self, server: Loopback) -> None:
        """Start every function as Lambda does."""
        import boto3
        from botocore.config import Config

        import reprise
        from reprise.wiring import make_clients

        self.server = server
        self.rows: dict[str, Row] = {}
        self.number = 0
        self.clients = make_clients()
        self.invoker = importlib.import_module("invoker.handler")
        self.unpacker = importlib.import_module("replayer.unpacker")
        self.replayer = importlib.import_module("replayer.replayer")
        # A caller's process has no group of its own that is captured from.
        os.environ["REPRISE_CAPTURE_LOG_GROUP"] = GROUP
        self.library = reprise.Client()
        once = Config(retries={"total_max_attempts": 1})
        self.functions = boto3.client("lambda", config=once)
        self.table = boto3.client("dynamodb", config=once)

    def round(self) -> None:
        """Measure every station once."""
        self.number += 1
        self._measure("bare invoke", self._invoke, beside="Invoke")
        self._measure("PutItem one by one", self._put)
        self._measure("capture by the invoker", self._capture, beside="Invoke")
        self._measure("capture by the library", self._library, beside="Invoke")
        sent = self._measure("unpack", lambda: self._unpack(self._object(TARGET)))
        bodies = self._bodies(sent, "replay")
        self._measure("replay", lambda: self._replay(bodies), beside="Invoke")
        self._expect(succeeded=CALLS * self.number)
        stale = self._bodies(self._measure("", lambda: self._unpack(self._object(STALE))), "replay")
        sent = self._measure("dead letter", lambda: self._replay(stale))
        letters = self._bodies(sent, "dead")
        # Those of earlier rounds were redriven.
        self._expect(dead_lettered=CALLS)
        back = self._measure("redrive", lambda: self._redrive(letters))
        if len(self._bodies(back, "replay")) != CALLS:
            sys.exit("error: not every letter was redriven")
        folded = self._measure(
            "take in, target holds", lambda: self._unpack(self._object(HELD), rest=False)
        )
        continuations = self._bodies(folded, "capture", least=1)
        self._flow(HELD)
        late = self._measure("unfold later", lambda: self._unpack(continuations))
        early = len(self._bodies(folded, "replay", least=0))
        self._bodies(late, "replay", least=CALLS - early)

    # --- Measuring ---

    def _measure(self, name: str, work: Callable[[], None], *, beside: str = "") -> dict[str, Any]:
        """Do a station's work on `CALLS` calls, and return what it sent, by queue."""
        self.server.ask("counts")
        self.server.ask("queues")
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            start_s = time.process_time()
            work()
            spent_s = time.process_time() - start_s
        counts, queues = self.server.ask("counts"), self.server.ask("queues")
        if name:
            row = self.rows.setdefault(name, Row(beside=beside))
            made = {op: count for op, count in counts["requests"].items() if op != beside}
            row.cpu_us.append(spent_s / CALLS * 1e6)
            row.requests.append(sum(made.values()) / CALLS)
            row.sent_bytes.append(sum(counts["bytes"].values()) / CALLS)
            if os.environ.get("DETAIL"):
                print(name, counts["requests"], file=sys.stderr)
        found: dict[str, Any] = queues
        return found

    def _bodies(self, sent: dict[str, Any], queue: str, least: int = CALLS) -> list[str]:
        bodies = [
            each["MessageBody"]
            for url, entries in sent.items()
            if url.endswith(queue)
            for each in entries
        ]
        if len(bodies) < least:
            sys.exit(f"error: {len(bodies)} messages in the {queue} queue, {least} expected")
        return bodies

    def _expect(self, **states: int) -> None:
        """Look at how many rows there are in a state."""
        told: dict[str, int] = self.server.ask("states")
        for state, count in states.items():
            if told.get(state) != count:
                sys.exit(f"error: {count} rows should be {state}, of {told}")

    # --- Stations ---

    def _invoke(self) -> None:
        for _ in range(CALLS):
            self.functions.invoke(FunctionName=TARGET, Payload=PAYLOAD)["Payload"].read()

    def _put(self) -> None:
        from reprise.aws.ledger_rows import to_item
        from reprise.ledger import new_row

        now = datetime.now(UTC)
        for record in self._records(TARGET, "put"):
            self.table.put_item(
                TableName="puts",
                Item={
                    **to_item(new_row(record, "s3://bucket/key", now, 30)),
                    "state": {"S": "put"},
                },
                ConditionExpression="attribute_not_exists(#id)",
                ExpressionAttributeNames={"#id": "id"},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )

    def _capture(self) -> None:
        for _ in range(CALLS):
            answer = self.invoker.lambda_handler(
                {"FunctionName": "throttled", "Payload": PAYLOAD}, None
            )
            if answer["StatusCode"] != CAPTURED:
                sys.exit(f"error: not captured: {answer}")

    def _library(self) -> None:
        for _ in range(CALLS):
            result = self.library.invoke("throttled", PAYLOAD.encode())
            if result.status_code != CAPTURED:
                sys.exit(f"error: not captured: {result}")

    def _unpack(self, bodies: list[str], *, rest: bool = True) -> None:
        """Hand messages to the unpacker, and what it sends itself, until none is left."""
        for number, body in enumerate(bodies):
            answer = self.unpacker.lambda_handler(_event([body], f"u{number}"), CONTEXT)
            if answer["batchItemFailures"] and rest:
                sys.exit(f"error: an object came back: {answer}")

    def _replay(self, bodies: list[str]) -> None:
        for begin in range(0, len(bodies), BATCH):
            answer = self.replayer.lambda_handler(
                _event(bodies[begin : begin + BATCH], str(begin)), CONTEXT
            )
            if answer["batchItemFailures"]:
                sys.exit(f"error: calls came back: {answer}")

    def _redrive(self, bodies: list[str]) -> None:
        from reprise.aws.keys import SecretKeyring
        from reprise.aws.ledger_table import LedgerTable
        from reprise.aws.sqs import SqsQueue
        from reprise.instant import utc_now
        from reprise_letters.letter import read_letter
        from reprise_letters.redrive import Redriver

        redriver = Redriver(
            ledger=LedgerTable(self.clients.dynamodb(), "ledger"),
            queue=SqsQueue(self.clients.sqs(), os.environ["REPRISE_REPLAY_QUEUE_URL"]),
            letters=_Letters(),
            keys=SecretKeyring(self.clients.secrets(), "reprise"),
            clock=utc_now,
        )
        letters = [
            read_letter({"MessageId": str(n), "Body": body}) for n, body in enumerate(bodies)
        ]
        for begin in range(0, len(letters), BATCH):
            for result in redriver.run(letters[begin : begin + BATCH]):
                if result.action != "redriven":
                    sys.exit(f"error: {result.why}")

    # --- What stations are given ---

    def _records(self, target: str, name: str) -> Iterator[Any]:
        from reprise.call.outcome import Outcome, OutcomeKind
        from reprise.call.payload import pack
        from reprise.call.target import Target
        from reprise.capturing.line import sign_record
        from reprise.capturing.record import Record, Source
        from reprise.capturing.signature import MacKeys

        keys = MacKeys.from_secret(SECRET, "invoker")
        # A call that is older than six hours is given up.
        age = timedelta(hours=7) if target == STALE else timedelta(minutes=1)
        at = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        payload = pack(PAYLOAD.encode(), 100_000)
        if payload is None:
            sys.exit("error: a kilobyte does not fit a line")
        for index in range(CALLS):
            record = Record(
                id=f"{target.rpartition(':')[2]}:{name}-{self.number}-{index}",
                captured_at=at,
                source=Source(name="invoker", version="0.1.0"),
                target=Target(function=target),
                payload=payload,
                outcome=Outcome(
                    kind=OutcomeKind.THROTTLED, code="TooManyRequestsException", status=429
                ),
            )
            yield sign_record(record, keys)

    def _object(self, target: str) -> list[str]:
        """Keep an object of captured calls, and return the notification of it."""
        from reprise.capturing.line import write_line
        from reprise.capturing.signature import MacKeys

        keys = MacKeys.from_secret(SECRET, "invoker")
        lines = [write_line(record, keys) for record in self._records(target, "call")]
        members = [
            gzip.compress(_envelope(lines[begin : begin + 50], begin))
            for begin in range(0, len(lines), 50)
        ]
        key = f"captured/{target.rpartition(':')[2]}-{self.number}.gz"
        self.clients.s3().put_object(Bucket="bucket", Key=key, Body=b"".join(members))
        if target == HELD:
            self._hold(target)
        else:
            self._flow(target)
        s3 = {"bucket": {"name": "bucket"}, "object": {"key": key}}
        return [json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": s3}]})]

    def _flow(self, target: str) -> None:
        """Set a target's gate to one that has drained hundreds a second of late."""
        now_ms = int(time.time() * 1000)
        self._gate(
            target,
            {
                "mode": "flowing",
                "window": 900,
                "slow_start": 0,
                "succeeded": 1000,
                "busy_ms": 100_000,
            }
            | {"succeeded_at_ms": now_ms, "changed_at_ms": now_ms - 60_000},
        )

    def _hold(self, target: str) -> None:
        now_ms = int(time.time() * 1000)
        self._gate(
            target,
            {
                "mode": "holding",
                "held_for": "throttle",
                "holding_since_ms": now_ms,
                "changed_at_ms": now_ms,
            }
            | {"probe_at_ms": now_ms + 10_000, "throttled_at_ms": now_ms},
        )

    def _gate(self, target: str, values: dict[str, Any]) -> None:
        item: dict[str, Any] = {"id": {"S": f"gate#{target}"}}
        item |= {n: {"S": v} if isinstance(v, str) else {"N": str(v)} for n, v in values.items()}
        self.table.put_item(TableName="ledger", Item=item)
        time.sleep(0.25)  # Longer than the unpacker believes what it knows of a gate.


class _Letters:
    """Deletes letters that never were in a queue."""

    def delete(self, _letters: object) -> list[Any]:
        """Leave none."""
        return []


def _envelope(lines: list[str], begin: int) -> bytes:
    """Return lines as CloudWatch Logs delivers them."""
    events = [
        {"id": str(begin + n), "timestamp": 1, "message": line} for n, line in enumerate(lines)
    ]
    head = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": GROUP,
        "logStream": "s",
    }
    return json.dumps({**head, "subscriptionFilters": ["f"], "logEvents": events}).encode()


def _event(bodies: list[str], name: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"{name}-{index}",
                "receiptHandle": f"{name}-{index}",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": str(int(time.time() * 1000)),
                },
            }
            for index, body in enumerate(bodies)
        ]
    }


CONTEXT: Final = SimpleNamespace(
    aws_request_id="request", get_remaining_time_in_millis=lambda: 300_000
)


def _environment(url: str) -> dict[str, str]:
    queue = "https://sqs.us-east-1.amazonaws.com/123456789012/"
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "Reprise",
        "REPRISE_STACK": "reprise",
        "REPRISE_TARGETS": f"{TARGET},{THROTTLED},{STALE},{HELD}",
        "REPRISE_BUCKET": "bucket",
        "REPRISE_MAC_SECRET_ARN": "reprise/source/invoker",
        "REPRISE_CAPTURE_LOG_GROUP": "stdout",
        "REPRISE_LEDGER_TABLE": "ledger",
        "REPRISE_POLICY_PARAMETER": "/reprise/policy",
        "REPRISE_REPLAY_QUEUE_URL": f"{queue}replay",
        "REPRISE_DEAD_LETTER_QUEUE_URL": f"{queue}dead",
        "REPRISE_CAPTURE_QUEUE_URL": f"{queue}capture",
        "REPRISE_CAPTURE_DLQ_URL": f"{queue}capture-dead",
        "REPRISE_LOG_GROUPS": GROUP,
        "REPRISE_ACCOUNT_ID": "123456789012",
        "REPRISE_CALL_TIMEOUT_S": "60",
        "REPRISE_RETENTION_DAYS": "30",
    }


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    server = start()
    os.environ.update(_environment(server.url))
    try:
        bench = Bench(server)
        for _ in range(rounds + 1):
            bench.round()
    finally:
        server.stop()
    _print(bench.rows, rounds)


def _print(rows: dict[str, Row], rounds: int) -> None:
    """Print the table; the first round warmed up."""
    print(
        f"a captured call, medians of {rounds} rounds of {CALLS} calls, 1 KB payload; requests beside the"
    )
    print("invocation that a station is there to make")
    print(f"{'station':24}{'CPU us':>8}{'invokes':>9}{'PutItems':>10}{'requests':>10}{'bytes':>8}")
    ratios: dict[str, tuple[float, float]] = {}
    for name, row in rows.items():
        by = [_ratio(row, rows[base]) for base in ("bare invoke", "PutItem one by one")]
        ratios[name] = (by[0], by[1])
        numbers = (
            f"{by[0]:9.2f}{by[1]:10.2f}{_median(row.requests):10.3f}{_median(row.sent_bytes):8.0f}"
        )
        print(f"{name:24}{_median(row.cpu_us):8.0f}{numbers}")
    summary = {
        "unpack_us": round(_median(rows["unpack"].cpu_us)),
        "unpack_vs_putitem": round(ratios["unpack"][1], 3),
        "replay_us": round(_median(rows["replay"].cpu_us)),
        "replay_vs_invoke": round(ratios["replay"][0], 3),
        "requests_per_call": {name: round(_median(row.requests), 3) for name, row in rows.items()},
    }
    print(json.dumps(summary))


def _median(values: list[float]) -> float:
    return statistics.median(values[1:])


def _ratio(row: Row, base: Row) -> float:
    return statistics.median(a / b for a, b in zip(row.cpu_us[1:], base.cpu_us[1:], strict=True))


if __name__ == "__main__":
    main()

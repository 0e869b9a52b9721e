"""Secrets planted in calls, and every place that they come to, as docs/reference/where-data-goes.md says."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import io
import json
import logging
import re
from dataclasses import astuple
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import pytest

from doubles import InMemoryCounters
from harness import ORDERS, THROTTLED, UNKNOWN, Pipeline, envelope, notification
from planted import holds
from reprise.call.outcome import classify_reply
from reprise.call.request import CallRequest
from reprise.call.target import Target
from reprise.monitor.counters import CounterPublisher
from reprise.monitor.incidents import Alarm, IncidentContext, incidents
from reprise.monitor.snapshot import MonitorState
from reprise.ports import OutMessage, Reply
from reprise.telemetry import EmfMeter, make_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles import FakeMeter

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs/reference/where-data-goes.md"
PLANTED: Final = {
    "payload": "PLANTED-PAYLOAD",
    "client context": "PLANTED-CONTEXT",
    "idempotency key": "PLANTED-KEY",
    "tenant id": "PLANTED-TENANT",
    "error text": "PLANTED-ERROR",
    "reply": "PLANTED-REPLY",
}
FAILED: Final = json.dumps({"errorType": "ValueError", "errorMessage": PLANTED["error text"]})
SHORT: Final = json.dumps({"reply": PLANTED["reply"]}).encode()
LONG: Final = json.dumps({"reply": PLANTED["reply"] * 300}).encode()
LARGE: Final = 400_000
"""Bytes that fit no line, compressed or not."""
NOISE: Final = base64.b64encode(Random(1).randbytes(LARGE)).decode()
SEEN: Final = "commands and the page"
OK: Final = classify_reply(200, None, b"", "r-1")


def failure() -> Reply:
    return Reply(
        outcome=classify_reply(200, "Unhandled", FAILED.encode(), "r-1"), payload=FAILED.encode()
    )


def request(number: int, *, size: int = 0) -> CallRequest:
    return CallRequest(
        target=Target(function=ORDERS, tenant_id=PLANTED["tenant id"]),
        payload=json.dumps({"card": PLANTED["payload"], "filler": NOISE[:size]}).encode(),
        client_context=base64.b64encode(json.dumps(PLANTED["client context"]).encode()).decode(),
        idempotency_key=f"{PLANTED['idempotency key']}-{number}",
    )


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All lines, as the runtime's own formatter writes them in Lambda."""
    (source,) = ROOT.glob(
        ".tools/runtime/lib/*/site-packages/awslambdaric/lambda_runtime_log_utils.py"
    )
    spec = importlib.util.spec_from_file_location("lambda_runtime_log_utils", source)
    assert spec is not None
    assert spec.loader is not None
    runtime: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runtime)
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(runtime.JsonFormatter())
    handler.terminator = ""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    make_logger()
    level = root.level
    root.setLevel(logging.INFO)
    yield lines
    root.setLevel(level)


class Run:
    """A pipeline that meets every fault with planted calls, and what it writes in each place."""

    def __init__(self) -> None:
        self.meter = EmfMeter(stack="shop", targets=(ORDERS,))
        self.books = InMemoryCounters()
        self.pipeline = Pipeline(
            policy='{"default": {"maximum_attempts": 2, "initial_interval_s": 0, "maximum_interval_s": 0}}',
            meter=cast("FakeMeter", self.meter),
        )
        self.handed_over: list[str] = []
        self.tokens: list[str] = []
        self.number = 0

    def capture(self, reply: Reply = THROTTLED, *, size: int = 0) -> str:
        """Let a call fail at its caller's; return the notification of its object."""
        self.number += 1
        self.pipeline.functions.script = [reply]
        answer = self.pipeline.caller().run(request(self.number, size=size))
        self.tokens += [answer.captured.status_token] if answer.captured is not None else []
        key = f"captured/2026/11/21/10/{self.number}.gz"
        return self.pipeline.store(key, self.pipeline.lines[-1:])

    def unpack(self, body: str) -> list[OutMessage]:
        """Unpack; return what the replay queue holds then."""
        self.pipeline.take_in(body)
        return self._take()

    def captured(self, reply: Reply = THROTTLED, *, size: int = 0) -> list[OutMessage]:
        """Capture and unpack."""
        return self.unpack(self.capture(reply, size=size))

    def replay(self, messages: list[OutMessage], *replies: Reply) -> list[OutMessage]:
        """Replay; return what the replay queue holds then."""
        self.pipeline.clock.advance(120)
        self.pipeline.functions.script = list(replies)
        self.pipeline.replay(*messages)
        return [*self._take(), *messages]

    def _take(self) -> list[OutMessage]:
        sent = self.pipeline.take_sent()
        self.handed_over += [message.body for message in sent]
        return sent

    def finish(self) -> str:
        """Post the books, write the metrics; return the incident that an alarm makes of them."""
        CounterPublisher(counters=self.books, meter=self.meter).finish()
        scene = IncidentContext(stack="shop", at_s=1.0, counters=self.books.kept, dead_letters=1)
        _, told = incidents(MonitorState(), [Alarm(name="dead-letters", state="ALARM")], scene)
        return msgspec.json.encode(told).decode()


def end_in_every_way(run: Run) -> None:
    """Drive calls to each of their ends."""
    run.replay(run.captured(), Reply(outcome=OK, payload=SHORT))
    run.replay(run.captured(), Reply(outcome=OK, payload=LONG))
    run.replay(run.captured(size=LARGE), Reply(outcome=OK, payload=SHORT))
    run.replay(run.replay(run.captured(failure()), failure()), failure())
    run.replay(run.captured(UNKNOWN))
    messages = run.captured(size=LARGE)
    (kept,) = [key for key in run.pipeline.objects.kept if f"-{run.number}~" in key]
    del run.pipeline.objects.kept[kept]
    run.replay(messages)


def meet_every_fault(run: Run) -> None:
    """Let each store be away once in each stage."""
    pipeline = run.pipeline
    keys, objects, ledger = pipeline.keys.faults, pipeline.objects.faults, pipeline.ledger.faults
    queue, gates, letters = (
        pipeline.replay_queue.faults,
        pipeline.gate_items.faults,
        pipeline.dead_letters.faults,
    )
    for faults, operation in ((keys, "keys"), (objects, "put")):
        faults.fail(operation)
        run.capture(size=LARGE)
    for faults, operation in (
        (keys, "keys"),
        (objects, "get"),
        (ledger, "record"),
        (queue, "send"),
        (gates, "read"),
    ):
        body = run.capture()
        faults.fail(operation)
        run.unpack(body)
    for faults, operation, reply in (
        (ledger, "lease", SHORT),
        (ledger, "settle", SHORT),
        (objects, "put", LONG),
        (objects, "get", SHORT),
        (gates, "read", SHORT),
        (gates, "update", SHORT),
    ):
        messages = run.captured(size=LARGE)
        faults.fail(operation)
        run.replay(run.replay(messages, Reply(outcome=OK, payload=reply)))
    for faults, operation in ((letters, "send"), (ledger, "mark_letter_sent")):
        messages = run.captured(failure())
        faults.fail(operation)
        run.replay(run.replay(run.replay(messages, failure()), failure()), failure())
    messages = run.captured()
    ledger.fail("settle")
    queue.fail("send")
    run.replay(messages, failure())


def meet_what_is_no_record(run: Run) -> None:
    """Bring planted text where no call is: it is kept, and comes again while it cannot be."""
    pipeline = run.pipeline
    run.capture()
    line = pipeline.lines[-1]
    forged = line.replace(PLANTED["payload"], PLANTED["payload"][::-1])
    other = line.replace(PLANTED["payload"], "another payload")
    for is_away in (False, True):
        faults, key = pipeline.objects.faults, f"captured/{is_away}"
        pipeline.objects.kept[key] = envelope(line[:-9], forged, other, line)
        faults.fail("put", times=int(is_away))
        run.replay([OutMessage(body=f'{{"record": {line[:-9]}')])
        for body in (f'{{"record": {line}', notification(key)):
            faults.fail("put", times=int(is_away))
            run.unpack(body)


def secrets(run: Run) -> dict[str, list[str]]:
    """Return what was planted, by the docs' names: of tokens the part that is not told anyway."""
    keys = ["the first secret of the invoker", "the first secret of the pipeline"]
    tokens = [token.rpartition(".")[2] for token in run.tokens]
    planted = {name: [secret] for name, secret in PLANTED.items()}
    return planted | {"status token": tokens, "sources' keys": keys}


def places(run: Run, logs: str, incident: str, printed: str) -> dict[str, str]:
    """Return all that was written, by the names that the docs give the places."""
    pipeline = run.pipeline
    letters = [message.body for message in pipeline.dead_letters.sent]
    return {
        "capture lines": "\n".join(pipeline.lines),
        "bucket": "".join(f"{key} {text(data)}" for key, data in pipeline.objects.kept.items()),
        "replay queue": "\n".join(run.handed_over),
        "capture queue": "\n".join(message.body for message in pipeline.capture_queue.sent),
        "ledger": "\n".join(str(astuple(row)) for row in pipeline.ledger.rows.values()),
        "dead letters": "\n".join(letters),
        "events": "\n".join(msgspec.json.encode(event).decode() for event in pipeline.events),
        "incidents, mail, Slack": incident,
        "logs of the functions": logs,
        "metrics": printed,
    }


def text(data: bytes) -> str:
    """Return an object's text; of one in quarantine also what its base64 holds."""
    plain = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    kept = re.findall(r'"data_base64":"([^"]+)"', plain.replace(": ", ":"))
    return plain + "".join(base64.b64decode(each).decode() for each in kept)


def documented() -> dict[str, set[str]]:
    """Return what the docs say each place holds."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCS.read_text().partition("\n## ")[0].splitlines()
        if line.startswith("|")
    ]
    columns = rows[0][1:]
    return {
        row[0]: {name for name, cell in zip(columns, row[1:], strict=True) if cell != "no"}
        for row in rows[2:]
    }


def test_planted_secrets_come_only_where_the_docs_say(
    logged: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run()
    end_in_every_way(run)
    meet_every_fault(run)
    meet_what_is_no_record(run)
    incident = run.finish()
    printed = capsys.readouterr().out
    planted = secrets(run)
    assert len(planted["status token"]) > len(PLANTED)
    found = {
        place: {name for name, each in planted.items() if holds(written, each)}
        for place, written in places(run, logged.getvalue(), incident, printed).items()
    }
    # What operators see takes a deployed stack: tests/e2e/test_secrets.py.
    assert {**found, SEEN: documented()[SEEN]} == documented()
    # A fault that was not met would prove nothing.
    assert {json.loads(line)["message"] for line in logged.getvalue().splitlines()} >= {
        "call was given up",
        "call was not captured",
        "dead letter could not be sent now",
        "gate is away: the queue's depth decides",
        "gate is away: this process decides",
        "late result could not be kept",
        "ledger is away: the queue remembers",
        "object was not unpacked",
        "payload could not be read now",
        "quarantine is away",
        "store is away",
        "sent calls",
    }

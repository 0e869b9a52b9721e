"""Entries of objects as the unpacker's reader makes them, of any size, without any cryptography."""

from __future__ import annotations

from harness import ACCOUNT, LOG_GROUP
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.payload import Payload, digest
from reprise.call.target import Target
from reprise.capturing.record import Record, Source
from reprise.logreader import LogEvent, Origin
from reprise.unpack.validate import AcceptedRecord

ARN = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:"


def entry(position: int, name: str = "orders", length: int = 100) -> AcceptedRecord:
    """Return an entry whose line has that length."""
    record = Record(
        id=f"{name}:{position}",
        captured_at="2026-11-21T10:00:00Z",
        source=Source(name="invoker", version="0.1.0"),
        target=Target(function=ARN + name),
        payload=Payload(inline="1", size_bytes=1, sha256=digest(b"1")),
        outcome=Outcome(kind=OutcomeKind.THROTTLED),
    )
    return AcceptedRecord(position=position, event=event("x" * length), record=record)


def event(message: str, *, log_group: str = LOG_GROUP, log_stream: str = "stream") -> LogEvent:
    """Return a log event of the test account."""
    origin = Origin(owner=ACCOUNT, log_group=log_group, log_stream=log_stream)
    return LogEvent(message, "1", 1_795_000_000_000, origin)

"""Read the events of a capture object out of CloudWatch Logs' envelopes.

Source: CloudWatch Logs user guide, "Subscription filters" (fields of the payload) and "Log group-level
subscription filters" (CONTROL_MESSAGE health checks).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from reprise.reader.inflate import Break, inflate
from reprise.reader.split import Garbage, Splitter, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class _LogEvent(msgspec.Struct, frozen=True):
    """One event of an envelope; `extractedFields` and keys to come are left alone."""

    message: str
    id: str = ""
    timestamp: int = 0


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """What CloudWatch Logs sends to a subscription's destination."""

    message_type: str
    owner: str = ""
    log_group: str = ""
    log_stream: str = ""
    log_events: list[_LogEvent] = msgspec.field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One log event of an account's log group."""

    owner: str
    """Account that the log group belongs to."""
    log_group: str
    log_stream: str
    id: str
    timestamp_ms: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A health check of CloudWatch Logs; carries nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A JSON object that is no envelope; its text is kept."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Bytes that could not be read; they belong in quarantine."""

    offset: int
    """Where they start, in the object's bytes (gzip) or in its text."""
    reason: str
    data: bytes


Item = Event | Control | Foreign | Damage

_DECODER = msgspec.json.Decoder(_Envelope)


def read_events(chunks: Iterable[bytes]) -> Iterator[Item]:
    """Yield everything that an object holds, in order; never raise for what is in it.

    Args:
        chunks: The object's bytes in order, in pieces of any size, best 64 KiB to 1 MiB.
    """
    breaks: list[Break] = []
    splitter = Splitter()
    for part in split(_bytes_only(inflate(chunks), breaks), splitter):
        if isinstance(part, Garbage):
            yield Damage(offset=part.offset, reason=part.reason, data=part.data)
        else:
            yield from _read_envelope(part, splitter.offset - len(part))
    for broken in breaks:
        yield Damage(offset=broken.offset, reason=broken.reason, data=b"")


def _bytes_only(parts: Iterable[bytes | Break], breaks: list[Break]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, Break):
            breaks.append(part)
        else:
            yield part


def _read_envelope(document: bytes, offset: int) -> Iterator[Item]:
    try:
        envelope = _decode(document)
    except (ValueError, RecursionError) as error:
        yield _as_foreign(document, offset, str(error))
        return
    if envelope.message_type == "CONTROL_MESSAGE":
        yield Control()
        return
    for event in envelope.log_events:
        yield Event(
            owner=envelope.owner,
            log_group=envelope.log_group,
            log_stream=envelope.log_stream,
            id=event.id,
            timestamp_ms=event.timestamp,
            message=event.message,
        )


def _decode(document: bytes) -> _Envelope:
    """Decode fast; what msgspec refuses (lone surrogates, NaN) gets one slow, lenient try."""
    try:
        return _DECODER.decode(document)
    except ValueError:
        return msgspec.convert(json.loads(document), _Envelope)


def _as_foreign(document: bytes, offset: int, why: str) -> Foreign | Damage:
    """Tell JSON that is no envelope from bytes that are no JSON, and from an envelope gone wrong."""
    try:
        text = document.decode()
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return Damage(offset=offset, reason=f"not JSON: {why}", data=document)
    if "logEvents" in fields:
        # It may hold captured calls, which must not pass for somebody else's JSON.
        return Damage(offset=offset, reason=f"envelope: {why}", data=document)
    return Foreign(text=text)

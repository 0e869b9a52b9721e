"""Decode one JSON object: an envelope of CloudWatch Logs, or a message without one.

Source: CloudWatch Logs user guide, "Subscription filters" (fields of the payload) and "Log group-level
subscription filters" (CONTROL_MESSAGE health checks).

A large envelope's events are decoded a quarter of a mebibyte at a time: their array is split between events,
and each piece decoded as an array of its own. A split anywhere else leaves brackets or quotes open, so that
pieces which decode are right.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec
import orjson

from reprise.logreader.items import Control, Items, LogEvent, Origin, UnknownLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONTROL: Final = "CONTROL_MESSAGE"
DATA: Final = "DATA_MESSAGE"
_EVENTS_KEY: Final = b'"logEvents"'
_HEAD_BYTES: Final = 1024
"""Where an envelope's key of its events stands."""
_MOST_BYTES: Final = 512 * 1024
"""Most that orjson gets: it makes an object of every value, asked for or not, up to 40 times its bytes."""
LARGE_BYTES: Final = 2 * 1024 * 1024
"""Larger envelopes are decoded in pieces; CloudWatch Logs' usual ones are a tenth of it."""
_PIECE_BYTES: Final = 256 * 1024
_BETWEEN: Final = re.compile(rb'\}\s*,\s*(?=\{\s*"[^,}\]:\s])')
"""Between two objects of an array; inside a string the quote would end it (`BOUNDARY` in `text`)."""
_LONGEST_INT: Final = 25
"""Digits; longer ones stand in fields that are not looked at, and Python refuses the longest."""


class BadDocumentError(ValueError):
    """A document cannot be read, or not all of it; its text is why."""


class _LogEvent(msgspec.Struct, gc=False):
    """One of an envelope's events; its `extractedFields` are left alone."""

    message: str
    id: str = ""
    timestamp: int = 0


class _Head(msgspec.Struct, rename="camel", kw_only=True):
    """What CloudWatch Logs sends to a subscription's destination; any other object fits, too."""

    message_type: str = ""
    owner: str = ""
    log_group: str = ""
    log_stream: str = ""


class _Envelope(_Head):
    log_events: list[_LogEvent] | None = None


class _LargeEnvelope(_Head):
    log_events: msgspec.Raw
    """Left as JSON."""


_DECODER: Final = msgspec.json.Decoder(_Envelope)
_LARGE_DECODER: Final = msgspec.json.Decoder(_LargeEnvelope)
_EVENTS_DECODER: Final = msgspec.json.Decoder(list[_LogEvent])


def _whole_number(digits: str) -> int:
    return int(digits) if len(digits) < _LONGEST_INT else 0


JSON: Final = json.JSONDecoder(parse_int=_whole_number)
"""Takes what msgspec refuses and log tools write: NaN, lone surrogates."""


def decode(document: bytes | bytearray) -> Items:
    """Return what a JSON object holds: an envelope's events, a control message, or itself.

    Raises:
        BadDocumentError: If it is no JSON object, or an envelope that is not as it should be.
    """
    try:
        envelope = _decode_fast(document)
    except (ValueError, RecursionError):
        return _decode_leniently(document)
    kind, events = envelope.message_type, envelope.log_events
    if events is None or not _is_envelope(kind, envelope.log_group, envelope.log_stream):
        return _without_events(kind, document)
    return [Control()] if kind == CONTROL else list(_with_origin(envelope, events))


def _decode_fast(document: bytes | bytearray) -> _Envelope:
    """Decode by type; an envelope by orjson, which undoes its messages' escapes in two thirds of the time.

    What it takes comes out as msgspec alone has it. Of a message without envelope msgspec skips all
    keys, in a third of orjson's time.
    """
    if len(document) <= _MOST_BYTES and _EVENTS_KEY in document[:_HEAD_BYTES]:
        try:
            return msgspec.convert(orjson.loads(document), _Envelope)
        except ValueError:
            # orjson also checks what is not asked for.
            pass
    return _DECODER.decode(document)


def _decode_leniently(document: bytes | bytearray) -> Items:
    """Give what is refused by type one more try, event by event; raise as `decode`."""
    try:
        fields = JSON.decode(document.decode().strip(" \t\r\n"))
    except RecursionError:
        _refuse("not JSON: too deep")
    except ValueError as error:
        _refuse(f"not JSON: {error}")
    if not isinstance(fields, dict):
        _refuse("not a JSON object")
    events = fields.get("logEvents")
    kind = _as_text(fields.get("messageType"))
    if events is None or not _is_envelope(kind, fields.get("logGroup"), fields.get("logStream")):
        return _without_events(kind, document)
    if kind == CONTROL:
        return [Control()]
    if not isinstance(events, list):
        _refuse("envelope: logEvents is no list")
    origin = Origin(*(_as_text(fields.get(name)) for name in ("owner", "logGroup", "logStream")))
    items = []
    for number, fields_of_event in enumerate(events):
        event = to_event(origin, fields_of_event)
        if event is None:
            _refuse(f"envelope: event {number} has no message")
        items.append(event)
    return items


def _is_envelope(kind: object, log_group: object, log_stream: object) -> bool:
    """Tell an envelope, one name of which may be damaged, from a message that has its own `logEvents`."""
    return kind in {DATA, CONTROL} or bool(log_group) or bool(log_stream)


def _with_origin(envelope: _Head, events: Iterable[_LogEvent]) -> Iterator[LogEvent]:
    origin = Origin(envelope.owner, envelope.log_group, envelope.log_stream)
    return (LogEvent(event.message, event.id, event.timestamp, origin) for event in events)


def _without_events(kind: object, document: bytes | bytearray) -> Items:
    if kind == DATA:
        _refuse("envelope: no logEvents")
    try:
        return [UnknownLine(document.decode().strip(" \t\r\n\0"))]
    except UnicodeDecodeError as error:
        _refuse(f"not UTF-8: {error.reason}")


def _refuse(reason: str) -> NoReturn:
    raise BadDocumentError(reason)


def to_event(origin: Origin, fields: object) -> LogEvent | None:
    """Return an event from its JSON, or None if it is none; ids and times may be odd."""
    if not isinstance(fields, dict) or not isinstance(fields.get("message"), str):
        return None
    timestamp = fields.get("timestamp")
    if not isinstance(timestamp, int | float) or not -(2**63) <= timestamp < 2**63:
        timestamp = 0
    return LogEvent(fields["message"], _as_text(fields.get("id")), int(timestamp), origin)


def _as_text(value: object) -> str:
    """Return text as it is and a number as text: emulators write ids and accounts as numbers."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else ""


def decode_large(document: bytes | bytearray) -> tuple[int, Iterator[LogEvent]] | None:
    """Return how many events a large envelope has, and these; None for anything out of the usual."""
    if len(document) < LARGE_BYTES:
        return None
    try:
        envelope = _LARGE_DECODER.decode(document)
        kind, events = envelope.message_type, envelope.log_events
        if kind == CONTROL or not _is_envelope(kind, envelope.log_group, envelope.log_stream):
            return None
        # Now or never: a batch must not turn out bad half-way.
        count = sum(len(_EVENTS_DECODER.decode(piece)) for piece in _pieces(events))
    except (ValueError, RecursionError):
        return None
    decoded = (event for piece in _pieces(events) for event in _EVENTS_DECODER.decode(piece))
    return count, _with_origin(envelope, decoded)


def _pieces(events: msgspec.Raw) -> Iterator[bytes]:
    """Yield an array in pieces that are arrays; whatever is no array comes out as no JSON, or whole."""
    with memoryview(events) as array:
        start, head = 0, b""
        while between := _BETWEEN.search(array, start + _PIECE_BYTES):
            yield head + bytes(array[start : between.start() + 1]) + b"]"
            start, head = between.end(), b"["
        yield head + bytes(array[start:])

"""Decode one JSON object: an envelope of CloudWatch Logs, however large, or a message without one.

The array is split between events, a quarter of a mebibyte at a time, and each piece is decoded as an array of
its own. A split anywhere else leaves brackets or quotes open, so that pieces which decode are right.

Decode one JSON object: an envelope of CloudWatch Logs, or a message without one. Source: CloudWatch Logs
user guide, "Subscription filters" (fields of the payload) and "Log group-level subscription filters"
(CONTROL_MESSAGE health checks).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec
import orjson

from reprise.logreader.items import Control, Event, Item, Items, Origin, UnknownLine

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROL: Final = "CONTROL_MESSAGE"
DATA: Final = "DATA_MESSAGE"
_LONGEST_INT: Final = 25
"""Digits; longer ones stand in fields that are not looked at, and Python refuses the longest."""


class _Envelope(msgspec.Struct, rename="camel"):
    """What CloudWatch Logs sends to a subscription's destination; any other object fits, too."""

    message_type: str = ""
    owner: str = ""
    log_group: str = ""
    log_stream: str = ""
    log_events: list[Event] | None = None


class BadDocumentError(ValueError):
    """A document cannot be read, or not all of it."""

    def __init__(self, reason: str) -> None:
        """Keep why."""
        super().__init__(reason)
        self.reason = reason


_DECODER: Final = msgspec.json.Decoder(_Envelope)
_EVENTS_KEY: Final = b'"logEvents"'
_HEAD_BYTES: Final = 1024
"""Where an envelope's key of its events stands."""
_MOST_BYTES: Final = 512 * 1024
"""Most that orjson gets: it makes an object of every value, asked for or not, up to 40 times its bytes."""


def decode(document: bytes | bytearray) -> Items:
    """Return what a JSON object holds: an envelope's events, a control message, or itself.

    Raises:
        BadDocumentError: If it is no JSON object, or an envelope that is not as it should be.
    """
    try:
        envelope = _decode_fast(document)
    except (ValueError, RecursionError):
        return _decode_slowly(document)
    events = envelope.log_events
    kind = envelope.message_type
    if events is None or not is_envelope(kind, envelope.log_group, envelope.log_stream):
        return _without_events(kind, document)
    if kind == CONTROL:
        return [Control()]
    origin = Origin(envelope.owner, envelope.log_group, envelope.log_stream)
    for event in events:
        event.origin = origin
    return events


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


def is_envelope(kind: object, log_group: object, log_stream: object) -> bool:
    """Tell an envelope, one name of which may be damaged, from a message that has its own `logEvents`."""
    return kind in {DATA, CONTROL} or bool(log_group) or bool(log_stream)


def _without_events(kind: object, document: bytes | bytearray) -> Items:
    if kind == DATA:
        _refuse("envelope: no logEvents")
    try:
        return [UnknownLine(document.decode().strip(" \t\r\n\0"))]
    except UnicodeDecodeError as error:
        _refuse(f"not UTF-8: {error.reason}")


def _whole_number(digits: str) -> int:
    return int(digits) if len(digits) < _LONGEST_INT else 0


JSON: Final = json.JSONDecoder(parse_int=_whole_number)
"""Takes what msgspec refuses and log tools write: NaN, lone surrogates."""


def _decode_slowly(document: bytes | bytearray) -> Items:
    """Give what the fast decoder refuses one lenient try, event by event."""
    try:
        fields = JSON.decode(document.decode().strip(" \t\r\n"))
    except RecursionError:
        _refuse("not JSON: too deep")
    except ValueError as error:
        _refuse(f"not JSON: {error}")
    if not isinstance(fields, dict):
        _refuse("not a JSON object")
    events = fields.get("logEvents")
    kind = as_text(fields.get("messageType"))
    if events is None or not is_envelope(kind, fields.get("logGroup"), fields.get("logStream")):
        return _without_events(kind, document)
    if kind == CONTROL:
        return [Control()]
    if not isinstance(events, list):
        _refuse("envelope: logEvents is no list")
    origin = Origin(*(as_text(fields.get(name)) for name in ("owner", "logGroup", "logStream")))
    items: list[Item] = []
    for number, fields_of_event in enumerate(events):
        event = to_event(origin, fields_of_event)
        if event is None:
            _refuse(f"envelope: event {number} has no message")
        items.append(event)
    return items


def to_event(origin: Origin, fields: Any) -> Event | None:  # noqa: ANN401 - JSON
    """Return an event from its JSON, or None if it is none; ids and times may be odd."""
    if not isinstance(fields, dict) or not isinstance(fields.get("message"), str):
        return None
    timestamp = fields.get("timestamp")
    if not isinstance(timestamp, int | float) or not -(2**63) <= timestamp < 2**63:
        timestamp = 0
    return Event(fields["message"], as_text(fields.get("id")), int(timestamp), origin)


def as_text(value: object) -> str:
    """Return text as it is and a number as text: emulators write ids and accounts as numbers."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else ""


def _refuse(reason: str) -> NoReturn:
    raise BadDocumentError(reason)


LARGE_BYTES: Final = 2 * 1024 * 1024
"""Larger envelopes are decoded in pieces; CloudWatch Logs' usual ones are a tenth of it."""
_PIECE_BYTES: Final = 256 * 1024
_BETWEEN: Final = re.compile(rb'\}\s*,\s*(?=\{\s*"[^,}\]:\s])')
"""Between two objects of an array; inside a string the quote would end it (`reprise.logreader.grammar`)."""


class _LargeEnvelope(msgspec.Struct, rename="camel"):
    """An envelope whose events are left as JSON."""

    log_events: msgspec.Raw
    message_type: str = ""
    owner: str = ""
    log_group: str = ""
    log_stream: str = ""


_ENVELOPE: Final = msgspec.json.Decoder(_LargeEnvelope)
_EVENTS: Final = msgspec.json.Decoder(list[Event])


def decode_large(document: bytes | bytearray) -> tuple[int, Iterator[Event]] | None:
    """Return how many events a large envelope has, and these; None for anything out of the usual."""
    if len(document) < LARGE_BYTES:
        return None
    try:
        envelope = _ENVELOPE.decode(document)
        if envelope.message_type == CONTROL or not is_envelope(
            envelope.message_type, envelope.log_group, envelope.log_stream
        ):
            return None
        # Now or never: a batch must not turn out bad half-way.
        count = sum(len(_EVENTS.decode(piece)) for piece in _pieces(envelope.log_events))
    except (ValueError, RecursionError):
        return None
    return count, _one_by_one(envelope)


def _one_by_one(envelope: _LargeEnvelope) -> Iterator[Event]:
    origin = Origin(envelope.owner, envelope.log_group, envelope.log_stream)
    for piece in _pieces(envelope.log_events):
        for event in _EVENTS.decode(piece):
            event.origin = origin
            yield event


def _pieces(events: msgspec.Raw) -> Iterator[bytes]:
    """Yield an array in pieces that are arrays; whatever is no array comes out as no JSON, or whole."""
    with memoryview(events) as array:
        start, head = 0, b""
        while True:
            between = _BETWEEN.search(array, start + _PIECE_BYTES)
            if between is None:
                yield head + bytes(array[start:])
                return
            yield head + bytes(array[start : between.start() + 1]) + b"]"
            start, head = between.end(), b"["

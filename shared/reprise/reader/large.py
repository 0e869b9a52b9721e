"""Decode an envelope so large that its events should not all be in memory beside it.

The array is split between events, a quarter of a mebibyte at a time, and each piece is decoded as an array of
its own. A split anywhere else leaves brackets or quotes open, so that pieces which decode are right.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from reprise.reader.envelope import CONTROL, is_envelope
from reprise.reader.items import Event, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE_BYTES: Final = 2 * 1024 * 1024
"""Larger envelopes are decoded in pieces; CloudWatch Logs' usual ones are a tenth of it."""
_PIECE_BYTES: Final = 256 * 1024
_BETWEEN: Final = re.compile(rb'\}\s*,\s*(?=\{\s*"[^,}\]:\s])')
"""Between two objects of an array; inside a string the quote would end it (`reprise.reader.grammar`)."""


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

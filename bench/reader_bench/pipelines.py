"""The ways to read a capture object that are compared: each returns what it found, as a manifest."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.parser.envelopes import CloudWatchLogsEnvelope
from isal import isal_zlib
from pydantic import ValidationError

from reader_bench.generator import Manifest
from reprise.errors import BadRecordError
from reprise.reader import Control, Damage, Event, Foreign, read_events
from reprise.record.decode import decode_line
from reprise.record.schema import CaptureLine

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_BYTES = 1024 * 1024
_SLICE_BYTES = 32 * 1024


def chunks(data: bytes) -> Iterator[bytes]:
    """Yield an object as S3 gives it."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


def ours(data: bytes) -> Manifest:
    """Read as the product does: typed records, damage and strangers told apart."""
    return _count_ours(read_events(chunks(data)))


def _count_ours(items: Iterator[object]) -> Manifest:
    valid = invalid = foreign = controls = crc = payload_bytes = 0
    crc32 = zlib.crc32
    for item in items:
        if type(item) is Event:
            try:
                record = decode_line(item.message)
            except BadRecordError:
                invalid += 1
                continue
            if record is None:
                foreign += 1
                continue
            valid += 1
            crc += crc32(record.id.encode())
            payload = record.payload
            payload_bytes += len(payload.inline or payload.gzip_base64 or "")
        elif type(item) is Control:
            controls += 1
        elif type(item) is Foreign:
            foreign += 1
        elif type(item) is not Damage:
            raise TypeError(item)
    return Manifest(valid, invalid, foreign, controls, crc, payload_bytes)


def naive(data: bytes) -> Manifest:
    """Read with the standard library and pydantic, robustly: member by member."""
    total = Totals()
    for text in _members(data, lambda: zlib.decompressobj(31)):
        document = json.loads(text)
        if document["messageType"] == "CONTROL_MESSAGE":
            total.controls += 1
            continue
        for event in document["logEvents"]:
            total.add_message(event["message"])
    return total.manifest()


class Totals:
    """Counts what the naive reader finds."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.valid = self.invalid = self.foreign = self.controls = self.crc = self.payload = 0

    def add_message(self, message: str) -> None:
        """Read and count one message."""
        try:
            fields = json.loads(message)
        except ValueError:
            if message.startswith('{"reprise"'):
                self.invalid += 1
            else:
                self.foreign += 1
            return
        try:
            record = CaptureLine.model_validate(fields)
        except ValidationError:
            self.invalid += 1
            return
        self.valid += 1
        self.crc += zlib.crc32(record.id.encode())
        payload = record.payload
        self.payload += len(payload.inline or payload.gzip_base64 or "")

    def manifest(self) -> Manifest:
        """Return the counts."""
        return Manifest(
            self.valid, self.invalid, self.foreign, self.controls, self.crc, self.payload
        )


def powertools(events: list[dict[str, Any]]) -> Manifest:
    """Read with Powertools' own models: one event of Lambda's per member, as it would be delivered.

    One bad message fails its whole envelope there, so this gets objects without any.
    """
    total = Totals()
    envelope = CloudWatchLogsEnvelope()
    for event in events:
        for record in envelope.parse(event, CaptureLine):
            if record is None:
                continue
            total.valid += 1
            total.crc += zlib.crc32(record.id.encode())
            payload = record.payload
            total.payload += len(payload.inline or payload.gzip_base64 or "")
    return total.manifest()


def inflate_alone(data: bytes) -> int:
    """Inflate with ISA-L and do nothing else: the limit. Returns how many bytes came out."""
    return sum(map(len, _members(data, lambda: isal_zlib.decompressobj(31))))


def _members(data: bytes, new_inflater: Any) -> Iterator[bytes]:  # noqa: ANN401 - two libraries' types
    view = memoryview(data)
    position = 0
    while position < len(data):
        inflater = new_inflater()
        parts = []
        while not inflater.eof:
            piece = view[position : position + _SLICE_BYTES]
            parts.append(inflater.decompress(piece))
            position += len(piece) - len(inflater.unused_data)
        yield parts[0] if len(parts) == 1 else b"".join(parts)

"""The ways to read a capture object that are compared: each returns what it found, as a manifest."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.parser.envelopes import CloudWatchLogsEnvelope
from isal import isal_zlib
from pydantic import ValidationError

from reader_bench.generator import Manifest
from reader_bench.plain_model import Line
from reprise.errors import BadRecordError
from reprise.logreader import Control, LogEvent, read_events
from reprise_cli.capture_line import decode_line
from reprise_cli.capture_schema import CaptureLine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reader_bench.plain_model import PlainPayload
    from reprise_cli.capture_line import LoggedPayload, LoggedRecord
    from reprise_cli.capture_schema import LinePayload

CHUNK_BYTES = 1024 * 1024
_SLICE_BYTES = 32 * 1024


def chunks(data: bytes) -> Iterator[bytes]:
    """Yield an object as S3 gives it."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


def ours(data: bytes, *, counts: bool = False, has_payload: bool = False) -> Manifest:
    """Read as the product does: typed records, damage and strangers told apart.

    A record's payload stays escaped until it is asked for, which `has_payload` does.
    """
    totals = Totals() if counts else None
    for item in read_events(chunks(data)):
        if type(item) is LogEvent:
            try:
                record = decode_line(item.message)
            except BadRecordError:
                record = None
            if has_payload and record is not None:
                payload_bytes(record.payload)
            if totals is not None:
                totals.add(item.message, record)
        elif totals is not None:
            totals.controls += type(item) is Control
    return (totals or Totals()).manifest()


def payload_bytes(payload: LoggedPayload | PlainPayload | LinePayload) -> bytes:
    """Return a payload's bytes, as they travelled: text or base64."""
    return (payload.inline or payload.gzip_base64 or "").encode()


def naive(
    data: bytes,
    *,
    counts: bool = False,
    has_payload: bool = False,
    model: type[Line | CaptureLine] = Line,
) -> Manifest:
    """Read with the standard library and pydantic, robustly: member by member."""
    totals = Totals() if counts else None
    for text in _members(data, lambda: zlib.decompressobj(31)):
        for record in _read_naively(text, totals, model):
            if has_payload and record is not None:
                payload_bytes(record.payload)
    return (totals or Totals()).manifest()


def whole_at_once(data: bytes) -> None:
    """Read as most scripts do: the whole object at once, then document after document."""
    text = gzip.decompress(data).decode()
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        document, position = decoder.raw_decode(text, position)
        for event in document["logEvents"]:
            _naive_record(event["message"], Line)


def _read_naively(
    text: bytes, totals: Totals | None, model: type[Line | CaptureLine]
) -> Iterator[Line | CaptureLine | None]:
    document = json.loads(text)
    if document["messageType"] == "CONTROL_MESSAGE":
        if totals is not None:
            totals.controls += 1
        return
    for event in document["logEvents"]:
        record = _naive_record(event["message"], model)
        if totals is not None:
            totals.add(event["message"], record)
        yield record


def _naive_record(message: str, model: type[Line | CaptureLine]) -> Line | CaptureLine | None:
    try:
        return model.model_validate(json.loads(message))
    except ValueError:
        return None


class Totals:
    """Counts what a reader finds, to be compared with the manifest; left out while time is taken."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.valid = self.invalid = self.foreign = self.controls = self.crc = self.payload = 0

    def add(self, message: str, record: Line | CaptureLine | LoggedRecord | None) -> None:
        """Count one message."""
        if record is None:
            if message.startswith('{"reprise"'):
                self.invalid += 1
            else:
                self.foreign += 1
            return
        self.valid += 1
        self.crc += zlib.crc32(record.id.encode())
        self.payload += len(payload_bytes(record.payload))

    def manifest(self) -> Manifest:
        """Return the counts."""
        return Manifest(
            self.valid, self.invalid, self.foreign, self.controls, self.crc, self.payload
        )


def powertools(
    events: list[dict[str, Any]],
    *,
    counts: bool = False,
    model: type[Line | CaptureLine] = Line,
) -> Manifest:
    """Read with Powertools' own models: one event of Lambda's per member, as it would be delivered.

    One bad message fails its whole envelope, with all valid records in it.
    """
    totals = Totals() if counts else None
    envelope = CloudWatchLogsEnvelope()
    for event in events:
        try:
            records = envelope.parse(event, model)
        except ValidationError:
            continue
        for record in records:
            if totals is not None and isinstance(record, Line | CaptureLine):
                totals.add("", record)
    return (totals or Totals()).manifest()


def members_of(data: bytes) -> Iterator[bytes]:
    """Yield what each member inflates to, by ISA-L."""
    return _members(data, lambda: isal_zlib.decompressobj(31))


def inflate_alone(data: bytes) -> int:
    """Inflate with ISA-L and do nothing else: the limit. Returns how many bytes came out."""
    return sum(map(len, members_of(data)))


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

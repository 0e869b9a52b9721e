"""The fast decoder, the lenient one and the pydantic model come to one verdict on every line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reprise.call.payload import pack, unpack
from reprise.capturing.line import write_line
from reprise.capturing.record import EVENT_NAME
from reprise.capturing.wire import may_be_ours
from reprise.errors import BadRecordError
from reprise_cli.capture_line import decode_line
from reprise_cli.capture_schema import CaptureLine
from strategies import KEYS, make_record, texts

if TYPE_CHECKING:
    from reprise_cli.capture_line import LoggedRecord

LINE = write_line(make_record(not_after="2026-11-22T00:00:00Z", trace="Root=1"), KEYS)
PIECES = [
    "NaN",
    "Infinity",
    "1e999",
    "1.0",
    "1.10e2",
    "true",
    "null",
    '""',
    '"\\ud800"',
    '"\ud800"',
    '"\\u0000"',
    "1" * 30,
    "-0",
    "[]",
    "{}",
    '"x":1,',
    ",",
    "}",
    '"',
    "\\",
    '"id":"twice",',
    '"id":7,',
    '"later":NaN,',
    '"later":"\\ud800",',
    '"later":[1,{"a":1e400}],',
    '"outcome":null,',
    "\n",
    " ",
]


def _verdict(line: str) -> LoggedRecord | None:
    try:
        return decode_line(line)
    except BadRecordError:
        return None


def _model(line: str) -> CaptureLine | None:
    """Judge as the model does what is a capture line at all."""
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict) or fields.get("event") != EVENT_NAME:
            return None
        version = fields.get("reprise")
        if version != 1 or isinstance(version, bool):
            return None
        return CaptureLine.model_validate(fields)
    except (ValueError, ValidationError, RecursionError):
        return None


@settings(max_examples=300)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(LINE)), st.integers(0, 12), st.sampled_from(PIECES) | texts),
        max_size=3,
    )
)
def test_all_readers_agree_on_every_line(edits: list[tuple[int, int, str]]) -> None:
    line = LINE
    for at, length, piece in edits:
        line = line[:at] + piece + line[at + length :]
    record, model = _verdict(line), _model(line)
    assert (record is None) == (model is None)
    if record is not None and model is not None:
        assert (record.id, record.payload.sha256) == (model.id, model.payload.sha256)
        assert record.payload.inline == model.payload.inline


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("place", ['"id":', '"retry_after_s":', '"status":', '"reprise":', "{"])
def test_all_readers_agree_on_odd_values_in_every_place(piece: str, place: str) -> None:
    head, _, tail = LINE.partition(place)
    value, comma, rest = tail.partition(",")
    for line in (f"{head}{place}{piece}{comma}{rest}", f"{head}{place}{piece}{tail}"):
        assert (_verdict(line) is None) == (_model(line) is None), line
    del value


@pytest.mark.parametrize(
    "spelling",
    [
        "2026-11-21T10:00:00Z",
        "2026-11-21t10:00:00z",
        "2026-11-21T12:30:00+02:30",
        "20261121T100000Z",
        "2026-W47-6T10Z",
    ],
)
def test_every_spelling_of_an_instant_is_read(spelling: str) -> None:
    line = write_line(make_record(captured_at=spelling, not_after=spelling), KEYS)
    record = decode_line(line)
    assert record is not None
    assert record.captured_at == record.not_after == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert _model(line) is not None


@pytest.mark.parametrize("offset", ["", "+23:59"])
def test_an_instant_without_an_offset_or_outside_of_the_calendar_is_refused(offset: str) -> None:
    for name in ("captured_at", "not_after"):
        line = write_line(make_record(**{name: f"0001-01-01T00:00:00{offset}"}), KEYS)
        with pytest.raises(BadRecordError) as caught:
            decode_line(line)
        assert caught.value.reason == "invalid_record"
        assert _model(line) is None


@pytest.mark.parametrize(
    "payload",
    [
        b'{"n":123456789012345678901234567890}',
        b'{"x":1.10e2}',
        b'{"b":1,"a":2,"b":3}',
        b'{"s":"\\ud800"}',
        b'{"n":NaN,"i":-Infinity,"e":1E400}',
        b' { "spaces" : 1 } \n',
        b'"\\u00e9\\/\\n"',
        "é🙂".encode(),
        b"\xff\xfe",
    ],
)
def test_payload_bytes_come_out_exactly_as_they_went_in(payload: bytes) -> None:
    line = write_line(make_record(payload=pack(payload, 10_000)), KEYS)
    record = decode_line(line)
    assert record is not None
    assert unpack(record.payload.whole()) == payload


def test_lines_of_others_are_told_apart_without_decoding() -> None:
    assert not may_be_ours('{"level":"INFO","event":"other"}')
    assert may_be_ours(LINE.replace("captured", "\\u0063aptured"))
    assert decode_line('{"event":"\\u0063"}') is None
    assert decode_line(LINE.replace("captured", "\\u0063aptured")) is not None

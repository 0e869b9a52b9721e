"""An envelope that orjson takes is what msgspec makes of it, and what orjson refuses is not lost."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.logreader import LogEvent
from reprise.logreader.envelope import _DECODER, _decode_fast, decode
from strategies import texts

ENVELOPE = json.dumps(
    {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "/group",
        "logStream": "stream",
        "subscriptionFilters": ["all"],
        "logEvents": [
            {"id": "1", "timestamp": 1, "message": '{"a":"\\u00e9\\n\\\\"}'},
            {"id": "2", "timestamp": 2, "message": "é🙂", "extractedFields": {"n": "7"}},
        ],
    }
).encode()
PIECES = [
    b"NaN",
    b"1.0",
    b"1e3",
    b"null",
    b"true",
    b'"\\ud800"',
    b"\xff",
    b"1" * 30,
    b"-0",
    b"9223372036854775808",
    b"[]",
    b"{}",
    b'"owner":1,',
    b'"owner":"twice",',
    b'"message":"twice",',
    b'"x":[{"y":1e400}],',
    b",",
    b"}",
    b'"',
    b"\\",
    b"\\/",
    b"\x00",
    b" ",
]


def _by(decoder: object, document: bytes) -> object:
    try:
        return decoder(document)  # type: ignore[operator]
    except (ValueError, RecursionError):
        return None


@settings(max_examples=300)
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(ENVELOPE)),
            st.integers(0, 12),
            st.sampled_from(PIECES) | texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
        ),
        max_size=3,
    )
)
def test_both_decoders_make_the_same_of_every_envelope(edits: list[tuple[int, int, bytes]]) -> None:
    document = ENVELOPE
    for at, length, piece in edits:
        document = document[:at] + piece + document[at + length :]
    assert _by(_decode_fast, document) == _by(_DECODER.decode, document)


@pytest.mark.parametrize("kind", [bytes, bytearray])
@pytest.mark.parametrize(
    "more", [b'"x":"\xff"', b'"x":18446744073709551616', b'"x":' + b"[" * 2000]
)
def test_what_is_wrong_in_fields_that_nobody_asks_for_loses_no_event(
    more: bytes, kind: type[bytes | bytearray]
) -> None:
    more += b"]" * more.count(b"[")
    items = decode(kind(b"{" + more + b"," + ENVELOPE[1:]))
    messages = [item.message for item in items if isinstance(item, LogEvent)]
    assert messages == ['{"a":"\\u00e9\\n\\\\"}', "é🙂"]


@pytest.mark.parametrize("size_bytes", [500 * 1024, 2000 * 1024])
def test_values_that_nobody_asks_for_take_little_memory(size_bytes: int) -> None:
    document = (
        b'{"messageType":"DATA_MESSAGE","logEvents":[],"x":[' + b"{}," * (size_bytes // 3) + b"{}]}"
    )
    tracemalloc.start()
    try:
        assert decode(document) == []
        assert tracemalloc.get_traced_memory()[1] < 20 * 1024 * 1024
    finally:
        tracemalloc.stop()

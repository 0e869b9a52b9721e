"""An envelope that is decoded in pieces gives what it gives whole, or is left to the decoder of the whole."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.logreader import Item, LogEvent
from reprise.logreader.envelope import BadDocumentError, decode, decode_large
from strategies import envelope, texts

TRICKY = ['},{"id":"1', "}", '"},{"', '{"a":"b"},{"c":1}', "\\", '\\"},{\\"id', "", "ü"]
messages = st.lists(st.sampled_from(TRICKY) | texts, max_size=8)
nested = st.sampled_from(
    [None, {}, {"a": [{"b": "c"}, {"d": "e"}]}, [{"id": "x"}, {"message": "y"}], '},{"id":"'],
)


def _in_pieces(document: bytes) -> tuple[int, list[Item]] | None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reprise.logreader.envelope.LARGE_BYTES", 0)
        patch.setattr("reprise.logreader.envelope._PIECE_BYTES", 1)
        found = decode_large(document)
        return None if found is None else (found[0], list(found[1]))


def _whole(document: bytes) -> list[Item]:
    try:
        return list(decode(document))
    except BadDocumentError:
        return []


@given(messages)
def test_every_message_comes_out_of_the_pieces(batch: list[str]) -> None:
    document = envelope(batch)
    assert _in_pieces(document) == (len(batch), _whole(document))


@settings(max_examples=200)
@given(
    batch=messages,
    extracted=nested,
    indent=st.sampled_from([None, 1]),
    at=st.integers(0, 2000),
    piece=st.sampled_from([b"", b"}", b'"', b'},{"', b"\\", b"]", b",", b'{"id":"']),
    length=st.integers(0, 3),
)
def test_what_comes_out_in_pieces_is_what_comes_out_whole(
    batch: list[str], extracted: object, indent: int | None, at: int, piece: bytes, length: int
) -> None:
    fields = json.loads(envelope(batch))
    for event in fields["logEvents"][::2]:
        event["extractedFields"] = extracted
    text = json.dumps(fields, indent=indent).encode()
    at %= len(text)
    document = text[:at] + piece + text[at + length :]
    found = _in_pieces(document)
    if found is not None:
        count, items = found
        assert items == _whole(document)
        assert count == len(items)
        assert all(isinstance(item, LogEvent) for item in items)


def test_small_envelopes_and_control_messages_are_left_alone() -> None:
    assert decode_large(envelope(["a"])) is None
    assert _in_pieces(envelope(["a"]).replace(b"DATA_MESSAGE", b"CONTROL_MESSAGE")) is None


def test_events_of_a_large_envelope_are_never_all_in_memory() -> None:
    document = envelope([f"line {number}" for number in range(40_000)])
    assert len(document) > 2 << 20
    tracemalloc.start()
    try:
        found = decode_large(document)
        assert found is not None
        assert sum(1 for _ in found[1]) == found[0] == 40_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(document)

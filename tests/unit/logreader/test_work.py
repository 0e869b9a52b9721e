"""No input costs more than a multiple of its bytes: what is looked at is counted, and not timed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reader_work import CountingDecoder, Work, measure
from reprise.logreader.salvage import Attempts, Failure
from strategies import zipped

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_A_BYTE = 72
"""Budgets of 16 and 8 for what is in vain, and a handful of passes."""
FREE_BYTES = 64 * 1024
DATA = b'{"messageType":"DATA_MESSAGE","owner":"",'
OWNER = b'{"owner":"123456789012","logGroup":"",'
HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""A gzip header, before what is no deflate."""
FRAGMENTS = [
    DATA,
    OWNER,
    HEAD,
    HEAD + b"\0\x00\x10\xff\xef",
    HEAD[:9] + b"\xff\x03\0\x0a\0\xf5\xff",
    b'{"messageType":"DATA_MESSAGE","logEvents":[{"id":"',
    b'{"id":"1","message":"',
    b'{"id":1,"a":[',
    b'{"logEvents":[',
    b'{"reprise":1,',
    b'"data":"H4sI',
    b'"message"',
    b'{"k":1,',
    b'{"k":{}',
    b'{"a":',
    b'}{"a',
    b"H4sI",
    b"NaN",
    b"\xef\xbb\xbf",
    b"\x1f\x8b\x08",
    b"\x01\0\0\xff\xff",
    b'{"',
    b"{}",
    b'\\"',
    *(bytes([byte]) for byte in b'{}[]"\\:,1x \n\0\x1f\xff'),
]


def members_of(unit: bytes, count: int) -> bytes:
    """Return a member of members: what they hold comes bit by bit."""
    return zipped(zipped(unit) * count)


def nested(unit: bytes, count: int) -> bytes:
    """Return beginnings in each other, all open up to a text that has no end."""
    return unit * min(count, 300) + b'"' + b"x" * (len(unit) * count)


SHAPES: dict[str, Callable[[bytes, int], bytes]] = {
    "text": lambda unit, count: unit * count,
    "broken line": lambda unit, count: b'{"a":[{}' + unit * count,
    "member": lambda unit, count: zipped(DATA + unit * count),
    "members": lambda unit, count: zipped(b'{"a":[{}') + zipped(unit) * (count // 3),
    "members of a member": members_of,
    "nested": nested,
}


def assert_linear(data: bytes) -> None:
    work, account = measure(data)
    assert account.is_complete
    read = sum(layer.bytes_in for layer in account.layers)
    assert work <= MOST_A_BYTE * read + FREE_BYTES, (work, read)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("unit", FRAGMENTS, ids=repr)
def test_every_opening_costs_a_multiple_of_its_bytes(unit: bytes, shape: str) -> None:
    assert_linear(SHAPES[shape](unit, 30_000 // len(unit) if shape == "text" else 1500))


@given(
    units=st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4),
    before=st.lists(st.sampled_from(FRAGMENTS), max_size=2),
    shape=st.sampled_from(sorted(SHAPES)),
)
@example(units=[b",{}"], before=[b'{"a":[{}'], shape="members of a member")
@example(units=[b" "], before=[b'{"a":[{}'], shape="members of a member")
@example(units=[OWNER, DATA, b"["], before=[], shape="text")
@example(
    units=[b'"data":"H4sI', b'{"id":"1","message":"', b"["],
    before=[HEAD + b"\0\x00\x10\xff\xef"],
    shape="nested",
)
def test_mixtures_of_openings_cost_a_multiple_of_their_bytes(
    units: list[bytes], before: list[bytes], shape: str
) -> None:
    assert_linear(b"".join(before) + SHAPES[shape](b"".join(units), 1000))


def test_a_member_that_fails_does_not_make_the_heads_in_it_copy_what_follows_each() -> None:
    heads = HEAD * 6000
    stored = (
        b"\x01" + len(heads).to_bytes(2, "little") + (len(heads) ^ 0xFFFF).to_bytes(2, "little")
    )
    assert_linear(HEAD + stored + heads + b"\0" * 8)


def test_a_stretch_of_too_deep_documents_is_given_up_before_it_costs_much() -> None:
    assert_linear((OWNER + b'"a":[') * 400 + b'"' + b"x" * 300_000 + b'",' + b"[" * 100_000)


def test_tries_in_a_long_text_do_not_count_its_lines() -> None:
    attempts = Attempts(b"\n" * 1000 + b'{"a" 1}', 1)
    failure = attempts.decode(1000)
    assert failure == Failure(1005, "Expecting ':' delimiter")
    assert not attempts.is_exhausted


def test_a_text_without_end_costs_all_of_it() -> None:
    attempts = Attempts(b'{"' + b"x" * 10_000, 0)
    assert isinstance(attempts.decode(0), Failure)
    assert attempts.is_exhausted


def test_the_count_sees_what_an_error_costs() -> None:
    """Else the tests above would have seen nothing of it."""
    with pytest.MonkeyPatch.context() as patch:
        work = Work(patch)
        with pytest.raises(json.JSONDecodeError):
            CountingDecoder(work).raw_decode(" " * 1000 + "{x", 1000)
    assert work.bytes > 1000

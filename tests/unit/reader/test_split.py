from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.reader.split import MAX_DOCUMENT_BYTES, Garbage, split
from strategies import json_values, texts

objects = st.dictionaries(texts, json_values, max_size=3)
glue = st.sampled_from(["", "\n", " ", "\r\n", "\t\n\n"])


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(documents=st.lists(objects, max_size=6), between=glue, size=st.integers(1, 64), pretty=glue)
def test_documents_come_out_whole_whatever_the_pieces(
    documents: list[dict[str, object]], between: str, size: int, pretty: str
) -> None:
    indent = 1 if pretty else None
    written = [
        json.dumps(value, indent=indent, ensure_ascii=bool(between)).encode() for value in documents
    ]
    data = between.encode().join([b"", *written, b""])
    assert list(split(_cut(data, size))) == written


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_braces_and_quotes_inside_strings_end_nothing(size: int) -> None:
    documents = [rb'{"a":"}{"}', rb'{"a":"\"}"}', rb'{"a\\":"\\"}', rb'{"a":"\\\""}']
    assert list(split(_cut(b"".join(documents), size))) == documents


@pytest.mark.parametrize(
    ("data", "documents", "garbage"),
    [
        (b"", [], []),
        (b" \n", [], []),
        (b"abc", [], [(0, b"abc", "outside")]),
        (b'x{"a":1}', [b'{"a":1}'], [(0, b"x", "outside")]),
        (b'{"a":1}yz\n{}', [b'{"a":1}', b"{}"], [(7, b"yz\n", "outside")]),
        (b'[{"a":1}]', [b'{"a":1}'], [(0, b"[", "outside"), (8, b"]", "outside")]),
        (b'{"a":1}{"b":', [b'{"a":1}'], [(7, b'{"b":', "before its end")]),
        (b'{"a":"}', [], [(0, b'{"a":"}', "before its end")]),
        (b'{"a":"\\', [], [(0, b'{"a":"\\', "before its end")]),
        (b"}}{}", [b"{}"], [(0, b"}}", "outside")]),
    ],
)
def test_what_is_no_document_is_kept_with_its_place(
    data: bytes, documents: list[bytes], garbage: list[tuple[int, bytes, str]]
) -> None:
    parts = list(split([data]))
    assert [part for part in parts if isinstance(part, bytes)] == documents
    found = [part for part in parts if isinstance(part, Garbage)]
    assert [(part.offset, part.data) for part in found] == [entry[:2] for entry in garbage]
    assert all(words in part.reason for part, (_, _, words) in zip(found, garbage, strict=True))


@given(data=st.binary(max_size=300) | st.text('{}"\\a ', max_size=300).map(str.encode))
def test_no_byte_is_lost_but_blanks(data: bytes) -> None:
    parts = list(split([data]))
    pieces = [part.data if isinstance(part, Garbage) else part for part in parts]
    assert b"".join(b"".join(pieces).split()) == b"".join(data.split())


@given(
    data=st.binary(max_size=300) | st.text('{}"\\a ', max_size=300).map(str.encode),
    size=st.integers(1, 50),
)
def test_nothing_depends_on_the_pieces(data: bytes, size: int) -> None:
    """An unpacker that resumes an object counts what it has dealt with, documents and garbage."""
    assert list(split(_cut(data, size))) == list(split([data]))


def test_endless_garbage_is_given_up_in_bounded_memory() -> None:
    parts = list(split([b"x" * 1_000_000] * 40))
    assert sum(len(part.data) for part in parts if isinstance(part, Garbage)) == 40_000_000
    assert max(len(part.data) for part in parts if isinstance(part, Garbage)) <= (
        MAX_DOCUMENT_BYTES + 1_000_000
    )


def test_a_document_that_never_ends_is_given_up_in_bounded_memory() -> None:
    piece = b'{"' + b"x" * 1_000_000
    parts = list(split([piece] * (MAX_DOCUMENT_BYTES // len(piece) + 2)))
    assert all(isinstance(part, Garbage) for part in parts)
    assert any("16 MiB" in part.reason for part in parts if isinstance(part, Garbage))
    longest = max(len(part.data) for part in parts if isinstance(part, Garbage))
    assert longest <= MAX_DOCUMENT_BYTES + len(piece)

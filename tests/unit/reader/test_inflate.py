from __future__ import annotations

from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.reader import inflate as module
from reprise.reader.inflate import Break, inflate
from strategies import zipped


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def _inflate(data: bytes, size: int = 1000) -> tuple[bytes, list[Break]]:
    parts = list(inflate(_cut(data, size)))
    return (
        b"".join(part for part in parts if isinstance(part, bytes)),
        [part for part in parts if isinstance(part, Break)],
    )


# Bytes that look like gzip would be inflated once more.
plain = st.binary(max_size=200).filter(lambda data: not data.startswith(b"\x1f"))


@given(
    members=st.lists(plain, min_size=1, max_size=5),
    layers=st.integers(0, 2),
    size=st.integers(1, 200),
    glue=st.sampled_from([b"", b"\n", b"\x00\x00", b"\r\n"]),
)
def test_members_inside_members_come_out_in_order(
    members: list[bytes], layers: int, size: int, glue: bytes
) -> None:
    text = b"x" + b"".join(members)
    data = glue.join(zipped(member) for member in [b"x", *members])
    for _ in range(layers):
        data = zipped(data)
    assert _inflate(data, size) == (text, [])


@given(data=plain, size=st.integers(1, 50))
def test_bytes_that_are_no_gzip_pass_as_they_are(data: bytes, size: int) -> None:
    assert _inflate(data, size) == (data, [])


def test_four_layers_are_one_too_many() -> None:
    inner = zipped(b"abc")
    data = inner
    for _ in range(3):
        data = zipped(data)
    assert _inflate(data) == (inner, [])


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (zipped(b"second")[:-1], "ends before its end"),
        (zipped(b"second")[:5], "ends before its end"),
        (b"\x1f\x8b\x00", "gzip member:"),
        (b"garbage", "gzip member:"),
        (zipped(b"second")[:-8] + bytes(8), "gzip member:"),
    ],
    ids=["no trailer", "no body", "bad header", "no gzip", "bad checksum"],
)
def test_damage_is_told_with_the_place_of_its_member(tail: bytes, reason: str, size: int) -> None:
    first = zipped(b"first")
    text, breaks = _inflate(first + tail, size)
    assert text.startswith(b"first")
    (broken,) = breaks
    assert broken.offset == len(first)
    assert reason in broken.reason


def test_a_bomb_is_not_inflated_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members repeat for ever; the reader stops at its limit."""
    monkeypatch.setattr(module, "MAX_INFLATED_BYTES", 10_000_000)
    inflated = 0
    *pieces, last = inflate(repeat(zipped(bytes(1_000_000))))
    for piece in pieces:
        assert isinstance(piece, bytes)
        inflated += len(piece)
    assert inflated <= 10_000_000
    assert isinstance(last, Break)
    assert "beyond" in last.reason

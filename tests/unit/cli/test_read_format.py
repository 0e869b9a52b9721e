"""Objects that Firehose compressed with something else than gzip, whole and damaged.

What AWS writes for its five names: floci-io/floci#2410 (ZIP of one deflated entry; Snappy in xerial's frames;
HADOOP_SNAPPY in Hadoop's blocks). The streams here are put together by hand, by the formats' own documents.
"""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

import cramjam
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reprise.logreader import Account, Damage, LogEvent, UnknownLine
from reprise_cli.read_format import Reading
from strategies import envelope, zipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.logreader import Item

MESSAGES = [f"{number} ü " + "x" * 50 * number for number in range(40)]
TEXT = b"\n".join(envelope([message]) for message in MESSAGES)
MEMBERS = b"".join(zipped(envelope([message])) for message in MESSAGES)
_BLOCK_BYTES = 4096


def blocks_of(data: bytes) -> list[bytes]:
    return [data[at : at + _BLOCK_BYTES] for at in range(0, len(data), _BLOCK_BYTES)]


def raw(block: bytes) -> bytes:
    packed = bytes(cramjam.snappy.compress_raw(block))
    return struct.pack(">I", len(packed)) + packed


def xerial(data: bytes) -> bytes:
    head = b"\x82SNAPPY\x00" + struct.pack(">II", 1, 1)
    return head + b"".join(map(raw, blocks_of(data)))


def hadoop(data: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(block)) + raw(block) for block in blocks_of(data))


def hadoop_in_parts(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + b"".join(map(raw, blocks_of(data)))


def archive(data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as writer:
        writer.writestr("capture-1", data)
    return file.getvalue()


class _Pipe(io.RawIOBase):
    """A file that cannot be wound back: entries are written with their sizes behind them."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += data
        return len(data)


def streamed(data: bytes) -> bytes:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as writer:
        half = len(data) // 2
        with writer.open("a", "w", force_zip64=True) as entry:
            entry.write(data[:half])
        writer.writestr("b", data[half:])
    return bytes(pipe.data)


FORMATS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "xerial": ("Snappy", xerial),
    "two streams": ("Snappy", lambda data: xerial(data[:999]) + xerial(data[999:])),
    "hadoop": ("HADOOP_SNAPPY", hadoop),
    "hadoop, parts": ("HADOOP_SNAPPY", hadoop_in_parts),
    "zip": ("ZIP", archive),
    "zip, stored": ("ZIP", lambda data: archive(data, zipfile.ZIP_STORED)),
    "zip, streamed": ("ZIP", streamed),
    "zips": ("ZIP", lambda data: archive(data[:999]) + archive(data[999:])),
}


def read(data: bytes, size: int = 1 << 20) -> tuple[list[Item], Account, str | None]:
    account = Account()
    reading = Reading((data[at : at + size] for at in range(0, len(data), size)), account)
    return list(reading.items()), account, reading.compression


def messages_of(items: list[Item]) -> list[str]:
    return [item.message for item in items if isinstance(item, LogEvent)]


def check(data: bytes) -> list[Item]:
    """Read an object of any kind, and fail unless every byte is accounted for, and all damage told."""
    items, account, _ = read(data)
    assert account.is_complete, account
    assert account.layers[0].bytes_in == len(data)
    damage = [item for item in items if isinstance(item, Damage)]
    assert account.damages == len(damage)
    assert sum(len(item.data) for item in damage) == sum(
        layer.damaged_bytes for layer in account.layers
    )
    for item in damage:
        assert item.length == len(item.data)
        if item.layer == 0:
            assert data[item.offset : item.offset + item.length] == item.data
    return items


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("held", [TEXT, MEMBERS, b"", b"plain\n  lines\n"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_as_what_it_holds(name: str, held: bytes, size: int) -> None:
    compression, undo = FORMATS[name]
    data = undo(held)
    items, account, found = read(data, size)
    plain, expected, _ = read(held)
    assert items == plain
    assert account.is_complete
    if held:
        assert (found, account.layers[0].bytes_in) == (compression, len(data))
        assert account.layers[1:] == expected.layers
    check(data)


@pytest.mark.parametrize(
    "data",
    [
        MEMBERS,
        TEXT,
        b"",
        b"\0\0\0\x10 zeros before text",
        b"\0" * 100,
        b"PK is no archive",
        b"\0\0\0\x04\0\0\0\x06\x04\x0c",
        b"2026-11-28 plain line\n",
    ],
)
def test_what_is_none_of_them_is_left_to_the_reader(data: bytes) -> None:
    items, account, compression = read(data, 3)
    if data.startswith(b"\0\0\0\x04"):
        assert compression == "HADOOP_SNAPPY"
    else:
        assert compression is None
        assert account.layers == read(data)[1].layers
        assert items == read(data)[0]


@pytest.mark.parametrize("name", ["xerial", "hadoop", "hadoop, parts"])
def test_damaged_block_costs_what_it_holds_and_no_other(name: str) -> None:
    data = bytearray(FORMATS[name][1](TEXT))
    at = data.index(raw(blocks_of(TEXT)[3])) + 4
    data[at + 2 : at + 200] = b"\xff" * 198
    items = check(bytes(data))
    (damage,) = (item for item in items if isinstance(item, Damage) and item.layer == 0)
    assert "snappy" in damage.reason
    found = messages_of(items)
    kept = TEXT[: 3 * _BLOCK_BYTES], TEXT[4 * _BLOCK_BYTES :]
    # Half a message before the hole and half of another behind it are no message.
    assert found == [m for m in MESSAGES if any(envelope([m]) in part for part in kept)]


@pytest.mark.parametrize("name", FORMATS)
def test_object_that_is_cut_gives_what_stands_before_the_cut(name: str) -> None:
    data = FORMATS[name][1](TEXT)
    items = check(data[: len(data) * 2 // 3])
    found = messages_of(items)
    assert 3 < len(found) < len(MESSAGES)
    assert found == MESSAGES[: len(found)]
    assert any(isinstance(item, Damage) and "ends before" in item.reason for item in items)


@given(
    name=st.sampled_from(sorted(FORMATS)),
    flips=st.lists(st.tuples(st.integers(0), st.integers(1, 255)), max_size=3),
    cut=st.none() | st.integers(0),
)
def test_whatever_is_flipped_or_cut_nothing_is_raised_and_no_byte_lost(
    name: str, flips: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(FORMATS[name][1](TEXT[:9000]))
    for index, mask in flips:
        data[index % len(data)] ^= mask
    if cut is not None:
        del data[cut % len(data) :]
    check(bytes(data))


@given(
    head=st.sampled_from([b"\x82SNAPPY\0" + b"\0" * 8, b"PK\x03\x04", b"\0\0\1\0"]),
    data=st.binary(),
)
@example(head=b"\0\0\1\0", data=b"\0\0\0\x09\xff\xff\xff\xff\x0f" + b"x" * 9)
@example(head=b"\x82SNAPPY\0" + b"\0" * 8, data=b"\0\0\0\x09\xff\xff\xff\xff\x0f" + b"x" * 9)
def test_any_bytes_are_read_without_raising(head: bytes, data: bytes) -> None:
    check(head + data)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:6] + b"\x01" + data[7:], "encrypted"),
        (lambda data: data[:8] + b"\x0c" + data[9:], "compression method 12"),
        (lambda data: data[:14] + b"\0\0\0\0" + data[18:], "checksum"),
    ],
)
def test_entry_that_cannot_be_undone_is_told_and_the_next_one_is_read(
    change: Callable[[bytes], bytes], reason: str
) -> None:
    data = change(archive(b"x" * 999 + b"\n")) + archive(TEXT)
    items = check(data)
    assert messages_of(items) == MESSAGES
    assert any(isinstance(item, Damage) and reason in item.reason for item in items)


def test_archive_that_is_a_bomb_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reprise_cli.read_zip.MAX_TOTAL_BYTES", 1 << 20)
    items = check(archive(b"a" * (8 << 20)))
    assert any(isinstance(item, Damage) and "1 GiB" in item.reason for item in items)


def test_damage_in_what_an_object_holds_is_a_layer_below_it() -> None:
    (damage,) = check(archive(b'{"a": "cut'))
    assert isinstance(damage, Damage)
    assert (damage.layer, damage.place) == (1, "at byte 0 of layer 1")
    (line,) = check(archive(b"line"))
    assert line == UnknownLine("line")

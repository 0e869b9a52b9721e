"""Damage of every kind: nothing raised, invented or altered, the rest recovered, every byte known."""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reader_check import check, read_all
from reprise.capturing.line import read_line, write_line
from reprise.errors import BadRecordError
from reprise.logreader import Account, Control, Damage, LogEvent, UnknownLine, read_events
from reprise.logreader import member as inflater
from strategies import CONTROL, KEYS, TRUSTED, envelope, make_record, zipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reprise.logreader import Item

MESSAGES = [write_line(make_record(id=f"orders:{number}"), KEYS) for number in range(9)]
BATCHES = [MESSAGES[:2], MESSAGES[2:3], MESSAGES[3:7], MESSAGES[7:]]
PARTS = [*map(envelope, BATCHES[:2]), CONTROL, *map(envelope, BATCHES[2:])]
MEMBERS = [*map(zipped, PARTS)]
LINES = [message.encode() for message in MESSAGES]

VARIANTS: dict[str, bytes] = {
    "members": b"".join(MEMBERS),
    "delimited members": b"\n".join(MEMBERS),
    "double gzip": zipped(b"".join(MEMBERS)),
    "triple gzip": zipped(zipped(b"".join(MEMBERS))),
    "gzip of plain": zipped(b"".join(PARTS)),
    "gzip of lines": zipped(b"\n".join([*PARTS, b""])),
    "plain": b"".join(PARTS),
    "lines": b"\r\n".join([*PARTS, b""]),
    "pretty": b"\n".join(json.dumps(json.loads(part), indent=2).encode() for part in PARTS),
    "byte-order mark": b"\xef\xbb\xbf" + b"\n".join(PARTS),
    "extracted": b"\n".join([*LINES, b""]),
    "extracted, no newlines": b"".join(LINES),
}
variants = st.sampled_from(sorted(VARIANTS))


def texts_of(items: list[Item]) -> list[str]:
    return [
        item.message if isinstance(item, LogEvent) else item.text
        for item in items
        if isinstance(item, LogEvent | UnknownLine)
    ]


def authentic(items: list[Item]) -> list[str]:
    """Return the records of ours that there are, as lines; all of them must be exactly what was written.

    A flip may turn the name of a field that is null into none of ours: that is no other record.
    """
    found = []
    for text in texts_of(items):
        try:
            record = read_line(text, TRUSTED)
        except BadRecordError:
            continue
        if record is not None:
            line = write_line(record, KEYS)
            assert line in MESSAGES
            found.append(line)
    return found


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_variant_gives_every_record(name: str) -> None:
    items, account = read_all(VARIANTS[name])
    assert authentic(items) == MESSAGES
    assert account.damages == 0
    assert account.is_complete


@given(
    name=variants,
    cut=st.none() | st.integers(0),
    flips=st.lists(st.tuples(st.integers(0), st.integers(1, 255)), max_size=3),
    library=st.sampled_from([inflater.new_inflater, inflater.with_zlib]),
)
def test_whatever_is_cut_or_flipped_no_record_is_invented_and_no_byte_lost(
    name: str,
    cut: int | None,
    flips: list[tuple[int, int]],
    library: Callable[[], inflater.Inflater],
) -> None:
    data = bytearray(VARIANTS[name])
    for index, mask in flips:
        data[index % len(data)] ^= mask
    if cut is not None:
        del data[cut % len(data) :]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inflater, "new_inflater", library)
        check(bytes(data))
        found = authentic(read_all(bytes(data))[0])
    # In order, and each once.
    assert found == [message for message in MESSAGES if message in found]


@given(index=st.integers(0), mask=st.integers(1, 255), glue=st.sampled_from([b"", b"\n", b"\0"]))
def test_a_flipped_byte_costs_its_own_member_and_no_other(
    index: int, mask: int, glue: bytes
) -> None:
    data = bytearray(glue.join(MEMBERS))
    index %= len(data)
    data[index] ^= mask
    found = authentic(read_all(bytes(data))[0])
    start = 0
    for member, part in zip(MEMBERS, PARTS, strict=True):
        end = start + len(member)
        if not start <= index < end:
            events = json.loads(part)["logEvents"]
            assert all(
                event["message"] in found for event in events if event["message"] in MESSAGES
            )
        start = end + len(glue)


@given(index=st.integers(0), mask=st.integers(1, 255), name=st.sampled_from(["plain", "lines"]))
@example(index=4576, mask=ord("1") ^ ord("\n"), name="plain")
@example(index=3353, mask=1, name="plain")
def test_a_flipped_byte_of_text_costs_one_event_and_no_other(
    index: int, mask: int, name: str
) -> None:
    data = bytearray(VARIANTS[name])
    index %= len(data)
    data[index] ^= mask
    found = authentic(read_all(bytes(data))[0])
    if data[index] in b"\n}" or VARIANTS[name].startswith(b'{"messageType"', index):
        # Read as the end of a line that was cut, or of the envelope, or the envelope's beginning is gone:
        # what follows has lost who sent it.
        assert all(message in found for message in _outside(VARIANTS[name], index))
    else:
        # All but the one that holds the byte; its neighbour may begin with the byte that was lost.
        assert len(found) >= len(MESSAGES) - 2


def _outside(data: bytes, index: int) -> list[str]:
    """Return the messages of the envelopes that do not hold a byte."""
    spared = []
    end = 0
    for part, batch in zip(PARTS, [*BATCHES[:2], [], *BATCHES[2:]], strict=True):
        start = data.index(part, end)
        end = start + len(part)
        if not start <= index < end:
            spared += batch
    return spared


def test_events_after_a_flip_to_a_newline_are_kept_as_lines_without_envelope() -> None:
    data = bytearray(VARIANTS["plain"])
    data[4576] = ord("\n")
    items = read_all(bytes(data))[0]
    foreign = [item.text for item in items if isinstance(item, UnknownLine)]
    assert [json.loads(text)["message"] for text in foreign] == MESSAGES[5:7]


@given(cut=st.integers(0))
def test_a_cut_object_gives_whole_events_of_its_last_member(cut: int) -> None:
    member = zipped(envelope(MESSAGES))
    cut %= len(member)
    items, _ = read_all(member[:cut])
    text = zlib.decompressobj(31).decompress(member[:cut])
    whole = [m for m in MESSAGES if json.dumps(m).encode() + b"}" in text]
    assert authentic(items) == whole
    if cut:
        assert isinstance(items[-1], Damage)
        assert (items[-1].offset, items[-1].length) == (0, cut)


def damage_of(data: bytes) -> Damage:
    (damage,) = (item for item in read_all(data)[0] if isinstance(item, Damage))
    return damage


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (zipped(PARTS[1])[:-4] + b"\0\0\0\0", "gzip member"),
        (zipped(PARTS[1])[:40], "gzip member"),
        (b"\x1f\x8b\x08" + b"\xff" * 30, "gzip member"),
        (b"\x1e" + zipped(PARTS[1])[1:], "between gzip members"),
        (b"garbage", "between gzip members"),
        (b"PK\x03\x04 and so on", "zip archive"),
    ],
    ids=["length", "cut", "header", "magic", "garbage", "zip"],
)
def test_damage_between_members_is_told_to_the_byte(bad: bytes, reason: str) -> None:
    data = MEMBERS[0] + bad + MEMBERS[3]
    damage = damage_of(data)
    assert (damage.offset, damage.length, damage.data) == (len(MEMBERS[0]), len(bad), bad)
    assert reason in damage.reason
    assert damage.place == f"at byte {len(MEMBERS[0])}"
    assert authentic(read_all(data)[0]) == [*BATCHES[0], *BATCHES[2]]


def test_damage_inside_a_member_names_the_member_and_the_place_in_what_it_holds() -> None:
    text = PARTS[0] + b"!!" + PARTS[1]
    damage = damage_of(MEMBERS[3] + zipped(text))
    assert (damage.offset, damage.length, damage.layer) == (len(PARTS[0]), 2, 1)
    assert damage.member_at == len(MEMBERS[3])
    assert (
        damage.place
        == f"at byte {len(PARTS[0])} of what the gzip member at byte {len(MEMBERS[3])} holds"
    )


def test_damage_that_spans_members_is_told_in_the_one_where_it_starts() -> None:
    first, second = zipped(b"\xff\xfe\x00"), zipped(b"\x80\x81")
    damage = damage_of(first + second)
    assert (damage.data, damage.layer) == (b"\xff\xfe\x00\x80\x81", 1)
    assert (damage.member_at, damage.offset) == (0, 0)


def test_damage_in_a_later_member_is_not_told_in_the_one_where_the_text_began() -> None:
    members = [zipped(b"plain "), zipped(b"line\ncaf\xe9\n")]
    damage = damage_of(b"".join(members))
    assert (damage.member_at, damage.offset) == (len(members[0]), len(b"line\n"))


@pytest.mark.parametrize("outer", [1, 2])
def test_members_before_damage_of_an_outer_layer_are_read(outer: int) -> None:
    data = b"".join(zipped(envelope([f"{number} " + "x" * number])) for number in range(1500))
    whole = len(texts_of(read_all(data)[0]))
    for _ in range(outer):
        data = zipped(data)
    broken = bytearray(data)
    broken[len(data) * 3 // 4] ^= 0xFF
    items, account = read_all(bytes(broken))
    assert whole == 1500
    assert len(texts_of(items)) > whole // 2
    assert account.damages
    assert account.is_complete


@pytest.mark.parametrize(
    ("data", "texts", "damages"),
    [
        (b"2 123 eni-1 ACCEPT OK\n2 123 eni-2 REJECT OK\n", 2, 0),
        (b"[INFO] 2026 x {y}\r\nTraceback:\n  File x\n", 3, 0),
        (b'{"a":1}\nSTART x\n{"a":2}\nEND x', 4, 0),
        (b'{"a":"cut\n{"a":2}\n', 1, 1),
        (b'{"k":1}{"k":"cut{"k":3}', 2, 1),
        (b'{"a":NaN}{"b":"\\ud800"}{"c":1e999}', 3, 0),
        (b'{"a":1,"a":2}\n[1]\n"x"\n', 3, 0),
        (b"caf\xe9 and more\n" + b"fine\n" * 20, 20, 1),
        (bytes(range(256)) * 20, 0, 1),
        (b"\0" * 100_000, 0, 0),
        (b" \r\n\t", 0, 0),
    ],
)
def test_lines_are_told_from_damage(data: bytes, texts: int, damages: int) -> None:
    items, account = read_all(data)
    assert (len(texts_of(items)), account.damages) == (texts, damages)
    check(data)
    check(zipped(data))


def test_envelopes_that_travel_as_base64_are_read() -> None:
    packed = [base64.b64encode(member).decode() for member in MEMBERS]
    events = {
        "lambda": json.dumps({"awslogs": {"data": packed[0]}}),
        "kinesis": json.dumps({"Records": [{"kinesis": {"data": part}} for part in packed]}),
        "firehose": json.dumps({"records": [{"data": part} for part in packed]}, indent=2),
        "lines": "\n".join(packed),
    }
    expected = {"lambda": BATCHES[0]}
    for name, text in events.items():
        items, account = read_all(text.encode())
        assert authentic(items) == expected.get(name, MESSAGES), name
        assert account.is_complete
    assert Control() in read_all(events["lines"].encode())[0]
    (cut,) = read_all(b'{"awslogs":{"data":"H4sI"}}')[0]
    assert isinstance(cut, Damage)


def test_gzip_inside_four_layers_is_damage() -> None:
    data = PARTS[0]
    for _ in range(4):
        data = zipped(data)
    damage = damage_of(data)
    assert damage.reason == "gzip inside 3 layers of gzip"
    assert damage.layer == 3


def _bomb(mebibytes: int, fill: bytes = b"a") -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = fill * (1 << 20)
    return b"".join(deflate.compress(block) for _ in range(mebibytes)) + deflate.flush()


def test_a_bomb_is_given_up_and_what_follows_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reprise.logreader.member.BOMB_BYTES", 20 << 20)
    data = MEMBERS[0] + _bomb(40) + MEMBERS[3]
    items, account = read_all(data)
    assert authentic(items) == [*BATCHES[0], *BATCHES[2]]
    assert account.layers[1].bytes_in < 30 << 20
    assert any("64 MiB" in item.reason for item in items if isinstance(item, Damage))
    assert account.is_complete


def test_a_bomb_of_many_members_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reprise.logreader.items.MAX_TOTAL_BYTES", 20 << 20)
    data = _bomb(8, b" ") * 9
    items, account = read_all(data + MEMBERS[0])
    assert account.layers[1].bytes_in < 40 << 20
    assert any("1 GiB" in item.reason for item in items if isinstance(item, Damage))
    assert account.is_complete


def test_a_line_that_never_ends_is_given_up_in_bounded_memory() -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"a":"'
        for _ in range(40):
            yield b"x" * 1_000_000
        yield b'"}\n{"b":1}\n'

    account = Account()
    items = list(read_events(chunks(), account))
    damage = [item for item in items if isinstance(item, Damage)]
    assert sum(item.length for item in damage) > 40_000_000
    assert max(item.length for item in damage) <= 16 << 20
    assert any("16 MiB" in item.reason for item in damage)
    assert account.is_complete


def test_a_large_envelope_gives_its_events_one_by_one() -> None:
    messages = [f"{number} ü" + "x" * 5000 for number in range(1000)]
    for data in (zipped(envelope(messages)), envelope(messages)):
        items, account = read_all(data)
        assert texts_of(items) == messages
        assert account.events == 1000
    broken = envelope([*messages, "y"]).replace(b'"y"', rb'"\ud800"')
    assert texts_of(read_all(zipped(broken))[0]) == [*messages, "\ud800"]

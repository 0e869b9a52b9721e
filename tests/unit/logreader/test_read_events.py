from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.capturing.line import read_line, write_line
from reprise.errors import BadRecordError
from reprise.logreader import SLICE_BYTES, Control, Damage, Item, LogEvent, UnknownLine, read_events
from reprise.logreader.items import Origin
from strategies import (
    ACCOUNT,
    CONTROL,
    KEYS,
    LOG_GROUP,
    TRUSTED,
    envelope,
    log_event,
    make_record,
    texts,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MESSAGES = [write_line(make_record(id=f"orders:{number}"), KEYS) for number in range(12)]
BATCHES = [MESSAGES[:1], MESSAGES[1:5], [], MESSAGES[5:11], MESSAGES[11:]]
ENVELOPES = [*map(envelope, BATCHES[:2]), CONTROL, *map(envelope, BATCHES[2:])]

VARIANTS: dict[str, Callable[[list[bytes]], bytes]] = {
    # F§3: what Firehose writes as we deploy it, and with its knobs turned.
    "members": lambda parts: b"".join(map(zipped, parts)),
    "delimited members": lambda parts: b"\n".join(map(zipped, parts)),
    "double gzip": lambda parts: zipped(b"".join(map(zipped, parts))),
    "triple gzip": lambda parts: zipped(zipped(b"".join(map(zipped, parts)))),
    "gzip of plain": lambda parts: zipped(b"".join(parts)),
    "gzip of lines": lambda parts: zipped(b"\n".join([*parts, b""])),
    "plain": b"".join,
    "lines": lambda parts: b"\n".join([*parts, b""]),
    "pretty": lambda parts: b"\n".join(
        json.dumps(json.loads(part), indent=2).encode() for part in parts
    ),
}
OBJECTS = {name: variant(ENVELOPES) for name, variant in VARIANTS.items()}
variants = st.sampled_from(sorted(VARIANTS))


def _read(data: bytes, size: int = 64 * 1024) -> list[Item]:
    return list(read_events(data[start : start + size] for start in range(0, len(data), size)))


def _messages(items: list[Item]) -> list[str]:
    return [item.message for item in items if isinstance(item, LogEvent)]


def _ids(items: list[Item]) -> list[str]:
    """Return the ids of the records that the events hold and that are authentic."""
    ids = []
    for message in _messages(items):
        try:
            record = read_line(message, TRUSTED)
        except BadRecordError:
            continue
        if record is not None:
            assert msgspec.structs.replace(record, mac=None) == make_record(id=record.id)
            ids.append(record.id)
    return ids


@given(name=variants, size=st.integers(1, 5000))
def test_every_shape_gives_every_event_in_order(name: str, size: int) -> None:
    items = _read(OBJECTS[name], size)
    assert _messages(items) == MESSAGES
    assert [item for item in items if not isinstance(item, LogEvent)] == [Control()]


@given(
    batches=st.lists(st.lists(texts, max_size=4), max_size=4),
    name=variants.filter(lambda name: name != "pretty"),
    size=st.integers(1, 500),
)
def test_any_messages_survive_any_shape(batches: list[list[str]], name: str, size: int) -> None:
    items = _read(VARIANTS[name]([envelope(batch) for batch in batches]), size)
    assert _messages(items) == [message for batch in batches for message in batch]


def test_an_event_knows_where_it_comes_from() -> None:
    (event,) = _read(envelope(["hello"]))
    assert event == LogEvent(
        origin=Origin(ACCOUNT, LOG_GROUP, "2026/11/21/[$LATEST]0123"),
        id="0",
        timestamp_ms=1795255200000,
        message="hello",
    )


@pytest.mark.parametrize("data", [b"", b"\n", zipped(b"")])
def test_an_empty_object_holds_nothing(data: bytes) -> None:
    assert _read(data) == []


@given(name=variants, cut=st.integers(0), size=st.integers(1, 2000))
def test_a_cut_object_gives_what_stands_before_the_cut(name: str, cut: int, size: int) -> None:
    data = OBJECTS[name]
    cut %= len(data)
    items = _read(data[:cut], size)
    messages = _messages(items)
    assert messages == MESSAGES[: len(messages)]
    if name in {"plain", "lines"}:
        # More than the whole envelopes: the one that is cut gives its whole events.
        whole = [envelope(batch) for batch in BATCHES]
        assert len(messages) >= sum(
            len(batch)
            for batch, part in zip(BATCHES, whole, strict=True)
            if data.index(part) + len(part) <= cut
        )
    if name == "members":
        whole = [zipped(envelope(batch)) for batch in BATCHES]
        assert len(messages) >= sum(
            len(batch)
            for batch, part in zip(BATCHES, whole, strict=True)
            if data.index(part) + len(part) <= cut
        )


@given(name=variants, index=st.integers(0), flip=st.integers(1, 255), size=st.integers(1, 100_000))
def test_a_flipped_byte_never_raises_and_alters_no_record(
    name: str, index: int, flip: int, size: int
) -> None:
    data = bytearray(OBJECTS[name])
    index %= len(data)
    data[index] ^= flip
    ids = _ids(_read(bytes(data), size))
    expected = [f"orders:{number}" for number in range(12)]
    assert [call_id for call_id in expected if call_id in ids] == ids
    if name == "members":
        undamaged = 0
        for batch, part in zip(BATCHES, map(zipped, map(envelope, BATCHES)), strict=True):
            if OBJECTS[name].index(part) + len(part) > index:
                break
            undamaged += len(batch)
        assert ids[:undamaged] == expected[:undamaged]


@given(
    parts=st.lists(
        st.sampled_from([*ENVELOPES[:2], b"!!", b" \n", b"{broken}", b'{"a":1}', b'"', b"}"]),
        max_size=8,
    ),
    size=st.integers(1, 200),
)
def test_an_item_has_the_same_number_at_every_reading(parts: list[bytes], size: int) -> None:
    """A continuation skips by number."""
    data = b"".join(parts)
    assert _read(data, size) == _read(data)


@given(data=st.binary(max_size=500), prefix=st.sampled_from([b"", b"\x1f\x8b\x08\x00", b"{"]))
def test_any_bytes_are_read_without_raising(data: bytes, prefix: bytes) -> None:
    for item in _read(prefix + data):
        assert isinstance(item, LogEvent | Control | UnknownLine | Damage)


def test_damage_between_documents_does_not_stop_the_rest() -> None:
    data = envelope(["one"]) + b"!!" + envelope(["two"]) + b"{broken}" + envelope(["three"])
    items = _read(data)
    assert _messages(items) == ["one", "two", "three"]
    damage = [item for item in items if isinstance(item, Damage)]
    assert [item.data for item in damage] == [b"!!", b"{broken}"]
    assert damage[0].offset == len(envelope(["one"]))
    assert damage[1].offset == data.index(b"{broken}")


def test_a_broken_member_is_told_after_what_stood_before_it() -> None:
    first = zipped(envelope(["one"]))
    items = _read(first + zipped(envelope(["two"]))[:-4])
    assert _messages(items)[:1] == ["one"]
    assert isinstance(items[-1], Damage)
    assert items[-1].offset == len(first)


@pytest.mark.parametrize(
    "change",
    [
        {"policyLevel": "ACCOUNT_LEVEL_POLICY"},
        {"subscriptionFilters": None},
        {"owner": ""},
    ],
)
def test_fields_that_we_do_not_need_may_be_anything(change: dict[str, Any]) -> None:
    document = json.loads(envelope(["one"])) | change
    document["logEvents"][0]["extractedFields"] = {"@aws.account": "123456789012"}
    assert _messages(_read(json.dumps(document).encode())) == ["one"]


@pytest.mark.parametrize(
    "text",
    ['{"a":1}', "{}", '{"reprise":1,"event":"invocation.captured"}', '{"messageType":5}'],
)
def test_json_that_is_no_envelope_is_foreign(text: str) -> None:
    assert _read(text.encode()) == [UnknownLine(text=text)]


@pytest.mark.parametrize(
    "change",
    [
        {"logEvents": [log_event("one"), {"message": None}]},
        {"logEvents": [{"id": "1"}, log_event("one")]},
        {"logEvents": {"0": log_event("one")}},
        {"logEvents": log_event("one")},
    ],
)
def test_an_envelope_that_cannot_be_read_is_kept_but_its_good_events_come_out(
    change: dict[str, Any],
) -> None:
    """It may hold captured calls: dropping it as foreign would lose them silently."""
    document = json.dumps(json.loads(envelope([])) | change).encode()
    *events, item = _read(document)
    assert _messages(events) == ["one"]
    assert isinstance(item, Damage)
    assert item.data == document


@pytest.mark.parametrize(
    "change",
    [
        {"owner": 123456789012},
        {"logEvents": [{"id": 7, "timestamp": "now", "message": "one"}]},
        {"logEvents": [{"timestamp": 1.5e12, "message": "one", "extractedFields": None}]},
    ],
)
def test_an_emulators_odd_types_do_not_matter(change: dict[str, Any]) -> None:
    document = json.loads(envelope(["one"])) | change
    (event,) = _read(json.dumps(document).encode())
    assert isinstance(event, LogEvent)
    assert (event.owner, event.log_group, event.message) == (ACCOUNT, LOG_GROUP, "one")


def test_a_data_message_without_events_is_damage() -> None:
    (item,) = _read(b'{"messageType":"DATA_MESSAGE","logEventt":[]}')
    assert isinstance(item, Damage)


def test_messages_that_only_the_lenient_decoder_takes_are_read() -> None:
    document = envelope(["x"]).replace(b'"x"', rb'"a\ud800b"')
    assert _messages(_read(document)) == ["a\ud800b"]


def test_text_that_no_encoding_explains_is_damage() -> None:
    (item,) = _read(b'{"a":"\xff"}')
    assert isinstance(item, Damage)
    assert item.reason.startswith("not UTF-8")


def test_json_too_deep_to_read_is_damage() -> None:
    data = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    (item,) = _read(data)
    assert isinstance(item, Damage)


def test_events_of_many_members_come_out_one_at_a_time() -> None:
    """The first event is there before the second member has been asked for."""
    asked = 0

    def chunks() -> Iterator[bytes]:
        nonlocal asked
        for message in MESSAGES:
            asked += 1
            yield zipped(envelope([message])).ljust(SLICE_BYTES, b"\0")

    first = next(iter(read_events(chunks())))
    assert isinstance(first, LogEvent)
    assert asked <= 2


def test_a_large_object_is_read_in_bounded_memory() -> None:
    """Forty megabytes of events, of which no more than a few are in memory at once."""
    member = envelope(["x" * 20_000] * 50)
    count = 40_000_000 // len(member)
    data = zipped(b"".join(zipped(member) for _ in range(count)))
    size = 256 * 1024
    tracemalloc.start()
    try:
        events = sum(
            isinstance(item, LogEvent)
            for item in read_events(
                data[start : start + size] for start in range(0, len(data), size)
            )
        )
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert events == 50 * count
    assert peak_bytes < 10_000_000

"""Envelopes that travel as base64: in AWS's own events, in Firehose's error objects, and glued.

Sources: Firehose developer guide, "Handle failure in data transformation" and "CloudWatch Logs decompression"
(`processing-failed/`, `decompression-failed/`: `rawData` is the record in base64); objects of base64 of gzip
(getmoto/moto#4286); basic delivery, which concatenates records without a delimiter.
"""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader_check import check, read_all
from reader_work import measure
from reprise.logreader import Damage, LogEvent, UnknownLine
from strategies import CONTROL, envelope, zipped

MEMBERS = [zipped(envelope(["one", "two"])), zipped(CONTROL), zipped(envelope(["x" * 77, "ü"]))]
MESSAGES = ["one", "two", "x" * 77, "ü"]


def packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


def messages_of(data: bytes) -> list[str]:
    return [item.message for item in read_all(data)[0] if isinstance(item, LogEvent)]


def failed(record: bytes, **changes: object) -> str:
    """Return a line of a Firehose error object."""
    fields = {
        "attemptsMade": 4,
        "arrivalTimestamp": 1795168800000,
        "errorCode": "Lambda.FunctionError",
        "errorMessage": "The Lambda function returned an error.",
        "attemptEndingTimestamp": 1795168860000,
        "rawData": packed(record),
        "lambdaArn": "arn:aws:lambda:eu-west-1:123456789012:function:transform:$LATEST",
    }
    return json.dumps(fields | changes)


@given(
    members=st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=6),
    glue=st.sampled_from(["", "\n", "\r\n"]),
    around=st.booleans(),
)
def test_records_in_base64_are_read_glued_or_one_a_line(
    members: list[bytes], glue: str, *, around: bool
) -> None:
    data = glue.join(map(packed, members)).encode()
    if around:
        data = b"first\n" + data + b"\nlast\n"
    plain = [m for member in members for m in messages_of(member)]
    assert messages_of(data) == plain
    foreign = [item.text for item in read_all(data)[0] if isinstance(item, UnknownLine)]
    assert foreign == (["first", "last"] if around else [])
    check(data)


def test_glued_records_are_read_as_they_come_and_in_linear_time() -> None:
    """An object of Firehose's has up to 128 MiB, and no newline in it."""
    data = "".join(map(packed, MEMBERS)).encode() * 400
    work, account = measure(data)
    assert account.events == 4 * 400
    assert work <= 40 * sum(layer.bytes_in for layer in account.layers)


@pytest.mark.parametrize("glue", ["\n", ""])
def test_what_firehose_could_not_process_is_read_out_of_its_error_objects(glue: str) -> None:
    data = glue.join([failed(member) for member in MEMBERS] + [""]).encode()
    assert messages_of(data) == MESSAGES
    assert read_all(data)[1].controls == 1
    check(data)


@pytest.mark.parametrize(
    ("record", "texts"),
    [
        (b"plain\nlines\n", ["plain", "lines"]),
        (b'{"a": 1}{"b": 2}', ['{"a": 1}', '{"b": 2}']),
        (envelope(["one"]), []),
    ],
)
def test_record_that_was_no_gzip_is_read_out_of_an_error_object(
    record: bytes, texts: list[str]
) -> None:
    items, account = read_all(failed(record, errorCode="DecompressionFailed").encode())
    assert [item.text for item in items if isinstance(item, UnknownLine)] == texts
    assert account.damages == 0


def test_records_in_base64_that_are_glued_are_read_behind_an_envelope_too() -> None:
    data = envelope(["first"]) + b"\n" + "".join(map(packed, MEMBERS)).encode()
    assert messages_of(data) == ["first", *MESSAGES]
    check(data)


def test_a_wrapper_that_is_all_of_a_member_is_read_before_what_follows_the_member() -> None:
    wrapper = json.dumps({"awslogs": {"data": packed(MEMBERS[0])}}).encode()
    items, account = read_all(zipped(wrapper) + b'{"a":1}\n' + zipped(b"  words\n"))
    texts = [item.message if isinstance(item, LogEvent) else item for item in items]
    assert texts == ["one", "two", UnknownLine('{"a":1}'), UnknownLine("  words")]
    assert account.is_complete


def test_record_that_firehose_could_not_inflate_is_damage_and_its_place_is_told() -> None:
    (damage,) = read_all(failed(MEMBERS[0][:40]).encode())[0]
    assert isinstance(damage, Damage)
    assert damage.data == MEMBERS[0][:40]
    assert damage.place == "at byte 0 of layer 1"


def test_error_object_whose_record_is_no_base64_is_a_line() -> None:
    text = failed(b"", rawData="?")
    assert read_all(text.encode())[0] == [UnknownLine(text)]


def test_records_of_one_event_are_read_together_or_left_as_they_are() -> None:
    mixed = json.dumps({"records": [{"data": packed(MEMBERS[0])}, {"data": packed(b"line")}]})
    assert read_all(mixed.encode())[0][2:] == [UnknownLine("line")]
    assert messages_of(mixed.encode()) == ["one", "two"]
    plain = json.dumps({"records": [{"data": packed(b"line")}], "why": "H4sI"})
    assert read_all(plain.encode())[0] == [UnknownLine(plain)]


@pytest.mark.parametrize(
    "unit", ['{"rawData":"', '{"errorCode":1,"rawData":"H4sI"}', "H4sI=", "=H4sI"]
)
def test_base64_costs_a_multiple_of_its_bytes(unit: str) -> None:
    work, account = measure(unit.encode() * (60_000 // len(unit)))
    assert account.is_complete
    assert work <= 72 * sum(layer.bytes_in for layer in account.layers) + 64 * 1024

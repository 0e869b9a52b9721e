"""What could not be delivered or believed, taken in again: by the unpacker's own reading of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeMeter, InMemoryListing, InMemoryObjects
from reprise.capturing.line import read_line, write_line
from reprise.logreader import LogEvent, read_events
from reprise.quarantine import Quarantine
from reprise_cli.replay.unread import Unread, UnreadSource
from strategies import ACCOUNT, KEYS, LOG_GROUP, NOW, TRUSTED, envelope, make_record, zipped

LINE = write_line(make_record(), KEYS)
HOUR = timedelta(hours=1)


@dataclass
class Bucket:
    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    listing: InMemoryListing = field(default_factory=InMemoryListing)

    def put(self, key: str, data: bytes, at_s: float = NOW.timestamp()) -> None:
        self.objects.kept[key] = data
        self.listing.modified_at_s[key] = at_s

    def source(self, place: Unread) -> UnreadSource:
        return UnreadSource(
            place=place,
            bucket="bucket",
            listing=self.listing,
            objects=self.objects,
            owner=ACCOUNT,
            log_group=LOG_GROUP,
        )

    def taken_in(self) -> list[LogEvent]:
        return [
            item
            for key, data in sorted(self.objects.kept.items())
            if key.startswith("captured/")
            for item in read_events([data])
            if isinstance(item, LogEvent)
        ]


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def undelivered(*lines: str) -> bytes:
    """Return an object as Firehose writes it below its error prefix."""
    entries = [
        {
            "attemptsMade": 4,
            "arrivalTimestamp": 1_795_000_000_000,
            "errorCode": "S3.AccessDenied",
            "rawData": base64.b64encode(zipped(envelope([line]))).decode(),
        }
        for line in lines
    ]
    return "\n".join(map(json.dumps, entries)).encode()


def quarantined(bucket: Bucket, *lines: str, reason: str = "bad_mac") -> None:
    quarantine = Quarantine("s3://bucket/captured/a.gz", bucket.objects, FakeMeter())
    for number, line in enumerate(lines):
        quarantine.add(number, reason, "not believed", line.encode())
    quarantine.flush()
    for key in bucket.objects.kept:
        bucket.listing.modified_at_s[key] = NOW.timestamp()


def test_lines_that_firehose_could_not_deliver_come_as_capture_objects(bucket: Bucket) -> None:
    key = "capture-errors/processing-failed/2026/11/21/10/x"
    bucket.put(key, undelivered(LINE, "foreign"))
    source = bucket.source(Unread.ERRORS)
    found = source.look(NOW - HOUR, NOW + HOUR)
    assert found.lines == {("orders", "processing-failed"): 1}
    assert (found.others, [one.id for one in found.planned]) == (1, [key])
    assert source.take_in(key, NOW) == 1
    (event,) = bucket.taken_in()
    assert (event.message, event.owner, event.log_group) == (LINE, ACCOUNT, LOG_GROUP)
    assert read_line(event.message, TRUSTED) is not None


def test_quarantined_lines_come_as_capture_objects_and_what_is_no_line_stays(
    bucket: Bucket,
) -> None:
    quarantined(bucket, LINE, "\x00 damage")
    source = bucket.source(Unread.QUARANTINE)
    found = source.look(NOW - HOUR, NOW + HOUR)
    assert (found.lines, found.others) == ({("orders", "bad_mac"): 1}, 1)
    (planned,) = found.planned
    assert planned.reason == "bad_mac"
    source.take_in(planned.id, NOW)
    assert [event.message for event in bucket.taken_in()] == [LINE]


def test_a_second_run_writes_the_same_objects(bucket: Bucket) -> None:
    key = "capture-errors/processing-failed/2026/11/21/10/x"
    bucket.put(key, undelivered(LINE))
    source = bucket.source(Unread.ERRORS)
    source.take_in(key, NOW)
    once = dict(bucket.objects.kept)
    source.take_in(key, NOW)
    assert bucket.objects.kept == once


def test_only_what_was_put_there_in_the_window_and_of_the_target_is_meant(bucket: Bucket) -> None:
    bucket.put("capture-errors/a/x", undelivered(LINE), at_s=(NOW - 2 * HOUR).timestamp())
    bucket.put("capture-errors/a/y", undelivered(LINE))
    source = bucket.source(Unread.ERRORS)
    assert [one.id for one in source.look(NOW - HOUR, NOW + HOUR).planned] == ["capture-errors/a/y"]
    assert not source.look(NOW - HOUR, NOW + HOUR, "mail").planned
    assert source.take_in("capture-errors/a/y", NOW, "mail") == 0
    assert not bucket.taken_in()


@given(data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_lies_there_is_looked_at_without_an_error(data: bytes) -> None:
    bucket = Bucket()
    for place in Unread:
        bucket.put(f"{place.value}a/x", data)
        source = bucket.source(place)
        found = source.look(NOW - HOUR, NOW + HOUR)
        for one in found.planned:
            source.take_in(one.id, NOW)


def test_many_lines_come_in_pieces_that_the_unpacker_can_hold(bucket: Bucket) -> None:
    long = write_line(make_record(client_context="x" * 150_000), KEYS)
    quarantined(bucket, *[long] * 5)
    key = next(iter(bucket.objects.kept))
    entries = bucket.objects.kept[key].splitlines()
    bucket.put(key, b"\n".join(entries * 10))
    count = bucket.source(Unread.QUARANTINE).take_in(key, NOW)
    pieces = [key for key in bucket.objects.kept if key.startswith("captured/")]
    assert len(bucket.taken_in()) == count
    assert len(pieces) > 1

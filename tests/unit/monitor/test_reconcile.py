"""An object that no notification named is found, once, whatever the clock and the pages do."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeClock, FakeMeter, InMemoryListing, InMemoryMarks, InMemoryQueue
from harness import PIPELINE_KEYS, Pipeline, call, envelope
from reprise import metric
from reprise.errors import StoreError
from reprise.monitor.reconcile import (
    ERROR_PREFIXES,
    EVERY_S,
    MARK_S,
    MAX_SENT,
    OLDEST_S,
    PREFIXES,
    SENT_MARK_S,
    YOUNGEST_S,
    Page,
    Reconciler,
    Sweep,
    after_page,
    missed,
    next_range,
    write_notification,
)
from reprise.unpack.notification import ObjectRef, read_notification, write_continuation
from strategies import texts

HOUR_S = 3600
DAY_S = 24 * HOUR_S


@dataclass
class Rig:
    """A reconciler on doubles; it keeps how far it has come, as well."""

    clock: FakeClock = field(default_factory=FakeClock)
    listing: InMemoryListing = field(default_factory=InMemoryListing)
    marks: InMemoryMarks = field(default_factory=InMemoryMarks)
    queue: InMemoryQueue = field(default_factory=InMemoryQueue)
    meter: FakeMeter = field(default_factory=FakeMeter)
    kept: Sweep = field(default_factory=Sweep)
    is_of_errors: bool = False

    def load(self) -> Sweep:
        return self.kept

    def save(self, sweep: Sweep) -> None:
        self.kept = sweep

    @property
    def now_s(self) -> float:
        return self.clock.now.timestamp()

    def write(self, name: str, *, age_s: float, prefix: str = "captured/") -> str:
        """Write an object of some age, where Firehose would."""
        at = datetime.fromtimestamp(self.now_s - age_s, UTC)
        key = f"{prefix}{at:%Y/%m/%d/%H}/{name}"
        self.listing.modified_at_s[key] = self.now_s - age_s
        return key

    def reconciler(self) -> Reconciler:
        return Reconciler(
            prefixes=ERROR_PREFIXES if self.is_of_errors else PREFIXES,
            bucket="bucket",
            listing=self.listing,
            marks=self.marks,
            queue=self.queue,
            sweeps=self,
            clock=self.clock,
            meter=self.meter,
        )

    def look(self, times: int = 1) -> list[str]:
        """Look so often, ten minutes apart; return the keys that were sent."""
        for _ in range(times):
            self.reconciler().check()
            self.clock.advance(EVERY_S)
        refs = [ref for sent in self.queue.sent for ref in read_notification(sent.body)]
        self.queue.sent.clear()
        assert {ref.bucket for ref in refs} <= {"bucket"}
        return [ref.key for ref in refs]


def test_object_without_a_mark_is_sent_as_s3_would_have_sent_it() -> None:
    rig = Rig()
    lost = rig.write("lost+1 ü.gz", age_s=HOUR_S)
    taken = rig.write("taken.gz", age_s=HOUR_S)
    rig.marks.put(f"s3://bucket/{taken}", rig.now_s + MARK_S)

    assert rig.look(2) == [lost]
    assert rig.meter.counts[metric.LOST_NOTIFICATIONS] == 1


@pytest.mark.parametrize(
    ("age_s", "is_missed"),
    [
        (0, False),
        (YOUNGEST_S - 1, False),
        (YOUNGEST_S, True),
        (OLDEST_S, True),
        (OLDEST_S + 1, False),
    ],
)
def test_only_what_should_have_been_taken_in_is_missed(age_s: float, *, is_missed: bool) -> None:
    page = Page(modified_at_s={"captured/x": 1_000_000.0 - age_s}, is_last=True)
    assert missed(page, 1_000_000.0) == (["captured/x"] if is_missed else [])


def test_failed_batch_jobs_are_found_too() -> None:
    rig = Rig()
    lost = rig.write("x", age_s=HOUR_S, prefix="batch-events/")
    assert rig.look(2) == [lost]


def test_object_that_firehose_delivered_a_day_late_is_found() -> None:
    rig = Rig()
    key = rig.write("late", age_s=OLDEST_S + 20 * HOUR_S)
    rig.listing.modified_at_s[key] = rig.now_s - OLDEST_S + HOUR_S
    assert rig.look() == [key]


def test_what_was_sent_is_not_sent_again_before_the_unpacker_could_come_to_it() -> None:
    rig = Rig()
    lost = rig.write("lost", age_s=HOUR_S)
    assert rig.look() == [lost]
    assert rig.look(30) == []
    rig.clock.advance(6 * HOUR_S)
    assert rig.look(2) == [lost]


def test_looks_between_cost_one_read() -> None:
    rig = Rig()
    rig.write("lost", age_s=HOUR_S)
    rig.look()
    rig.clock.advance(60 - EVERY_S)
    rig.listing.faults.fail("page", 9)
    for _ in range(9):
        rig.look()
        rig.clock.advance(60 - EVERY_S)
    with pytest.raises(StoreError):
        rig.look()


def test_objects_from_before_there_were_marks_are_sent_a_few_at_a_time() -> None:
    rig = Rig()
    keys = [rig.write(f"{number:04d}", age_s=2 * DAY_S - number * 60) for number in range(130)]
    rounds = [rig.look() for _ in range(5)]
    assert [len(sent) for sent in rounds] == [MAX_SENT, MAX_SENT, 30, 0, 0]
    assert [key for sent in rounds for key in sent] == sorted(keys)


@pytest.mark.parametrize("fault", ["page", "missing", "send", "put"])
def test_look_that_fails_is_made_again(fault: str) -> None:
    rig = Rig()
    lost = rig.write("lost", age_s=HOUR_S)
    faults = {"page": rig.listing.faults, "send": rig.queue.faults}.get(fault, rig.marks.faults)
    faults.fail(fault)
    with pytest.raises(StoreError):
        rig.look()
    assert rig.kept == Sweep()
    assert set(rig.look()) == {lost}


@given(
    ages_s=st.lists(st.integers(0, OLDEST_S + 2 * DAY_S), max_size=40, unique=True),
    taken=st.sets(st.integers(0, 39)),
    page_size=st.integers(1, 10),
)
def test_every_lost_object_is_found_within_one_round_and_no_other_is_sent(
    ages_s: list[int], taken: set[int], page_size: int
) -> None:
    rig = Rig(listing=InMemoryListing(page_size=page_size))
    lost = set()
    for number, age_s in enumerate(ages_s):
        prefix = PREFIXES[number % 2]
        key = rig.write(f"{number}", age_s=age_s, prefix=prefix)
        if number in taken:
            rig.marks.put(f"s3://bucket/{key}", rig.now_s - age_s + MARK_S)
        elif YOUNGEST_S <= age_s <= OLDEST_S - DAY_S:
            lost.add(key)
    looks = 2 * (len(ages_s) // page_size + 2)
    sent = rig.look(looks)
    assert lost <= set(sent)
    # Nobody takes in what is sent here.
    most = 1 + looks * EVERY_S // SENT_MARK_S
    assert max(Counter(sent).values(), default=0) <= most
    marked = {key for number, key in enumerate(rig.listing.modified_at_s) if number in taken}
    assert not marked & set(sent)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_every_key_comes_out_of_its_notification_as_it_was(key: str) -> None:
    assert read_notification(write_notification("b", key)) == (ObjectRef(bucket="b", key=key),)


@given(st.floats(1e9, 4e9), texts)
def test_a_look_never_leaves_its_prefix(at_s: float, after: str) -> None:
    prefix, start = next_range(Sweep(after=after), at_s)
    assert prefix in PREFIXES
    assert start.startswith(prefix)
    assert after_page(prefix, Page(modified_at_s={}, is_last=False)) in PREFIXES


def test_call_whose_objects_notification_was_lost_is_replayed_all_the_same() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    key = "captured/2026/11/21/10/object.gz"
    pipeline.store(key)
    rig = Rig(clock=pipeline.clock, marks=pipeline.marks, queue=pipeline.capture_queue)
    rig.listing.modified_at_s[key] = rig.now_s
    pipeline.clock.advance(HOUR_S)

    rig.reconciler().check()
    (message,) = pipeline.capture_queue.sent
    assert pipeline.take_in(message.body) == []

    assert len(pipeline.take_sent()) == 1
    assert pipeline.marks.missing([f"s3://bucket/{key}"], rig.now_s + OLDEST_S) == []


def undelivered(*lines: str) -> bytes:
    """Return an object as Firehose writes it below its error prefix."""
    entries = [
        {
            "attemptsMade": 4,
            "arrivalTimestamp": 1_795_000_000_000,
            "errorCode": "S3.AccessDenied",
            "rawData": base64.b64encode(envelope(line)).decode(),
        }
        for line in lines
    ]
    return "\n".join(map(json.dumps, entries)).encode()


def firehose_gave_up(pipeline: Pipeline, data: bytes) -> Rig:
    """Leave an object below the error prefix, let time pass, and take in what the reconciler names."""
    key = "capture-errors/processing-failed/2026/11/21/10/object"
    pipeline.objects.kept[key] = data
    rig = Rig(
        clock=pipeline.clock,
        marks=pipeline.marks,
        queue=pipeline.capture_queue,
        meter=pipeline.meter,
        is_of_errors=True,
    )
    rig.listing.modified_at_s[key] = rig.now_s
    pipeline.clock.advance(HOUR_S)
    rig.reconciler().check()
    (message,) = pipeline.capture_queue.sent
    pipeline.capture_queue.sent.clear()
    assert pipeline.take_in(message.body) == []
    return rig


def test_calls_that_firehose_gave_up_are_found_counted_and_replayed_once() -> None:
    pipeline = Pipeline()
    pipeline.capture(call(), call(b"2"))
    rig = firehose_gave_up(pipeline, undelivered(*pipeline.lines))

    assert pipeline.meter.counts[metric.LOST_LINES] == 2
    assert pipeline.meter.counts[metric.ERROR_OBJECTS] == 1
    assert pipeline.meter.counts[metric.LOST_NOTIFICATIONS] == 0
    assert pipeline.replay(*pipeline.take_sent()) == []
    assert len(pipeline.functions.invoked) == 2
    assert rig.look(30) == []


def test_what_firehose_gave_up_and_nobody_can_read_is_in_quarantine() -> None:
    pipeline = Pipeline()
    firehose_gave_up(pipeline, b"\x1f\x8b no gzip")
    assert pipeline.meter.counts[metric.QUARANTINED] == 1
    assert pipeline.meter.counts[metric.LOST_LINES] == 0


def test_error_objects_of_every_kind_are_looked_at_page_by_page() -> None:
    rig = Rig(listing=InMemoryListing(page_size=2), is_of_errors=True)
    kinds = ("decompression-failed/", "processing-failed/", "s3-failed/")
    keys = {
        rig.write(f"{number}", age_s=HOUR_S * number, prefix=f"capture-errors/{kind}")
        for kind in kinds
        for number in range(1, 4)
    }
    assert set(rig.look(6)) == keys


def test_object_is_marked_when_its_notification_comes_and_at_no_continuation() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    body = pipeline.store("captured/x")
    pipeline.ledger.faults.fail("record")

    assert pipeline.take_in(body) == ["n0"]
    assert list(pipeline.marks.until_s) == ["s3://bucket/captured/x"]

    pipeline.marks.until_s.clear()
    for ref in (ObjectRef(bucket="bucket", key="captured/x", skip=1),):
        pipeline.take_in(write_continuation(ref, PIPELINE_KEYS))
    assert pipeline.marks.until_s == {}


def test_mark_that_cannot_be_written_holds_nothing_up() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    pipeline.marks.faults.fail("put")

    assert pipeline.take_in(pipeline.store()) == []
    assert len(pipeline.take_sent()) == 1
    assert pipeline.meter.counts[metric.STORE_FAULTS] == 1

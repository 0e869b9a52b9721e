"""A call that was answered 202 and never arrived is found in its log group, and runs once."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import Faults, InMemoryLogs
from harness import ACCOUNT, GONE, LARGE, LOG_GROUP, ORDERS, Pipeline, call, notification
from reprise import metric
from reprise.call.payload import digest
from reprise.call.target import conflict_id
from reprise.capturing.line import sign_record
from reprise.capturing.open_calls import KNOWN_FOR_MS
from reprise.capturing.signature import MacKeys
from reprise.capturing.wire import decode_record
from reprise.errors import StoreError
from reprise.ledger import LIVE_OWNER, State, new_row
from reprise.logreader import LogEvent, read_events
from reprise.monitor.lost_lines import SAVED_PAGES, LineReconciler, LoggedLine
from reprise.monitor.read_back import (
    DUE_S,
    EVERY_S,
    LATE_S,
    OVERLAP_S,
    ReadBack,
    ReadBackGauge,
    next_page,
    read_at_ms,
)
from reprise.monitor.taken_in import MOST_BYTES
from reprise.unpack.notification import is_taken_back

if TYPE_CHECKING:
    from reprise.capturing.record import Record

OTHER_GROUP = "/aws/lambda/library"
STRETCH_MS = EVERY_S * 1000


def record_of(line: str) -> Record:
    return decode_record(json.loads(line))


@dataclass
class Rig:
    """A reconciler beside the pipeline; it keeps how far it has come, as well."""

    pipeline: Pipeline = field(default_factory=Pipeline)
    logs: InMemoryLogs = field(default_factory=InMemoryLogs)
    groups: tuple[str, ...] = (LOG_GROUP,)
    kept: ReadBack = field(default_factory=ReadBack)
    saved: list[ReadBack] = field(default_factory=list)
    is_killed: bool = False
    """Whether it ends after it has been saved once."""
    _told: set[str] = field(default_factory=set)

    def load(self) -> ReadBack:
        return self.kept

    def save(self, memory: ReadBack) -> None:
        if self.is_killed and len(self.saved) == 1:
            return
        self.kept = memory
        self.saved.append(memory)

    @property
    def now_ms(self) -> int:
        return int(self.pipeline.clock.now.timestamp() * 1000)

    def capture(
        self, payload: bytes = b"{}", *, group: str = LOG_GROUP, key: str | None = None
    ) -> str:
        """Capture a call now; its line is in the log group and nowhere else."""
        (call_id,) = self.pipeline.capture(call(payload, key=key))
        self.log(self.pipeline.lines[-1], group=group)
        return call_id

    def log(self, text: str, *, group: str = LOG_GROUP, age_s: int = 0) -> None:
        line = LoggedLine(text=text, at_ms=self.now_ms - age_s * 1000)
        self.logs.lines.setdefault(group, []).append(line)

    def run(self, *, steps: int = 1_000_000) -> None:
        """Run once; time is over after so many pages."""
        pages = len(self.logs.asked)

        def remaining_ms() -> int:
            return 300_000 if len(self.logs.asked) - pages < steps else 0

        reconciler = LineReconciler(
            groups=self.groups,
            account_id=ACCOUNT,
            search=self.logs,
            ledger=self.pipeline.ledger,
            objects=self.pipeline.objects,
            states=self,
            clock=self.pipeline.clock,
        )
        reconciler.run(remaining_ms)

    def pass_time(self, seconds: float, *, every_s: int = 600) -> None:
        """Let time go by, with the runs that are due meanwhile."""
        for _ in range(int(seconds / every_s)):
            self.pipeline.clock.advance(every_s)
            self.run()

    @property
    def objects(self) -> list[str]:
        return [key for key in self.pipeline.objects.kept if is_taken_back(f"s3://bucket/{key}")]

    def written(self) -> list[str]:
        """Return the lines of the objects that were written, each time that they were."""
        return [
            item.message
            for key in self.objects
            for item in read_events([self.pipeline.objects.kept[key]])
            if isinstance(item, LogEvent)
        ]

    def take_in(self) -> None:
        """Let S3 tell of each object, once."""
        fresh = [key for key in self.objects if key not in self._told]
        self._told.update(fresh)
        assert self.pipeline.take_in(*map(notification, fresh)) == []

    @property
    def lost(self) -> int:
        return self.pipeline.meter.counts[metric.LOST_LINES]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_call_whose_line_the_log_path_dropped_is_found_replayed_and_counted(rig: Rig) -> None:
    call_id = rig.capture(b'{"order":7}')
    rig.pass_time(DUE_S + EVERY_S)
    rig.take_in()

    row = rig.pipeline.ledger.get(call_id)
    assert row is not None
    assert row.capture_object == f"s3://bucket/{rig.objects[0]}"
    assert rig.pipeline.replay(*rig.pipeline.take_sent()) == []
    assert [payload for _, payload, _ in rig.pipeline.functions.invoked] == [b'{"order":7}']
    assert rig.pipeline.meter.measured[metric.MetricKey(metric.LOST_LINES, ORDERS)] == 1


def test_call_that_the_ledger_knows_is_left_alone(rig: Rig) -> None:
    rig.capture()
    rig.pipeline.take_in(rig.pipeline.store())
    rig.pass_time(3 * EVERY_S)
    assert rig.objects == []
    assert rig.lost == 0


def test_line_that_is_younger_than_the_paths_delay_is_not_missed(rig: Rig) -> None:
    rig.kept = ReadBack(done_ms=rig.now_ms - STRETCH_MS)
    rig.capture()
    rig.pipeline.clock.advance(DUE_S - 1)
    rig.run()
    assert rig.logs.asked == []
    rig.pipeline.clock.advance(1)
    rig.run()
    assert len(rig.objects) == 1


def test_call_that_arrives_late_after_all_is_not_run_twice(rig: Rig) -> None:
    call_id = rig.capture()
    late = rig.pipeline.store("captured/2026/11/21/10/late.gz")
    rig.pass_time(DUE_S + EVERY_S)
    # Whichever comes first, the other finds its row.
    rig.pipeline.take_in(late)
    rig.take_in()
    messages = rig.pipeline.take_sent()
    assert rig.pipeline.replay(*messages) == []
    assert len(rig.pipeline.functions.invoked) == 1
    row = rig.pipeline.ledger.get(call_id)
    assert row is not None
    assert row.state is State.SUCCEEDED
    assert rig.lost == 0, "it came by the log path"


def test_forged_line_is_read_back_and_neither_invoked_nor_counted(rig: Rig) -> None:
    rig.capture()
    forger = MacKeys("invoker", "k1", {"k1": "a secret that nobody else knows!"}, ("*",))
    forged = sign_record(record_of(rig.pipeline.lines[0]), forger)
    rig.logs.lines.clear()
    rig.log(msgspec.json.encode(forged).decode())
    rig.pass_time(DUE_S + EVERY_S)
    rig.take_in()
    assert rig.pipeline.take_sent() == []
    assert rig.lost == 0
    assert rig.pipeline.meter.measured[metric.MetricKey(metric.QUARANTINED, reason="bad_mac")] == 1


def test_large_call_is_replayed_from_its_claim_check(rig: Rig) -> None:
    rig.capture(LARGE)
    rig.pass_time(DUE_S + EVERY_S)
    rig.take_in()
    assert rig.pipeline.replay(*rig.pipeline.take_sent()) == []
    assert [payload for _, payload, _ in rig.pipeline.functions.invoked] == [LARGE]


def test_lines_of_every_group_are_read_and_named_as_that_groups(rig: Rig) -> None:
    rig.groups = (LOG_GROUP, OTHER_GROUP)
    rig.capture(group=OTHER_GROUP)
    rig.capture()
    rig.pass_time(DUE_S + EVERY_S)
    groups = {
        item.log_group
        for key in rig.objects
        for item in read_events([rig.pipeline.objects.kept[key]])
        if isinstance(item, LogEvent)
    }
    assert groups == {LOG_GROUP, OTHER_GROUP}


def test_lines_that_the_group_has_late_are_in_the_overlap(rig: Rig) -> None:
    rig.kept = ReadBack(done_ms=rig.now_ms - STRETCH_MS)
    rig.pipeline.clock.advance(DUE_S)
    rig.run()
    assert rig.kept.done_ms == rig.now_ms - DUE_S * 1000
    rig.pipeline.capture(call())
    rig.log(rig.pipeline.lines[0], age_s=DUE_S + OVERLAP_S)
    rig.pass_time(EVERY_S)
    assert rig.written() == rig.pipeline.lines


@pytest.mark.parametrize(
    "text", ["", "text", '{"event":"other"}', "{" * 5000, '"invocation.captured"']
)
def test_lines_that_are_no_capture_lines_are_left(rig: Rig, text: str) -> None:
    rig.log(text)
    rig.pass_time(DUE_S + EVERY_S)
    assert rig.objects == []


def test_line_that_cannot_be_judged_is_the_quarantines_to_tell_of(rig: Rig) -> None:
    rig.log('{"reprise":1,"event":"invocation.captured","id":7}')
    rig.pass_time(DUE_S + EVERY_S)
    rig.take_in()
    assert rig.pipeline.meter.counts[metric.QUARANTINED] == 1


# --- the ledger knows the id, and yet not the call ---


def test_call_that_opens_a_given_up_one_again_is_found_though_its_id_has_a_row(rig: Rig) -> None:
    pipeline = rig.pipeline
    pipeline.functions.script.append(GONE)
    rig.capture(key="order-7")
    pipeline.take_in(pipeline.store())
    pipeline.replay(*pipeline.take_sent())
    pipeline.clock.advance(EVERY_S)
    call_id = rig.capture(key="order-7")
    rig.pass_time(DUE_S + EVERY_S)
    assert rig.written() == pipeline.lines[1:]
    rig.take_in()
    assert rig.lost == 1
    assert pipeline.replay(*pipeline.take_sent()) == []
    row = pipeline.ledger.get(call_id)
    assert row is not None
    assert row.state is State.SUCCEEDED


def test_row_that_a_live_call_left_does_not_show_that_its_line_came(rig: Rig) -> None:
    rig.capture(key="order-7")
    row = new_row(record_of(rig.pipeline.lines[0]), None, rig.pipeline.clock(), 30)
    rig.pipeline.ledger.record(replace(row, state=State.LEASED, lease_owner=f"{LIVE_OWNER}x"))
    rig.pass_time(DUE_S + EVERY_S)
    assert rig.written() == rig.pipeline.lines


def test_key_that_names_another_payload_hides_no_lost_call(rig: Rig) -> None:
    pipeline = rig.pipeline
    rig.capture(b"first", key="order-7")
    pipeline.take_in(pipeline.store())
    call_id = rig.capture(b"second", key="order-7")
    rig.pass_time(DUE_S + EVERY_S)
    assert rig.written() == pipeline.lines[1:]
    rig.take_in()
    assert rig.lost == 1
    assert pipeline.ledger.get(conflict_id(call_id, digest(b"second"))) is not None
    rig.pass_time(2 * EVERY_S)
    assert len(rig.objects) == 1


# --- many lines, little time ---


def test_run_whose_time_is_over_is_gone_on_with_where_it_stopped(rig: Rig) -> None:
    rig.logs.page_size = 10
    for number in range(95):
        rig.capture(str(number).encode())
    rig.pipeline.clock.advance(DUE_S + 60)
    for _ in range(10):
        rig.run(steps=1)
    assert [token for *_, token in rig.logs.asked] == ["", *[str(n * 10) for n in range(1, 10)]]
    assert sorted(rig.written()) == sorted(rig.pipeline.lines)
    assert rig.kept.until_ms == 0


def test_what_is_held_is_bounded_and_written_before_it_is_forgotten(rig: Rig) -> None:
    rig.logs.page_size = 6
    for number in range(60):
        rig.capture(number.to_bytes() + Random(number).randbytes(100_000))
    rig.pipeline.clock.advance(DUE_S + 60)
    rig.run()
    sizes = [
        sum(
            len(item.message)
            for item in read_events([rig.pipeline.objects.kept[key]])
            if isinstance(item, LogEvent)
        )
        for key in rig.objects
    ]
    assert max(sizes) <= MOST_BYTES
    assert len(sizes) >= 2
    assert len(rig.saved) >= 2
    assert sorted(rig.written()) == sorted(rig.pipeline.lines)


def test_run_that_is_killed_amid_many_pages_is_gone_on_with_near_there(rig: Rig) -> None:
    rig.logs.page_size = 1
    for number in range(SAVED_PAGES + 10):
        rig.capture(str(number).encode())
    rig.pipeline.clock.advance(DUE_S + 60)
    # Nothing is saved at its end.
    rig.is_killed = True
    rig.run(steps=SAVED_PAGES + 5)
    rig.is_killed = False
    assert [state.token for state in rig.saved] == [str(SAVED_PAGES)]
    rig.run()
    assert set(rig.written()) == set(rig.pipeline.lines)


def test_reconciler_that_was_away_for_days_reads_all_of_them(rig: Rig) -> None:
    rig.pass_time(DUE_S + EVERY_S)
    for _ in range(30):
        rig.capture()
        rig.pipeline.clock.advance(EVERY_S)
    rig.pipeline.clock.advance(DUE_S)
    rig.run()
    assert sorted(set(rig.written())) == sorted(rig.pipeline.lines)


# --- faults ---


@pytest.mark.parametrize("fault", ["page", "get_all", "put"])
def test_run_that_fails_says_so_and_the_next_one_finds_all(rig: Rig, fault: str) -> None:
    rig.logs.page_size = 10
    for number in range(30):
        rig.capture(str(number).encode())
    rig.pipeline.clock.advance(DUE_S + 60)
    pipeline = rig.pipeline
    faults = {
        "page": rig.logs.faults,
        "put": pipeline.objects.faults,
        "get_all": pipeline.ledger.faults,
    }
    # What was read before is written after a failure, too.
    faults[fault].fail(fault, 2 if fault == "put" else 1)
    with pytest.raises(StoreError):
        rig.run()
    rig.run(steps=2)
    rig.run()
    assert sorted(set(rig.written())) == sorted(pipeline.lines)


def test_failure_amid_a_stretch_loses_no_page_that_was_read(rig: Rig) -> None:
    rig.logs.page_size = 10
    for number in range(30):
        rig.capture(str(number).encode())
    rig.pipeline.clock.advance(DUE_S + 60)
    rig.run(steps=1)
    rig.logs.faults.fail("page")
    with pytest.raises(StoreError):
        rig.run()
    rig.run()
    assert [token for *_, token in rig.logs.asked] == ["", "10", "10", "20"]
    assert sorted(rig.written()) == sorted(rig.pipeline.lines)


def test_page_whose_token_has_expired_is_read_from_the_stretchs_beginning(rig: Rig) -> None:
    rig.logs.page_size = 10
    for number in range(30):
        rig.capture(str(number).encode())
    rig.pipeline.clock.advance(DUE_S + 60)
    rig.run(steps=1)
    rig.logs.expired.add("10")
    rig.run(steps=1)
    rig.logs.expired.clear()
    rig.run()
    assert set(rig.written()) == set(rig.pipeline.lines)


def test_same_lines_found_twice_are_one_object(rig: Rig) -> None:
    rig.capture()
    rig.pipeline.clock.advance(DUE_S + 60)
    rig.run()
    rig.kept = ReadBack()
    rig.run()
    assert len(rig.objects) == 1


@given(
    ages_s=st.lists(st.integers(0, 6 * EVERY_S), min_size=1, max_size=25, unique=True),
    dropped=st.sets(st.integers(0, 24)),
    page_size=st.integers(1, 7),
    steps=st.integers(1, 4),
    crashes=st.lists(st.booleans(), max_size=40),
)
def test_every_dropped_line_is_found_whatever_runs_and_pages_do_and_no_other_is(
    ages_s: list[int], dropped: set[int], page_size: int, steps: int, crashes: list[bool]
) -> None:
    rig = Rig(logs=InMemoryLogs(page_size=page_size))
    rig.kept = ReadBack(done_ms=rig.now_ms)
    start_at = rig.pipeline.clock.now
    lines: list[str] = []
    for number, at_s in enumerate(sorted(ages_s)):
        rig.pipeline.clock.now = start_at + timedelta(seconds=at_s)
        rig.capture(str(number).encode())
        if number not in dropped:
            rig.pipeline.take_in(rig.pipeline.store(f"captured/{number}", rig.pipeline.lines[-1:]))
        else:
            lines.append(rig.pipeline.lines[-1])
    rig.pipeline.clock.now = start_at + timedelta(seconds=7 * EVERY_S + DUE_S)
    for crash in crashes:
        if crash:
            rig.logs.faults.fail("page")
            with contextlib.suppress(StoreError):
                rig.run(steps=steps)
        rig.run(steps=steps)
    for _ in range(60):
        rig.run(steps=steps)
    assert set(rig.written()) == set(lines)
    rig.take_in()
    assert rig.lost == len(lines)
    for message in rig.pipeline.take_sent():
        assert rig.pipeline.replay(message) == []
    assert len(rig.pipeline.functions.invoked) == len(ages_s)


# --- the rule ---


@pytest.mark.parametrize(
    ("captured_at_s", "read_at_s"),
    [
        (-1, None),
        (0, EVERY_S + DUE_S),
        (EVERY_S - 1, EVERY_S + DUE_S),
        (EVERY_S, 2 * EVERY_S + DUE_S),
    ],
)
def test_when_a_line_is_looked_for_follows_from_what_was_read(
    captured_at_s: int, read_at_s: int | None
) -> None:
    state = ReadBack(done_ms=10**12)
    expected = None if read_at_s is None else 10**12 + read_at_s * 1000
    assert read_at_ms(state, 10**12 + captured_at_s * 1000) == expected
    assert read_at_ms(ReadBack(), 10**12) is None


def test_lost_line_is_found_while_its_key_is_known_for_one_effect() -> None:
    between_runs_s = 600
    assert DUE_S + EVERY_S + between_runs_s < KNOWN_FOR_MS / 2 / 1000


def test_log_group_that_is_read_no_more_begins_the_stretch_anew() -> None:
    state = ReadBack(done_ms=1, until_ms=1 + STRETCH_MS, group="gone", token="7")
    assert next_page(state, ["a"], STRETCH_MS * 2) == ReadBack(
        done_ms=1, until_ms=1 + STRETCH_MS, group="a"
    )


@pytest.mark.parametrize(
    ("url", "is_back"),
    [
        ("s3://bucket/captured/2026/11/21/10/read-back-0a.gz", True),
        ("s3://bucket/capture-errors/processing-failed/2026/11/21/10/x", True),
        ("s3://bucket/captured/2026/11/21/10/reprise-capture-1", False),
        ("s3://bucket/captured/read-back-/x", False),
    ],
)
def test_objects_of_lines_that_had_not_come_are_known_by_their_names(
    url: str, *, is_back: bool
) -> None:
    assert is_taken_back(url) is is_back


# --- silence ---


@dataclass
class Gauges:
    """What was measured."""

    values: list[float] = field(default_factory=list)

    def gauge(self, name: str, value: float) -> None:
        assert name == metric.READ_BACK_AGE
        self.values.append(value)


@pytest.mark.parametrize("is_begun", [False, True])
def test_permission_that_was_taken_away_is_told_by_an_age_that_grows_past_the_alarm(
    rig: Rig, *, is_begun: bool
) -> None:
    if is_begun:
        rig.pass_time(DUE_S + EVERY_S)
    gauges = Gauges()
    gauge = ReadBackGauge(states=rig, clock=rig.pipeline.clock, meter=gauges)
    gauge.check()
    assert gauges.values[-1] < LATE_S
    rig.logs.faults.fail("page", 1_000)
    for _ in range(12):
        rig.pipeline.clock.advance(600)
        with contextlib.suppress(StoreError):
            rig.run()
        gauge.check()
    assert gauges.values[-1] > LATE_S
    rig.logs.faults = Faults()
    rig.run()
    gauge.check()
    assert gauges.values[-1] < LATE_S


def test_age_stays_below_the_alarm_while_runs_keep_up(rig: Rig) -> None:
    gauges = Gauges()
    gauge = ReadBackGauge(states=rig, clock=rig.pipeline.clock, meter=gauges)
    for _ in range(60):
        gauge.check()
        rig.pass_time(600)
    assert max(gauges.values) <= DUE_S + EVERY_S + 600 < LATE_S

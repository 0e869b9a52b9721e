"""A window replayed on doubles: cut short anywhere, gone on with, and nothing runs twice for it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doubles import (
    FakeClock,
    FakeKeys,
    Faults,
    InMemoryLedger,
    InMemoryListing,
    InMemoryObjects,
    InMemoryQueue,
)
from reprise.capturing.line import Verifier, check_record, write_line
from reprise.capturing.signature import OPERATOR, MacKeys
from reprise.errors import RepriseError
from reprise.instant import format_instant
from reprise.ledger import State
from reprise.replay.message import read_message
from reprise_cli.replay.again import Again
from reprise_cli.replay.carry_out import WindowReplayer
from reprise_cli.replay.objects import CaptureObjects
from reprise_cli.replay.run import WindowRun
from reprise_cli.replay.survey import WindowSurvey, survey
from reprise_cli.replay.window import States, Window, again_id
from reprise_letters.job import LetterJob, LetterJobState, LetterOutcome, LetterVerb, Segment
from reprise_letters.pace import Pacer
from reprise_letters.redrive import Action
from strategies import (
    ARN_PREFIX,
    KEY,
    KEYS,
    NOW,
    PIPELINE_KEYS,
    envelope,
    make_record,
    make_row,
    zipped,
)

JOB_ID = "20261121T100000Z-0a0b0c"
OPERATORS = MacKeys(OPERATOR, "k1", {"k1": f"{KEY} and the operators'"}, ("*",))
KEYRING = FakeKeys(PIPELINE_KEYS, (KEYS, OPERATORS))
ALL = Window(begin_at=NOW - timedelta(hours=1), end_at=NOW + timedelta(hours=1), states=States.ALL)
FOLDER = f"captured/{NOW:%Y/%m/%d/%H}/"


@dataclass
class Place:
    """A stack's stores, with calls of all states."""

    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    listing: InMemoryListing = field(default_factory=InMemoryListing)
    replay_queue: InMemoryQueue = field(default_factory=InMemoryQueue)
    capture_queue: InMemoryQueue = field(default_factory=InMemoryQueue)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW + timedelta(minutes=5)))
    segments: list[Segment] = field(default_factory=list)

    def capture(self, name: str, *call_ids: str, state: State | None) -> None:
        lines = [write_line(make_record(id=call_id), KEYS) for call_id in call_ids]
        self.objects.kept[FOLDER + name] = zipped(envelope(lines))
        self.listing.modified_at_s[FOLDER + name] = NOW.timestamp()
        for call_id in call_ids if state is not None else ():
            self.ledger.record(make_row(id=call_id, state=state))

    def add(self, job_id: str, segment: Segment) -> None:
        del job_id
        self.segments.append(segment)

    @property
    def faults(self) -> dict[str, Faults]:
        return {
            "ledger": self.ledger.faults,
            "objects": self.objects.faults,
            "replay": self.replay_queue.faults,
            "capture": self.capture_queue.faults,
        }

    @property
    def source(self) -> CaptureObjects:
        trusted = Verifier(keys=KEYRING, targets=(f"{ARN_PREFIX}*",))
        return CaptureObjects(
            bucket="bucket", listing=self.listing, objects=self.objects, trusted=trusted
        )

    def look(self, window: Window = ALL, max_count: int | None = None) -> WindowSurvey:
        return survey(self.source, self.ledger, window, self.clock(), max_count=max_count)

    def run(self, found: WindowSurvey, window: Window = ALL) -> WindowRun:
        outcomes: list[LetterOutcome] = [one for each in self.segments for one in each.outcomes]
        started_at = format_instant(NOW + timedelta(minutes=4))
        run = WindowRun(
            job=LetterJob(
                id=JOB_ID,
                verb=LetterVerb.REPLAY,
                queue="window",
                by="me",
                started_at=started_at,
                count=len(found.planned),
            ),
            by="me",
            store=self,
            source=self.source,
            replayer=WindowReplayer(
                bucket="bucket",
                ledger=self.ledger,
                replay_queue=self.replay_queue,
                capture_queue=self.capture_queue,
                clock=self.clock,
                since=started_at,
                again=Again(job_id=JOB_ID, keys=OPERATORS, into=window.into),
            ),
            pacer=Pacer(rate_per_s=None, monotonic=float, sleep=lambda _: None),
            clock=self.clock,
            outcomes=outcomes,
        )
        run.run(found.planned, window)
        return run

    def sent_ids(self) -> list[str]:
        return [read_message(message.body).record.id for message in self.replay_queue.sent]


@pytest.fixture
def place() -> Place:
    place = Place()
    place.capture("a.gz", "orders:done-1", "orders:done-2", state=State.SUCCEEDED)
    place.capture("b.gz", "orders:dead-1", "orders:dead-2", state=State.DEAD_LETTERED)
    place.capture("c.gz", "orders:lost-1", "orders:lost-2", state=None)
    place.capture("d.gz", "orders:open-1", state=State.WAITING)
    return place


def test_each_call_goes_the_way_of_its_state(place: Place) -> None:
    run = place.run(place.look())
    assert run.counts() == {"redriven": 4, "taken_in": 2}
    assert sorted(place.sent_ids()) == sorted(
        [
            "orders:dead-1",
            "orders:dead-2",
            again_id("orders:done-1", JOB_ID),
            again_id("orders:done-2", JOB_ID),
        ]
    )
    (notice,) = [json.loads(message.body) for message in place.capture_queue.sent]
    assert notice["Records"][0]["s3"]["object"]["key"] == f"{FOLDER}c.gz"
    assert place.ledger.rows["orders:dead-1"].state is State.CAPTURED
    assert place.ledger.rows["orders:done-1"].state is State.SUCCEEDED
    assert place.ledger.rows["orders:open-1"].state is State.WAITING


def test_a_new_call_is_signed_by_the_operators_and_tells_its_first_life(place: Place) -> None:
    place.run(place.look())
    (made,) = [
        read_message(message.body).record
        for message in place.replay_queue.sent
        if "orders:done-1" in message.body
    ]
    check_record(made, KEYRING)
    assert (made.source.name, made.id) == (OPERATOR, again_id("orders:done-1", JOB_ID))
    row = place.ledger.rows[made.id]
    assert (row.state, row.may_have_run) == (State.CAPTURED, False)
    assert row.opened_at > row.captured_at


def test_the_same_job_run_twice_sends_nothing_twice(place: Place) -> None:
    found = place.look()
    place.run(found)
    sent = place.sent_ids()
    place.run(found)
    assert place.sent_ids() == sent


def test_only_so_many_as_were_asked_for_are_meant(place: Place) -> None:
    assert len(place.look(max_count=3).planned) == 3


def test_a_line_that_is_not_believed_is_counted_and_not_replayed(place: Place) -> None:
    forged = MacKeys("invoker", "k1", {"k1": "some other key of enough characters"}, ("*",))
    line = write_line(make_record(id="orders:forged"), forged)
    place.objects.kept[f"{FOLDER}e.gz"] = zipped(envelope([line]))
    place.listing.modified_at_s[f"{FOLDER}e.gz"] = NOW.timestamp()
    found = place.look()
    assert found.unreadable == {"bad_mac": 1}
    assert "orders:forged" not in {call.id for call in found.planned}


def test_a_call_that_is_gone_since_is_told_as_missed(place: Place) -> None:
    found = place.look()
    del place.objects.kept[f"{FOLDER}b.gz"], place.listing.modified_at_s[f"{FOLDER}b.gz"]
    assert place.run(found).counts()["missed"] == 2


OPERATIONS = (
    "ledger:get_all",
    "ledger:record",
    "ledger:redrive",
    "replay:send",
    "capture:send",
    "objects:get",
)


@settings(max_examples=60, deadline=None)
@given(
    faults=st.lists(st.sampled_from(OPERATIONS), max_size=6),
    ended=st.sampled_from([State.SUCCEEDED, State.DEAD_LETTERED]),
)
def test_whatever_fails_on_the_way_the_next_runs_do_what_is_missing_and_no_more(
    faults: list[str], ended: State
) -> None:
    place = Place()
    place.capture("a.gz", *(f"orders:done-{number}" for number in range(12)), state=State.SUCCEEDED)
    place.capture(
        "b.gz", *(f"orders:dead-{number}" for number in range(12)), state=State.DEAD_LETTERED
    )
    place.capture("c.gz", "orders:lost-1", state=None)
    found = place.look()
    runs: dict[str, int] = {}
    for fault in [*faults, ""]:
        store, _, operation = fault.partition(":")
        if fault:
            place.faults[store].fail(operation)
        before = len(place.replay_queue.sent)
        with contextlib.suppress(RepriseError):
            place.run(found)
        # What was sent runs, and ends; a message of a call that has ended is suppressed by its row.
        for message in place.replay_queue.sent[before:]:
            record = read_message(message.body).record
            row = place.ledger.rows[record.id]
            if row.state is State.CAPTURED:
                runs[record.id] = runs.get(record.id, 0) + 1
                place.ledger.rows[record.id] = make_row(
                    id=record.id, state=ended, opened_at=row.opened_at
                )
    wanted = {f"orders:dead-{number}" for number in range(12)}
    wanted |= {again_id(f"orders:done-{number}", JOB_ID) for number in range(12)}
    assert runs == dict.fromkeys(wanted, 1)
    assert place.capture_queue.sent
    assert place.segments[-1].state is LetterJobState.DONE
    assert not {Action.FAILED.value} & place.segments[-1].counts.keys()

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeClock, FakeKeys, Faults, InMemoryLedger, InMemoryQueue
from reprise.call.payload import pack
from reprise.capturing.signature import MacKeys
from reprise.dead_letter import dead_letter
from reprise.errors import StoreError
from reprise.instant import format_instant
from reprise.ledger import LedgerEvent, State
from reprise.replay.message import (
    PendingUpdate,
    ReplayMessage,
    read_message,
    with_settlement,
    write_message,
)
from reprise_letters.letter import Letter, LetterKind, read_letter
from reprise_letters.redrive import Action, Redriver, RedriveResult
from strategies import KEYS, NOW, PIPELINE_KEYS, make_record, signed
from unit.cli.test_letter import OBJECT_URL, dead_row, received

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reprise.capturing.record import Record

LATER = NOW + timedelta(days=1)
OPERATOR_KEYS = MacKeys("operator", "k1", {"k1": "the operators' key, of these tests"}, ("*",))


@dataclass(slots=True)
class Box:
    """A dead-letter queue in memory."""

    letters: dict[str, Letter] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    faults: Faults = field(default_factory=Faults)

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        self.faults.check("delete")
        for letter in letters:
            if letter.message_id not in self.stuck:
                self.letters.pop(letter.message_id, None)
        return [letter for letter in letters if letter.message_id in self.stuck]


@dataclass(slots=True)
class World:
    """Ledger, replay queue and dead-letter queue."""

    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    queue: InMemoryQueue = field(default_factory=InMemoryQueue)
    box: Box = field(default_factory=Box)
    keys: FakeKeys = field(default_factory=lambda: FakeKeys(PIPELINE_KEYS, (KEYS, OPERATOR_KEYS)))
    edit: Callable[[Record], Record] | None = None
    unverified: list[Letter] = field(default_factory=list)

    def give_up(
        self, call_id: str, message_id: str | None = None, record: Record | None = None
    ) -> Letter:
        """Put a call's row and its letter where the replayer puts them."""
        record = record or signed(make_record(id=call_id))
        row = dead_row(id=call_id, letter_sent=True)
        self.ledger.rows.setdefault(call_id, row)
        body = dead_letter(record, row, now=NOW)
        letter = read_letter(received(body, message_id or f"letter of {call_id}"))
        self.box.letters[letter.message_id] = letter
        return letter

    def redrive(self, *letters: Letter) -> list[RedriveResult]:
        return self._redriver().run(letters or list(self.box.letters.values()))

    def dry_run(self, *letters: Letter) -> list[RedriveResult]:
        return self._redriver().dry_run(letters or list(self.box.letters.values()))

    def _redriver(self) -> Redriver:
        return Redriver(
            ledger=self.ledger,
            queue=self.queue,
            letters=self.box,
            keys=self.keys,
            clock=FakeClock(LATER),
            edit=self.edit,
            unverified=self.unverified,
        )

    def actions(self) -> list[Action]:
        return [result.action for result in self.redrive()]


def test_a_redrive_opens_the_call_sends_it_and_deletes_the_letter() -> None:
    world = World()
    letter = world.give_up("call-1")
    assert world.actions() == [Action.REDRIVEN]
    row = world.ledger.rows["call-1"]
    assert (row.state, row.attempts) == (State.CAPTURED, 0)
    (message,) = world.queue.sent
    expected = ReplayMessage(record=signed(make_record(id="call-1")), object=OBJECT_URL)
    assert (read_message(message.body), message.group) == (expected, "orders")
    assert letter.record == expected.record
    assert world.box.letters == {}


def test_a_call_that_has_succeeded_since_is_not_sent_again() -> None:
    world = World()
    world.give_up("call-1")
    world.ledger.rows["call-1"] = dead_row(id="call-1", state=State.SUCCEEDED)
    assert world.actions() == [Action.ENDED]
    assert world.queue.sent == []
    assert world.box.letters == {}


@pytest.mark.parametrize("state", [State.CAPTURED, State.WAITING, State.LEASED])
def test_a_redrive_that_was_cut_short_is_finished_by_the_next(state: State) -> None:
    world = World()
    world.give_up("call-1")
    world.ledger.rows["call-1"] = dead_row(id="call-1", state=state)
    assert world.actions() == [Action.REDRIVEN]
    assert len(world.queue.sent) == 1


def test_a_call_whose_row_has_expired_gets_a_row_whose_age_counts_from_now() -> None:
    """Else the replayer would make one itself, as old as the capture, and find the call expired."""
    world = World()
    world.give_up("call-1")
    world.ledger.rows.clear()
    assert world.actions() == [Action.REDRIVEN]
    row = world.ledger.rows["call-1"]
    assert (row.state, row.attempts, row.capture_object) == (State.CAPTURED, 0, OBJECT_URL)
    assert row.opened_at == format_instant(LATER)
    assert row.expires_at_s > LATER.timestamp() + 29 * 86_400


def test_two_letters_of_one_call_make_one_message() -> None:
    world = World()
    world.give_up("call-1", "first")
    world.give_up("call-1", "second")
    assert world.actions() == [Action.REDRIVEN, Action.REDRIVEN]
    assert len(world.queue.sent) == 1
    assert world.box.letters == {}


def test_a_settlement_goes_back_without_opening_its_call() -> None:
    world = World()
    world.ledger.rows["orders:order-1"] = dead_row()
    owed = PendingUpdate(owner="o", event=LedgerEvent.SUCCEED, changes={})
    message = with_settlement(ReplayMessage(record=signed()), owed, PIPELINE_KEYS)
    body = write_message(message)
    assert [r.action for r in world.redrive(read_letter(received(body)))] == [Action.REDRIVEN]
    assert world.queue.sent[0].body == body
    assert world.ledger.rows["orders:order-1"].state is State.DEAD_LETTERED


def test_what_cannot_be_read_is_left_alone() -> None:
    world = World()
    world.box.letters["m-1"] = read_letter(received("?"))
    (result,) = world.redrive()
    assert (result.action, result.letter.kind) == (Action.SKIPPED, LetterKind.UNREADABLE)
    assert "m-1" in world.box.letters


def test_a_call_whose_key_names_another_is_left_alone_and_so_is_the_other() -> None:
    world = World()
    other = dead_row(letter_sent=True)
    world.ledger.rows[other.id] = other
    row = dead_row(id="orders:order-1!0", reason="key_conflict", message="call again")
    letter = read_letter(received(dead_letter(make_record(), row, now=NOW)))
    (result,) = world.redrive(letter)
    assert (result.action, result.why) == (Action.SKIPPED, "call again")
    assert world.queue.sent == []
    assert world.ledger.rows[other.id] == other


def test_a_capture_notice_asks_the_ledger_nothing() -> None:
    world = World()
    world.ledger.faults.fail("redrive", 9)
    letter = read_letter(received("{}"), is_capture=True)
    assert [result.action for result in world.redrive(letter)] == [Action.REDRIVEN]
    assert (world.queue.sent[0].body, world.queue.sent[0].group) == ("{}", None)


@pytest.mark.parametrize(
    ("place", "action"),
    [("redrive", Action.FAILED), ("send", Action.FAILED), ("delete", Action.LINGERS)],
)
def test_a_store_that_is_away_costs_a_second_redrive_and_nothing_else(
    place: str, action: Action
) -> None:
    world = World()
    world.give_up("call-1")
    faults = {
        "redrive": world.ledger.faults,
        "send": world.queue.faults,
        "delete": world.box.faults,
    }
    faults[place].fail(place)
    # What cannot be opened together is tried alone.
    world.ledger.faults.fail("redrive_all", place == "redrive")
    assert world.actions() == [action]
    assert world.box.letters
    assert world.actions() == [Action.REDRIVEN]
    assert world.box.letters == {}
    assert world.queue.sent


def a_bit_of_everything() -> World:
    """A queue with a letter of each kind, and of each state that its call can be in."""
    world = World()
    for state in State:
        world.give_up(f"call {state}")
        world.ledger.rows[f"call {state}"] = dead_row(id=f"call {state}", state=state)
    world.give_up("call-1", "first of two")
    world.give_up("call-1", "second of two")
    world.give_up("forged", record=make_record(id="forged"))
    world.give_up("another", record=signed(make_record(id="another", payload=pack(b"x", 9))))
    world.give_up("without a row")
    del world.ledger.rows["without a row"]
    conflict = dead_row(id="orders:order-1!0", reason="key_conflict", message="call again")
    owed = PendingUpdate(owner="o", event=LedgerEvent.SUCCEED, changes={})
    settlement = with_settlement(ReplayMessage(record=signed()), owed, PIPELINE_KEYS)
    for body in ("?", dead_letter(make_record(), conflict, now=NOW), write_message(settlement)):
        letter = read_letter(received(body, f"m-{len(world.box.letters)}"))
        world.box.letters[letter.message_id] = letter
    return world


def test_a_rehearsal_says_of_each_letter_what_the_redrive_does_and_writes_nothing() -> None:
    world = a_bit_of_everything()
    rows, letters = dict(world.ledger.rows), dict(world.box.letters)
    rehearsed = {found.letter.message_id: found for found in world.dry_run()}
    assert (world.ledger.rows, world.box.letters) == (rows, letters)
    assert world.queue.sent == []
    assert {found.letter.message_id: found for found in world.redrive()} == rehearsed
    assert {found.action for found in rehearsed.values()} == {
        Action.REDRIVEN,
        Action.ENDED,
        Action.REFUSED,
        Action.SKIPPED,
    }


def test_a_rehearsal_whose_ledger_is_away_fails_as_the_redrive_would() -> None:
    world = World()
    world.give_up("call-1")
    world.ledger.faults.fail("get_all", 2)
    world.ledger.faults.fail("get", 2)
    (rehearsed,) = world.dry_run()
    assert rehearsed.action is Action.FAILED
    assert world.redrive() == [rehearsed]


def test_a_letter_that_cannot_be_deleted_is_said_to_linger() -> None:
    world = World()
    letter = world.give_up("call-1")
    world.box.stuck.add(letter.message_id)
    assert world.actions() == [Action.LINGERS]


class _CrashError(BaseException):
    """The process dies here."""


@dataclass(slots=True)
class _Crasher:
    """Counts steps, and dies at a chosen one."""

    at: int
    steps: int = 0

    def check(self, _operation: str) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise _CrashError


@given(st.integers(1, 12), st.integers(1, 4))
def test_a_crash_at_any_step_loses_no_call(crash_at: int, calls: int) -> None:
    world = World()
    crasher = _Crasher(crash_at)
    for number in range(calls):
        world.give_up(f"call-{number}")
    letters = dict(world.box.letters)
    ledger = InMemoryLedger(rows=world.ledger.rows, faults=crasher)  # type: ignore[arg-type]
    queue = InMemoryQueue(sent=world.queue.sent, faults=crasher)  # type: ignore[arg-type]
    box = Box(letters=world.box.letters, faults=crasher)  # type: ignore[arg-type]
    redriver = Redriver(ledger=ledger, queue=queue, letters=box, keys=world.keys, clock=FakeClock())
    try:
        redriver.run(list(letters.values()))
    except _CrashError:
        # Whatever step it was, each call is still in one of the two queues.
        sent = {read_message(message.body).record for message in world.queue.sent}
        for name, letter in letters.items():
            assert name in world.box.letters or letter.record in sent
        world.redrive()
    assert world.box.letters == {}
    assert {letter.record for letter in letters.values()} == {
        read_message(message.body).record for message in world.queue.sent
    }


def test_a_refused_send_says_why() -> None:
    world = World()
    world.give_up("call-1")
    world.queue.faults.fail("send")
    (result,) = world.redrive()
    assert result.why == str(
        StoreError("fake", "send", "InternalServerError", "a fault of the test's making")
    )


def test_the_rows_of_a_batch_are_read_by_one_request() -> None:
    world = World()
    for number in range(10):
        world.give_up(f"call-{number}")
    # A second letter of a call reads nothing either.
    world.give_up("call-0", "second")
    world.ledger.faults.fail("get")
    assert world.actions() == [Action.REDRIVEN] * 11


def test_rows_that_cannot_be_read_together_are_read_alone() -> None:
    """The id of a letter that nobody signed may be none that a ledger can look for."""
    world = World()
    world.give_up("call-1")
    world.give_up("call-2")
    world.ledger.faults.fail("get_all")
    assert world.actions() == [Action.REDRIVEN] * 2


def test_the_calls_of_a_batch_are_opened_by_one_request() -> None:
    world = World()
    for number in range(10):
        world.give_up(f"call-{number}")
    world.ledger.faults.fail("redrive")
    assert world.actions() == [Action.REDRIVEN] * 10
    assert {row.state for row in world.ledger.rows.values()} == {State.CAPTURED}


def test_calls_that_cannot_be_opened_together_are_opened_alone_and_each_has_its_own_end() -> None:
    world = World()
    for number in range(3):
        world.give_up(f"call-{number}")
    world.ledger.faults.fail("redrive_all")
    world.ledger.faults.fail("redrive")
    assert sorted(world.actions()) == [Action.FAILED, Action.REDRIVEN, Action.REDRIVEN]
    assert len(world.queue.sent) == 2
    assert world.actions() == [Action.REDRIVEN]

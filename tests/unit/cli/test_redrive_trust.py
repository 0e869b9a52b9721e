"""Letters are believed only as far as their records are signed, and edits are signed as edits."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from doubles import FakeClock, FakeKeys, InMemoryLedger, InMemoryObjects
from harness import FAILED, GONE, ORDERS, Pipeline, call
from reprise.call.payload import digest, pack, unpack
from reprise.call.target import Target
from reprise.capturing.line import check_record, context_for_replay
from reprise.capturing.record import Source
from reprise.capturing.signature import MacKeys
from reprise.dead_letter import dead_letter
from reprise.errors import SourceDeniedError
from reprise.ledger import LedgerEvent, State
from reprise.replay.message import ReplayMessage, read_message, write_message
from reprise_cli.dlq.edit import Edit
from reprise_letters.letter import Letter, read_letter
from reprise_letters.redrive import Action, Redriver
from reprise_letters.undeliverable import Finder
from strategies import KEY, KEYS, NOW, NOW_MS, PIPELINE_KEYS, make_record, make_row, signed
from unit.cli.test_letter import OBJECT_URL, dead_row, received
from unit.cli.test_redrive import LATER, OPERATOR_KEYS, Box, World

if TYPE_CHECKING:
    from reprise.capturing.record import Record

CALL = "orders:order-1"
NEW = b'{"order":2}'


def an_edit(data: bytes = NEW, keys: MacKeys = OPERATOR_KEYS) -> Edit:
    return Edit(data=data, keys=keys, objects=InMemoryObjects())


# --- Letters ---


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        pytest.param(make_record(), "bad_mac", id="unsigned"),
        pytest.param(
            msgspec.structs.replace(signed(), payload=pack(b"evil", 100)), "bad_mac", id="edited"
        ),
        pytest.param(
            msgspec.structs.replace(signed(), target=Target(function=f"{ORDERS}-admin")),
            "bad_mac",
            id="another target",
        ),
        pytest.param(
            signed(make_record(source=Source(name="operator", version="1"))),
            "bad_mac",
            id="in an operator's name",
        ),
        pytest.param(signed(make_record(payload=pack(b"x", 9))), "id_conflict", id="another call"),
    ],
)
def test_a_letter_that_is_not_what_its_source_signed_is_refused_and_stays(
    record: Record, reason: str
) -> None:
    world = World()
    letter = world.give_up(CALL, record=record)
    (result,) = world.redrive()
    assert (result.action, result.why.partition(":")[0]) == (Action.REFUSED, reason)
    assert world.queue.sent == []
    assert letter.message_id in world.box.letters
    assert world.ledger.rows[CALL].state is State.DEAD_LETTERED


def test_what_a_letter_says_beside_its_record_decides_nothing() -> None:
    """Reason, attempts and history are there to be read."""
    document = json.loads(dead_letter(signed(), dead_row(), now=NOW))
    document["reprise"] |= {
        "id": "another",
        "reason": "expired",
        "attempts": 0,
        "object": "s3://x/y",
    }
    document["requestPayload"] = {"order": "evil"}
    world = World()
    world.ledger.rows[CALL] = dead_row()
    letter = read_letter(received(json.dumps(document)))
    world.box.letters[letter.message_id] = letter
    assert world.actions() == [Action.REDRIVEN]
    assert read_message(world.queue.sent[0].body).record == signed()


def test_a_forged_letter_holds_up_no_genuine_one_of_the_same_call() -> None:
    world = World()
    world.give_up(CALL, "forged", msgspec.structs.replace(signed(), payload=pack(b"evil", 100)))
    world.give_up(CALL, "genuine", signed())
    assert sorted(world.actions()) == [Action.REDRIVEN, Action.REFUSED]
    assert [*world.box.letters] == ["forged"]


class Closed(FakeKeys):
    """Keys that may not be read here."""

    def find(self, key_id: str) -> MacKeys:
        raise SourceDeniedError("bad_mac", f"{key_id} may not be read")


def test_who_may_read_no_keys_redrives_unverified_and_is_told_so() -> None:
    world = World(keys=Closed(PIPELINE_KEYS))
    letter = world.give_up(CALL)
    assert world.actions() == [Action.REDRIVEN]
    assert world.unverified == [letter]


def test_a_row_is_written_anew_for_a_verified_letter_only() -> None:
    world = World(keys=Closed(PIPELINE_KEYS))
    world.give_up(CALL)
    world.ledger.rows.clear()
    (result,) = world.redrive()
    assert (result.action, result.why.partition(":")[0]) == (Action.REFUSED, "unverified")
    assert world.ledger.rows == {}


def test_a_letter_waits_while_the_keys_are_away() -> None:
    world = World()
    world.give_up(CALL)
    world.keys.faults.fail("find")
    assert world.actions() == [Action.FAILED]
    assert world.actions() == [Action.REDRIVEN]


# --- Edits ---


def test_an_edit_is_signed_by_the_operator_and_names_what_it_replaces() -> None:
    record = signed()
    edited = an_edit()(record)
    check_record(edited, FakeKeys(OPERATOR_KEYS))
    assert edited.source.name == "operator"
    assert edited.edits == record.payload.sha256
    assert unpack(edited.payload) == NEW
    for field in ("id", "captured_at", "target", "outcome", "not_after", "client_context"):
        assert getattr(edited, field) == getattr(record, field)
    # And again: it is the captured payload that history asks for.
    again = an_edit(b"3")(edited)
    assert again.edits == record.payload.sha256


def test_a_long_edit_is_kept_in_the_bucket() -> None:
    edit = an_edit(bytes(range(256)) * 4000)
    objects = InMemoryObjects()
    data = b"".join(digest(b"%d" % n).encode() for n in range(9000))
    noise = replace(edit, data=data, objects=objects)
    edited = noise(signed())
    assert edited.payload.claim_check is not None
    assert unpack(edited.payload, objects.get(edited.payload.claim_check)) == noise.data


def test_an_edit_keeps_the_mark_of_a_call_that_its_own_target_captured() -> None:
    old = MacKeys("", "k1", {"k1": KEY}, ("arn:*",))
    record = signed(make_record(source=Source(name="decorator", version="0.1.0")), old)
    assert context_for_replay(an_edit()(record)) == context_for_replay(record) is not None


def test_an_edit_runs_and_is_told_of_by_the_ledger() -> None:
    world = World(edit=an_edit())
    world.give_up(CALL)
    assert world.actions() == [Action.REDRIVEN]
    (message,) = world.queue.sent
    record = read_message(message.body).record
    row = world.ledger.rows[CALL]
    assert (row.state, row.sha256) == (State.CAPTURED, digest(NEW))
    assert row.captured_sha256 == signed().payload.sha256
    assert record.payload.sha256 == row.sha256
    assert world.box.letters == {}


def test_an_edit_that_was_cut_short_is_finished_by_the_same_edit_and_by_no_other() -> None:
    world = World(edit=an_edit())
    world.give_up(CALL)
    world.queue.faults.fail("send")
    assert world.actions() == [Action.FAILED]

    world.edit = None
    (result,) = world.redrive()
    assert (result.action, "replaced this payload" in result.why) == (Action.REFUSED, True)
    world.edit = an_edit(b"other")
    (result,) = world.redrive()
    assert (result.action, "redrive it with that one" in result.why) == (Action.REFUSED, True)
    assert world.queue.sent == []

    world.edit = an_edit()
    assert world.actions() == [Action.REDRIVEN]
    assert len(world.queue.sent) == 1


def test_nobody_signs_what_cannot_be_verified() -> None:
    world = World(edit=an_edit(), keys=Closed(PIPELINE_KEYS))
    world.give_up(CALL)
    assert world.actions() == [Action.REFUSED]
    forged = World(edit=an_edit())
    forged.give_up(CALL, record=make_record())
    assert forged.actions() == [Action.REFUSED]
    assert world.queue.sent == forged.queue.sent == []


def test_an_operator_edits_only_calls_of_targets_that_operators_may_sign_for() -> None:
    narrow = MacKeys("operator", "k1", {"k1": KEY}, ("arn:aws:batch:*",))
    world = World(edit=an_edit(keys=narrow))
    world.give_up(CALL)
    (result,) = world.redrive()
    assert (result.action, result.why.partition(":")[0]) == (Action.REFUSED, "target_not_allowed")


def test_an_edit_of_a_call_whose_row_has_expired_says_what_was_captured() -> None:
    world = World(edit=an_edit())
    world.give_up(CALL)
    world.ledger.rows.clear()
    assert world.actions() == [Action.REDRIVEN]
    row = world.ledger.rows[CALL]
    assert (row.sha256, row.captured_sha256) == (digest(NEW), signed().payload.sha256)


# --- Through the replayer ---


def redriver(pipeline: Pipeline, edit: Edit | None = None) -> Redriver:
    return Redriver(
        ledger=pipeline.ledger,
        queue=pipeline.replay_queue,
        letters=Box(),
        keys=pipeline.keys,
        clock=pipeline.clock,
        edit=edit,
    )


def given_up(pipeline: Pipeline) -> Letter:
    """Have a call fail until it is given up; return its letter."""
    pipeline.functions.script = [FAILED] * 3
    (message,) = pipeline.captured_messages(call(), reply=FAILED)
    for owner in ("one", "two"):
        pipeline.replay(message, owner=owner)
        pipeline.clock.advance(300)
    (letter,) = pipeline.dead_letters.sent
    pipeline.dead_letters.sent.clear()
    pipeline.functions.script = []
    return read_letter(received(letter.body))


def test_an_edited_letter_runs_with_the_new_payload_and_ends_as_edited() -> None:
    pipeline = Pipeline()
    pipeline.keys.others += (OPERATOR_KEYS,)
    letter = given_up(pipeline)
    (result,) = redriver(pipeline, an_edit()).run([letter])
    assert result.action is Action.REDRIVEN
    pipeline.functions.script = [GONE]
    assert pipeline.replay(*pipeline.take_sent(), owner="edited") == []
    assert pipeline.functions.invoked[-1][1] == NEW
    # Given up again, its letter holds the edit, and that is redriven like any other.
    (sent,) = pipeline.dead_letters.sent
    pipeline.clock.advance(600)
    (again,) = redriver(pipeline).run([read_letter(received(sent.body))])
    assert again.action is Action.REDRIVEN
    assert pipeline.replay(*pipeline.take_sent(), owner="last") == []
    (row,) = pipeline.ledger.rows.values()
    assert row.state is State.SUCCEEDED


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_redriven_call_whose_row_was_gone_is_replayed_and_not_expired(is_edited: bool) -> None:
    pipeline = Pipeline()
    pipeline.keys.others += (OPERATOR_KEYS,)
    letter = given_up(pipeline)
    pipeline.ledger.rows.clear()
    pipeline.clock.advance(7 * 86_400)
    redriver(pipeline, an_edit() if is_edited else None).run([letter])
    assert pipeline.replay(*pipeline.take_sent(), owner="late") == []
    (row,) = pipeline.ledger.rows.values()
    assert row.state is State.SUCCEEDED
    expected = NEW if is_edited else b'{"order":1}'
    assert pipeline.functions.invoked[-1][1] == expected


# --- Letters that SQS made ---


def moved(record: Record | None = None) -> Letter:
    """A replay message as SQS leaves it in the dead-letter queue."""
    body = write_message(ReplayMessage(record=record or signed(), object=OBJECT_URL))
    return read_letter(received(body))


def find(ledger: InMemoryLedger, letter: Letter, name: str = "me") -> Letter:
    keys = FakeKeys(PIPELINE_KEYS, (KEYS,))
    return Finder(ledger=ledger, keys=keys, clock=FakeClock(LATER), name=name).settle(letter)


@pytest.mark.parametrize("state", [State.CAPTURED, State.WAITING])
def test_whoever_finds_a_call_that_sqs_gave_up_ends_it_in_the_ledger(state: State) -> None:
    ledger = InMemoryLedger(rows={CALL: make_row(state=state, attempts=2)})
    letter = find(ledger, moved())
    row = ledger.rows[CALL]
    assert (row.state, row.reason, row.letter_sent) == (
        State.DEAD_LETTERED,
        "undeliverable",
        True,
    )
    assert (letter.reason, letter.message, letter.attempts) == (row.reason, row.message, 2)
    # Found again, it says the same.
    assert find(ledger, moved()) == letter
    assert ledger.redrive(row, now=LATER)


def test_a_call_whose_replayer_died_may_have_run_and_is_ended_as_unknown() -> None:
    ledger = InMemoryLedger(rows={CALL: make_row()})
    ledger.lease(CALL, owner="dead", now=NOW, until_ms=NOW_MS + 1000)
    letter = find(ledger, moved())
    assert ledger.rows[CALL].reason == letter.reason == "unknown"


def test_a_finder_that_died_leaves_no_doubt() -> None:
    ledger = InMemoryLedger(rows={CALL: make_row()})
    ledger.faults.fail("settle")
    with pytest.raises(Exception, match="settle"):
        find(ledger, moved())
    later = FakeClock(LATER + timedelta(minutes=5))
    keys = FakeKeys(PIPELINE_KEYS, (KEYS,))
    Finder(ledger=ledger, keys=keys, clock=later, name="next").settle(moved())
    assert ledger.rows[CALL].reason == "undeliverable"


def test_a_call_that_is_being_replayed_is_left_alone() -> None:
    ledger = InMemoryLedger(rows={CALL: make_row()})
    until_ms = int(LATER.timestamp() * 1000) + 1000
    ledger.lease(CALL, owner="alive", now=NOW, until_ms=until_ms)
    before = dict(ledger.rows)
    letter = moved()
    assert find(ledger, letter) == letter
    assert ledger.rows == before


def test_a_call_that_has_succeeded_stays_so() -> None:
    row = make_row(state=State.SUCCEEDED)
    ledger = InMemoryLedger(rows={CALL: row})
    find(ledger, moved())
    assert ledger.rows == {CALL: row}


@pytest.mark.parametrize(
    "letter",
    [
        pytest.param(moved(make_record()), id="unsigned"),
        pytest.param(moved(signed(make_record(payload=pack(b"x", 9)))), id="another call"),
        pytest.param(read_letter(received("?")), id="unreadable"),
        pytest.param(
            read_letter(received(dead_letter(signed(), dead_row(), now=NOW))), id="a dead letter"
        ),
    ],
)
def test_what_is_no_authentic_message_of_a_call_ends_nothing(letter: Letter) -> None:
    ledger = InMemoryLedger(rows={CALL: make_row()})
    assert find(ledger, letter) == letter
    assert ledger.rows == {CALL: make_row()}


def test_a_call_that_the_ledger_does_not_know_is_not_entered() -> None:
    ledger = InMemoryLedger()
    find(ledger, moved())
    assert ledger.rows == {}


def test_a_copy_that_is_still_in_the_queue_sends_no_second_letter() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    letter = read_letter(received(message.body))
    finder = Finder(ledger=pipeline.ledger, keys=pipeline.keys, clock=pipeline.clock, name="me")
    finder.settle(letter)
    assert pipeline.replay(message) == []
    assert pipeline.functions.invoked == []
    assert pipeline.dead_letters.sent == []


def test_a_settlement_that_sqs_moved_ends_nothing_by_itself() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.ledger.faults.fail("settle")
    pipeline.replay(message)
    (owed,) = pipeline.take_sent()
    before = dict(pipeline.ledger.rows)
    letter = read_letter(received(owed.body))
    finder = Finder(ledger=pipeline.ledger, keys=pipeline.keys, clock=pipeline.clock, name="me")
    assert finder.settle(letter) == letter
    assert pipeline.ledger.rows == before
    (result,) = redriver(pipeline).run([letter])
    assert result.action is Action.REDRIVEN
    changes: Any = read_message(pipeline.take_sent()[0].body).settlement
    assert changes.event is LedgerEvent.SUCCEED

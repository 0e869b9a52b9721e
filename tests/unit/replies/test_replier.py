"""The replier delivers what is authentic, allowed and over, and knows what it has delivered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import (
    FakeClock,
    FakeKeys,
    FakeMeter,
    InMemoryLedger,
    InMemoryNotes,
    InMemoryObjects,
    InMemoryQueue,
)
from harness import PIPELINE_KEYS
from reprise import metric
from reprise.call.destinations import Destinations
from reprise.call.reply_to import ReplyTo
from reprise.call.target import conflict_id
from reprise.dead_letter import dead_letter
from reprise.errors import SettingsError, StoreError
from reprise.ledger import Row, State
from reprise.replies import write_reply
from reprise_replies.document import MAX_REPLY_BYTES, end_record, fit
from reprise_replies.errors import DeliveryError
from reprise_replies.replier import MAX_AGE_S, MAXIMUM_S, Replier, backoff_s
from strategies import KEYS, NOW, make_record, make_row, replied_to, signed

HOOK = ReplyTo(webhook="https://hooks.example.com/reprise/orders?secret=1")
TOKEN = ReplyTo(task_token="a-secret-token")
ALLOWED = Destinations(webhooks="https://hooks.example.com/", state_machines="arn:aws:states:*")


@dataclass
class FakeDeliverer:
    script: list[Exception | None] = field(default_factory=list)
    delivered: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)

    def deliver(
        self, _reply_to: ReplyTo, to: str, document: dict[str, Any], message_id: str
    ) -> None:
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error
        self.delivered.append((to, document, message_id))


@dataclass
class World:
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    notes: InMemoryNotes = field(default_factory=InMemoryNotes)
    deliverer: FakeDeliverer = field(default_factory=FakeDeliverer)
    dead_letters: InMemoryQueue = field(default_factory=InMemoryQueue)
    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    meter: FakeMeter = field(default_factory=FakeMeter)
    clock: FakeClock = field(default_factory=FakeClock)
    keys: FakeKeys = field(default_factory=lambda: FakeKeys(PIPELINE_KEYS))
    destinations: Destinations = ALLOWED

    def replier(self) -> Replier:
        return Replier(
            keys=self.keys,
            ledger=self.ledger,
            objects=self.objects,
            bucket="bucket",
            notes=self.notes,
            destinations=self.destinations,
            deliverer=self.deliverer,
            dead_letters=self.dead_letters,
            clock=self.clock,
            draw=lambda: 0.5,
            meter=self.meter,
        )

    def tell(self, reply_to: ReplyTo = HOOK) -> float | None:
        return self.replier().run(body(reply_to))

    def note(self) -> Any:
        ((note,),) = [list(notes.values()) for notes in self.notes.kept.values()]
        return note


def body(reply_to: ReplyTo = HOOK) -> str:
    return write_reply(signed(replied_to(make_record(), reply_to)), PIPELINE_KEYS)


def ended(**changes: Any) -> World:
    world = World()
    world.ledger.record(row(**changes))
    return world


def row(**changes: Any) -> Row:
    record = make_record()
    found = {"state": State.SUCCEEDED, "result": '{"sold":1}', "sha256": record.payload.sha256}
    return make_row(id=record.id, **{**found, **changes})


def test_a_late_result_is_delivered_in_lambdas_own_record() -> None:
    world = ended()
    assert world.tell() is None
    ((to, document, message_id),) = world.deliverer.delivered
    assert to == HOOK.webhook
    assert document["responsePayload"] == {"sold": 1}
    assert document["requestContext"]["condition"] == "Success"
    assert document["reprise"]["state"] == "succeeded"
    assert message_id.startswith("msg_")
    note = world.note()
    assert (note.state, note.to) == ("delivered", "https://hooks.example.com/...")
    assert world.meter.counts[metric.REPLIES_DELIVERED] == 1


def test_what_was_delivered_is_not_delivered_again() -> None:
    world = ended()
    assert [world.tell(), world.tell()] == [None, None]
    assert len(world.deliverer.delivered) == 1


def test_each_place_and_each_end_is_a_delivery_of_its_own() -> None:
    world = ended(state=State.DEAD_LETTERED, reason="exhausted", result=None)
    world.tell()
    world.tell(TOKEN)
    ((call_id, old),) = world.ledger.rows.items()
    world.ledger.rows[call_id] = replace(
        old, state=State.SUCCEEDED, updated_at="2027-01-01T00:00:00.000000Z"
    )
    world.tell()
    ids = [message_id for _, _, message_id in world.deliverer.delivered]
    assert len(set(ids)) == len(ids) == 3


@pytest.mark.parametrize("state", [State.CAPTURED, State.WAITING, State.LEASED, None])
def test_a_call_that_has_not_ended_is_told_by_its_next_end(state: State | None) -> None:
    world = World() if state is None else ended(state=state)
    assert world.tell() is None
    assert world.deliverer.delivered == []


def test_what_is_not_taken_is_tried_again_with_backoff_and_the_same_name() -> None:
    world = ended()
    busy = DeliveryError("refused", "answered 503")
    world.deliverer.script = [busy, busy, None]
    assert [world.tell(), world.tell()] == [0.5, 1.0]
    assert (world.note().state, world.note().tries) == ("trying", 2)
    assert world.note().reason == "refused: answered 503"
    assert world.tell() is None
    assert world.note().state == "delivered"


def test_what_is_never_taken_is_a_dead_letter_with_its_reason() -> None:
    world = ended()
    world.deliverer.script = [DeliveryError("refused", "answered 503")] * 2
    assert world.tell() is not None
    world.clock.advance(MAX_AGE_S)
    assert world.tell() is None
    (letter,) = world.dead_letters.sent
    assert letter.body == body()
    assert letter.attributes == {"reason": "refused: answered 503"}
    assert world.note().state == "failed"
    assert world.meter.counts[metric.REPLIES_FAILED] == 1
    # From its dead-letter queue it comes back by SQS's own redrive.
    assert world.tell() is None
    assert (world.note().state, world.note().tries) == ("delivered", 1)


def test_a_task_that_waits_no_longer_is_not_tried_again() -> None:
    world = ended()
    world.deliverer.script = [DeliveryError("TaskTimedOut", "by SendTaskSuccess", is_final=True)]
    assert world.tell(TOKEN) is None
    assert world.note().state == "failed"
    assert world.note().to == "task_token"


def test_what_is_not_allowed_any_more_is_not_delivered() -> None:
    world = ended()
    world.destinations = Destinations()
    assert world.tell() is None
    assert world.deliverer.delivered == []
    assert "ReplyWebhooks" in world.note().reason


def test_what_is_not_authentic_is_delivered_nowhere() -> None:
    world = ended()
    moved = body(TOKEN).replace("a-secret-token", "another-token")
    by_another = write_reply(signed(replied_to(make_record(), HOOK)), KEYS)
    for text in (moved, by_another, "{}", "no json", "[]"):
        assert world.replier().run(text) is None
    assert world.deliverer.delivered == []
    assert len(world.dead_letters.sent) == 5
    assert world.notes.kept == {}


def test_a_key_of_another_payload_is_told_of_its_own_row() -> None:
    world = ended(sha256="f" * 64)
    record = make_record()
    own = row(state=State.DEAD_LETTERED, reason="key_conflict", result=None)
    own = replace(own, id=conflict_id(record.id, record.payload.sha256))
    world.ledger.rows[own.id] = own
    world.tell()
    ((_, document, _),) = world.deliverer.delivered
    assert document["requestContext"]["condition"] == "KeyConflict"


def test_while_a_store_is_away_the_message_waits() -> None:
    for fails in ("ledger", "notes", "letters", "keys"):
        world = ended()
        match fails:
            case "ledger":
                world.ledger.faults.fail("get")
            case "notes":
                world.notes.faults.fail("read")
            case "keys":
                world.keys.faults.fail("keys")
            case _:
                world.destinations = Destinations()
                world.dead_letters.faults.fail("send")
        assert world.tell() == 10.0
        assert world.tell() is None


def test_a_result_that_is_gone_is_told_without_it() -> None:
    world = ended(result=None, result_key="results/x")
    world.tell()
    ((_, document, _),) = world.deliverer.delivered
    assert document["responsePayload"] is None
    assert document["reprise"]["result"] == "s3://bucket/results/x"


@pytest.mark.parametrize(("most", "is_there"), [(0, True), (1, False)])
def test_a_result_that_goes_nowhere_whole_is_not_even_decoded(most: int, *, is_there: bool) -> None:
    """Ten of six megabytes, decoded at once, are more than the function's memory."""
    result = b"[" + b" " * (MAX_REPLY_BYTES - 2 + most) + b"]"
    document = end_record(make_record(), row(result=None, result_key="results/x"), result, "bucket")
    assert document["responsePayload"] == ([] if is_there else None)
    assert document["reprise"]["result"] == "s3://bucket/results/x"


def test_no_note_and_no_letters_attribute_holds_a_token() -> None:
    world = ended()
    world.deliverer.script = [DeliveryError("InvalidToken", "by SendTaskSuccess", is_final=True)]
    world.tell(TOKEN)
    told = str(world.notes.kept) + str(world.dead_letters.sent[0].attributes)
    assert "a-secret-token" not in told


def test_a_record_says_what_a_dead_letter_says() -> None:
    """One format for all that leaves: a tool that reads letters reads replies."""
    record = signed(replied_to(make_record(), HOOK))
    dead = row(state=State.DEAD_LETTERED, reason="exhausted", message="E", attempts=3, result=None)
    letter = json.loads(dead_letter(record, dead, now=NOW))
    reply = end_record(record, dead, None, "bucket")
    assert list(reply) == list(letter)
    for part in ("version", "requestContext", "requestPayload", "responseContext"):
        assert reply[part] == letter[part]
    shared = reply["reprise"].keys() & letter["reprise"].keys()
    assert shared == {"id", "reason", "message", "attempts", "refusals"}
    assert all(reply["reprise"][name] == letter["reprise"][name] for name in shared)


def test_a_record_that_is_too_long_loses_what_was_sent_first() -> None:
    document = {"requestPayload": "x" * 100, "responsePayload": "y" * 100, "reprise": {}}
    assert json.loads(fit(document, 1000)) == document
    assert json.loads(fit(document, 200)) == {**document, "requestPayload": None}
    assert json.loads(fit(document, 100))["responsePayload"] is None


@given(tries=st.integers(1, 10**6), draw=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_within_its_bounds(tries: int, draw: float) -> None:
    assert 0 <= backoff_s(tries, draw) <= MAXIMUM_S


def test_store_errors_of_a_delivery_are_the_deliverers_to_name() -> None:
    world = ended()
    world.deliverer.script = [StoreError("sqs", "SendMessage", "Away", "")]
    assert world.tell() == 10.0


def test_an_address_that_is_none_is_given_up_like_one_that_is_not_listed() -> None:
    world = ended()
    assert world.tell(ReplyTo(webhook="https://[")) is None
    assert (world.note().state, world.note().to) == ("failed", "webhook")


@pytest.mark.parametrize("error", [UnicodeEncodeError("ascii", "x", 0, 1, "y"), KeyError("x")])
def test_a_reply_that_nobody_foresaw_is_given_up_and_holds_up_no_other(error: Exception) -> None:
    """A handler that raises gives its whole batch back, again and again."""
    world = ended()
    world.deliverer.script = [error]
    assert world.tell() is None
    (letter,) = world.dead_letters.sent
    assert letter.body == body()
    assert letter.attributes == {"reason": f"unforeseen: {type(error).__name__}"}


class Broken:
    """Keys whose secret is no document of keys."""

    def keys(self) -> None:
        """Refuse."""
        message = "the secret is none"
        raise SettingsError(message)


def test_while_the_pipelines_keys_are_none_the_message_waits() -> None:
    world = ended()
    broken: Any = Broken()
    assert replace(world.replier(), keys=broken).run(body()) == 10.0
    assert world.tell() is None


def test_what_was_delivered_is_not_delivered_again_and_again_because_no_note_can_be_written() -> (
    None
):
    world = ended()
    world.notes.faults.fail("write")
    assert world.tell() is None
    assert len(world.deliverer.delivered) == 1


def test_what_was_given_up_is_one_letter_though_no_note_can_be_written() -> None:
    world = ended()
    world.deliverer.script = [DeliveryError("TaskTimedOut", "by SendTaskSuccess", is_final=True)]
    world.notes.faults.fail("write")
    assert world.tell(TOKEN) is None
    assert len(world.dead_letters.sent) == 1

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.target import conflict_id
from reprise.dead_letter import dead_letter
from reprise.ledger import LedgerEvent, State
from reprise.replay.message import PendingUpdate, ReplayMessage, write_message
from reprise_letters.letter import Letter, LetterKind, Selection, read_letter, select
from strategies import NOW, NOW_MS, ORDERS, make_record, make_row

if TYPE_CHECKING:
    from reprise.ledger import Row

OBJECT_URL = "s3://bucket/captured/x.gz"


def dead_row(**changes: Any) -> Row:
    row: Row = replace(
        make_row(),
        state=State.DEAD_LETTERED,
        attempts=3,
        reason="exhausted",
        message="3 attempts failed",
        capture_object=OBJECT_URL,
    )
    return replace(row, **changes)


def received(body: str, message_id: str = "m-1", **attributes: str) -> dict[str, Any]:
    """A message as ReceiveMessage gives it."""
    return {
        "MessageId": message_id,
        "Body": body,
        "ReceiptHandle": f"handle of {message_id}",
        "Attributes": {"SentTimestamp": str(NOW_MS)},
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }


def test_a_dead_letter_is_read() -> None:
    record = make_record()
    letter = read_letter(received(dead_letter(record, dead_row(), now=NOW)))
    assert (letter.kind, letter.id) == (LetterKind.DEAD_LETTER, record.id)
    assert (letter.target, letter.reason, letter.attempts) == ("orders", "exhausted", 3)
    assert letter.at == NOW
    assert (letter.record, letter.capture_object) == (record, OBJECT_URL)


def test_a_letter_of_a_key_conflict_has_an_id_of_its_own_and_no_way_back() -> None:
    """Its key names another call: what is sent back under it would run in that call's place."""
    record = make_record()
    own = conflict_id(record.id, record.payload.sha256)
    row = dead_row(id=own, reason="key_conflict")
    letter = read_letter(received(dead_letter(record, row, now=NOW)))
    assert (letter.kind, letter.id, letter.reason) == (LetterKind.DEAD_LETTER, own, "key_conflict")
    assert not letter.is_redrivable


@pytest.mark.parametrize("is_owed", [False, True], ids=["a call", "a settlement"])
def test_a_replay_message_that_sqs_moved_is_read(is_owed: bool) -> None:
    owed = PendingUpdate(owner="o", event=LedgerEvent.SUCCEED, changes={"attempts": 1})
    message = ReplayMessage(
        record=make_record(), object=OBJECT_URL, settlement=owed if is_owed else None
    )
    body = write_message(message)
    letter = read_letter(received(body))
    assert letter.kind is LetterKind.REPLAY_MESSAGE
    assert letter.is_settlement is is_owed
    assert (letter.id, letter.reason) == ("orders:order-1", "undeliverable")
    assert letter.at == NOW


def test_a_capture_notice_is_read() -> None:
    letter = read_letter(
        received('{"Records": []}', reason="ObjectMissingError: gone"), is_capture=True
    )
    assert letter.kind is LetterKind.CAPTURE_NOTICE
    assert (letter.id, letter.reason) == ("m-1", "ObjectMissingError: gone")
    assert (letter.body, letter.record) == ('{"Records": []}', None)


@given(
    st.one_of(
        st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)
    )
)
def test_anything_else_is_unreadable_and_never_an_error(body: str) -> None:
    letter = read_letter(received(body))
    assert letter.kind is LetterKind.UNREADABLE
    assert not letter.is_redrivable


@pytest.mark.parametrize("field", ["record", "reason"])
def test_a_dead_letter_without_a_field_is_unreadable(field: str) -> None:
    document = json.loads(dead_letter(make_record(), dead_row(), now=NOW))
    del document["reprise"][field]
    assert read_letter(received(json.dumps(document))).kind is LetterKind.UNREADABLE


def make_letter(number: int, *, reason: str, target: str, age_s: float) -> Letter:
    return Letter(
        message_id=f"m-{number}",
        body="",
        kind=LetterKind.DEAD_LETTER,
        id=f"call-{number}",
        at=NOW - timedelta(seconds=age_s),
        target=target,
        reason=reason,
    )


LETTERS = [
    make_letter(1, reason="exhausted", target="orders", age_s=10),
    make_letter(2, reason="unknown", target="orders", age_s=4000),
    make_letter(3, reason="exhausted", target="stock", age_s=9000),
]


@pytest.mark.parametrize(
    ("selection", "numbers"),
    [
        (Selection(), []),
        (Selection(is_all=True), [1, 2, 3]),
        (Selection(ids=frozenset({"call-2", "m-3"})), [2, 3]),
        (Selection(reason="exhausted"), [1, 3]),
        (Selection(target="orders"), [1, 2]),
        (Selection(target=ORDERS), [1, 2]),
        (Selection(older_than_s=3600), [2, 3]),
        (Selection(older_than_s=3600, reason="exhausted", is_all=True), [3]),
        (Selection(ids=frozenset({"call-1"}), reason="unknown"), []),
    ],
    ids=["nothing", "all", "ids", "reason", "name", "ARN", "age", "two conditions", "none meets"],
)
def test_a_letter_is_meant_when_it_meets_every_condition(
    selection: Selection, numbers: list[int]
) -> None:
    chosen = select(LETTERS, selection, NOW)
    assert [letter.id for letter in chosen] == [f"call-{number}" for number in numbers]

"""A key of a caller's own is one effect: endpoint and pipeline share rows and gates (docs/adr/0023)."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from endpoint_place import ARN, LOST, TABLE, THROTTLED, Answer
from reprise.aws.ledger_rows import from_item, key_of, to_item
from reprise.call.payload import digest
from reprise.call.target import Target, id_of
from reprise.capturing.open_calls import KNOWN_FOR_MS
from reprise.gate.state import Change
from reprise.instant import format_instant, utc_now
from reprise.ledger import LIVE_OWNER, Row, State, new_row

if TYPE_CHECKING:
    from endpoint_place import Place
    from reprise.aws.gate_table import GateTable
    from reprise.aws.ledger_table import LedgerTable

BODY = b'{"n": 1}'
ID = id_of(Target(function=ARN + "orders"), source="web-shop", scope=None, key="order-1")


def with_key(place: Place, body: bytes = BODY) -> Answer:
    return place.invoke(body, X_Reprise_Idempotency_Key="order-1")


def open_gate(gates: GateTable) -> None:
    """Let the target have a backlog."""
    gates.update(ARN + "orders", Change(put={"waiting": 1}))


def row_of(state: State, **changes: object) -> Row:
    now = format_instant(utc_now())
    row = Row(
        id=ID,
        state=state,
        target=ARN + "orders",
        sha256=digest(BODY),
        captured_at=now,
        opened_at=now,
        updated_at=now,
        expires_at_s=int(utc_now().timestamp()) + 1000,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def test_a_target_without_a_backlog_costs_a_look_at_its_gate_and_no_write(place: Place) -> None:
    for _ in range(5):
        assert with_key(place).status == 200
    assert place.world.asked["PutItem"] == place.world.asked["UpdateItem"] == 0
    assert place.world.asked["GetItem"] <= 2
    assert len(place.world.sends) == 5


def test_a_captured_call_with_a_key_is_noted_at_its_gate(place: Place, gates: GateTable) -> None:
    place.world.answer = THROTTLED
    assert with_key(place).status == 202
    left_ms = gates.read(ARN + "orders").open_until_ms - utc_now().timestamp() * 1000
    assert KNOWN_FOR_MS - 60_000 < left_ms <= KNOWN_FOR_MS


def test_who_calls_again_is_told_of_the_captured_call_and_nothing_runs(
    place: Place, ledger: LedgerTable
) -> None:
    place.world.answer = THROTTLED
    first = with_key(place)
    (record,) = place.world.records()
    assert ledger.record(new_row(record, None, utc_now(), 30)) is None
    place.world.answer = Answer(200)
    second = with_key(place)
    assert second.status == 202
    for name in ("x-reprise-id", "x-reprise-status-token"):
        assert second.headers[name] == first.headers[name]
    assert len(place.world.sends) == 1
    assert "is captured, and was not called again" in second.body.decode()


@pytest.mark.parametrize("body", [b'"short"', b"\xff" * 5000], ids=["in the row", "in S3"])
def test_the_late_result_of_the_key_is_its_answer(
    place: Place, ledger: LedgerTable, gates: GateTable, body: bytes
) -> None:
    open_gate(gates)
    if len(body) > 2048:
        place.world.objects[f"/bucket/results/{ID}"] = body
        row = row_of(State.SUCCEEDED, result_key=f"results/{ID}")
    else:
        row = row_of(State.SUCCEEDED, result=body.decode())
    ledger.record(row)
    answer = with_key(place)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["x-reprise-late-result"] == "true"
    assert place.world.sends == []


@pytest.mark.parametrize("body", [b'"short"', b"\xff" * 5000], ids=["in the row", "in S3"])
def test_a_live_success_ends_its_key_with_its_reply(
    place: Place, ledger: LedgerTable, gates: GateTable, body: bytes
) -> None:
    open_gate(gates)
    place.world.answer = Answer(200, body)
    assert with_key(place).body == body
    row = ledger.get(ID)
    assert row is not None
    assert row.state is State.SUCCEEDED
    assert row.is_live
    if row.result_key is None:
        assert row.result == body.decode()
    else:
        assert place.world.objects[f"/bucket/{row.result_key}"] == body
    assert with_key(place).body == body
    assert len(place.world.sends) == 1


def test_what_did_not_succeed_leaves_no_row_behind_and_a_line(
    place: Place, ledger: LedgerTable, gates: GateTable
) -> None:
    open_gate(gates)
    place.world.answer = THROTTLED
    assert with_key(place).status == 202
    assert ledger.get(ID) is None
    assert len(place.world.records()) == 1


def test_an_unknown_outcome_waits_for_its_policy(
    place: Place, ledger: LedgerTable, gates: GateTable
) -> None:
    open_gate(gates)
    place.world.answer = LOST
    assert with_key(place).status == 202
    row, (record,) = ledger.get(ID), place.world.records()
    assert row is not None
    assert (row.state, row.may_have_run) == (State.WAITING, True)
    assert row.captured_at == row.opened_at == record.captured_at


def test_beside_a_live_call_of_the_key_another_is_captured_and_not_run(
    place: Place, ledger: LedgerTable, gates: GateTable
) -> None:
    open_gate(gates)
    until_ms = int(utc_now().timestamp() * 1000) + 60_000
    ledger.record(row_of(State.LEASED, lease_owner=LIVE_OWNER + "x", lease_until_ms=until_ms))
    answer = with_key(place)
    assert answer.status == 202
    assert json.loads(answer.body)["reprise"]["outcome"]["code"] == "CallInProgress"
    assert place.world.sends == []
    assert len(place.world.records()) == 1


def test_a_claim_that_ran_out_is_an_unknown_outcome(
    place: Place, ledger: LedgerTable, gates: GateTable
) -> None:
    open_gate(gates)
    ledger.record(row_of(State.LEASED, lease_owner=LIVE_OWNER + "x", lease_until_ms=1))
    assert with_key(place).status == 202
    (record,) = place.world.records()
    assert (record.outcome.kind, record.outcome.code) == ("unknown", "LeaseExpired")
    assert place.world.sends == []


def test_a_replay_that_runs_is_waited_for(
    place: Place, ledger: LedgerTable, gates: GateTable
) -> None:
    open_gate(gates)
    until_ms = int(utc_now().timestamp() * 1000) + 60_000
    ledger.record(row_of(State.LEASED, lease_owner="replayer/x", lease_until_ms=until_ms))
    assert with_key(place).status == 202
    assert place.world.sends == []
    assert place.world.lines == []


def test_what_was_given_up_runs_and_its_success_ends_the_row(
    place: Place, ledger: LedgerTable, gates: GateTable
) -> None:
    open_gate(gates)
    ledger.record(row_of(State.DEAD_LETTERED, reason="exhausted", message="m", attempts=3))
    assert with_key(place).status == 200
    row = ledger.get(ID)
    assert row is not None
    assert (row.state, row.reason, row.message, row.attempts) == (State.SUCCEEDED, None, None, 3)
    assert row.result == '"fine"'


def test_what_was_given_up_is_claimed_while_it_runs_live(
    place: Place, ledger: LedgerTable, gates: GateTable
) -> None:
    open_gate(gates)
    dead = row_of(State.DEAD_LETTERED, reason="exhausted")
    ledger.record(dead)
    seen: list[Row | None] = []
    place.world.meanwhile = lambda: seen.append(ledger.get(ID))
    assert with_key(place).status == 200
    (claimed,) = seen
    assert claimed is not None
    assert claimed.state is State.DEAD_LETTERED
    assert (claimed.claimed_by or "").startswith(LIVE_OWNER)
    assert (claimed.claimed_until_ms or 0) > utc_now().timestamp() * 1000
    assert not ledger.claim(claimed, owner="live/other", until_ms=1)
    row = ledger.get(ID)
    assert row is not None
    assert (row.state, row.claimed_by, row.claimed_until_ms) == (State.SUCCEEDED, None, None)


@pytest.mark.parametrize("reply", [THROTTLED, LOST], ids=["refused", "unknown"])
def test_a_live_call_that_did_not_succeed_either_lets_go_of_what_was_given_up(
    place: Place, ledger: LedgerTable, gates: GateTable, reply: Answer
) -> None:
    open_gate(gates)
    dead = row_of(State.DEAD_LETTERED, reason="exhausted")
    ledger.record(dead)
    place.world.answer = reply
    assert with_key(place).status == 202
    assert ledger.get(ID) == dead
    assert len(place.world.records()) == 1


@pytest.mark.parametrize(
    ("left_ms", "code"), [(60_000, "CallInProgress"), (-1, "LeaseExpired")], ids=["runs", "died"]
)
def test_beside_a_live_call_over_a_calls_end_nothing_runs(
    place: Place, ledger: LedgerTable, gates: GateTable, left_ms: int, code: str
) -> None:
    open_gate(gates)
    until_ms = int(utc_now().timestamp() * 1000) + left_ms
    dead = row_of(State.DEAD_LETTERED, reason="exhausted")
    ledger.record(replace(dead, claimed_by="live/other", claimed_until_ms=until_ms))
    assert with_key(place).status == 202
    assert place.world.sends == []
    (record,) = place.world.records()
    assert record.outcome.code == code


def test_another_payload_is_another_call_and_cannot_be_captured_by_the_key(
    place: Place, ledger: LedgerTable, gates: GateTable
) -> None:
    open_gate(gates)
    ledger.record(row_of(State.CAPTURED))
    assert with_key(place, b'{"n": 2}').status == 200
    place.world.answer = THROTTLED
    answer = with_key(place, b'{"n": 2}')
    assert answer.status == 429
    assert "another payload" in answer.headers["x-reprise-not-captured"]
    assert place.world.lines == []
    row = ledger.get(ID)
    assert row is not None
    assert row.state is State.CAPTURED


def test_a_success_without_a_claim_ends_the_row_that_was_entered_meanwhile(
    place: Place, ledger: LedgerTable, gates: GateTable
) -> None:
    """It began before anything was captured, and took longer than a gate is believed."""

    def enter() -> None:
        open_gate(gates)
        ledger.record(row_of(State.CAPTURED))
        Event().wait(1.1)

    place.world.meanwhile = enter
    assert with_key(place).status == 200
    row = ledger.get(ID)
    assert row is not None
    assert (row.state, row.result) == (State.SUCCEEDED, '"fine"')


def test_where_a_backlog_is_known_and_no_claim_can_be_written_the_call_is_captured_and_not_run(
    place: Place, gates: GateTable
) -> None:
    open_gate(gates)
    place.world.refuse["PutItem"] = "ResourceNotFoundException"
    answer = with_key(place)
    assert answer.status == 202
    assert json.loads(answer.body)["reprise"]["outcome"]["code"] == "LedgerAway"
    assert place.world.sends == []
    assert len(place.world.records()) == 1


def test_who_may_not_write_the_ledger_calls_as_without_a_key(
    place: Place, gates: GateTable
) -> None:
    open_gate(gates)
    place.world.refuse["PutItem"] = "AccessDeniedException"
    assert with_key(place).status == 200
    assert place.health()["counts"]["keys_unguarded"] == 1


def test_a_gate_that_is_away_holds_nothing_up(place: Place) -> None:
    place.world.refuse["GetItem"] = "AccessDeniedException"
    assert with_key(place).status == 200
    place.world.answer = THROTTLED
    assert with_key(place).status == 202


def test_a_key_of_the_sdk_asks_no_ledger(place: Place, gates: GateTable) -> None:
    open_gate(gates)
    place.world.answer = THROTTLED
    assert place.invoke(BODY, Amz_Sdk_Invocation_Id="inv-1").status == 202
    assert place.world.asked["GetItem"] == place.world.asked["PutItem"] == 0


def test_a_claim_has_the_fields_of_the_packages_own(place: Place, gates: GateTable) -> None:
    seen: list[dict[str, Any]] = []

    def look() -> None:
        seen.append(place.world.dynamodb.get_item(TableName=TABLE, Key=key_of(ID))["Item"])

    open_gate(gates)
    place.world.meanwhile = look
    assert with_key(place).status == 200
    claimed = row_of(State.LEASED, lease_owner=LIVE_OWNER + "x", lease_until_ms=1)
    (item,) = seen
    assert {name: [*each] for name, each in item.items()} == {
        name: [*each] for name, each in to_item(claimed).items()
    }
    assert from_item(item).is_live


def test_of_many_clicks_at_once_one_runs(place: Place, gates: GateTable) -> None:
    open_gate(gates)
    place.world.meanwhile = lambda: Event().wait(0.2)
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: with_key(place), range(30)))
    assert len(place.world.sends) == 1
    statuses = Counter(answer.status for answer in answers)
    assert statuses[200] >= 1
    assert statuses[200] + statuses[202] == 30


def test_the_lease_outlasts_the_longest_call(
    place: Place, ledger: LedgerTable, gates: GateTable
) -> None:
    open_gate(gates)
    assert with_key(place).status == 200
    row = ledger.get(ID)
    assert row is not None
    lasts = timedelta(milliseconds=row.lease_until_ms - utc_now().timestamp() * 1000)
    assert timedelta(seconds=55) < lasts <= timedelta(seconds=60)

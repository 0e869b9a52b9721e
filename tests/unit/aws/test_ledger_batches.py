"""How the ledger's table deals with statements and reads that fail alone."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reprise.aws.ledger_table import LedgerTable
from reprise.errors import StoreError
from reprise.ledger import LedgerEvent, State
from reprise.ports import LeaseRequest, SettleRequest
from simulation.dynamodb import DynamoDB
from strategies import NOW, NOW_MS, make_row

ROWS = [make_row(id=f"orders:{n}") for n in range(30)]
IDS = [row.id for row in ROWS]


class Failing(DynamoDB):
    """Counts requests, and fails some of them whole."""

    requests: list[int]
    down: int

    def batch_execute_statement(self, **request: Any) -> dict[str, Any]:
        self.requests.append(len(request["Statements"]))
        if self.down:
            self.down -= 1
            error: Any = {"Error": {"Code": "InternalServerError", "Message": "down"}}
            raise ClientError(error, "BatchExecuteStatement")
        return super().batch_execute_statement(**request)


def make(refused: tuple[int, ...] = (), down: int = 0) -> tuple[Failing, LedgerTable, list[int]]:
    """Return a table of which the statements of these numbers are throttled, and the rounds waited for."""
    number = iter(range(1000))
    client = Failing(refuses=lambda _: next(number) in refused)
    client.requests, client.down = [], down
    waited: list[int] = []
    return client, LedgerTable(client, "ledger", waited.append), waited  # type: ignore[arg-type]


def test_throttled_statements_alone_are_tried_again() -> None:
    client, ledger, waited = make(refused=(3, 28))

    told = ledger.record_all(ROWS)

    assert told == dict.fromkeys(IDS)
    assert client.requests == [25, 5, 2]
    assert waited == [1]


def test_statements_that_stay_throttled_are_left_out_and_the_others_are_told() -> None:
    client, ledger, waited = make(refused=(0, 30, 31, 32))

    told = ledger.record_all(ROWS)

    assert set(told) == set(IDS[1:])
    assert client.requests == [25, 5, 1, 1, 1]
    assert waited == [1, 2, 3]


def test_request_that_fails_whole_is_the_last_one_and_rows_before_it_are_told() -> None:
    """The SDK has tried it for most of a minute, and a chunk has four: all of them outlast the function."""
    client, ledger, waited = make(refused=(3,))
    whole = client.batch_execute_statement

    def then_down(**request: Any) -> dict[str, Any]:
        answer = whole(**request)
        client.down = 1
        return answer

    client.batch_execute_statement = then_down  # type: ignore[method-assign]
    rows = [make_row(id=f"orders:{n}") for n in range(100)]

    assert set(ledger.record_all(rows)) == set(IDS[:25]) - {IDS[3]}
    assert (client.requests, waited) == ([25, 25], [])
    client.batch_execute_statement = whole  # type: ignore[method-assign]
    # Whoever asks again is told of all.
    told = {row.id: row for row in ROWS[:25]} | {IDS[3]: None}
    assert ledger.record_all(rows) == dict.fromkeys(row.id for row in rows) | told


def test_row_that_dynamodb_refuses_for_good_is_left_out_and_the_others_are_written() -> None:
    client, ledger, waited = make()
    large = make_row(id="orders:large", message="x" * 500_000)

    assert ledger.record_all([ROWS[0], large, ROWS[1]]) == dict.fromkeys(IDS[:2])
    assert set(client.items) == set(IDS[:2])
    assert waited == []


def test_one_id_given_twice_is_written_and_read_once() -> None:
    _, ledger, _ = make()

    assert ledger.record_all([ROWS[0], ROWS[1], ROWS[0]]) == dict.fromkeys(IDS[:2])
    assert set(ledger.get_all([IDS[0], IDS[1], IDS[0]])) == set(IDS[:2])


def test_end_that_dynamodb_refuses_for_good_leaves_the_others_told() -> None:
    _, ledger, _ = make()
    ledger.record_all(ROWS)
    lease_all(ledger)
    ends = [
        SettleRequest(
            call_id=call_id,
            owner=f"me/{call_id}",
            event=LedgerEvent.SUCCEED,
            changes={"result": "x" * (500_000 if call_id == IDS[7] else 5)},
        )
        for call_id in IDS
    ]

    assert ledger.settle_all(ends) == {f"me/{call_id}" for call_id in IDS} - {f"me/{IDS[7]}"}


def test_ends_whose_request_fails_whole_are_an_error() -> None:
    client, ledger, _ = make()
    ledger.record_all(ROWS[:2])
    lease_all(ledger)
    client.down = 1
    end = SettleRequest(call_id=IDS[0], owner=f"me/{IDS[0]}", event=LedgerEvent.SUCCEED, changes={})

    with pytest.raises(StoreError):
        ledger.settle_all([end])


def test_row_whose_reading_fails_is_left_out() -> None:
    client, ledger, _ = make()
    ledger.record_all(ROWS[:2])
    client.batch_get_item = _unavailable  # type: ignore[method-assign]

    assert ledger.record_all(ROWS[:3]) == {IDS[2]: None}


def test_keys_that_dynamodb_leaves_unprocessed_are_asked_for_again_and_at_last_missed() -> None:
    client, ledger, waited = make()
    ledger.record_all(ROWS)
    whole = client.batch_get_item
    lazy = 2

    def half(**request: Any) -> dict[str, Any]:
        nonlocal lazy
        ((table, asked),) = request["RequestItems"].items()
        if not lazy:
            return whole(**request)
        lazy -= 1
        keys = asked["Keys"]
        answer = whole(RequestItems={table: {"Keys": keys[:5]}})
        return {**answer, "UnprocessedKeys": {table: {"Keys": keys[5:]}}}

    client.batch_get_item = half  # type: ignore[method-assign]
    assert ledger.get_all(IDS) == {row.id: row for row in ROWS}
    assert waited == [1, 2]
    lazy = 99
    with pytest.raises(StoreError, match="are missing"):
        ledger.get_all(IDS)


def _unavailable(**_: Any) -> dict[str, Any]:
    raise ClientError({"Error": {"Code": "InternalServerError", "Message": "down"}}, "BatchGetItem")


# --- leases -------------------------------------------------------------------------------------------

WANTED = [LeaseRequest(call_id=row.id, owner=f"me/{row.id}", of=row.identity) for row in ROWS]


def lease_all(ledger: LedgerTable) -> set[str]:
    """Return the calls whose leases were granted together."""
    leases = ledger.lease_all(WANTED, now=NOW, until_ms=NOW_MS + 60_000)
    return {owner.removeprefix("me/") for owner in leases}


def test_leases_that_are_throttled_are_left_out_and_had_alone() -> None:
    client, ledger, _ = make()
    ledger.record_all(ROWS)
    answers = iter([True, *[False] * 29])
    client.refuses = lambda _: next(answers)

    assert lease_all(ledger) == set(IDS[1:])

    alone = ledger.lease(IDS[0], owner="me", now=NOW, until_ms=NOW_MS + 60_000)
    assert alone.granted


def test_redriven_call_may_be_leased_with_others() -> None:
    _, ledger, _ = make()
    dead = make_row(id=IDS[0], state=State.DEAD_LETTERED, may_have_run=True)
    ledger.record_all([dead, *ROWS[1:]])
    assert ledger.redrive(dead, now=NOW)

    assert lease_all(ledger) == set(IDS)


def test_calls_that_are_opened_together_are_as_if_each_were_opened_alone() -> None:
    client, ledger, _ = make()
    dead = [
        make_row(
            id=call_id,
            state=State.DEAD_LETTERED,
            reason="exhausted",
            message="3 attempts failed",
            note="by Ann" if number else None,
            attempts=3,
            refusals=2,
            due_at_ms=5,
            letter_sent=True,
            may_have_run=True,
            expires_at_s=1000,
        )
        for number, call_id in enumerate(IDS)
    ]
    ledger.record_all(dead)
    later = NOW + timedelta(hours=1)
    assert ledger.redrive_all(dead, now=later) == set(IDS)
    together = ledger.get_all(IDS)
    _, alone, _ = make()
    alone.record_all(dead)
    assert all(alone.redrive(row, now=later) for row in dead)
    assert together == alone.get_all(IDS)
    assert client.requests == [25, 5, 25, 5]


def test_a_call_that_has_changed_is_left_out_of_those_that_are_opened_together() -> None:
    _, ledger, _ = make()
    dead = [make_row(id=call_id, state=State.DEAD_LETTERED) for call_id in IDS[:4]]
    there = [dead[0], replace(dead[1], state=State.SUCCEEDED), replace(dead[2], opened_at="since")]
    ledger.record_all(there)
    assert ledger.redrive_all(dead, now=NOW) == {IDS[0]}
    assert [ledger.get(row.id) for row in there[1:]] == there[1:]
    assert ledger.get(IDS[3]) is None


def test_leases_whose_answer_is_lost_are_found_to_be_ours_when_asked_for_alone() -> None:
    client, ledger, _ = make()
    ledger.record_all(ROWS)
    whole = client.batch_execute_statement

    def lost(**request: Any) -> dict[str, Any]:
        whole(**request)
        raise ClientError({"Error": {"Code": "RequestTimeout", "Message": "lost"}}, "Batch")

    client.batch_execute_statement = lost  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        lease_all(ledger)

    alone = ledger.lease(IDS[0], owner=f"me/{IDS[0]}", now=NOW, until_ms=NOW_MS + 60_000)
    assert alone.granted
    assert alone.before is not None
    assert alone.before.state is State.CAPTURED


@pytest.mark.parametrize("change", ["lease", "mark_may_have_run"])
def test_row_that_changes_between_its_reading_and_its_lease_is_left_out(change: str) -> None:
    client, ledger, _ = make()
    ledger.record_all(ROWS)
    whole = client.batch_get_item

    def then_changed(**request: Any) -> dict[str, Any]:
        answer = copy.deepcopy(whole(**request))
        if change == "lease":
            ledger.lease(IDS[3], owner="another", now=NOW, until_ms=NOW_MS + 60_000)
        else:
            ledger.mark_may_have_run(IDS[3])
        return answer

    client.batch_get_item = then_changed  # type: ignore[method-assign]
    assert lease_all(ledger) == {*IDS} - {IDS[3]}

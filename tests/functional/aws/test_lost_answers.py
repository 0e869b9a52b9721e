"""An answer that is lost: the SDK repeats the write, and meets its own first one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from reprise.aws.clients import Clients
from reprise.aws.gate_table import GateTable
from reprise.aws.ledger_table import LedgerTable
from reprise.capturing.reopen import reopened
from reprise.gate.fallback import LocalGate
from reprise.gate.session import GateSession
from reprise.gate.state import Change, Mode
from reprise.ledger import LedgerEvent, State
from strategies import NOW, NOW_MS, ORDERS, make_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

CALL = "orders:order-1"
LATER = "2026-11-21T12:00:00.000000Z"


class LostAnswers:
    """Loses answers of writes: each has happened, and the SDK waits for its answer in vain."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client
        self.sent = 0
        self._to_lose = 0

    def lose(self) -> None:
        """Lose the next answer."""
        self.sent = 0
        self._to_lose = 1

    def after_the_service(self, **_: object) -> None:
        """Stand behind moto in the line of handlers."""
        self.sent += 1
        if self._to_lose:
            self._to_lose -= 1
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

    def repeat_at_once(self, caught_exception: Exception | None, **_: object) -> Any:
        """Repeat as the SDK's own retries do, without their pause."""
        return 0 if isinstance(caught_exception, ReadTimeoutError) else None


@pytest.fixture(scope="module")
def own_client(clients: Clients) -> DynamoDBClient:
    del clients  # moto runs as long as they do
    return Clients().dynamodb()


@pytest.fixture
def lost(own_client: DynamoDBClient) -> Iterator[LostAnswers]:
    answers = LostAnswers(own_client)
    events = own_client.meta.events
    # As unspecific as moto's own handler: more specific ones come before it.
    events.register_last("before-send", answers.after_the_service)
    events.register_first("needs-retry.dynamodb", answers.repeat_at_once)
    yield answers
    events.unregister("before-send", answers.after_the_service)
    events.unregister("needs-retry.dynamodb", answers.repeat_at_once)


def test_a_record_whose_answer_is_lost_is_ours(lost: LostAnswers, table: str) -> None:
    ledger = LedgerTable(lost.client, table)
    lost.lose()
    there = ledger.record(make_row())
    assert there in (None, make_row())
    assert lost.sent == 2


@pytest.mark.parametrize("state", [State.CAPTURED, State.WAITING])
def test_a_lease_whose_answer_is_lost_is_granted(
    lost: LostAnswers, table: str, state: State
) -> None:
    ledger = LedgerTable(lost.client, table)
    ledger.record(make_row(state=state))
    lost.lose()
    lease = ledger.lease(CALL, owner="a", now=NOW, until_ms=NOW_MS + 1000)
    assert lost.sent == 2
    assert lease.granted
    assert lease.before is not None
    assert lease.before.state is state


@pytest.mark.parametrize("event", [LedgerEvent.SUCCEED, LedgerEvent.WAIT, LedgerEvent.DEAD_LETTER])
def test_an_end_whose_answer_is_lost_is_told(
    lost: LostAnswers, table: str, event: LedgerEvent
) -> None:
    ledger = LedgerTable(lost.client, table)
    ledger.record(make_row())
    assert ledger.lease(CALL, owner="a", now=NOW, until_ms=NOW_MS + 1000).granted
    lost.lose()
    assert ledger.settle(CALL, owner="a", event=event, changes={"attempts": 1})
    assert lost.sent >= 2


def test_a_redrive_whose_answer_is_lost_is_done(lost: LostAnswers, table: str) -> None:
    ledger = LedgerTable(lost.client, table)
    dead = make_row(state=State.DEAD_LETTERED)
    ledger.record(dead)
    lost.lose()
    assert ledger.redrive(dead, now=NOW)


def test_a_call_that_is_opened_again_in_a_lost_answer_is_open(
    lost: LostAnswers, table: str
) -> None:
    ledger = LedgerTable(lost.client, table)
    dead = make_row(state=State.DEAD_LETTERED, reason="expired")
    ledger.record(dead)
    after = reopened(dead, make_row(opened_at=LATER, captured_at=LATER))
    lost.lose()
    assert ledger.recapture(dead, after)
    assert lost.sent == 2


def test_a_claim_over_a_calls_end_is_had_in_a_lost_answer(lost: LostAnswers, table: str) -> None:
    ledger = LedgerTable(lost.client, table)
    dead = make_row(state=State.DEAD_LETTERED, reason="expired")
    ledger.record(dead)
    lost.lose()
    assert ledger.claim(dead, owner="live/a", until_ms=NOW_MS)


def test_a_probe_whose_answer_is_lost_goes(lost: LostAnswers, table: str) -> None:
    """A probe taken for somebody else's would hold the target for a whole lease."""
    gates = GateTable(lost.client, table)
    gates.update(ORDERS, Change(put={"mode": Mode.HOLDING, "probe_at_ms": NOW_MS}))
    visit = GateSession(
        gates=gates,
        memory=LocalGate(),
        function=ORDERS,
        owner="a",
        now_ms=lambda: NOW_MS,
        draw=lambda: 0.5,
        lease_ms=90_000,
    )
    lost.lose()
    entry = visit.enter(5)
    assert (len(entry.permits), entry.is_probe) == (1, True)

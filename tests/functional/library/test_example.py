"""The example of the library does what it says, by the double that users test theirs with."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING, Any, Final

import pytest

from reprise.ledger import State
from reprise.testing import FakeClient

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE: Final = run_path(
    str(Path(__file__).parents[3] / "examples" / "library" / "orders.py"), run_name="example"
)
place: Callable[..., Any] = EXAMPLE["place"]
fetch: Callable[..., Any] = EXAMPLE["fetch"]
TICKET: Final = {"ticket": "orders:7", "token": "token"}


def test_an_order_that_is_answered_has_its_receipt() -> None:
    client = FakeClient(FakeClient.answered(b'{"sold": true}'))
    assert place({"id": "7"}, client) == {"sold": True}
    assert client.invoked == [("orders", b'{"id": "7"}', {"idempotency_key": "7"})]


def test_an_order_that_is_captured_has_a_ticket_that_fetches_its_receipt() -> None:
    late = FakeClient.status("orders:7", payload=b'{"sold": true}')
    client = FakeClient(FakeClient.captured("orders:7"), statuses=[late])
    assert place({"id": "7"}, client) == TICKET
    assert fetch(TICKET, client) == {"sold": True}


def test_an_order_that_is_neither_taken_nor_kept_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        place({"id": "7"}, FakeClient(FakeClient.refused()))


def test_an_order_that_waits_has_no_receipt_yet() -> None:
    assert fetch(TICKET, FakeClient()) is None
    assert (
        fetch(TICKET, FakeClient(statuses=[FakeClient.status("orders:7", State.WAITING)])) is None
    )


def test_an_order_that_was_given_up_says_why() -> None:
    lost = FakeClient.status("orders:7", State.DEAD_LETTERED, reason="exhausted")
    with pytest.raises(RuntimeError, match="exhausted"):
        fetch(TICKET, FakeClient(statuses=[lost]))

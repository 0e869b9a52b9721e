"""The double for a caller's tests says what the client itself would say, and takes what it takes."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from reprise.call.outcome import OutcomeKind
from reprise.client import Client, invoke
from reprise.ledger import State
from reprise.testing import FakeClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.client import CallResult, CallStatus


def _signature(function: Callable[..., Any]) -> list[tuple[str, Any, object]]:
    named = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in named]


@pytest.mark.parametrize("name", ["invoke", "result_of", "wait"])
def test_the_double_is_called_as_the_client_is(name: str) -> None:
    double, real = getattr(FakeClient, name), getattr(Client, name)
    assert _signature(double) == _signature(real)
    assert double.__annotations__ == real.__annotations__


def test_the_double_has_every_method_of_the_client() -> None:
    public = {name for name in vars(Client) if not name.startswith("_")}
    assert public <= set(vars(FakeClient))


def test_the_modules_function_is_called_as_the_clients_is() -> None:
    assert _signature(invoke) == _signature(Client.invoke)[1:]
    assert invoke.__annotations__ == Client.invoke.__annotations__


def test_calls_are_remembered_as_they_would_be_sent() -> None:
    client = FakeClient()
    client.invoke("orders", "ü", idempotency_key="order-1")
    client.invoke("orders", b"\xff", scope=None)
    assert client.invoked == [
        ("orders", "ü".encode(), {"idempotency_key": "order-1"}),
        ("orders", b"\xff", {}),
    ]


def test_results_come_in_turn_and_then_success() -> None:
    client = FakeClient(FakeClient.captured("orders:1"), FakeClient.refused())
    codes = [client.invoke("orders").status_code for _ in range(4)]
    assert codes == [202, 429, 200, 200]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (
            FakeClient.answered(b"sold"),
            {"status_code": 200, "payload": b"sold", "kind": OutcomeKind.SUCCEEDED},
        ),
        (
            FakeClient.captured("orders:1"),
            {
                "status_code": 202,
                "kind": OutcomeKind.THROTTLED,
                "call_id": "orders:1",
                "status_token": "token",
            },
        ),
        (
            FakeClient.refused("why"),
            {"status_code": 429, "kind": OutcomeKind.THROTTLED, "not_captured": "why"},
        ),
    ],
)
def test_a_result_says_this_and_nothing_else(result: CallResult, said: dict[str, Any]) -> None:
    found = asdict(result) | {"kind": result.outcome.kind}
    del found["outcome"]
    assert {name: value for name, value in found.items() if value not in {None, b"", False}} == said


def test_a_status_is_told_of_its_call_and_of_no_other() -> None:
    late = FakeClient.status("orders:1", payload=b"sold")
    given_up = FakeClient.status("orders:2", State.DEAD_LETTERED, reason="exhausted")
    client = FakeClient(statuses=[late, given_up])
    found: list[CallStatus | None] = [client.result_of(f"orders:{n}", "token") for n in (1, 2, 3)]
    assert found == [late, given_up, None]
    assert (late.state, late.payload) == (State.SUCCEEDED, b"sold")
    assert (given_up.state, given_up.reason, given_up.payload) == (
        State.DEAD_LETTERED,
        "exhausted",
        None,
    )

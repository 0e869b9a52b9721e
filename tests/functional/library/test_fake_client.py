"""The double for a caller's tests says what the client itself would say, and takes what it takes."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from reprise.call.outcome import OutcomeKind
from reprise.client import Client
from reprise.testing import FakeClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.client import CallResult


def _signature(function: Callable[..., Any]) -> list[tuple[str, Any, object]]:
    named = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in named]


def test_the_double_is_called_as_the_client_is() -> None:
    assert _signature(FakeClient.invoke) == _signature(Client.invoke)
    assert FakeClient.invoke.__annotations__ == Client.invoke.__annotations__


def test_calls_are_remembered_as_they_would_be_sent() -> None:
    client = FakeClient()
    client.invoke("orders", "ü", idempotency_key="order-1")
    client.invoke("orders", b"\xff")
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

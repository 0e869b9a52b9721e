"""One contract for the gates in DynamoDB and for the double that stands in for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doubles import InMemoryGateItems
from reprise.aws.gate_table import FRESH_S, GateTable
from reprise.errors import StoreError
from reprise.gate.state import Change, Condition, GateState, Mode
from strategies import ORDERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.ports import GateItems

HOLD = Change(
    put={"mode": Mode.HOLDING, "probe_at_ms": 7, "window": 1.25},
    add={"turn": 1},
    when=(Condition(name="turn", relation="=", value=0),),
)
TAKE = Change(
    add={"in_flight": 4, "window": 0.5},
    when=(Condition(name="in_flight", relation="<=", value=4),),
)


class Monotonic:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(params=["double", "table"])
def open_gates(request: pytest.FixtureRequest) -> Callable[[], GateItems]:
    """Return what opens the same gates as another process would."""
    if request.param == "double":
        gates = InMemoryGateItems()
        return lambda: gates
    dynamodb: DynamoDBClient = request.getfixturevalue("dynamodb")
    table: str = request.getfixturevalue("table")
    return lambda: GateTable(dynamodb, table)


def test_a_new_gate_flows(open_gates: Callable[[], GateItems]) -> None:
    assert open_gates().read(ORDERS) == GateState()


def test_a_change_starts_from_the_defaults_of_a_new_gate(
    open_gates: Callable[[], GateItems],
) -> None:
    updated = open_gates().update(ORDERS, TAKE)
    assert (updated.applied, updated.image) == (True, GateState(in_flight=4, window=2.5))
    assert open_gates().read(ORDERS) == updated.image
    assert open_gates().read(f"{ORDERS}2") == GateState()


def test_additions_of_several_add_up_until_a_condition_ends_them(
    open_gates: Callable[[], GateItems],
) -> None:
    results = [open_gates().update(ORDERS, TAKE) for _ in range(3)]
    assert [updated.applied for updated in results] == [True, True, False]
    assert results[2].image == GateState(in_flight=8, window=3.0)


def test_who_comes_second_learns_what_is_there(open_gates: Callable[[], GateItems]) -> None:
    first, second = open_gates(), open_gates()
    assert second.read(ORDERS) == GateState()
    assert first.update(ORDERS, HOLD).applied
    updated = second.update(ORDERS, HOLD)
    held = GateState(mode=Mode.HOLDING, probe_at_ms=7, window=1.25, turn=1)
    assert (updated.applied, updated.image) == (False, held)
    assert second.read(ORDERS) == held


def test_a_gate_is_believed_for_a_moment(dynamodb: DynamoDBClient, table: str) -> None:
    monotonic = Monotonic()
    gates = GateTable(dynamodb, table, monotonic)
    assert gates.read(ORDERS) == GateState()
    GateTable(dynamodb, table).update(ORDERS, HOLD)
    monotonic.now_s = FRESH_S - 0.01
    assert gates.read(ORDERS) == GateState()
    monotonic.now_s = FRESH_S
    assert gates.read(ORDERS).mode == Mode.HOLDING


def test_attributes_of_a_later_version_are_ignored(dynamodb: DynamoDBClient, table: str) -> None:
    item = {"id": {"S": f"gate#{ORDERS}"}, "weather": {"S": "fine"}, "window": {"N": "7"}}
    dynamodb.put_item(TableName=table, Item=item)
    assert GateTable(dynamodb, table).read(ORDERS) == GateState(window=7.0)


def test_a_service_that_refuses_is_a_store_error(dynamodb: DynamoDBClient) -> None:
    gates = GateTable(dynamodb, "no-such-table")
    operations: list[Callable[[], object]] = [
        lambda: gates.read(ORDERS),
        lambda: gates.update(ORDERS, HOLD),
    ]
    for operation in operations:
        with pytest.raises(StoreError, match="ResourceNotFoundException"):
            operation()


@pytest.mark.parametrize("operation", ["read", "update"])
def test_the_double_fails_when_it_is_told_to(operation: str) -> None:
    gates = InMemoryGateItems()
    gates.faults.fail(operation)
    calls: dict[str, Callable[[], object]] = {
        "read": lambda: gates.read(ORDERS),
        "update": lambda: gates.update(ORDERS, HOLD),
    }
    with pytest.raises(StoreError):
        calls[operation]()
    calls[operation]()

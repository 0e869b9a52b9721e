"""One contract for the gates in DynamoDB and for the double that stands in for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reprise.aws.gate_table import FRESH_S, GateTable
from reprise.errors import StoreError
from reprise.gate.state import GateState, Mode
from reprise.testing import InMemoryGates
from strategies import ORDERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.ports import GateStore

HOLDING = GateState(mode=Mode.HOLDING, holding_since_ms=5, probe_at_ms=7)
OTHERS = GateState(mode=Mode.PROBING, holding_since_ms=5, probe_at_ms=9, probe_owner="b")


class Monotonic:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(params=["double", "table"])
def open_gates(request: pytest.FixtureRequest) -> Callable[[], GateStore]:
    """Return what opens the same gates as another process would."""
    if request.param == "double":
        gates = InMemoryGates()
        return lambda: gates
    dynamodb: DynamoDBClient = request.getfixturevalue("dynamodb")
    table: str = request.getfixturevalue("table")
    return lambda: GateTable(dynamodb, table)


def test_a_new_gate_flows(open_gates: Callable[[], GateStore]) -> None:
    assert open_gates().read(ORDERS) == GateState()


def test_a_state_is_written_with_the_next_version(open_gates: Callable[[], GateStore]) -> None:
    gates = open_gates()
    assert gates.write(ORDERS, HOLDING) is None
    assert gates.read(ORDERS) == replace(HOLDING, version=1)
    assert open_gates().read(ORDERS) == replace(HOLDING, version=1)
    assert open_gates().read(f"{ORDERS}2") == GateState()


def test_who_comes_second_learns_what_is_there(open_gates: Callable[[], GateStore]) -> None:
    first, second = open_gates(), open_gates()
    assert second.read(ORDERS) == GateState()
    first.write(ORDERS, HOLDING)
    there = second.write(ORDERS, OTHERS)
    assert there == replace(HOLDING, version=1)
    assert second.read(ORDERS) == there
    assert second.write(ORDERS, replace(OTHERS, version=1)) is None
    assert open_gates().read(ORDERS) == replace(OTHERS, version=2)


def test_a_write_that_is_repeated_is_still_ours(open_gates: Callable[[], GateStore]) -> None:
    """The SDK repeats a write whose answer was lost: a probe taken for somebody else's would hold
    the target for a whole lease."""
    gates = open_gates()
    assert gates.write(ORDERS, OTHERS) is None
    assert gates.write(ORDERS, OTHERS) is None
    assert open_gates().read(ORDERS) == replace(OTHERS, version=1)


def test_a_gate_whose_item_is_gone_is_written_anew(open_gates: Callable[[], GateStore]) -> None:
    gates = open_gates()
    assert gates.write(ORDERS, replace(HOLDING, version=7)) is None
    assert open_gates().read(ORDERS) == replace(HOLDING, version=8)


def test_a_gate_is_believed_for_half_a_second(dynamodb: DynamoDBClient, table: str) -> None:
    monotonic = Monotonic()
    gates = GateTable(dynamodb, table, monotonic)
    assert gates.read(ORDERS) == GateState()
    GateTable(dynamodb, table).write(ORDERS, HOLDING)
    monotonic.now_s = FRESH_S - 0.01
    assert gates.read(ORDERS) == GateState()
    monotonic.now_s = FRESH_S
    assert gates.read(ORDERS) == replace(HOLDING, version=1)


def test_a_healthy_target_costs_no_write_and_few_reads(
    dynamodb: DynamoDBClient, table: str
) -> None:
    operations: list[str] = []

    def note(model: OperationModel, **_: object) -> None:
        operations.append(model.name)

    gates = GateTable(dynamodb, table, Monotonic())
    dynamodb.meta.events.register("before-call.dynamodb", note)
    try:
        for _ in range(20):
            gates.read(ORDERS)
    finally:
        dynamodb.meta.events.unregister("before-call.dynamodb", note)
    assert operations == ["GetItem"]


def test_a_service_that_refuses_is_a_store_error(dynamodb: DynamoDBClient) -> None:
    gates = GateTable(dynamodb, "no-such-table")
    operations: list[Callable[[], object]] = [
        lambda: gates.read(ORDERS),
        lambda: gates.write(ORDERS, HOLDING),
    ]
    for operation in operations:
        with pytest.raises(StoreError, match="ResourceNotFoundException"):
            operation()


@pytest.mark.parametrize("operation", ["read", "write"])
def test_the_double_fails_when_it_is_told_to(operation: str) -> None:
    gates = InMemoryGates()
    gates.faults.fail(operation)
    calls: dict[str, Callable[[], object]] = {
        "read": lambda: gates.read(ORDERS),
        "write": lambda: gates.write(ORDERS, HOLDING),
    }
    with pytest.raises(StoreError):
        calls[operation]()
    calls[operation]()

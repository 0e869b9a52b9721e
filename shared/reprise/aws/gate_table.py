"""The gates in DynamoDB: one item per target, written only if it is as it was read."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from reprise.aws.fault import code_of, store_errors
from reprise.gate.state import GateState, Mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

FRESH_S: Final = 0.5
"""How long a gate is believed without asking again; a write corrects a stale belief."""


class GateTable:
    """The gates, in the ledger's table under ids that no call can have."""

    __slots__ = ("_client", "_known", "_monotonic", "_table")

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use this table."""
        self._client = client
        self._table = table
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, GateState]] = {}

    def read(self, function: str) -> GateState:
        """Return a gate as last known; a new one flows."""
        read_at_s, state = self._known.get(function, (float("-inf"), GateState()))
        if self._monotonic() - read_at_s < FRESH_S:
            return state
        with store_errors("dynamodb", "GetItem"):
            response = self._client.get_item(TableName=self._table, Key=_key(function))
        item = response.get("Item")
        return self._learn(function, _from_item(item) if item else GateState())

    def write(self, function: str, state: GateState) -> GateState | None:
        """Write a state computed from its `version`; return None, or what is there instead."""
        after = replace(state, version=state.version + 1)
        with store_errors("dynamodb", "PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_to_item(function, after),
                    ConditionExpression="attribute_not_exists(#version) OR #version = :seen",
                    ExpressionAttributeNames={"#version": "version"},
                    ExpressionAttributeValues={":seen": {"N": str(state.version)}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                item: Any = error.response.get("Item")
                self._known.pop(function, None)
                there = self._learn(function, _from_item(item)) if item else self.read(function)
                # Our own state is there if the SDK repeated a write whose answer was lost.
                return None if there == after else there
        self._learn(function, after)
        return None

    def _learn(self, function: str, state: GateState) -> GateState:
        self._known[function] = (self._monotonic(), state)
        return state


def _key(function: str) -> dict[str, Any]:
    return {"id": {"S": f"gate#{function}"}}


def _to_item(function: str, state: GateState) -> dict[str, Any]:
    return {
        **_key(function),
        "mode": {"S": state.mode.value},
        "holding_since_ms": {"N": str(state.holding_since_ms)},
        "probe_at_ms": {"N": str(state.probe_at_ms)},
        "probe_owner": {"S": state.probe_owner},
        "version": {"N": str(state.version)},
    }


def _from_item(item: dict[str, Any]) -> GateState:
    return GateState(
        mode=Mode(item["mode"]["S"]),
        holding_since_ms=int(item["holding_since_ms"]["N"]),
        probe_at_ms=int(item["probe_at_ms"]["N"]),
        probe_owner=item["probe_owner"]["S"],
        version=int(item["version"]["N"]),
    )

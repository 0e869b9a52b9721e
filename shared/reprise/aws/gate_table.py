"""The gates in DynamoDB: one item per target, changed by conditional updates."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from reprise.aws.fault import is_failed_condition, store_errors
from reprise.gate.state import Change, GateState, Updated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.gate.state import Value

FRESH_S: Final = 0.2
"""How long a gate is believed without asking again; a condition corrects a stale belief."""
_DEFAULTS: Final[dict[str, Any]] = {field.name: field.default for field in fields(GateState)}
_NEW: Final = GateState()
_UNREAD: Final = (float("-inf"), _NEW)


class GateTable:
    """The gates, in the ledger's table under ids that no call can have."""

    __slots__ = ("_client", "_is_consistent", "_known", "_monotonic", "_table")

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        is_consistent: bool = False,
    ) -> None:
        """Use this table; a consistent read knows of every write before it, and costs twice as much."""
        self._client = client
        self._is_consistent = is_consistent
        self._table = table
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, GateState]] = {}

    def read(self, function: str) -> GateState:
        """Return a gate as last known; a new one flows."""
        read_at_s, image = self._known.get(function, _UNREAD)
        if self._monotonic() - read_at_s < FRESH_S:
            return image
        with store_errors("dynamodb", "GetItem"):
            response = self._client.get_item(
                TableName=self._table, Key=_key(function), ConsistentRead=self._is_consistent
            )
        return self._learn(function, response.get("Item", {}))

    def update(self, function: str, change: Change) -> Updated:
        """Make a change if its conditions hold; the answer holds the item either way."""
        with store_errors("dynamodb", "UpdateItem"):
            try:
                response = self._client.update_item(
                    TableName=self._table,
                    Key=_key(function),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **_expressions(change),
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise
                item: Any = error.response.get("Item", {})
                return Updated(applied=False, image=self._learn(function, item))
        return Updated(applied=True, image=self._learn(function, response.get("Attributes", {})))

    def _learn(self, function: str, item: Mapping[str, Any]) -> GateState:
        image = _from_item(item)
        self._known[function] = (self._monotonic(), image)
        return image


def _key(function: str) -> dict[str, Any]:
    return {"id": {"S": f"gate#{function}"}}


def _expressions(change: Change) -> dict[str, Any]:
    """Return the parts of an UpdateItem; an attribute that is missing counts as its default."""
    names: dict[str, str] = {}
    values: dict[str, Any] = {}

    def name(attribute: str) -> str:
        names[f"#{attribute}"] = attribute
        return f"#{attribute}"

    def value(content: Value) -> str:
        placeholder = f":v{len(values)}"
        values[placeholder] = _to_attribute(content)
        return placeholder

    puts = [f"{name(put)} = {value(content)}" for put, content in change.put.items()]
    adds = [
        f"{name(add)} = if_not_exists({name(add)}, {value(_DEFAULTS[add])}) + {value(amount)}"
        for add, amount in change.add.items()
    ]
    conditions = []
    for condition in change.when:
        attribute = name(condition.name)
        test = f"{attribute} {condition.relation} {value(condition.value)}"
        if condition.holds(_NEW):
            test = f"(attribute_not_exists({attribute}) OR {test})"
        conditions.append(test)
    parts: dict[str, Any] = {
        "UpdateExpression": f"SET {', '.join(puts + adds)}",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    if conditions:
        parts["ConditionExpression"] = " AND ".join(conditions)
    return parts


def _to_attribute(value: Value) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": str(value)}
    # DynamoDB's numbers have 38 digits; six places are more than any rule here looks at.
    return {"N": str(value if isinstance(value, int) else round(value, 6))}


def _from_item(item: Mapping[str, Any]) -> GateState:
    """Return the image of an item; attributes of a later version are ignored."""
    values: dict[str, Any] = {}
    for name, attribute in item.items():
        if name in _DEFAULTS:
            kind = type(_DEFAULTS[name])
            ((_, text),) = attribute.items()
            values[name] = text if kind is not float and kind is not int else kind(float(text))
    return GateState(**values)

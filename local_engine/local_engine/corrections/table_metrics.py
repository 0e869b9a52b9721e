"""Restore DynamoDB's metrics of used capacity, by table.

Stock ministack publishes none. Units are counted from the request: one write unit for
each kilobyte, one read unit a consistent read of one item, half of one otherwise.

Source: DynamoDB Developer Guide, "DynamoDB metrics and dimensions", "DynamoDB provisioned
capacity mode" (units).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_engine.options import EngineOptions

_DYNAMODB = Seam("services.dynamodb")
_CLOUDWATCH = Seam("services.cloudwatch")


def apply(_options: EngineOptions) -> None:
    """Count what single-item requests use."""
    for name in ("_put_item", "_update_item", "_delete_item"):
        _watch(name, "ConsumedWriteCapacityUnits", _write_units)
    _watch("_get_item", "ConsumedReadCapacityUnits", _read_units)


def _watch(name: str, metric: str, units: Callable[[dict[str, Any]], float]) -> None:
    stock = _DYNAMODB[name]

    def counted(data: dict[str, Any]) -> Any:
        answer = stock(data)
        table = str(data.get("TableName", "")).rpartition("/")[2]
        _CLOUDWATCH["record_metric"](
            "AWS/DynamoDB", metric, units(data), "Count", {"TableName": table}
        )
        return answer

    _DYNAMODB.replace(name, counted)


def _write_units(data: dict[str, Any]) -> float:
    item = data.get("Item") or data.get("ExpressionAttributeValues") or {}
    return max(1, math.ceil(len(json.dumps(item)) / 1024))


def _read_units(data: dict[str, Any]) -> float:
    return 1.0 if data.get("ConsistentRead") else 0.5

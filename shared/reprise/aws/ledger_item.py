"""Write rows as DynamoDB items and read them back.

Numbers, text and one flag are all that a row needs; the history travels as JSON text, so that one
write replaces it whole.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import msgspec

from reprise.ledger import PastAttempt, Row, State

if TYPE_CHECKING:
    from collections.abc import Mapping


def to_attribute(value: object) -> dict[str, Any]:
    """Return a value as a DynamoDB attribute."""
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": str(value)}
        case _:
            return {"S": json.dumps(msgspec.to_builtins(value), separators=(",", ":"))}


def to_item(row: Row) -> dict[str, Any]:
    """Return a row as an item; fields that are not set are left out."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return {
        name: to_attribute(value)
        for name, value in values.items()
        if value is not None and value != ()
    }


def from_item(item: Mapping[str, Any]) -> Row:
    """Return the row of an item; attributes of a later version are ignored."""
    known = {field.name for field in fields(Row)}
    values: dict[str, Any] = {}
    for name, attribute in item.items():
        if name not in known:
            continue
        ((kind, value),) = attribute.items()
        values[name] = int(value) if kind == "N" else value
    values["state"] = State(values["state"])
    if "history" in values:
        values["history"] = tuple(
            msgspec.convert(json.loads(values["history"]), list[PastAttempt], strict=False)
        )
    return Row(**values)

"""The notes of late results' deliveries: items of the ledger's table that are no calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.aws.fault import store_errors
from reprise.reply_note import ReplyNote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

_PREFIX: Final = "reply#"
"""A persisted name: stacks have items of it. No call's id begins so: no function's name holds a `#`."""
_NOTE: Final = "to_"
KEEPS_S: Final = 30 * 86_400
"""How long notes stay after the last try."""


class ReplyNoteTable:
    """The notes' items; the table's TTL removes them."""

    __slots__ = ("_client", "_clock", "_table")

    def __init__(self, client: DynamoDBClient, table: str, clock: Callable[[], datetime]) -> None:
        """Use this table."""
        self._client = client
        self._table = table
        self._clock = clock

    def read(self, call_id: str) -> Mapping[str, ReplyNote]:
        """Return a call's notes."""
        with store_errors("dynamodb", "GetItem"):
            response = self._client.get_item(
                TableName=self._table, Key=_key(call_id), ConsistentRead=True
            )
        item: Mapping[str, Any] = response.get("Item", {})
        return {
            name.removeprefix(_NOTE): msgspec.json.decode(value["S"], type=ReplyNote)
            for name, value in item.items()
            if name.startswith(_NOTE)
        }

    def write(self, call_id: str, name: str, note: ReplyNote) -> None:
        """Keep a note in place of the one before."""
        until_s = int(self._clock().timestamp()) + KEEPS_S
        with store_errors("dynamodb", "UpdateItem"):
            self._client.update_item(
                TableName=self._table,
                Key=_key(call_id),
                UpdateExpression="SET #note = :note, expires_at_s = :until",
                ExpressionAttributeNames={"#note": f"{_NOTE}{name}"},
                ExpressionAttributeValues={
                    ":note": {"S": msgspec.json.encode(note).decode()},
                    ":until": {"N": str(until_s)},
                },
            )


def _key(call_id: str) -> dict[str, Any]:
    return {"id": {"S": f"{_PREFIX}{call_id}"}}

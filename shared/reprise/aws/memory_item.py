"""Keep what the observer remembers in items of the ledger's table, under ids that no call can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reprise.aws.fault import store_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class MemoryItem[T: msgspec.Struct]:
    """One item, of one type."""

    __slots__ = ("_client", "_key", "_kind", "_table")

    def __init__(self, client: DynamoDBClient, table: str, name: str, kind: type[T]) -> None:
        """Use the item of this name; `kind` needs no arguments to be empty."""
        self._client = client
        self._table = table
        self._key: dict[str, Any] = {"id": {"S": f"observer#{name}"}}
        self._kind = kind

    def load(self) -> T:
        """Return what is remembered; nothing at first, and if an older version of ours wrote it."""
        with store_errors("dynamodb", "GetItem"):
            response = self._client.get_item(
                TableName=self._table, Key=self._key, ConsistentRead=True
            )
        text = response.get("Item", {}).get("memory", {}).get("S")
        if text is None:
            return self._kind()
        try:
            return msgspec.json.decode(str(text), type=self._kind)
        except msgspec.DecodeError:
            return self._kind()

    def save(self, memory: T) -> None:
        """Keep it."""
        item = {**self._key, "memory": {"S": msgspec.json.encode(memory).decode()}}
        with store_errors("dynamodb", "PutItem"):
            self._client.put_item(TableName=self._table, Item=item)

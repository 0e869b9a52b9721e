"""Keep the observer's memory in one item of the ledger's table, under an id that no call can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.aws.fault import store_errors
from reprise.observe.look import Memory

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY: Final[dict[str, Any]] = {"id": {"S": "observer#memory"}}


class MemoryItem:
    """The item."""

    __slots__ = ("_client", "_table")

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Use this table."""
        self._client = client
        self._table = table

    def load(self) -> Memory:
        """Return the memory; empty at first, and if an older version of ours wrote it."""
        with store_errors("dynamodb", "GetItem"):
            response = self._client.get_item(TableName=self._table, Key=_KEY, ConsistentRead=True)
        text = response.get("Item", {}).get("memory", {}).get("S")
        if text is None:
            return Memory()
        try:
            return msgspec.json.decode(str(text), type=Memory)
        except msgspec.DecodeError:
            return Memory()

    def save(self, memory: Memory) -> None:
        """Keep the memory."""
        item = {**_KEY, "memory": {"S": msgspec.json.encode(memory).decode()}}
        with store_errors("dynamodb", "PutItem"):
            self._client.put_item(TableName=self._table, Item=item)

"""The marks in DynamoDB: an item per object, in the ledger's table under ids that no call can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reprise.aws.clients import store_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

_PREFIX: Final = "object#"
_MAX_KEYS: Final = 100
"""DynamoDB API reference, BatchGetItem."""


class MarkTable:
    """The marks' items; the table's TTL removes them."""

    __slots__ = ("_client", "_table")

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Use this table."""
        self._client = client
        self._table = table

    def put(self, url: str, until_s: float) -> None:
        """Mark an object until an instant."""
        item: dict[str, Any] = {**_key(url), "expires_at_s": {"N": str(int(until_s))}}
        with store_errors("dynamodb", "PutItem"):
            self._client.put_item(TableName=self._table, Item=item)

    def missing(self, urls: Sequence[str], at_s: float) -> list[str]:
        """Return the objects without a mark, in their order; not those that DynamoDB leaves out this time."""
        missing: list[str] = []
        for start in range(0, len(urls), _MAX_KEYS):
            asked = urls[start : start + _MAX_KEYS]
            keys = [_key(url) for url in asked]
            with store_errors("dynamodb", "BatchGetItem"):
                response = self._client.batch_get_item(RequestItems={self._table: {"Keys": keys}})
            # Items that have expired stay for days until TTL removes them.
            known = {
                str(item["id"]["S"])
                for item in response["Responses"].get(self._table, [])
                if int(item["expires_at_s"]["N"]) > at_s
            }
            left_out: Any = response.get("UnprocessedKeys", {}).get(self._table, {})
            known |= {str(key["id"]["S"]) for key in left_out.get("Keys", [])}
            missing += [url for url in asked if f"{_PREFIX}{url}" not in known]
        return missing


def _key(url: str) -> dict[str, Any]:
    return {"id": {"S": f"{_PREFIX}{url}"}}

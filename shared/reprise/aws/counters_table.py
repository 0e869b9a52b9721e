"""Items of the ledger's table that are no calls: counters, marks, and what the monitor remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import ClientError

from reprise.aws.fault import is_failed_condition, store_errors
from reprise.monitor.counters import BacklogCounters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

_PREFIX: Final = "book#"
"""A persisted name: stacks have items of it."""
_DEAD: Final = "dead_"
_MAX_KEYS: Final = 100
"""DynamoDB API reference, BatchGetItem."""


class CountersTable:
    """The counters' items."""

    __slots__ = ("_client", "_table")

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Use this table."""
        self._client = client
        self._table = table

    def add(self, label: str, change: BacklogCounters) -> BacklogCounters:
        """Add to a counter, and return it as it is then."""
        numbers = {"known": change.known, "ended": change.ended}
        numbers |= {f"{_DEAD}{reason}": count for reason, count in change.dead.items()}
        with store_errors("dynamodb", "UpdateItem"):
            response = self._client.update_item(
                TableName=self._table,
                Key=_key(label),
                UpdateExpression="ADD " + ", ".join(f"#{name} :{name}" for name in numbers),
                ExpressionAttributeNames={f"#{name}": name for name in numbers},
                ExpressionAttributeValues={
                    f":{name}": {"N": str(number)} for name, number in numbers.items()
                },
                ReturnValues="ALL_NEW",
            )
        return _from_item(response["Attributes"])

    def read(self, labels: Sequence[str]) -> Mapping[str, BacklogCounters]:
        """Return the counters that there are; what DynamoDB leaves out this time is left out."""
        found: dict[str, BacklogCounters] = {}
        for start in range(0, len(labels), _MAX_KEYS):
            keys = [_key(label) for label in labels[start : start + _MAX_KEYS]]
            with store_errors("dynamodb", "BatchGetItem"):
                response = self._client.batch_get_item(RequestItems={self._table: {"Keys": keys}})
            for item in response["Responses"].get(self._table, []):
                found[str(item["id"]["S"]).removeprefix(_PREFIX)] = _from_item(item)
        return found

    def close(self, label: str, counter: BacklogCounters) -> bool:
        """Say that nothing is open, if the counter is still as it was read."""
        with store_errors("dynamodb", "UpdateItem"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(label),
                    UpdateExpression="SET #ended = #known",
                    ConditionExpression="#known = :known AND #ended = :ended",
                    ExpressionAttributeNames={"#known": "known", "#ended": "ended"},
                    ExpressionAttributeValues={
                        ":known": {"N": str(counter.known)},
                        ":ended": {"N": str(counter.ended)},
                    },
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise
                return False
        return True


def _key(label: str) -> dict[str, Any]:
    return {"id": {"S": f"{_PREFIX}{label}"}}


def _from_item(item: Mapping[str, Any]) -> BacklogCounters:
    numbers = {name: int(value["N"]) for name, value in item.items() if "N" in value}
    return BacklogCounters(
        known=numbers.get("known", 0),
        ended=numbers.get("ended", 0),
        dead={
            name.removeprefix(_DEAD): number
            for name, number in numbers.items()
            if name.startswith(_DEAD)
        },
    )


MEMORY: Final = "memory"
"""Name of the item in which the observer keeps a `MonitorState`."""
READ_BACK: Final = "read-back"
"""Name of the item in which the reconciler keeps a `ReadBack`."""


class StateItem[T: msgspec.Struct]:
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


_MARK_PREFIX: Final = "object#"
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
        item: dict[str, Any] = {**_mark_key(url), "expires_at_s": {"N": str(int(until_s))}}
        with store_errors("dynamodb", "PutItem"):
            self._client.put_item(TableName=self._table, Item=item)

    def missing(self, urls: Sequence[str], at_s: float) -> list[str]:
        """Return the objects without a mark, in their order; not those that DynamoDB leaves out this time."""
        missing: list[str] = []
        for start in range(0, len(urls), _MAX_KEYS):
            asked = urls[start : start + _MAX_KEYS]
            keys = [_mark_key(url) for url in asked]
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
            missing += [url for url in asked if f"{_MARK_PREFIX}{url}" not in known]
        return missing


def _mark_key(url: str) -> dict[str, Any]:
    return {"id": {"S": f"{_MARK_PREFIX}{url}"}}

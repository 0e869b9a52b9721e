"""Jobs that were given up, in two items of the ledger's table that are no calls: a set, and a number.

The set holds the jobs that are told by name, the number counts all others. A write to the set costs as much
as all of it, so that a full one is left alone for a while: one partition takes 1,000 units a second, and a
storm of jobs writes the number alone, of one unit.

Source: DynamoDB Developer Guide, "Update expressions" (ADD and DELETE on sets), "Condition and filter
expressions" (`size`, `contains`), "Best practices for designing and using partition keys effectively".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import ClientError

from reprise.aws.fault import is_failed_condition, store_errors
from reprise.given_up import LINES_A_MINUTE, GivenUpJob, UntoldJobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

NAMED: Final = "observer#given-up"
OTHERS: Final = "observer#given-up-others"
"""Persisted names."""
FULL_S: Final = 10.0
"""How long a full set is believed to be full. Jobs right after a look may so be counted, and not named."""
_JOBS: Final = "jobs"
_COUNT: Final = "count"
_HAS_ROOM: Final = (
    "attribute_not_exists(#jobs) OR (size(#jobs) < :most AND NOT contains(#jobs, :text))"
)


class FailedJobTable:
    """The items; safe to use from several threads."""

    __slots__ = ("_client", "_full_until_s", "_monotonic", "_table")

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
        self._full_until_s = float("-inf")

    def add(self, job: GivenUpJob) -> None:
        """Keep a job by its name, or only count it where enough are named."""
        text = msgspec.json.encode(job).decode()
        with store_errors("dynamodb", "UpdateItem"):
            if self._monotonic() < self._full_until_s or not self._is_named(text):
                self._add_to_count(1)

    def _is_named(self, text: str) -> bool:
        """Tell whether a job is in the set, where it is put if there is room."""
        values: dict[str, Any] = {
            ":jobs": {"SS": [text]},
            ":most": {"N": str(LINES_A_MINUTE)},
            ":text": {"S": text},
        }
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(NAMED),
                UpdateExpression="ADD #jobs :jobs",
                ConditionExpression=_HAS_ROOM,
                ExpressionAttributeNames={"#jobs": _JOBS},
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not is_failed_condition(error):
                raise
            there: Any = error.response.get("Item", {})
            if text in _texts(there):
                return True
            self._full_until_s = self._monotonic() + FULL_S
            return False
        return True

    def read(self) -> UntoldJobs:
        """Return what is kept now, the jobs in the order of their names."""
        jobs, nonsense = [], []
        for text in _texts(self._item(NAMED)):
            try:
                jobs.append(msgspec.json.decode(text, type=GivenUpJob))
            except msgspec.DecodeError:
                # Of another version, or of whoever wrote there. It must not stand in the way of the others.
                nonsense.append(text)
        if nonsense:
            self._delete(nonsense)
        jobs.sort(key=lambda each: (each.job, each.id or ""))
        count = int(self._item(OTHERS).get(_COUNT, {}).get("N", "0"))
        return UntoldJobs(jobs=tuple(jobs), count=count)

    def take(self, told: UntoldJobs) -> None:
        """Keep no longer what was told; what came meanwhile stays."""
        if told.jobs:
            self._delete([msgspec.json.encode(job).decode() for job in told.jobs])
        if told.count:
            with store_errors("dynamodb", "UpdateItem"):
                self._add_to_count(-told.count)

    def _item(self, name: str) -> dict[str, Any]:
        with store_errors("dynamodb", "GetItem"):
            response = self._client.get_item(
                TableName=self._table, Key=_key(name), ConsistentRead=True
            )
        found: dict[str, Any] = dict(response.get("Item", {}))
        return found

    def _delete(self, texts: list[str]) -> None:
        with store_errors("dynamodb", "UpdateItem"):
            self._client.update_item(
                TableName=self._table,
                Key=_key(NAMED),
                UpdateExpression="DELETE #jobs :jobs",
                ExpressionAttributeNames={"#jobs": _JOBS},
                ExpressionAttributeValues={":jobs": {"SS": texts}},
            )

    def _add_to_count(self, number: int) -> None:
        """Add to the number, which is never below 0: an SDK's second try would take it there."""
        values: dict[str, Any] = {":number": {"N": str(number)}}
        more: dict[str, Any] = {}
        if number < 0:
            values[":least"] = {"N": str(-number)}
            more["ConditionExpression"] = "#count >= :least"
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(OTHERS),
                UpdateExpression="ADD #count :number",
                ExpressionAttributeNames={"#count": _COUNT},
                ExpressionAttributeValues=values,
                **more,
            )
        except ClientError as error:
            if not is_failed_condition(error):
                raise


def _key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


def _texts(item: dict[str, Any]) -> list[str]:
    found: list[str] = item.get(_JOBS, {}).get("SS", [])
    return found

"""The jobs in DynamoDB: one item per job in the ledger's table, written only if it is as it was read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import ClientError

from reprise.aws.fault import is_failed_condition, store_errors
from reprise_schedules.run import MAX_RUNS, JobState, Run

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.ports import Clock

_KEEP_S: Final = 400 * 86_400
"""A job that has not run for that long is forgotten; a yearly one is not."""


class JobTable:
    """The jobs, in the ledger's table under ids that no call can have."""

    __slots__ = ("_client", "_clock", "_table")

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock) -> None:
        """Use this table."""
        self._client = client
        self._table = table
        self._clock = clock

    def read(self, job: str) -> JobState:
        """Return a job as it is now; one that is not known has no runs."""
        with store_errors("dynamodb", "GetItem"):
            response = self._client.get_item(
                TableName=self._table, Key=_key(job), ConsistentRead=True
            )
        item = response.get("Item")
        return _from_item(item) if item else JobState()

    def write(self, job: str, state: JobState) -> JobState | None:
        """Write a state computed from its `version`; return None, or what is there instead."""
        after = replace(state, version=state.version + 1)
        expires_at_s = int(self._clock().timestamp()) + _KEEP_S
        with store_errors("dynamodb", "PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        **_key(job),
                        "version": {"N": str(after.version)},
                        "runs": {"S": json.dumps([_brief(run) for run in after.runs])},
                        "forgotten": {"S": after.forgotten},
                        "expires_at_s": {"N": str(expires_at_s)},
                    },
                    ConditionExpression="attribute_not_exists(#version) OR #version = :seen",
                    ExpressionAttributeNames={"#version": "version"},
                    ExpressionAttributeValues={":seen": {"N": str(state.version)}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise
                item: Any = error.response.get("Item")
                there = _from_item(item) if item else self.read(job)
                # Our own state is there if the SDK repeated a write whose answer was lost.
                return None if there == after else there
        return None


def _key(job: str) -> dict[str, Any]:
    return {"id": {"S": f"job#{job}"}}


def _brief(run: Run) -> dict[str, Any]:
    """Return a run without what it says by saying nothing: fifty of them are written with each change."""
    return {name: value for name, value in msgspec.to_builtins(run).items() if value}


def _from_item(item: dict[str, Any]) -> JobState:
    runs = msgspec.convert(json.loads(item["runs"]["S"]), tuple[Run, ...])
    if "forgotten" in item:
        forgotten = item["forgotten"]["S"]
    else:
        # Written before what is dropped was noted.
        forgotten = runs[0].scheduled_at if len(runs) >= MAX_RUNS else ""
    return JobState(runs=runs, version=int(item["version"]["N"]), forgotten=forgotten)

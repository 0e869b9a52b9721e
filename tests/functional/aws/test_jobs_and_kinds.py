"""Jobs in the ledger's table, pings, and a third kind of target added in one file: this one."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from doubles import FakeFunctions
from reprise.aws.functions import InvokerRouter
from reprise.call.target import Target
from reprise.call.target_type import FUNCTION, TargetType, type_of
from reprise.errors import StoreError
from reprise.ports import Reply
from reprise.testing import SUCCEEDED
from reprise_batch.target_type import BATCH
from reprise_schedules.run import MAX_RUNS, JobState, RunEvent
from reprise_schedules.table import JobTable
from reprise_schedules.warm import LambdaPings, Ping

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.aws.clients import Clients
    from reprise.call.request import CallRequest

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def test_job_is_written_only_as_it_was_read(dynamodb: DynamoDBClient, table: str) -> None:
    jobs = JobTable(dynamodb, table, lambda: NOW)
    fresh = jobs.read("nightly")
    assert fresh.runs == ()
    started = fresh.change("t1", RunEvent.START, NOW, until_ms=5, owner="me")
    assert jobs.write("nightly", started) is None
    found = jobs.read("nightly")
    assert (found.runs, found.version) == (started.runs, 1)
    other = fresh.change("t2", RunEvent.START, NOW)
    assert jobs.write("nightly", other) == found
    # The SDK repeats a write whose answer was lost: what is there is what we wrote.
    assert jobs.write("nightly", started) is None
    assert jobs.write("nightly", replace(other, version=1)) is None


def test_job_written_before_what_is_dropped_was_noted_is_taken_to_know_nothing_older(
    dynamodb: DynamoDBClient, table: str
) -> None:
    jobs, state = JobTable(dynamodb, table, lambda: NOW), JobState()
    for number in range(MAX_RUNS):
        state = state.change(f"t{number:02}", RunEvent.SKIP, NOW)
    jobs.write("nightly", state)
    assert jobs.read("nightly").forgotten == ""
    dynamodb.update_item(
        TableName=table, Key={"id": {"S": "job#nightly"}}, UpdateExpression="REMOVE forgotten"
    )
    assert jobs.read("nightly").forgotten == "t00"


def test_table_that_is_away_is_told(dynamodb: DynamoDBClient) -> None:
    jobs = JobTable(dynamodb, "none", lambda: NOW)
    with pytest.raises(StoreError):
        jobs.read("nightly")
    with pytest.raises(StoreError):
        jobs.write("nightly", JobState().change("t", RunEvent.SKIP, NOW))


class FakeLambda:
    """Lambda that answers pings from a script."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer

    def invoke(self, **request: Any) -> dict[str, Any]:
        assert request["LogType"] == "Tail"
        if isinstance(self._answer, Exception):
            raise self._answer
        return {"Payload": io.BytesIO(b"{}"), **self._answer}


def refused(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Invoke",
    )


COLD = base64.b64encode(
    b"REPORT RequestId: 1 Billed Duration: 2 ms Memory Size: 128 MB Init Duration: 3.5 ms\n"
).decode()

WARM = base64.b64encode(b"REPORT RequestId: 1 Billed Duration: 2 ms Memory Size: 128 MB\n").decode()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, Ping()),
        ({"LogResult": COLD}, Ping(is_cold=True)),
        ({"LogResult": WARM}, Ping(is_cold=False)),
        ({"FunctionError": "Unhandled"}, Ping(is_failed=True)),
        (refused("TooManyRequestsException", 429), Ping(is_throttled=True)),
        (refused("ResourceNotFoundException", 404), Ping(is_failed=True)),
    ],
)
def test_ping_tells_cold_throttled_and_failed_apart(answer: Any, expected: Ping) -> None:
    client: Any = FakeLambda(answer)
    assert LambdaPings(client).ping("orders", b"{}") == expected


def connect_machines(clients: Clients, call_timeout_s: int) -> FakeFunctions:
    del clients, call_timeout_s
    return FakeFunctions(script=[Reply(outcome=SUCCEEDED.outcome, payload=b"started")])


def test_a_third_target_type_is_one_value(clients: Clients) -> None:
    """Step Functions, as somebody could add them."""

    def read(document: object, allowed: tuple[str, ...]) -> CallRequest:
        raise NotImplementedError(document, allowed)

    states = TargetType(
        name="states",
        arn=re.compile(r"arn:aws:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[A-Za-z0-9_-]+"),
        marker="stateMachineArn",
        read_call=read,
        adapter=f"{__name__}:connect_machines",
    )
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:close-day"
    assert type_of(machine, (FUNCTION, BATCH)) is None
    targets = InvokerRouter(clients, 5, (FUNCTION, BATCH, states))
    assert targets.invoke(Target(function=machine), b"{}", None).payload == b"started"
    unknown = targets.invoke(Target(function="arn:aws:sns:eu-west-1:123456789012:x"), b"", None)
    assert unknown.outcome.code == "UnknownTargetType"

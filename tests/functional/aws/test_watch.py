"""What the observer asks AWS, on moto; and what EventBridge takes, from a scripted server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from reprise.aws.clients import Clients
from reprise.aws.event_bus import EventBridgeBus
from reprise.aws.inspector import FILTER_PATTERN, InspectorClients, StackInspector
from reprise.aws.sqs import SqsQueueSize
from reprise.errors import StoreError
from reprise.events import GateChanged
from reprise.monitor.incidents import Alarm
from scripted_server import Answer, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "/reprise/shop/capture"
STREAM = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/shop-capture"
CHANGE = GateChanged(
    stack="shop", function="f", state="holding", at="t", holding_since="t", held_s=0.0
)


@pytest.fixture
def env(aws_env: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    del aws_env
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def watch_of(clients: Clients, *groups: str, bucket: str = "bucket") -> StackInspector:
    return StackInspector(
        InspectorClients(cloudwatch=clients.cloudwatch(), logs=clients.logs(), s3=clients.s3()),
        stack="shop",
        bucket=bucket,
        alarms=["dead-letters", "waiting"],
        log_groups=groups,
    )


def test_alarms_are_those_of_this_stack_without_its_name(clients: Clients) -> None:
    cloudwatch = clients.cloudwatch()
    for name in ("shop-dead-letters", "shop-2-dead-letters", "shop-other"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="Reprise",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )
    cloudwatch.set_alarm_state(
        AlarmName="shop-dead-letters", StateValue="ALARM", StateReason="3 letters"
    )
    assert watch_of(clients).alarms() == [
        Alarm(name="dead-letters", state="ALARM", reason="3 letters")
    ]


def test_group_without_its_filter_is_missed(env: pytest.MonkeyPatch) -> None:
    group, altered = f"/g/{uuid4()}", f"/g/{uuid4()}"
    with ScriptedServer(
        # One filter as it should be, one that selects something else, and a group that is gone.
        filters("shop-capture", FILTER_PATTERN),
        filters("shop-capture", "ERROR"),
        Answer(
            status=400,
            headers={"Content-Type": "application/x-amz-json-1.1"},
            body=b'{"__type":"ResourceNotFoundException","message":"gone"}',
        ),
    ) as server:
        env.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", server.url)
        assert watch_of(Clients(), group, altered, "/g/gone").filters_missing() == 2


def filters(name: str, pattern: str) -> Answer:
    found = {"filterName": name, "filterPattern": pattern, "destinationArn": STREAM}
    return Answer(
        headers={"Content-Type": "application/x-amz-json-1.1"},
        body=json.dumps({"subscriptionFilters": [found]}).encode(),
    )


def test_quarantine_is_counted_and_nothing_else(clients: Clients) -> None:
    s3, bucket = clients.s3(), f"bucket-{uuid4()}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    watch = watch_of(clients, bucket=bucket)
    assert watch.quarantined() == 0
    for key in ("quarantine/a.jsonl", "quarantine/b/c.jsonl", "captured/d.gz"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert watch.quarantined() == 2


def test_depth_is_what_is_due_in_work_and_waiting(clients: Clients) -> None:
    sqs = clients.sqs()
    url = sqs.create_queue(QueueName=f"q-{uuid4()}")["QueueUrl"]
    depth = SqsQueueSize(sqs, url)
    assert depth() == 0
    for delay_s in (0, 0, 900):
        sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=delay_s)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    assert depth() == 3


def answer(*codes: str | None) -> Answer:
    entries = [{"ErrorCode": code} if code else {"EventId": "e"} for code in codes]
    body = {"FailedEntryCount": sum(map(bool, codes)), "Entries": entries}
    return Answer(
        headers={"Content-Type": "application/x-amz-json-1.1"}, body=json.dumps(body).encode()
    )


def test_events_go_in_tens_and_those_not_taken_are_counted(env: pytest.MonkeyPatch) -> None:
    with ScriptedServer(answer(*[None] * 9, "ThrottlingException"), answer(None)) as server:
        env.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", server.url)
        bus = EventBridgeBus(Clients().events(), "default")
        assert bus.put([CHANGE] * 11) == 1
    first, second = (json.loads(request.body)["Entries"] for request in server.requests)
    assert (len(first), len(second)) == (10, 1)
    assert second[0]["Source"] == "reprise"
    assert second[0]["DetailType"] == "Gate Changed"
    assert json.loads(second[0]["Detail"])["state"] == "holding"


def test_a_bus_that_is_away_is_given_up_after_two_tries(env: pytest.MonkeyPatch) -> None:
    with ScriptedServer(Answer(status=500), Answer(status=500)) as server:
        env.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", server.url)
        with pytest.raises(StoreError):
            EventBridgeBus(Clients().events(), "default").put([CHANGE])
    assert len(server.requests) == 2


NOW = datetime.now(UTC).replace(second=30, microsecond=0)
"""moto gives metrics by their time, and none of long ago."""


def put_counts(
    clients: Clients, function: str, minutes_ago: int, *, invocations: int, errors: int
) -> None:
    at = NOW.replace(second=0) - timedelta(minutes=minutes_ago)
    clients.cloudwatch().put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": "FunctionName", "Value": function.rpartition(":")[2]}],
                "Timestamp": at,
                "Value": value,
            }
            for name, value in (("Invocations", invocations), ("Errors", errors))
        ],
    )


@pytest.fixture
def function() -> str:
    """Return the ARN of a function that no other test has counted."""
    return f"arn:aws:lambda:eu-west-1:123456789012:function:{uuid4()}"


@pytest.mark.parametrize(
    ("invocations", "errors", "has_succeeded"),
    [(0, 0, False), (3, 3, False), (4, 3, True), (1, 0, True)],
)
def test_a_function_succeeded_where_it_ran_more_often_than_it_failed(
    clients: Clients, function: str, invocations: int, errors: int, *, has_succeeded: bool
) -> None:
    put_counts(clients, function, 2, invocations=invocations, errors=errors)
    watch = watch_of(clients)
    assert watch.has_succeeded(function, NOW - timedelta(minutes=5), NOW) is has_succeeded


def test_a_success_before_a_hold_or_in_its_first_minute_is_none_since_it(
    clients: Clients, function: str
) -> None:
    put_counts(clients, function, 5, invocations=9, errors=0)
    put_counts(clients, function, 3, invocations=9, errors=9)
    watch = watch_of(clients)
    assert not watch.has_succeeded(function, NOW - timedelta(minutes=5), NOW)
    assert watch.has_succeeded(function, NOW - timedelta(minutes=6), NOW)


def test_a_hold_that_has_just_begun_is_not_asked_about(clients: Clients, function: str) -> None:
    put_counts(clients, function, 0, invocations=9, errors=0)
    assert not watch_of(clients).has_succeeded(function, NOW - timedelta(seconds=20), NOW)


def test_a_live_call_of_the_slowest_target_is_seen_when_it_ends(
    clients: Clients, function: str
) -> None:
    """Lambda counts a call when it has ended, under the minute in which it began."""
    put_counts(clients, function, 31, invocations=1, errors=0)
    assert watch_of(clients).has_succeeded(function, NOW - timedelta(minutes=33), NOW)


def test_a_function_without_metrics_has_not_succeeded(clients: Clients, function: str) -> None:
    assert not watch_of(clients).has_succeeded(function, NOW - timedelta(minutes=5), NOW)

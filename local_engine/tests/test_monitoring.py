"""Canaries of ``metrics``, ``alarms``, ``invocations`` and ``schedules``."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from local_engine.testing import wait_for

if TYPE_CHECKING:
    from local_engine.testing import Aws

ROLE = "arn:aws:iam::000000000000:role/r"


def total(aws: Aws, namespace: str, name: str, statistic: Any = "Sum", **dimensions: str) -> float:
    now = datetime.now(UTC)
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=3600,
        Statistics=[statistic],
    )
    return float(sum(point[statistic] for point in found["Datapoints"]))


def test_throttle_counts_once_and_is_no_invocation(aws: Aws) -> None:
    name = aws.make_function("def handle(event, context): return 1")
    client = aws.client("lambda")
    aws.invoke(name, {})
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    for _ in range(3):
        with pytest.raises(ClientError):
            client.invoke(FunctionName=name)
    assert total(aws, "AWS/Lambda", "Throttles", FunctionName=name) == 3
    assert total(aws, "AWS/Lambda", "Invocations", FunctionName=name) == 1
    assert total(aws, "AWS/Lambda", "Errors", FunctionName=name) == 0


def test_table_tells_the_capacity_that_it_used(aws: Aws) -> None:
    name = f"t-{uuid.uuid4().hex[:8]}"
    client = aws.client("dynamodb")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    key = {"id": {"S": "1"}}
    client.put_item(TableName=name, Item={**key, "text": {"S": "x" * 1500}})
    client.get_item(TableName=name, Key=key)
    client.get_item(TableName=name, Key=key, ConsistentRead=True)
    assert total(aws, "AWS/DynamoDB", "ConsumedWriteCapacityUnits", TableName=name) == 2
    assert total(aws, "AWS/DynamoDB", "ConsumedReadCapacityUnits", TableName=name) == 1.5


def test_embedded_metric_line_becomes_a_metric(aws: Aws) -> None:
    line = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "Reprise",
                    "Dimensions": [["service"]],
                    "Metrics": [{"Name": "Captured", "Unit": "Count"}],
                }
            ],
        },
        "service": f"s-{uuid.uuid4().hex[:8]}",
        "Captured": [2, 3],
    }
    name = aws.make_function(f"def handle(event, context): print({json.dumps(line)!r})")
    aws.invoke(name, {})
    assert total(aws, "Reprise", "Captured", service=str(line["service"])) == 5


def test_metric_filter_becomes_a_metric(aws: Aws) -> None:
    group = f"/g/{uuid.uuid4().hex[:8]}"
    logs = aws.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    name = f"m-{uuid.uuid4().hex[:8]}"
    logs.put_metric_filter(
        logGroupName=group,
        filterName="f",
        filterPattern="{ $.kind = throttled }",
        metricTransformations=[
            {"metricName": name, "metricNamespace": "Test", "metricValue": "$.count"}
        ],
    )
    now_ms = int(time.time() * 1000)
    messages = [{"kind": "throttled", "count": 4}, {"kind": "other", "count": 9}]
    logs.put_log_events(
        logGroupName=group,
        logStreamName="s",
        logEvents=[{"timestamp": now_ms, "message": json.dumps(m)} for m in messages],
    )
    assert total(aws, "Test", name) == 4


def put_depth_alarm(aws: Aws, queue_name: str, **settings: Any) -> str:
    name = f"a-{uuid.uuid4().hex[:8]}"
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": queue_name}],
        **{
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            **settings,
        },
    )
    return name


def state(aws: Aws, name: str) -> str:
    (alarm,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(alarm["StateValue"])


def test_alarm_watches_the_queue_of_its_dimension_and_acts(aws: Aws) -> None:
    full_url, full_arn = aws.make_queue()
    _, empty_arn = aws.make_queue()
    inbox_url, inbox_arn = aws.make_queue()
    sns, sqs = aws.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name=f"t-{uuid.uuid4().hex[:8]}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=inbox_arn)
    full = put_depth_alarm(aws, full_arn.split(":")[-1], AlarmActions=[topic])
    empty = put_depth_alarm(aws, empty_arn.split(":")[-1])
    patient = put_depth_alarm(
        aws, full_arn.split(":")[-1], EvaluationPeriods=3, DatapointsToAlarm=2
    )
    sqs.send_message(QueueUrl=full_url, MessageBody="x")
    wait_for(lambda: state(aws, full) == "ALARM")
    (message,) = wait_for(lambda: sqs.receive_message(QueueUrl=inbox_url).get("Messages"))
    assert full in message["Body"]
    assert state(aws, empty) == "OK"
    assert state(aws, patient) == "OK"


def one_time(aws: Aws, at: datetime, target: dict[str, Any], **settings: Any) -> str:
    name = f"s-{uuid.uuid4().hex[:8]}"
    aws.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=at.strftime("at(%Y-%m-%dT%H:%M:%S)"),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"RoleArn": ROLE, **target},
        ActionAfterCompletion="DELETE",
        **settings,
    )
    return name


def lift_reserve(name: str) -> dict[str, Any]:
    return {
        "Arn": "arn:aws:scheduler:::aws-sdk:lambda:deleteFunctionConcurrency",
        "Input": json.dumps({"FunctionName": name}),
    }


def test_one_time_schedule_calls_the_api_on_time_and_is_deleted(aws: Aws) -> None:
    function = aws.make_function("def handle(event, context): return 1")
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    zone = "Asia/Kolkata"
    due = datetime.now(ZoneInfo(zone)) + timedelta(seconds=4)
    schedule = one_time(aws, due, lift_reserve(function), ScheduleExpressionTimezone=zone)

    def is_lifted() -> bool:
        return "ReservedConcurrentExecutions" not in client.get_function_concurrency(
            FunctionName=function
        )

    assert not is_lifted()
    wait_for(is_lifted)
    late_s = datetime.now(UTC).timestamp() - due.replace(microsecond=0).timestamp()
    assert 0 <= late_s < 1
    scheduler = aws.client("scheduler")

    def is_gone() -> bool:
        names = [found["Name"] for found in scheduler.list_schedules()["Schedules"]]
        return schedule not in names

    wait_for(is_gone)


def test_deleted_schedule_does_not_fire(aws: Aws) -> None:
    function = aws.make_function("def handle(event, context): return 1")
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    due = datetime.now(UTC) + timedelta(seconds=1)
    schedule = one_time(aws, due, lift_reserve(function))
    aws.client("scheduler").delete_schedule(Name=schedule)
    time.sleep(1.3)  # noqa: TID251 - it would have fired by now
    found = client.get_function_concurrency(FunctionName=function)
    assert found["ReservedConcurrentExecutions"] == 0


def test_context_attributes_of_a_schedule_are_filled_in(aws: Aws) -> None:
    url, arn = aws.make_queue()
    one_time(
        aws, datetime.now(UTC), {"Arn": arn, "Input": '{"n": "<aws.scheduler.attempt-number>"}'}
    )
    sqs = aws.client("sqs")
    (message,) = wait_for(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    assert json.loads(message["Body"]) == {"n": "1"}

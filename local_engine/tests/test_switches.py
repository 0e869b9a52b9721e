"""What can be made to go wrong: each off until the engine's owner asks for it, and off again after."""

from __future__ import annotations

import json
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError

from local_engine.raw_requests import Raw, owner_of
from local_engine.testing import ACCOUNT, REGION, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_engine.testing import Aws

PATHS = ("log-path", "deliveries", "clocks", "permissions")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/test"


@pytest.fixture(autouse=True)
def _nothing_outlives_its_test(aws: Aws) -> Iterator[None]:
    yield
    for path in (*PATHS, "faults"):
        aws.admin("DELETE", path)


@pytest.mark.parametrize("path", PATHS)
def test_only_the_owners_token_reaches_a_switch(aws: Aws, path: str) -> None:
    before = aws.admin("GET", path)
    raw = Raw("POST", f"/_reprise/{path}", b'{"again": 1, "skew_s": 9}')
    for request in (raw, raw.signed(aws.url, owner_of(aws), "lambda")):
        assert request.send(aws.url).status == 403
    assert aws.admin("GET", path) == before


def test_a_switch_refuses_what_it_does_not_know(aws: Aws) -> None:
    with pytest.raises(OSError, match="400"):
        aws.admin("POST", "deliveries", share=1)
    with pytest.raises(OSError, match="400"):
        aws.admin("POST", "clocks", skew_s="much")


# --- answers that are lost ---


def test_a_connection_that_closes_in_place_of_an_answer_leaves_the_work_done(aws: Aws) -> None:
    url, _ = aws.make_queue()
    sqs = aws.client("sqs")
    aws.admin("POST", "faults", service="sqs", operation="SendMessage", cut=True, times=1)
    with pytest.raises(ConnectionClosedError):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "x"


# --- environments ---


def test_a_busy_environment_is_stopped_for_a_time_and_then_goes_on(aws: Aws) -> None:
    name = aws.make_function(
        "import time\ndef handle(event, context):\n"
        "  until = time.monotonic() + event\n"
        "  while time.monotonic() < until: time.sleep(0.01)\n"
        "  return time.monotonic() - until",
        Timeout=30,
    )
    assert aws.invoke(name, 0) < 0.5
    assert aws.admin("POST", "freeze", function=name, busy_s=1)["frozen"] == 0
    over_s: list[float] = []
    call = threading.Thread(target=lambda: over_s.append(aws.invoke(name, 0.5)))
    call.start()
    wait_for(lambda: aws.admin("POST", "freeze", function=name, busy_s=1.5)["frozen"])
    call.join(timeout=10)
    assert over_s[0] > 0.5


def test_an_environment_that_stays_stopped_times_out(aws: Aws) -> None:
    name = aws.make_function(
        "import time\ndef handle(event, context):\n  time.sleep(event)", Timeout=1
    )
    aws.invoke(name, 0)
    answers: list[Any] = []
    call = threading.Thread(target=lambda: answers.append(aws.invoke(name, 0.6)))
    call.start()
    wait_for(lambda: aws.admin("POST", "freeze", function=name, busy_s=3)["frozen"])
    call.join(timeout=10)
    assert answers[0]["errorType"] == "Sandbox.Timedout"
    assert aws.invoke(name, 0) is None


def test_new_environments_have_clocks_of_their_own(aws: Aws) -> None:
    source = (
        "import time\nfrom datetime import UTC, datetime\n"
        "def handle(event, context):\n"
        "  return [time.time(), datetime.now(UTC).timestamp(), time.time_ns() / 1e9,\n"
        "          context.get_remaining_time_in_millis() / 1000]"
    )
    right, skewed = aws.make_function(source), aws.make_function(source)
    aws.invoke(right, None)
    aws.admin("POST", "clocks", skew_s=1000)
    # The first draw of the plan's seed is far from zero; whichever it is, the clocks of one agree.
    seconds, instant, nanoseconds, left_s = aws.invoke(skewed, None)
    off_s = seconds - time.time()
    assert 5 < abs(off_s) <= 1001
    assert seconds == pytest.approx(instant, abs=1)
    assert seconds == pytest.approx(nanoseconds, abs=1)
    # Its deadline is told by the same clock.
    assert 5 < left_s <= 10
    assert aws.invoke(right, None)[0] == pytest.approx(time.time(), abs=5)
    aws.admin("DELETE", "clocks")
    aws.admin("POST", "kill", function=skewed, idle=True)
    assert aws.invoke(skewed, None)[0] == pytest.approx(time.time(), abs=5)


def test_a_function_whose_clock_is_off_may_format_times_as_any_other(aws: Aws) -> None:
    """Formatters of logs keep functions of `time` as attributes of a class: a plain one would be a method."""
    name = aws.make_function(
        "import logging, time\n"
        "class Clock:\n  now, local, utc = time.time, time.localtime, time.gmtime\n"
        "def handle(event, context):\n"
        "  record = logging.LogRecord('n', 20, 'p', 1, 'm', (), None)\n"
        "  clock = Clock()\n"
        "  return [logging.Formatter().formatTime(record), clock.now(), clock.local(), clock.utc()]"
    )
    aws.admin("POST", "clocks", skew_s=30)
    _, now_s, local, utc = aws.invoke(name, None)
    assert abs(now_s - time.time()) <= 31
    assert local == utc


def test_requests_of_a_function_whose_clock_is_a_little_off_are_accepted(aws: Aws) -> None:
    name = aws.make_function(
        "import boto3\ndef handle(event, context):\n"
        "  return boto3.client('sqs').list_queues()['ResponseMetadata']['HTTPStatusCode']"
    )
    aws.admin("POST", "clocks", skew_s=30)
    assert aws.invoke(name, None) == 200


# --- queues ---


def source_with_queue(aws: Aws, handler: str, **mapping: object) -> str:
    """Join a function to a new queue; return the queue's URL."""
    name = aws.make_function(handler)
    url, arn = aws.make_queue(VisibilityTimeout="30")
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=name, BatchSize=1, **mapping
    )
    return url


def test_a_share_of_the_batches_comes_again(aws: Aws) -> None:
    noted, _ = aws.make_queue()
    url = source_with_queue(
        aws,
        "import boto3\nsqs = boto3.client('sqs')\n"
        "def handle(event, context):\n"
        f"  sqs.send_message(QueueUrl={noted!r}, MessageBody=event['Records'][0]['body'])",
    )
    sqs = aws.client("sqs")
    aws.admin("POST", "deliveries", again=1, within_s=0.2)
    sqs.send_message(QueueUrl=url, MessageBody="twice")
    seen: list[str] = []

    def take(count: int) -> bool:
        found = sqs.receive_message(QueueUrl=noted, MaxNumberOfMessages=10).get("Messages", [])
        seen.extend(message["Body"] for message in found)
        return len(seen) >= count

    wait_for(lambda: take(2))
    aws.admin("DELETE", "deliveries")
    sqs.send_message(QueueUrl=url, MessageBody="once")
    wait_for(lambda: take(3))
    assert seen == ["twice", "twice", "once"]
    assert aws.admin("GET", "deliveries")["hits"] == 1
    assert take(4) is False


# --- the log path ---


def test_what_is_logged_while_the_path_is_stopped_arrives_once_it_flows(aws: Aws) -> None:
    name = uuid.uuid4().hex[:8]
    s3, logs = aws.client("s3"), aws.client("logs")
    s3.create_bucket(Bucket=f"b-{name}", CreateBucketConfiguration={"LocationConstraint": REGION})
    aws.client("firehose").create_delivery_stream(
        DeliveryStreamName=f"s-{name}",
        ExtendedS3DestinationConfiguration={
            "RoleARN": ROLE,
            "BucketARN": f"arn:aws:s3:::b-{name}",
            "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 1},
        },
    )
    logs.create_log_group(logGroupName=f"/g/{name}")
    logs.create_log_stream(logGroupName=f"/g/{name}", logStreamName="s")
    aws.admin("POST", "log-path")
    logs.put_subscription_filter(
        logGroupName=f"/g/{name}",
        filterName="f",
        filterPattern="",
        destinationArn=f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/s-{name}",
        roleArn=ROLE,
    )
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    logs.put_log_events(
        logGroupName=f"/g/{name}",
        logStreamName="s",
        logEvents=[{"timestamp": now_ms, "message": json.dumps({"kept": True})}],
    )

    def objects() -> int:
        return int(s3.list_objects_v2(Bucket=f"b-{name}")["KeyCount"])

    # Three times as long as the buffer waits here.
    with pytest.raises(TimeoutError):
        wait_for(objects, limit_s=1.5)
    shown = aws.admin("GET", "log-path")
    assert shown["is_stopped"] is True
    assert shown["hits"] > 0
    aws.admin("DELETE", "log-path")
    wait_for(objects)


def test_an_operation_that_does_not_exist_is_no_switch(aws: Aws) -> None:
    with pytest.raises(OSError, match="404"):
        aws.admin("PUT", "log-path")

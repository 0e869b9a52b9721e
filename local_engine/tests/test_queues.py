"""Canaries of the corrections ``queues``, ``move_tasks`` and ``event_sources``."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local_engine.corrections.batch_responses import failed_ids
from local_engine.testing import wait_for

if TYPE_CHECKING:
    from local_engine.testing import Aws

#: A handler that answers with the body of its first message, and tells what it saw.
ECHO = """
import json
def handle(event, context):
    print("seen " + json.dumps([[r["body"], r["attributes"]] for r in event["Records"]]))
    return json.loads(event["Records"][0]["body"]).get("answer")
"""


def map_queue(aws: Aws, arn: str, name: str, **settings: Any) -> str:
    client = aws.client("lambda")
    mapping = client.create_event_source_mapping(
        EventSourceArn=arn,
        FunctionName=name,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        **settings,
    )
    return str(mapping["UUID"])


def seen(aws: Aws, name: str) -> list[list[Any]]:
    try:
        lines = aws.log_lines(f"/aws/lambda/{name}", "seen")
    except ClientError:
        return []
    return [record for line in lines for record in json.loads(line.removeprefix("seen "))]


def count(aws: Aws, url: str, kind: str = "") -> int:
    name: Any = f"ApproximateNumberOfMessages{kind}"
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(attributes["Attributes"][name])


def test_delay_over_fifteen_minutes_is_refused(aws: Aws) -> None:
    url, _ = aws.make_queue()
    with pytest.raises(ClientError, match="DelaySeconds must be"):
        aws.client("sqs").send_message(QueueUrl=url, MessageBody="x", DelaySeconds=901)


def test_message_size_counts_its_attributes(aws: Aws) -> None:
    url, _ = aws.make_queue()
    attribute = {"DataType": "String", "StringValue": "y" * 600_000}
    with pytest.raises(ClientError, match="shorter than 1048576 bytes"):
        aws.client("sqs").send_message(
            QueueUrl=url, MessageBody="x" * 600_000, MessageAttributes={"a": attribute}
        )


def test_visibility_over_twelve_hours_is_refused(aws: Aws) -> None:
    url, _ = aws.make_queue()
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    with pytest.raises(ClientError, match="43200"):
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=43_201
        )


def test_second_delete_of_a_message_is_no_error(aws: Aws) -> None:
    url, _ = aws.make_queue()
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    for _ in range(2):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="made up")


def test_fair_queue_group_comes_back_as_an_attribute(aws: Aws) -> None:
    url, _ = aws.make_queue()
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="tenant")
    (message,) = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert message["Attributes"]["MessageGroupId"] == "tenant"


def test_dead_letters_move_back_to_their_source(aws: Aws) -> None:
    dead_url, dead_arn = aws.make_queue()
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    url, arn = aws.make_queue(RedrivePolicy=policy, VisibilityTimeout="0")
    sqs = aws.client("sqs")
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead_url)["queueUrls"] == [url]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    for _ in range(2):
        sqs.receive_message(QueueUrl=url)
    assert count(aws, dead_url) == 1
    sqs.start_message_move_task(SourceArn=dead_arn)
    wait_for(lambda: count(aws, url) == 1)
    (task,) = sqs.list_message_move_tasks(SourceArn=dead_arn)["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
    with pytest.raises(ClientError, match="Dead Letter Queue"):
        sqs.start_message_move_task(SourceArn=arn)


def test_no_message_is_lost_while_others_are_deleted(aws: Aws) -> None:
    url, arn = aws.make_queue()
    name = aws.make_function("def handle(event, context): return None")
    map_queue(aws, arn, name, BatchSize=1, ScalingConfig={"MaximumConcurrency": 4})
    sqs = aws.client("sqs")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: sqs.send_message(QueueUrl=url, MessageBody=str(n)), range(300)))

    def invocations() -> bool:
        lines = aws.log_lines(f"/aws/lambda/{name}", "START")
        return len(lines) == 300

    wait_for(invocations, limit_s=20)
    assert count(aws, url) + count(aws, url, "NotVisible") == 0


def test_unknown_item_identifier_fails_the_batch(aws: Aws) -> None:
    url, arn = aws.make_queue()
    name = aws.make_function(ECHO)
    map_queue(aws, arn, name)
    body = {"answer": {"batchItemFailures": [{"itemIdentifier": str(uuid.uuid4())}]}}
    aws.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))
    wait_for(lambda: seen(aws, name))
    time.sleep(0.1)  # noqa: TID251 - a deletion would come now
    assert count(aws, url, "NotVisible") == 1


def test_visibility_set_by_the_function_is_kept(aws: Aws) -> None:
    url, arn = aws.make_queue(VisibilityTimeout="60")
    name = aws.make_function(
        """
import boto3
sqs = boto3.client("sqs")
def handle(event, context):
    (record,) = event["Records"]
    print('seen [["", {"at": %f}]]' % __import__("time").time())
    if record["attributes"]["ApproximateReceiveCount"] == "1":
        sqs.change_message_visibility(QueueUrl=record["body"], VisibilityTimeout=1,
            ReceiptHandle=record["receiptHandle"])
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
""",
        Timeout=30,
    )
    map_queue(aws, arn, name)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody=url)
    wait_for(lambda: len(seen(aws, name)) == 2)
    (_, first), (_, second) = seen(aws, name)
    assert 0.9 < second["at"] - first["at"] < 1.6


def test_delayed_message_is_delivered_on_time(aws: Aws) -> None:
    url, arn = aws.make_queue()
    name = aws.make_function("def handle(event, context): print('seen [1]')")
    map_queue(aws, arn, name)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=1)
    started = time.monotonic()
    wait_for(lambda: seen(aws, name))
    assert 0.9 < time.monotonic() - started < 1.4


def test_batching_window_gathers_messages(aws: Aws) -> None:
    url, arn = aws.make_queue()
    name = aws.make_function(ECHO)
    map_queue(aws, arn, name, BatchSize=20, MaximumBatchingWindowInSeconds=60)
    sqs = aws.client("sqs")
    for number in range(12):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"n": number}))
    wait_for(lambda: len(seen(aws, name)) == 12)
    assert len(aws.log_lines(f"/aws/lambda/{name}", "seen")) == 1


def test_throttled_batch_is_tried_again(aws: Aws) -> None:
    url, arn = aws.make_queue()
    name = aws.make_function(ECHO)
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    map_queue(aws, arn, name)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    wait_for(lambda: count(aws, url, "NotVisible") == 1)
    client.delete_function_concurrency(FunctionName=name)
    ((_, attributes),) = wait_for(lambda: seen(aws, name))
    assert attributes["ApproximateReceiveCount"] == "1"


def test_chain_through_a_queue_stops_after_sixteen_hops_unless_allowed(aws: Aws) -> None:
    source = """
import boto3, json
sqs = boto3.client("sqs")
def handle(event, context):
    body = json.loads(event["Records"][0]["body"])
    print("seen [%d]" % body["n"])
    if body["n"] < 20:
        sqs.send_message(QueueUrl=body["url"],
            MessageBody=json.dumps({"url": body["url"], "n": body["n"] + 1}))
"""
    hops = {}
    for mode in ("Terminate", "Allow"):
        url, arn = aws.make_queue()
        name = aws.make_function(source, Timeout=30)
        client = aws.client("lambda")
        client.put_function_recursion_config(FunctionName=name, RecursiveLoop=mode)
        map_queue(aws, arn, name)
        aws.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"url": url, "n": 1}))
        expected = 16 if mode == "Terminate" else 20
        wait_for(lambda n=name, e=expected: len(seen(aws, n)) >= e)  # type: ignore[misc]
        time.sleep(0.1)  # noqa: TID251 - a hop too many would come now
        hops[mode] = len(seen(aws, name))
    assert hops == {"Terminate": 16, "Allow": 20}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, {"a", "b"}),
        ({"batchItemFailures": [{"wrong": "a"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": "c"}]}, {"a", "b"}),
        ("text", {"a", "b"}),
    ],
)
def test_batch_answer_is_read_as_documented(answer: object, expected: set[str]) -> None:
    assert failed_ids(answer, {"a", "b"}) == expected


def test_a_message_is_hidden_by_its_newest_handle_only_and_not_once_it_is_gone(aws: Aws) -> None:
    url, _ = aws.make_queue(VisibilityTimeout="0")
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (first,) = sqs.receive_message(QueueUrl=url)["Messages"]
    (second,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=60)["Messages"]

    def hide(handle: str, for_s: int) -> None:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=for_s)

    with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
        hide(first["ReceiptHandle"], 60)
    hide(second["ReceiptHandle"], 0)
    (third,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=60)["Messages"]
    sqs.purge_queue(QueueUrl=url)
    with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
        hide(third["ReceiptHandle"], 0)


def test_what_is_given_back_is_seen_again_whatever_is_hidden_before_it(aws: Aws) -> None:
    url, _ = aws.make_queue(VisibilityTimeout="60")
    sqs = aws.client("sqs")
    for body in "abc":
        sqs.send_message(QueueUrl=url, MessageBody=body)
    held = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in held] == ["a", "b", "c"]
    handles = [message["ReceiptHandle"] for message in held]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handles[0])
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handles[2], VisibilityTimeout=0)
    sqs.send_message(QueueUrl=url, MessageBody="d")
    again = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in again] == ["c", "d"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)

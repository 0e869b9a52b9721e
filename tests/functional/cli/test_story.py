"""A call's story on moto's services: from the ledger, and from the capture object that the call came in."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from functional.cli.test_commands import QUEUES, Cloud, document_of, run
from functional.conftest import REGION
from reprise.aws.gate_table import GateTable
from reprise.aws.reply_notes import ReplyNoteTable
from reprise.call.payload import digest
from reprise.capturing.line import write_line
from reprise.gate.state import Change, HeldFor, Mode
from reprise.instant import utc_now
from reprise.ledger import State
from reprise.reply_note import ReplyNote
from strategies import KEYS, NOW, make_record, make_row
from unit.cli.test_stack import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = OUTPUTS["BucketName"]
KEY = "captured/2026/01/31/12/x.gz"


@pytest.fixture
def cloud(aws_env: pytest.MonkeyPatch) -> Iterator[Cloud]:
    del aws_env
    with mock_aws():
        sqs, dynamodb = boto3.client("sqs"), boto3.client("dynamodb")
        dynamodb.create_table(
            TableName=OUTPUTS["LedgerTable"],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        queues = ("CaptureQueueUrl", "CaptureDeadLetterQueueUrl", "ReplayQueueUrl")
        for name in QUEUES.values():
            sqs.create_queue(QueueName=name)
        boto3.client("s3").create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": REGION},  # type: ignore[typeddict-item]
        )
        yield Cloud(sqs, dynamodb, dict.fromkeys(queues, ""))


def put_object(*lines: str) -> None:
    """Write a capture object as CloudWatch Logs and Firehose do."""
    envelope: dict[str, Any] = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": OUTPUTS["CaptureLogGroup"],
        "logStream": "s",
        "subscriptionFilters": ["f"],
        "logEvents": [
            {"id": f"{number:056}", "timestamp": 1, "message": line}
            for number, line in enumerate(lines)
        ],
    }
    body = gzip.compress(json.dumps(envelope).encode())
    boto3.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=body)


def enter(cloud: Cloud, **changes: Any) -> None:
    row = make_row(id="call-1", capture_object=f"s3://{BUCKET}/{KEY}", **changes)
    cloud.ledger.record(row)


def test_the_story_has_the_object_s_time_and_no_payload(cloud: Cloud) -> None:
    put_object(write_line(make_record(id="call-1"), KEYS))
    enter(cloud)
    told = run("status", "call-1", "--json")
    document = document_of(told)
    assert [step["what"] for step in document["steps"]] == ["captured", "in S3", "waiting"]
    assert "payload" not in document
    assert '"order"' not in run("status", "call-1").stdout


def test_the_payload_is_shown_if_asked_for(cloud: Cloud) -> None:
    put_object("noise", write_line(make_record(id="call-1"), KEYS))
    enter(cloud)
    told = run("status", "call-1", "--show-payload", "--json")
    assert document_of(told)["payload"] == '{"order":1}'
    assert '{"order":1}' in run("status", "call-1", "--show-payload").stdout


def test_a_late_result_can_be_copied(cloud: Cloud) -> None:
    reply = '{"items": "' + "x y " * 100 + '"}'
    enter(cloud, state=State.SUCCEEDED, result=reply)
    assert reply in run("calls", "show", "call-1", "--result").stdout.splitlines()
    told = run("status", "call-1")
    assert reply not in told.stdout
    assert "in the ledger" in told.stdout
    assert "result" not in document_of(run("calls", "show", "call-1", "--json"))


def test_a_long_late_result_is_fetched_if_it_is_asked_for(cloud: Cloud) -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key="results/call-1", Body=b"long")
    enter(cloud, state=State.SUCCEEDED, result_key="results/call-1")
    assert document_of(run("calls", "show", "call-1", "--result", "--json"))["result"] == "long"


def test_a_line_with_the_same_id_and_another_payload_is_not_shown(cloud: Cloud) -> None:
    put_object(write_line(make_record(id="call-1"), KEYS))
    enter(cloud, sha256=digest(b"something else"))
    told = run("status", "call-1", "--show-payload")
    assert told.exit_code == 1
    assert "does not hold the call" in told.stderr
    assert '"order"' not in told.stdout


def test_a_call_whose_object_is_gone_has_its_story_still(cloud: Cloud) -> None:
    enter(cloud)
    assert [step["what"] for step in document_of(run("status", "call-1", "--json"))["steps"]] == [
        "captured",
        "waiting",
    ]
    told = run("status", "call-1", "--show-payload")
    assert (told.exit_code, "payload cannot be had" in told.stderr) == (1, True)


def test_the_story_tells_where_the_late_result_went(cloud: Cloud) -> None:
    enter(cloud, state=State.SUCCEEDED, result="sold")
    notes = ReplyNoteTable(cloud.dynamodb, OUTPUTS["LedgerTable"], lambda: NOW)
    at = "2026-11-21T10:00:00.000000Z"
    said = {"to": "https://hooks.example.com/...", "end": at, "first_at": at, "at": at}
    failed = ReplyNote(state="failed", reason="refused: answered 500", tries=30, **said)
    notes.write("call-1", "a", failed)
    (told,) = document_of(run("status", "call-1", "--json"))["replies"]
    assert (told["state"], told["reason"]) == ("failed", "refused: answered 500")
    shown = run("status", "call-1").stdout
    assert "its late result goes to" in shown
    assert "answered 500" in shown


def test_a_call_that_waits_for_its_gate_says_since_when_and_why(cloud: Cloud) -> None:
    enter(cloud)
    since_ms = int(utc_now().timestamp() * 1000) - 200_000
    gates = GateTable(cloud.dynamodb, OUTPUTS["LedgerTable"])
    put: dict[str, str | int] = {
        "mode": Mode.HOLDING,
        "holding_since_ms": since_ms,
        "held_for": HeldFor.THROTTLE,
    }
    gates.update(make_row().target, Change(put=put))
    (waiting,) = [
        step
        for step in document_of(run("calls", "show", "call-1", "--json"))["steps"]
        if step["what"] == "waiting"
    ]
    assert "its gate has held for 3m2" in waiting["how"]
    assert "reserved concurrency" in waiting["how"]

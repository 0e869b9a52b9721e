"""Each handler as Lambda meets it: its own wiring, moto for the stores, a loopback Lambda."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functional.handlers.conftest import ANSWERED
from reprise.aws.config import destinations_parameter
from reprise.aws.reply_notes import ReplyNoteTable
from reprise.call.reply_to import ReplyTo
from reprise.capturing.line import write_line
from reprise.capturing.record import EVENT_NAME
from reprise.errors import StoreError
from reprise.instant import format_instant, utc_now
from reprise.ledger import State
from reprise.monitor.read_back import DUE_S, EVERY_S, LATE_S
from reprise.monitor.reconcile import write_notification
from reprise_schedules.message import RunRequest, write_due
from reprise_schedules.run import RunState
from reprise_schedules.table import JobTable
from scripted_server import Answer
from strategies import KEYS, ORDERS, make_record

if TYPE_CHECKING:
    from functional.handlers.conftest import Stack

THROTTLED = Answer(
    status=429, headers={"x-amzn-ErrorType": "TooManyRequestsException"}, body=b'{"message":"Rate"}'
)
GONE = Answer(
    status=404,
    headers={"x-amzn-ErrorType": "ResourceNotFoundException"},
    body=b'{"Message":"Function not found"}',
)
DONE: dict[str, Any] = {"batchItemFailures": []}
CALL_ID = "orders:order-1"


def _unpack(stack: Stack) -> dict[str, Any]:
    """Capture a call and unpack it; return the replay queue's batch."""
    stack.capture(CALL_ID)
    assert stack.handle("replayer.unpacker", stack.receive("CAPTURE")) == DONE
    return stack.receive("REPLAY")


def _lines(capsys: pytest.CaptureFixture[str], of: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in found if of in line]


def test_the_unpacker_enters_a_call_and_sends_its_message(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    (record,) = _unpack(stack)["Records"]
    assert json.loads(record["body"])["record"]["id"] == CALL_ID
    assert stack.row(CALL_ID).state is State.CAPTURED
    assert sum(sum(line["Recorded"]) for line in _lines(capsys, "Recorded")) == 1


def test_the_unpacker_names_a_message_while_the_ledger_is_away(stack: Stack) -> None:
    stack.capture(CALL_ID)
    event = stack.receive("CAPTURE")
    table = {"TableName": stack.env["REPRISE_LEDGER_TABLE"]}
    stack.clients.dynamodb().delete_table(**table)
    (record,) = event["Records"]
    assert stack.handle("replayer.unpacker", event) == {
        "batchItemFailures": [{"itemIdentifier": record["messageId"]}]
    }


def test_the_replayer_invokes_a_call_and_keeps_its_late_result(stack: Stack) -> None:
    batch = _unpack(stack)
    assert stack.handle("replayer.replayer", batch) == DONE
    row = stack.row(CALL_ID)
    assert (row.state, row.result) == (State.SUCCEEDED, ANSWERED.body.decode())
    (sent,) = [request for request in stack.server.requests if request.path.endswith("invocations")]
    assert sent.body == b'{"order":1}'


def test_the_replayer_names_a_message_whose_function_refuses(stack: Stack) -> None:
    batch = _unpack(stack)
    stack.server.answers[:] = [THROTTLED]
    (record,) = batch["Records"]
    assert stack.handle("replayer.replayer", batch) == {
        "batchItemFailures": [{"itemIdentifier": record["messageId"]}]
    }
    assert stack.row(CALL_ID).state is State.WAITING


def test_the_replayer_writes_a_dead_letter_when_the_function_is_gone(stack: Stack) -> None:
    batch = _unpack(stack)
    stack.server.answers[:] = [GONE]
    assert stack.handle("replayer.replayer", batch) == DONE
    (letter,) = stack.receive("DEAD_LETTER")["Records"]
    assert json.loads(letter["body"])["requestContext"]["condition"] == "Permanent"
    assert stack.row(CALL_ID).state is State.DEAD_LETTERED


def _due(job: str) -> str:
    call = {"FunctionName": "orders", "Payload": "{}"}
    return write_due(RunRequest(job=job, scheduled_at=format_instant(utc_now()), call=call))


def _run_state(stack: Stack, job: str) -> RunState:
    table = JobTable(stack.clients.dynamodb(), stack.env["REPRISE_LEDGER_TABLE"], utc_now)
    (run,) = table.read(job).runs
    return run.state


def test_the_runner_makes_a_due_call(stack: Stack) -> None:
    stack.send("JOBS", _due("nightly"))
    assert stack.handle("schedules.runner", stack.receive("JOBS")) == DONE
    assert _run_state(stack, "nightly") is RunState.SUCCEEDED


def test_the_runner_captures_a_due_call_that_is_refused(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.server.answers[:] = [THROTTLED]
    stack.send("JOBS", _due("nightly"))
    stack.handle("schedules.runner", stack.receive("JOBS"))
    (line,) = [line for line in _lines(capsys, "event") if line["event"] == EVENT_NAME]
    assert line["target"]["function"] == ORDERS
    assert _run_state(stack, "nightly") is RunState.CAPTURED


def test_the_runner_keeps_what_it_cannot_understand(stack: Stack) -> None:
    stack.send("JOBS", "no job")
    assert stack.handle("schedules.runner", stack.receive("JOBS")) == DONE
    (letter,) = stack.receive("JOBS_DEAD_LETTER")["Records"]
    assert letter["body"] == "no job"


def test_the_warmer_pings_as_often_as_it_is_asked(stack: Stack) -> None:
    counts = stack.handle("schedules.warmer", {"functions": "orders", "concurrency": 3})
    assert counts["WarmPings"] == 3
    assert len(stack.server.requests) == 3


def test_the_observer_measures_what_waits(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    _unpack(stack)
    capsys.readouterr()
    stack.handle("replayer.observer", {})
    backlogs = [line for line in _lines(capsys, "Backlog") if line.get("target") == "orders"]
    assert [line["Backlog"] for line in backlogs] == [[1]]


def test_the_observer_tells_nothing_of_reading_back_where_it_is_switched_off(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.handle("replayer.observer", {})
    assert _lines(capsys, "ReadBackAge") == []


def test_the_reconciler_takes_in_a_line_that_no_object_holds(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, group = stack.clients.logs(), stack.env["REPRISE_LOG_GROUPS"]
    monkeypatch.setenv("REPRISE_DUE_S", "1")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="stream")
    line = write_line(make_record(id=CALL_ID), KEYS)
    logs.put_log_events(
        logGroupName=group,
        logStreamName="stream",
        logEvents=[{"timestamp": int((utc_now().timestamp() - 60) * 1000), "message": line}],
    )
    stack.handle("replayer.reconciler", {})
    bucket = stack.env["REPRISE_BUCKET"]
    [found] = stack.clients.s3().list_objects_v2(Bucket=bucket)["Contents"]
    stack.send("CAPTURE", write_notification(bucket, found["Key"]))
    assert stack.handle("replayer.unpacker", stack.receive("CAPTURE")) == DONE
    assert stack.row(CALL_ID).capture_object == f"s3://{bucket}/{found['Key']}"


def test_the_observer_tells_how_old_the_end_is_of_what_was_read_back(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRISE_READ_BACK", "true")
    stack.handle("replayer.observer", {})
    [line] = _lines(capsys, "ReadBackAge")
    [age_s] = line["ReadBackAge"]
    assert DUE_S + EVERY_S <= age_s < LATE_S


def test_the_observer_makes_each_check_though_another_fails(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRISE_READ_BACK", "true")
    # A queue that is not there cannot be counted, which is what the first check begins with.
    monkeypatch.setenv("REPRISE_CAPTURE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/none")
    with pytest.raises(StoreError):
        stack.handle("replayer.observer", {})
    assert len(_lines(capsys, "ReadBackAge")) == 1


def _answers(stack: Stack) -> tuple[str, str]:
    """Make a caller's own queue; return its URL, and its ARN."""
    sqs = stack.clients.sqs()
    url = sqs.create_queue(QueueName=f"{stack.env['REPRISE_STACK']}-answers")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, found["Attributes"]["QueueArn"]


def test_a_late_result_comes_to_its_callers_queue(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, arn = _answers(stack)
    monkeypatch.setenv("REPRISE_REPLY_DESTINATIONS", json.dumps({"queues": arn}))
    stack.capture(CALL_ID, reply_to=ReplyTo(queue=url))
    assert stack.handle("replayer.unpacker", stack.receive("CAPTURE")) == DONE
    assert stack.handle("replayer.replayer", stack.receive("REPLAY")) == DONE
    told = stack.receive("REPLIES")
    assert stack.handle("replies.replier", told) == DONE
    (message,) = stack.clients.sqs().receive_message(QueueUrl=url)["Messages"]
    document = json.loads(message["Body"])
    assert document["reprise"]["id"] == CALL_ID
    assert document["responsePayload"] == json.loads(ANSWERED.body)
    table = stack.env["REPRISE_LEDGER_TABLE"]
    notes = ReplyNoteTable(stack.clients.dynamodb(), table, utc_now).read(CALL_ID)
    assert [note.state for note in notes.values()] == ["delivered"]
    # Again, as SQS may: it is known.
    assert stack.handle("replies.replier", told) == DONE
    assert "Messages" not in stack.clients.sqs().receive_message(QueueUrl=url)


def test_what_is_not_taken_comes_again_and_what_is_not_allowed_is_kept(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = "http://127.0.0.1:1/"
    monkeypatch.setenv("REPRISE_REPLY_DESTINATIONS", json.dumps({"webhooks": hooks}))
    secret = json.dumps({"current": "k1", "k1": "bbbb" * 11})
    name = f"{stack.env['REPRISE_STACK']}/replies/webhook"
    made = stack.clients.secrets().create_secret(Name=name, SecretString=secret)
    monkeypatch.setenv("REPRISE_WEBHOOK_SECRET_ARN", made["ARN"])
    for call_id, place in ((CALL_ID, hooks), ("orders:order-2", "https://hooks.example.com/")):
        stack.capture(call_id, reply_to=ReplyTo(webhook=place))
    stack.handle("replayer.unpacker", stack.receive("CAPTURE"))
    stack.handle("replayer.replayer", stack.receive("REPLAY"))
    (again,) = stack.handle("replies.replier", stack.receive("REPLIES"))["batchItemFailures"]
    assert again
    (letter,) = stack.receive("REPLIES_DEAD_LETTER")["Records"]
    assert json.loads(letter["body"])["record"]["id"] == "orders:order-2"


def test_the_invoker_refuses_a_place_that_is_not_listed(stack: Stack) -> None:
    request = {"FunctionName": "orders", "ReplyTo": {"event": True}}
    refused = stack.handle("invoker.handler", request)
    assert (refused["StatusCode"], refused["error"]["field"]) == (400, "ReplyTo")
    name = destinations_parameter(stack.env["REPRISE_STACK"])
    stack.clients.parameters().put_parameter(Name=name, Value="{}", Type="String")
    refused = stack.handle("invoker.handler", request)
    assert (refused["StatusCode"], refused["error"]["field"]) == (400, "ReplyTo.event")
    assert stack.server.requests == []

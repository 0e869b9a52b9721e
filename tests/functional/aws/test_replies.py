"""Where late results go: the adapters on moto, and the services that moto does not have by their requests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import ANY

import pytest
from botocore.exceptions import ClientError

from doubles import FakeClock
from reprise.aws.config import ParameterDestinations
from reprise.aws.ledger_table import LedgerTable
from reprise.aws.reply_notes import ReplyNoteTable
from reprise.aws.sqs import NamedQueue
from reprise.call.destinations import Destinations
from reprise.call.reply_to import ReplyTo
from reprise.errors import BadRequestError, StoreError
from reprise.ledger import State
from reprise.ports import OutMessage
from reprise.reply_note import ReplyNote, name_of
from reprise.wiring.callers import FUNCTION_MARGIN_S
from reprise_replies.deliver import MAX_OUTPUT_BYTES, Deliverer, Services, secret_keys
from reprise_replies.document import end_record
from reprise_replies.errors import DeliveryError
from scripted_server import Answer, ScriptedServer
from strategies import ACCOUNT, NOW, make_record, make_row

if TYPE_CHECKING:
    from reprise.aws.clients import Clients

KEY = base64.b64encode(b"k" * 24).decode()
ROW = make_row(state=State.SUCCEEDED, result='{"sold":1}')
DEAD = make_row(state=State.DEAD_LETTERED, reason="exhausted", message="ValueError: PLANTED")
EVENT = ReplyTo(event="order 7")
TASK = ReplyTo(task_token="token")
CALLBACK = ReplyTo(callback_id="id+")


@dataclass
class Recorder:
    """Any client: remembers its requests, and fails if it is told to."""

    code: str | None = None
    entry_code: str | None = None
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        def operation(**parameters: Any) -> dict[str, Any]:
            self.requests.append((name, parameters))
            if self.code is not None:
                raise ClientError({"Error": {"Code": self.code}}, name)
            return {"Entries": [{"ErrorCode": self.entry_code}]}

        return operation


def _deliverer(
    clients: Clients, *, services: Recorder, hooks: str = "", secret: str = ""
) -> Deliverer:
    client: Any = services
    return Deliverer(
        services=Services(
            sqs=clients.sqs(),
            events=client,
            state_machines=client,
            functions=client,
        ),
        destinations=Destinations(webhooks=hooks),
        stack="shop",
        event_bus="default",
        webhook_keys=secret_keys(clients.secrets(), secret),
        clock=FakeClock(NOW),
    )


def _document(row: Any = ROW) -> dict[str, Any]:
    return end_record(make_record(), row, b'{"sold":1}' if row is ROW else None, "bucket")


def test_a_queue_is_found_by_its_name_and_one_that_is_none_says_so(clients: Clients) -> None:
    clients.sqs().create_queue(QueueName="answers")
    queue = NamedQueue(clients.sqs(), "answers", ACCOUNT)
    queue.send([OutMessage(body="late")])
    url = clients.sqs().get_queue_url(QueueName="answers")["QueueUrl"]
    (message,) = clients.sqs().receive_message(QueueUrl=url)["Messages"]
    queue.give_back({message["ReceiptHandle"]: 0})
    assert message["Body"] == "late"
    with pytest.raises(StoreError) as caught:
        NamedQueue(clients.sqs(), "nowhere").send([OutMessage(body="late")])
    assert "NonExistentQueue" in caught.value.code or "QueueDoesNotExist" in caught.value.code


def test_notes_are_kept_beside_the_row_and_are_no_row(clients: Clients, table: str) -> None:
    notes = ReplyNoteTable(clients.dynamodb(), table, FakeClock(NOW))
    ledger = LedgerTable(clients.dynamodb(), table)
    ledger.record(ROW)
    note = ReplyNote(to="queue", state="trying", end="e", first_at="f", at="a", reason="r")
    assert notes.read(ROW.id) == {}
    notes.write(ROW.id, name_of(EVENT), note)
    notes.write(ROW.id, name_of(TASK), note)
    assert notes.read(ROW.id) == {name_of(EVENT): note, name_of(TASK): note}
    assert ledger.get(ROW.id) == ROW
    assert ledger.get(f"reply#{ROW.id}") is None


def test_the_door_knows_what_the_add_on_allows(clients: Clients) -> None:
    name = "/shop/replies"
    with pytest.raises(BadRequestError, match="addons/replies"):
        ParameterDestinations(clients.parameters(), name).check(EVENT)
    clients.parameters().put_parameter(Name=name, Value='{"events": "true"}', Type="String")
    door = ParameterDestinations(clients.parameters(), name)
    door.check(EVENT)
    with pytest.raises(BadRequestError, match="ReplyStateMachines"):
        door.check(TASK)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError"])
def test_while_ssm_is_away_no_call_is_refused_for_it(code: str) -> None:
    client: Any = Recorder(code=code)
    ParameterDestinations(client, "/shop/replies").check(EVENT)


def test_while_ssm_is_away_it_is_asked_once_a_minute_and_not_long() -> None:
    """Calls wait for it before they run, and an invoker that is stopped meanwhile captures nothing."""
    client: Any = Recorder(code="InternalServerError")
    now_s = [0.0]
    door = ParameterDestinations(client, "/shop/replies", monotonic=lambda: now_s[0])
    for _ in range(3):
        door.check(EVENT)
    assert len(client.requests) == 1
    client.code, now_s[0] = "ParameterNotFound", 61.0
    with pytest.raises(BadRequestError, match="addons/replies"):
        door.check(EVENT)


def test_an_add_on_that_is_gone_serves_nobody_and_one_that_is_away_those_it_did(
    clients: Clients,
) -> None:
    name, now_s = "/gone/replies", [0.0]
    ssm = clients.parameters()
    ssm.put_parameter(Name=name, Value='{"events": "true"}', Type="String")
    door = ParameterDestinations(ssm, name, monotonic=lambda: now_s[0])
    door.check(EVENT)
    ssm.put_parameter(Name=name, Value="no json", Type="String", Overwrite=True)
    now_s[0] = 61.0
    door.check(EVENT)
    with pytest.raises(BadRequestError, match="ReplyStateMachines"):
        door.check(TASK)
    ssm.delete_parameter(Name=name)
    now_s[0] = 122.0
    with pytest.raises(BadRequestError, match="addons/replies"):
        door.check(EVENT)


def test_what_is_allowed_is_asked_for_in_passing(clients: Clients) -> None:
    asked: Any = clients.parameters_in_passing().meta.config
    longest_s = asked.retries["total_max_attempts"] * (asked.connect_timeout + asked.read_timeout)
    assert longest_s <= FUNCTION_MARGIN_S


def test_a_late_result_is_a_message_with_the_calls_id(clients: Clients) -> None:
    url = clients.sqs().create_queue(QueueName="late")["QueueUrl"]
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:late"
    deliverer = _deliverer(clients, services=Recorder())
    deliverer.deliver(ReplyTo(queue=url), arn, _document(), "msg_1")
    (message,) = clients.sqs().receive_message(QueueUrl=url, MessageAttributeNames=["All"])[
        "Messages"
    ]
    assert json.loads(message["Body"]) == _document()
    found = {name: said["StringValue"] for name, said in message["MessageAttributes"].items()}
    assert found == {"call_id": ROW.id, "state": "succeeded"}


@pytest.mark.parametrize("most_bytes", [1_048_576, 262_144])
def test_a_result_that_is_too_long_for_its_queue_comes_without_it(
    clients: Clients, most_bytes: int
) -> None:
    """A queue may take less than SQS does: 262,144 bytes was the most there was until 2025."""
    short = Short(most_bytes=most_bytes)
    deliverer = _deliverer(clients, services=Recorder())
    services = replace(deliverer.services, sqs=cast("Any", short))
    document = {**_document(), "responsePayload": "x" * 300_000}
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:late"
    replace(deliverer, services=services).deliver(ReplyTo(queue=arn), arn, document, "msg_1")
    (body,) = short.taken
    payload = document["responsePayload"] if most_bytes > 300_000 else None
    assert json.loads(body) == {**document, "responsePayload": payload, "requestPayload": ANY}


def test_a_queue_that_refuses_says_why(clients: Clients) -> None:
    deliverer = _deliverer(clients, services=Recorder())
    services = replace(deliverer.services, sqs=cast("Any", Short(most_bytes=1)))
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:late"
    with pytest.raises(DeliveryError, match="InvalidParameterValue"):
        replace(deliverer, services=services).deliver(ReplyTo(queue=arn), arn, _document(), "msg_1")


@dataclass
class Short:
    """An SQS queue that takes no more than so many bytes a message, as it says on AWS."""

    most_bytes: int
    taken: list[str] = field(default_factory=list)

    def get_queue_url(self, **_named: str) -> dict[str, str]:
        """Find it."""
        return {"QueueUrl": "https://queue"}

    def send_message_batch(self, *, QueueUrl: str, Entries: Any) -> dict[str, Any]:
        """Take one message, or refuse it for good."""
        (entry,) = Entries
        if len(entry["MessageBody"]) > self.most_bytes:
            failed = {"Id": entry["Id"], "Code": "InvalidParameterValue", "SenderFault": True}
            return {"Failed": [failed]}
        self.taken.append(entry["MessageBody"])
        return {"Successful": [{"Id": entry["Id"]}], "QueueUrl": QueueUrl}


def test_an_event_carries_the_callers_own_text_and_no_payload(clients: Clients) -> None:
    services = Recorder()
    deliverer = _deliverer(clients, services=services)
    deliverer.deliver(EVENT, "event", _document(DEAD), "msg_1")
    ((name, request),) = services.requests
    (entry,) = request["Entries"]
    assert (name, entry["DetailType"], entry["Source"]) == ("put_events", "Late Result", "reprise")
    detail = json.loads(entry["Detail"])
    assert (detail["stack"], detail["reply_to"]) == ("shop", "order 7")
    assert (detail["requestPayload"], detail["responsePayload"]) == (None, None)
    assert "PLANTED" not in entry["Detail"]


def test_an_event_that_the_bus_does_not_take_is_tried_again(clients: Clients) -> None:
    deliverer = _deliverer(clients, services=Recorder(entry_code="ThrottlingException"))
    with pytest.raises(DeliveryError, match="ThrottlingException") as caught:
        deliverer.deliver(EVENT, "event", _document(), "msg_1")
    assert not caught.value.is_final


def test_a_task_succeeds_with_the_record_or_fails_with_its_condition(clients: Clients) -> None:
    services = Recorder()
    deliverer = _deliverer(clients, services=services)
    deliverer.deliver(TASK, "task_token", _document(), "msg_1")
    deliverer.deliver(TASK, "task_token", _document(DEAD), "msg_2")
    (done, success), (failed, failure) = services.requests
    assert (done, failed) == ("send_task_success", "send_task_failure")
    assert success["taskToken"] == failure["taskToken"] == "token"
    assert json.loads(success["output"])["responsePayload"] == {"sold": 1}
    assert failure["error"] == "Reprise.RetriesExhausted"
    assert json.loads(failure["cause"])["reprise"]["reason"] == "exhausted"


def test_a_callback_succeeds_or_fails_likewise(clients: Clients) -> None:
    services = Recorder()
    deliverer = _deliverer(clients, services=services)
    deliverer.deliver(CALLBACK, "callback_id", _document(), "msg_1")
    deliverer.deliver(CALLBACK, "callback_id", _document(DEAD), "msg_2")
    (done, success), (failed, failure) = services.requests
    assert done == "send_durable_execution_callback_success"
    assert failed == "send_durable_execution_callback_failure"
    assert json.loads(success["Result"])["reprise"]["state"] == "succeeded"
    assert failure["Error"]["ErrorType"] == "Reprise.RetriesExhausted"


def test_the_sdk_knows_what_callbacks_are_sent_with(clients: Clients) -> None:
    """The pinned SDK has these operations, and takes these parameters."""
    client: Any = clients.callbacks()
    model = client.meta.service_model
    success = model.operation_model("SendDurableExecutionCallbackSuccess").input_shape
    failure = model.operation_model("SendDurableExecutionCallbackFailure").input_shape
    assert success is not None
    assert failure is not None
    assert set(success.members) == {"CallbackId", "Result"}
    error: Any = failure.members["Error"]
    assert set(error.members) >= {"ErrorType", "ErrorMessage", "ErrorData"}
    tasks = clients.state_machines().meta.service_model
    output = tasks.operation_model("SendTaskSuccess").input_shape.members["output"]
    assert output.metadata["max"] == MAX_OUTPUT_BYTES


@pytest.mark.parametrize(
    ("code", "is_final"),
    [("TaskTimedOut", True), ("InvalidToken", True), ("ThrottlingException", False)],
)
def test_only_a_task_that_waits_no_longer_is_given_up_at_once(
    clients: Clients, code: str, *, is_final: bool
) -> None:
    deliverer = _deliverer(clients, services=Recorder(code=code))
    with pytest.raises(DeliveryError, match=code) as caught:
        deliverer.deliver(TASK, "task_token", _document(), "msg_1")
    assert caught.value.is_final == is_final
    assert "token" not in str(caught.value)


def test_a_webhook_is_signed_with_the_secrets_key(clients: Clients) -> None:
    secret = json.dumps({"current": "k1", "k1": KEY})
    arn = clients.secrets().create_secret(Name="shop/replies/webhook", SecretString=secret)["ARN"]
    with ScriptedServer(Answer(status=204)) as server:
        url = f"{server.url}/in"
        deliverer = _deliverer(clients, services=Recorder(), hooks=f"{server.url}/", secret=arn)
        deliverer.deliver(ReplyTo(webhook=url), url, _document(), "msg_1")
    (request,) = server.requests
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert json.loads(request.body) == _document()
    signed = f"msg_1.{int(NOW.timestamp())}.".encode() + request.body
    expected = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_a_webhook_without_a_key_waits_for_one(clients: Clients) -> None:
    arn = clients.secrets().create_secret(Name="shop/replies/none", SecretString="{}")["ARN"]
    deliverer = _deliverer(clients, services=Recorder(), secret=arn)
    with pytest.raises(DeliveryError, match="no_key") as caught:
        deliverer.deliver(ReplyTo(webhook="https://a/"), "https://a/", _document(), "msg_1")
    assert not caught.value.is_final

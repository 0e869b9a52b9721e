from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from doubles import InMemoryQueue
from reprise.aws.clients import Clients
from reprise.aws.sqs import SqsQueue, _entry, group_id
from reprise.errors import StoreError
from reprise.ports import OutMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sqs import SQSClient

    from reprise.ports import Queue

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/replay"


@pytest.fixture(scope="module")
def sqs(clients: Clients) -> SQSClient:
    return clients.sqs()


@pytest.fixture
def url(sqs: SQSClient) -> str:
    return sqs.create_queue(QueueName=f"queue-{uuid4()}", Attributes={"VisibilityTimeout": "60"})[
        "QueueUrl"
    ]


@pytest.fixture
def stubbed(clients: Clients) -> Iterator[tuple[SqsQueue, Stubber]]:
    del clients  # moto runs as long as they do
    client = Clients(is_thin=False).sqs()
    with Stubber(client) as stubber:
        yield SqsQueue(client, URL), stubber
        stubber.assert_no_pending_responses()


def _receive(sqs: SQSClient, url: str) -> list[dict[str, Any]]:
    received: list[dict[str, Any]] = []
    while True:
        response = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        messages = response.get("Messages", [])
        if not messages:
            return received
        received += [dict(message) for message in messages]


def _failed(*ids: int, sender_fault: bool = False) -> list[dict[str, Any]]:
    return [
        {"Id": str(index), "SenderFault": sender_fault, "Code": "InternalError"} for index in ids
    ]


def _expect_send(stubber: Stubber, bodies: list[str], *failed: int) -> None:
    entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(bodies)]
    response = {"Successful": [], "Failed": _failed(*failed)}
    stubber.add_response("send_message_batch", response, {"QueueUrl": URL, "Entries": entries})


def _expect_change(
    stubber: Stubber, waits_s: dict[str, int], *failed: int, sender_fault: bool = False
) -> None:
    entries = [
        {"Id": str(i), "ReceiptHandle": handle, "VisibilityTimeout": wait_s}
        for i, (handle, wait_s) in enumerate(waits_s.items())
    ]
    response = {"Successful": [], "Failed": _failed(*failed, sender_fault=sender_fault)}
    stubber.add_response(
        "change_message_visibility_batch", response, {"QueueUrl": URL, "Entries": entries}
    )


def test_every_message_of_many_arrives_once(sqs: SQSClient, url: str) -> None:
    SqsQueue(sqs, url).send([OutMessage(body=str(number)) for number in range(25)])
    bodies = sorted(int(message["Body"]) for message in _receive(sqs, url))
    assert bodies == list(range(25))


def test_a_message_carries_its_group_and_attributes(sqs: SQSClient, url: str) -> None:
    attributes = {"call_id": "orders:1", "reason": "", "target": "ü"}
    SqsQueue(sqs, url).send([OutMessage(body="{}", group="orders", attributes=attributes)])
    (message,) = _receive(sqs, url)
    assert message["Attributes"]["MessageGroupId"] == "orders"
    values = {name: entry["StringValue"] for name, entry in message["MessageAttributes"].items()}
    assert values == {"call_id": "orders:1", "target": "ü"}, "SQS refuses an empty value"


def test_a_delayed_message_is_not_there_yet(sqs: SQSClient, url: str) -> None:
    SqsQueue(sqs, url).send([OutMessage(body="{}", delay_s=900)])
    assert _receive(sqs, url) == []


def test_large_messages_go_in_batches_that_sqs_takes(sqs: SQSClient, url: str) -> None:
    """moto enforces the 1 MiB of a batch."""
    SqsQueue(sqs, url).send([OutMessage(body="x" * 300_000) for _ in range(8)])
    assert len(_receive(sqs, url)) == 8


def test_a_message_beyond_every_limit_is_a_store_error(sqs: SQSClient, url: str) -> None:
    with pytest.raises(StoreError, match=r"sqs\.SendMessageBatch"):
        SqsQueue(sqs, url).send([OutMessage(body="x" * 1_100_000)])


@pytest.mark.parametrize("queue", ["double", "sqs"])
def test_nothing_to_send_or_to_give_back_asks_nothing(
    queue: str, stubbed: tuple[SqsQueue, Stubber]
) -> None:
    used: Queue = InMemoryQueue() if queue == "double" else stubbed[0]
    used.send([])
    used.give_back({})


def test_what_was_not_accepted_is_sent_again_and_nothing_else(
    stubbed: tuple[SqsQueue, Stubber],
) -> None:
    """Trap 9: a batch call succeeds although entries of it fail."""
    queue, stubber = stubbed
    _expect_send(stubber, ["a", "b", "c"], 0, 2)
    _expect_send(stubber, ["a", "c"], 1)
    _expect_send(stubber, ["c"])
    queue.send([OutMessage(body=body) for body in "abc"])


def test_every_batch_is_tried_before_what_failed_is_repeated(
    stubbed: tuple[SqsQueue, Stubber],
) -> None:
    queue, stubber = stubbed
    bodies = [str(number) for number in range(12)]
    _expect_send(stubber, bodies[:10], 9)
    _expect_send(stubber, bodies[10:], 0)
    _expect_send(stubber, ["9", "10"])
    queue.send([OutMessage(body=body) for body in bodies])


def test_what_is_never_accepted_is_a_store_error(stubbed: tuple[SqsQueue, Stubber]) -> None:
    queue, stubber = stubbed
    for _ in range(3):
        _expect_send(stubber, ["a"], 0)
    with pytest.raises(StoreError, match="1 messages were not accepted"):
        queue.send([OutMessage(body="a")])


def test_waits_are_set_by_receipt_handle(stubbed: tuple[SqsQueue, Stubber]) -> None:
    queue, stubber = stubbed
    _expect_change(stubber, {"a": 0, "b": 30, "c": 39_600})
    queue.give_back({"a": -5.0, "b": 29.6, "c": 1e300})


def test_short_wait_is_rounded_up_so_that_backoff_never_becomes_none(
    stubbed: tuple[SqsQueue, Stubber],
) -> None:
    queue, stubber = stubbed
    _expect_change(stubber, {"soon": 1, "now": 0, "later": 3})
    queue.give_back({"soon": 0.2, "now": 0.0, "later": 2.1})
    stubber.assert_no_pending_responses()


def test_waits_go_in_batches_of_ten(stubbed: tuple[SqsQueue, Stubber]) -> None:
    queue, stubber = stubbed
    waits_s = {f"handle-{number}": number for number in range(13)}
    _expect_change(stubber, dict(list(waits_s.items())[:10]), 3)
    _expect_change(stubber, dict(list(waits_s.items())[10:]), 2)
    _expect_change(stubber, {"handle-3": 3, "handle-12": 12})
    queue.give_back(waits_s)


def test_an_expired_receipt_is_not_tried_again(stubbed: tuple[SqsQueue, Stubber]) -> None:
    queue, stubber = stubbed
    _expect_change(stubber, {"a": 1}, 0, sender_fault=True)
    queue.give_back({"a": 1})


def test_a_wait_that_cannot_be_set_raises_nothing(
    stubbed: tuple[SqsQueue, Stubber], caplog: pytest.LogCaptureFixture
) -> None:
    """The message then reappears at the queue's own visibility timeout: later, and not lost."""
    queue, stubber = stubbed
    for _ in range(3):
        stubber.add_client_error(
            "change_message_visibility_batch",
            "ServiceUnavailable",
            expected_params={"QueueUrl": URL, "Entries": ANY},
        )
    queue.give_back({"a": 1})
    assert "waits could not be set" in caplog.text


def test_a_message_given_back_reappears(sqs: SQSClient, url: str) -> None:
    queue = SqsQueue(sqs, url)
    queue.send([OutMessage(body="{}")])
    (message,) = _receive(sqs, url)
    assert _receive(sqs, url) == []
    queue.give_back({message["ReceiptHandle"]: 0})
    (again,) = _receive(sqs, url)
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


@pytest.mark.parametrize("operation", ["send_message_batch"])
def test_a_service_that_refuses_is_a_store_error(
    stubbed: tuple[SqsQueue, Stubber], operation: str
) -> None:
    queue, stubber = stubbed
    stubber.add_client_error(operation, "AccessDenied", "no")
    with pytest.raises(StoreError) as caught:
        queue.send([OutMessage(body="a")])
    assert caught.value.code == "AccessDenied"


def test_the_double_keeps_what_was_sent_and_given_back() -> None:
    queue = InMemoryQueue()
    queue.send([OutMessage(body=json.dumps({}))])
    queue.give_back({"a": 1.5})
    queue.faults.fail("send")
    with pytest.raises(StoreError):
        queue.send([OutMessage(body="x")])
    assert ([message.body for message in queue.sent], queue.waits_s) == (["{}"], {"a": 1.5})


def test_a_groups_name_is_as_long_as_sqs_takes_and_stays_its_own(sqs: SQSClient, url: str) -> None:
    long = f"job-definition/{'n' * 128}"
    SqsQueue(sqs, url).send([OutMessage(body="{}", group=f"{long}{end}") for end in ("", "a")])
    groups = {message["Attributes"]["MessageGroupId"] for message in _receive(sqs, url)}
    assert len(groups) == 2
    assert {len(group) for group in groups} == {128}
    assert group_id("orders") == "orders"


@given(st.text(min_size=1))
def test_a_reason_holds_no_character_that_sqs_refuses(reason: str) -> None:
    """SQS API reference, SendMessage: #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD, and beyond the BMP."""
    sent = _entry(0, OutMessage(body="{}", attributes={"reason": reason}))
    value = sent["MessageAttributes"]["reason"]["StringValue"]
    assert not re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", value)
    assert value == reason or not reason.isprintable()

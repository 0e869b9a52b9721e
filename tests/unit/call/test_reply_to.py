"""Where late results may go: what a caller may ask for, and what a stack allows."""

from __future__ import annotations

from typing import Any

import pytest

from reprise.call.reply_to import Destinations, ReplyTo, read_destinations, read_reply_to
from reprise.call.request import library_call, read_call
from reprise.errors import BadRequestError
from strategies import ORDERS

ARN = "arn:aws:sqs:eu-west-1:111122223333:answers"
ALLOWED = Destinations(
    queues=f"arn:aws:sqs:eu-west-1:111122223333:others,{ARN}",
    events="true",
    state_machines="arn:aws:states:eu-west-1:111122223333:stateMachine:orders",
    functions="arn:aws:lambda:eu-west-1:111122223333:function:flow:*",
    webhooks="https://hooks.example.com/reprise/,http://127.0.0.1:9000/,https://10.0.0.5/in",
)
GOOD: list[dict[str, Any]] = [
    {"queue": ARN},
    {"queue": "https://sqs.eu-west-1.amazonaws.com/111122223333/answers"},
    {"queue": "http://127.0.0.1:4566/111122223333/answers"},
    {"event": True},
    {"event": "order 7 of shop"},
    {"task_token": "AAAA+/=="},
    {"callback_id": "Ab0+/w=="},
    {"webhook": "https://hooks.example.com/reprise/orders?x=1"},
    {"webhook": "https://HOOKS.example.com/reprise/x"},
    {"webhook": "http://127.0.0.1:9000/a"},
    {"webhook": "https://10.0.0.5/in"},
]


@pytest.mark.parametrize("asked", GOOD, ids=str)
def test_what_the_stack_allows_may_be_asked_for(asked: dict[str, Any]) -> None:
    reply_to = read_reply_to(asked)
    assert reply_to is not None
    to = ALLOWED.resolve(reply_to)
    assert to == (ARN if "queue" in asked else asked.get("webhook", reply_to.kind))


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ([], "ReplyTo"),
        ({}, "ReplyTo"),
        ("queue", "ReplyTo"),
        ({"queue": ARN, "event": True}, "ReplyTo"),
        ({"event": False}, "ReplyTo"),
        ({"topic": "x"}, "ReplyTo"),
        ({"queue": 7}, "ReplyTo"),
        ({"queue": "answers"}, "ReplyTo.queue"),
        ({"queue": f"{ARN}.fifo"}, "ReplyTo.queue"),
        ({"queue": "https://[/111122223333/answers"}, "ReplyTo.queue"),
        ({"event": "x" * 257}, "ReplyTo.event"),
        ({"event": "two\nlines"}, "ReplyTo.event"),
        ({"task_token": ""}, "ReplyTo.task_token"),
        ({"task_token": "x" * 2049}, "ReplyTo.task_token"),
        ({"task_token": "a b"}, "ReplyTo.task_token"),
        ({"callback_id": "a:b"}, "ReplyTo.callback_id"),
        ({"webhook": "ftp://hooks.example.com/"}, "ReplyTo.webhook"),
        ({"webhook": "https://"}, "ReplyTo.webhook"),
        ({"webhook": "https://hooks.example.com:x/"}, "ReplyTo.webhook"),
        ({"webhook": "https://a@hooks.example.com/reprise/"}, "ReplyTo.webhook"),
        ({"webhook": "https://hooks.example.com/reprise/../x"}, "ReplyTo.webhook"),
        ({"webhook": "https://hooks.example.com/reprise/%2E%2e/x"}, "ReplyTo.webhook"),
        ({"webhook": "https://hooks.example.com/reprise/..%2Fx"}, "ReplyTo.webhook"),
        ({"webhook": "https://hooks.example.com/reprise/#x"}, "ReplyTo.webhook"),
        ({"webhook": "https://hooks.example.com\\@evil.example/"}, "ReplyTo.webhook"),
    ],
    ids=str,
)
def test_what_is_no_place_is_refused_by_name(asked: Any, field: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        read_reply_to(asked)
    assert (caught.value.field, caught.value.status) == (field, 400)


@pytest.mark.parametrize(
    "asked",
    [
        {"queue": "arn:aws:sqs:eu-west-1:111122223333:answer"},
        {"queue": "arn:aws:sqs:us-east-1:111122223333:answers"},
        {"queue": "https://sqs.us-east-1.amazonaws.com/111122223333/answers"},
        {"queue": "arn:aws:sqs:eu-west-1:999922223333:answers"},
        {"webhook": "https://hooks.example.com/"},
        {"webhook": "https://hooks.example.com/reprise-evil/"},
        {"webhook": "http://hooks.example.com/reprise/"},
        {"webhook": "https://hooks.example.com:8443/reprise/"},
        {"webhook": "https://hooks.example.com.evil.example/reprise/"},
        {"webhook": "http://127.0.0.1:9001/"},
    ],
    ids=str,
)
def test_what_the_stack_does_not_list_is_refused(asked: dict[str, str]) -> None:
    reply_to = read_reply_to(asked)
    assert reply_to is not None
    with pytest.raises(BadRequestError, match=r"ReplyQueues|ReplyWebhooks") as caught:
        ALLOWED.resolve(reply_to)
    assert caught.value.field == f"ReplyTo.{next(iter(asked))}"


@pytest.mark.parametrize("asked", GOOD, ids=str)
def test_a_stack_that_lists_nothing_allows_nothing(asked: dict[str, Any]) -> None:
    reply_to = read_reply_to(asked)
    assert reply_to is not None
    with pytest.raises(BadRequestError, match="add-on replies"):
        read_destinations('{"queues": "", "events": "false"}').resolve(reply_to)


def test_a_refusal_quotes_no_token() -> None:
    token = "secret token"
    for asked in ({"task_token": token}, {"callback_id": token}, {"task_token": token, "x": 1}):
        with pytest.raises(BadRequestError) as caught:
            read_reply_to(asked)
        assert token not in str(caught.value)


def test_a_request_and_a_librarys_call_say_the_same() -> None:
    asked = {"FunctionName": "orders", "ReplyTo": {"TaskToken": "t"}}
    with pytest.raises(BadRequestError, match="ReplyTo"):
        read_call(asked, (ORDERS,))
    by_request = read_call(
        {"functionName": "orders", "replyTo": {"Webhook": "https://a/"}}, (ORDERS,)
    )
    by_library = library_call("orders", "", (ORDERS,), reply_to={"webhook": "https://a/"})
    assert by_request.reply_to == by_library.reply_to == ReplyTo(webhook="https://a/")
    assert library_call("orders", "", (ORDERS,)).reply_to is None


def test_only_hosts_that_are_listed_by_their_address_may_be_private() -> None:
    assert ALLOWED.allows_address("10.0.0.5")
    assert not ALLOWED.allows_address("10.0.0.6")

"""Where late results may go: what a caller may ask for, and what a stack allows."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reprise.call.destinations import Destinations, read_destinations
from reprise.call.reply_to import ReplyTo, read_reply_to
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
        ({"webhook": "https://hooks.example.com/reprise/..;/x"}, "ReplyTo.webhook"),
        ({"webhook": "https://hooks.example.com/reprise/%2e.;a=b/x"}, "ReplyTo.webhook"),
        ({"webhook": "https://hooks.example.com/reprise/..%3b/x"}, "ReplyTo.webhook"),
        ({"webhook": "https://hooks.example.com/reprise/%252e%252e/x"}, "ReplyTo.webhook"),
        ({"webhook": "https://hooks.example.com/reprise/..%00/x"}, "ReplyTo.webhook"),
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
    assert Destinations(webhooks="https://[FD00::7]:8443/").allows_address("fd00::7")


@given(host=st.from_regex(r"[a-z0-9][a-z0-9.-]{0,30}", fullmatch=True))
@example("hooks.example.com")
@example("2130706433")
@example("0x7f.1")
def test_a_listed_name_is_no_leave_to_ask_what_it_means_in_private(host: str) -> None:
    """Every host that is asked is listed: whoever owns the name's DNS says where it leads."""
    try:
        is_address = bool(ipaddress.ip_address(host))
    except ValueError:
        is_address = False
    assert Destinations(webhooks=f"https://{host}/").allows_address(host) == is_address


@pytest.mark.parametrize("listed", ["https://[::zz]/", "https://a:99999/", "https://", "https://["])
def test_a_listed_address_that_is_none_shuts_out_no_other(listed: str) -> None:
    hook = ReplyTo(webhook="https://10.0.0.5/in")
    for webhooks in (f"{listed},https://10.0.0.5/", f"https://10.0.0.5/,{listed}"):
        allowed = Destinations(webhooks=webhooks)
        assert allowed.resolve(hook) == hook.value
        assert allowed.allows_address("10.0.0.5")


@given(
    before=st.sampled_from(["", "a", "a/b"]),
    step=st.lists(st.sampled_from([".", "%2e", "%2E"]), min_size=1, max_size=2).map("".join),
    parameter=st.sampled_from(["", ";", ";a=b", "%3b", "%00", "%253b"]),
    slash=st.sampled_from(["/", "%2f", "%5C", "%252f", ""]),
)
def test_no_path_leads_out_of_a_listed_folder(
    before: str, step: str, parameter: str, slash: str
) -> None:
    path = "/".join(
        part for part in (before, f"{step}{parameter}{slash}x" if slash else step) if part
    )
    with pytest.raises(BadRequestError, match="plain address"):
        read_reply_to({"webhook": f"https://hooks.example.com/reprise/{path}"})


@pytest.mark.parametrize(
    "path", ["a.b", "...", ".well-known/x", "a..b", "v1.0;x=1", "%41", "a%20b"]
)
def test_dots_that_lead_nowhere_may_be_in_a_path(path: str) -> None:
    assert read_reply_to({"webhook": f"https://hooks.example.com/reprise/{path}"})


@pytest.mark.parametrize(
    "value", ["https://hooks.example.com/reprise/\u00fc", "https://a/\r\nx", "https://a/ "]
)
def test_a_signed_address_that_no_door_let_in_is_not_allowed_either(value: str) -> None:
    with pytest.raises(BadRequestError):
        Destinations(webhooks="https://hooks.example.com/,https://a/").resolve(
            ReplyTo(webhook=value)
        )


@pytest.mark.parametrize(
    "name", ["shop-capture", "shop-capture-dlq", "shop-replay", "shop-dead-letter", "shop-replies"]
)
def test_no_result_goes_into_a_queue_of_the_pipeline_though_it_is_listed(name: str) -> None:
    arn = f"arn:aws:sqs:eu-west-1:111122223333:{name}"
    allowed = Destinations(stack="shop", queues=f"{arn},{ARN}")
    with pytest.raises(BadRequestError, match="the stack's own") as caught:
        allowed.resolve(ReplyTo(queue=arn))
    assert caught.value.field == "ReplyTo.queue"
    assert allowed.resolve(ReplyTo(queue=ARN)) == ARN

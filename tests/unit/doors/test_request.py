"""The call that comes through a front door, and the target that its alias means."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from harness import MAIL, ORDERS
from reprise.call.reply_to import ReplyTo
from reprise.call.target import Target
from reprise.doors.alias import Doors, alias_of
from reprise.doors.request import door_request
from reprise.doors.sending import read_sending
from reprise.errors import BadRequestError
from unit.doors import samples

if TYPE_CHECKING:
    from reprise.call.request import CallRequest

TARGET = Target(function=ORDERS)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:reprise-invoker"


def made(event: object, context: object = None, trace: str | None = None) -> CallRequest:
    data = json.dumps(event).encode()
    return door_request(
        TARGET,
        data,
        read_sending(data),
        request_id="request-1",
        client_context=b"" if context is None else json.dumps(context).encode(),
        trace=trace,
    )


def test_payload_is_the_event_as_it_came() -> None:
    data = b'{ "a" :\t1.0, "b": "\\u00fc"}'
    request = door_request(TARGET, data, read_sending(data), request_id="r", trace="Root=1")
    assert (request.payload, request.trace, request.target) == (data, "Root=1", TARGET)
    assert request.wants_json is False


def test_event_that_lambda_may_send_again_has_its_request_id_for_a_key() -> None:
    request = made(samples.EVENTBRIDGE)
    assert (request.idempotency_key, request.scope) == ("request-1", "invocation")
    assert request.key_covers_payload is False


@pytest.mark.parametrize("event", [samples.REST, samples.ALB, samples.APPSYNC, samples.TASK])
def test_sender_that_sends_nothing_twice_has_no_key_of_its_own(event: dict[str, Any]) -> None:
    assert made(event).idempotency_key is None


def test_key_of_an_http_client_stands_for_its_request() -> None:
    request = made({**samples.HTTP_2, "headers": {"idempotency-key": "order-7"}})
    assert request.idempotency_key == "order-7"
    assert (request.scope or "").startswith("http:")
    assert request.key_covers_payload is True


def test_client_context_says_key_scope_and_end_and_goes_on_to_the_target() -> None:
    context = {
        "custom": {
            "team": "a",
            "reprise": {
                "idempotency_key": "order-7",
                "scope": "shop",
                "not_after": "2026-11-30T00:00:00+01:00",
                "reply_to": {"event": "mine"},
            },
        }
    }
    request = made(samples.REST, context)
    assert (request.idempotency_key, request.scope) == ("order-7", "shop")
    assert request.not_after == "2026-11-29T23:00:00.000000Z"
    assert request.reply_to == ReplyTo(event="mine")
    assert request.key_covers_payload is False
    assert json.loads(base64.b64decode(request.client_context or "")) == context


@pytest.mark.parametrize(
    "context",
    [
        {"custom": {"reprise": 7}},
        {"custom": {"reprise": {"idempotency_key": 7}}},
        {"custom": {"reprise": {"not_after": "tomorrow"}}},
        {"custom": {"reprise": {"idempotency_key": "two words"}}},
    ],
)
def test_client_context_that_is_not_to_be_understood_is_refused(context: object) -> None:
    with pytest.raises(BadRequestError):
        made(samples.OWN, context)


@pytest.mark.parametrize("context", [{"custom": 7}, [], "text", {"custom": {"team": "reprise"}}])
def test_client_context_that_says_nothing_to_us_goes_on(context: object) -> None:
    assert made(samples.OWN, context).client_context is not None


@pytest.mark.parametrize(
    ("arn", "alias"),
    [
        (ARN, None),
        (f"{ARN}:orders", "orders"),
        (f"{ARN}:$LATEST", None),
        (f"{ARN}:7", None),
        (f"{ARN}:7up", "7up"),
        ("", None),
    ],
)
def test_alias_is_the_qualifier_that_is_no_version(arn: str, alias: str | None) -> None:
    assert alias_of(arn) == alias


def test_door_calls_the_target_of_its_name_unless_it_is_said_otherwise() -> None:
    doors = Doors.read(
        "orders, checkout=orders:live,mail=mail:7", (ORDERS, MAIL), invoker="reprise-invoker"
    )
    assert doors.target("orders") == Target(function=ORDERS)
    assert doors.target("checkout") == Target(function=ORDERS, qualifier="live")
    assert doors.target("mail") == Target(function=MAIL, qualifier="7")


def test_door_to_a_target_that_a_star_allows_needs_no_saying() -> None:
    team = "arn:aws:lambda:eu-west-1:123456789012:function:team-*"
    doors = Doors.read("", (team,), invoker="reprise-invoker")
    assert doors.target("team-a").name == "team-a"


@pytest.mark.parametrize("alias", ["live", "checkout"])
def test_alias_that_is_no_door_calls_nothing(alias: str) -> None:
    doors = Doors.read("checkout=strangers", (ORDERS,), invoker="reprise-invoker")
    with pytest.raises(BadRequestError, match="is no front door") as caught:
        doors.target(alias)
    assert caught.value.status == 403


@pytest.mark.parametrize("alias", ["loop", "reprise-invoker"])
def test_no_door_leads_back_to_the_invoker(alias: str) -> None:
    """With a star in Targets one call would be calls without end."""
    every = "arn:aws:lambda:eu-west-1:123456789012:function:*"
    doors = Doors.read("loop=reprise-invoker:loop", (every,), invoker="reprise-invoker")
    with pytest.raises(BadRequestError, match="leads back") as caught:
        doors.target(alias)
    assert caught.value.status == 403

"""Who sent an event, by its shape alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.doors.sender import OTHER, SENDERS, Way
from reprise.doors.sending import READS, Sending, read_sending
from unit.doors import samples


def sending(event: object) -> Sending:
    return read_sending(json.dumps(event).encode())


@pytest.mark.parametrize(
    ("event", "name", "may_keep"),
    [
        pytest.param(samples.REST, "REST API, or HTTP API with payload 1.0", True, id="rest"),
        pytest.param(samples.HTTP_1, "REST API, or HTTP API with payload 1.0", True, id="http-1"),
        pytest.param(samples.HTTP_2, "HTTP API or function URL", True, id="http-2"),
        pytest.param(samples.FUNCTION_URL, "HTTP API or function URL", True, id="function-url"),
        pytest.param(samples.ALB, "load balancer", True, id="alb"),
        pytest.param(samples.ALB_MULTI, "load balancer", True, id="alb-multi-value"),
        pytest.param(samples.APPSYNC, "AppSync, mutation", True, id="appsync"),
        pytest.param([samples.APPSYNC] * 2, "AppSync, mutation", True, id="appsync-batch"),
        pytest.param(samples.APPSYNC_QUERY, "AppSync, field", False, id="appsync-query"),
        pytest.param(samples.AUTHORIZER_1, "authorizer", False, id="authorizer"),
        pytest.param(samples.AUTHORIZER_2, "authorizer of an HTTP API", False, id="authorizer-2"),
        pytest.param(
            samples.AUTHORIZER_OF_APPSYNC, "authorizer of AppSync", False, id="authorizer-appsync"
        ),
        pytest.param(samples.AUTHORIZER_OF_IOT, "authorizer of IoT", False, id="authorizer-iot"),
        pytest.param(samples.COGNITO, "Cognito", False, id="cognito"),
        pytest.param(samples.COGNITO_AFTER, "Cognito, afterwards", True, id="cognito-after"),
        pytest.param(samples.SQS, "queue or stream", False, id="sqs"),
        pytest.param(samples.KAFKA, "topic or pipe that is polled", False, id="kafka"),
        pytest.param(samples.TASK, "state machine that waits", True, id="task-token"),
        pytest.param(samples.EVENTBRIDGE, "other", True, id="eventbridge"),
        pytest.param(samples.S3, "other", True, id="s3"),
        pytest.param(samples.SNS, "other", True, id="sns"),
        pytest.param(samples.OWN, "other", True, id="own"),
        pytest.param([], "other", True, id="empty-list"),
        pytest.param(None, "other", True, id="null"),
        pytest.param({"Records": []}, "other", True, id="no-records"),
        pytest.param({"requestContext": {"elb": {}}}, "other", True, id="half-an-alb"),
        pytest.param([samples.HTTP_2], "other", True, id="list-of-http"),
        pytest.param([samples.TASK], "other", True, id="list-of-tasks"),
        pytest.param([samples.COGNITO_AFTER], "other", True, id="list-of-triggers"),
        pytest.param(
            samples.SQS["Records"], "topic or pipe that is polled", False, id="pipe-of-sqs"
        ),
        pytest.param(
            {**samples.COGNITO_AFTER, "paid": True}, "Cognito", False, id="trigger-and-more"
        ),
        pytest.param(
            {**samples.COGNITO_AFTER, "response": {"paid": True}},
            "Cognito",
            False,
            id="trigger-answered",
        ),
        pytest.param({"TaskToken": 7}, "other", True, id="token-is-a-number"),
        pytest.param({"TaskToken": {"a": 1}}, "other", True, id="token-is-an-object"),
        pytest.param({"TaskToken": ""}, "other", True, id="token-is-empty"),
    ],
)
def test_sender_is_known_by_the_shape_of_its_event(event: Any, name: str, may_keep: bool) -> None:
    found = sending(event)
    assert (found.sender.name, found.may_keep) == (name, may_keep)


def test_every_kind_has_a_sample_above() -> None:
    assert len({sender.name for sender in SENDERS}) == len(SENDERS) == 15


@pytest.mark.parametrize("method", sorted(READS))
@pytest.mark.parametrize("event", [samples.REST, samples.ALB], ids=["rest", "alb"])
def test_request_that_only_asks_is_not_kept(event: dict[str, Any], method: str) -> None:
    found = sending({**event, "httpMethod": method.lower()})
    assert (found.is_read, found.may_keep) == (True, False)


@given(event=st.binary() | st.text().map(str.encode))
def test_no_bytes_are_too_strange_for_an_arrival(event: bytes) -> None:
    assert read_sending(event).sender in SENDERS


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_MEMBERS = st.sampled_from(
    sorted({mark.partition(".")[0] for sender in SENDERS for mark in sender.marks} | {"headers"})
)


@given(event=st.dictionaries(_MEMBERS, _JSON))
def test_member_of_a_known_name_may_hold_anything(event: dict[str, Any]) -> None:
    found = sending(event)
    assert found.sender.way is not Way.EVENT or "triggerSource" in event


@given(more=st.dictionaries(st.text().map(lambda text: f"x{text}"), _JSON), order=st.randoms())
@pytest.mark.parametrize("event", [samples.REST, samples.HTTP_2, samples.ALB, samples.APPSYNC])
def test_other_members_and_their_order_change_no_kind(
    event: dict[str, Any], more: dict[str, Any], order: Any
) -> None:
    items = [*event.items(), *more.items()]
    order.shuffle(items)
    assert sending(dict(items)).sender is sending(event).sender


def test_deep_nesting_is_no_reason_to_fail() -> None:
    assert read_sending(b'{"requestContext":' + b"[" * 100_000).sender is OTHER


# --- keys ---


def with_header(event: dict[str, Any], name: str, value: str, **changes: object) -> Sending:
    return sending({**event, "headers": {**event["headers"], name: value}, **changes})


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("order-7", "order-7"),
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("  order-7 ", "order-7"),
        ("", None),
        ('""', None),
    ],
)
def test_key_is_the_header_without_the_quotes_of_its_standard(value: str, key: str | None) -> None:
    assert with_header(samples.HTTP_2, "idempotency-key", value).key == key


@pytest.mark.parametrize("value", ["two words", "x" * 257, "schlüssel"])
def test_key_that_is_no_name_of_ours_is_digested(value: str) -> None:
    key = with_header(samples.REST, "Idempotency-Key", value).key
    assert key is not None
    assert key.startswith("sha256:")


def test_own_header_comes_before_the_standard_one() -> None:
    headers = {"Idempotency-Key": "theirs", "X-Reprise-Idempotency-Key": "ours"}
    assert sending({**samples.REST, "headers": headers}).key == "ours"


def test_key_may_come_in_multi_value_headers() -> None:
    event = {**samples.ALB_MULTI, "multiValueHeaders": {"idempotency-key": ["a", "b"]}}
    assert sending(event).key == "b"


KEYED = {**samples.HTTP_2["headers"], "idempotency-key": "k"}
WHO = (
    *("host", "x-auth-token", "x-amz-security-token", "x-user-id", "x-tenant", "x-session-id"),
    *("x-amzn-oidc-identity", "x-amzn-mtls-clientcert-subject", "x-forwarded-client-cert"),
    *("x-shop-jwt", "x-account", "x-org-id", "x-client-id", "x-credential", "proxy-authorization"),
)
"""Headers by which applications, gateways and load balancers tell who asks."""
IN_CONTEXT: tuple[dict[str, Any], ...] = (
    {"authorizer": {"jwt": {"claims": {"sub": "ann"}}}},
    {"authorizer": {"lambda": {"user": "ann"}}},
    {"authorizer": {"principalId": "ann", "integrationLatency": 7}},
    {"authorizer": {"iam": {"userArn": "arn:aws:iam::123456789012:user/ann"}}},
    {"authentication": {"clientCert": {"serialNumber": "1"}}},
    {"identity": {"cognitoIdentityId": "ann", "sourceIp": "192.0.2.1"}},
    {"identity": {"clientCert": {"serialNumber": "1"}}},
    {"stage": "test"},
    {"apiId": "another"},
)
"""Where gateways say who asks, and whom."""


@pytest.mark.parametrize(
    "added",
    [
        {"authorizer": {"principalId": "ann", "integrationLatency": 8}},
        {"identity": {"userArn": "a", "sourceIp": "192.0.2.2", "userAgent": "other"}},
        {"requestTimeEpoch": 8, "requestId": "another", "extendedRequestId": "another"},
    ],
    ids=lambda added: next(iter(added)),
)
def test_what_differs_from_try_to_try_in_a_gateways_words_does_not_make_it_another(
    added: dict[str, Any],
) -> None:
    said = {
        "authorizer": {"principalId": "ann", "integrationLatency": 7},
        "identity": {"userArn": "a", "sourceIp": "192.0.2.1", "userAgent": "curl"},
    }
    context = {**samples.REST["requestContext"], **said}
    first = with_header(samples.REST, "Idempotency-Key", "k", requestContext=context)
    again = with_header(samples.REST, "Idempotency-Key", "k", requestContext={**context, **added})
    assert first.scope == again.scope


@given(
    name=st.sampled_from(
        ["date", "x-amz-date", "x-amzn-trace-id", "traceparent", "via", "x-retry"]
    ),
    value=st.text("abc", max_size=3),
)
def test_headers_that_say_nothing_of_who_asks_make_it_no_other(name: str, value: str) -> None:
    first = with_header(samples.HTTP_2, "idempotency-key", "k")
    headers = {**samples.HTTP_2["headers"], "idempotency-key": "k", name: value}
    assert sending({**samples.HTTP_2, "headers": headers}).scope == first.scope


@given(
    headers=st.dictionaries(
        st.sampled_from(WHO), st.text("ab", min_size=1, max_size=2), max_size=4
    ),
    other=st.dictionaries(st.sampled_from(WHO), st.text("ab", min_size=1, max_size=2), max_size=4),
)
def test_two_clients_share_a_key_only_if_all_that_says_who_they_are_is_the_same(
    headers: dict[str, str], other: dict[str, str]
) -> None:
    """The late result of one is never told to the other."""
    one, two = (
        sending({**samples.HTTP_2, "headers": {"idempotency-key": "k", **said}})
        for said in (headers, other)
    )
    assert (one.scope == two.scope) == (headers == other)


def test_request_without_a_key_has_no_scope() -> None:
    found = sending(samples.REST)
    assert (found.key, found.scope) == (None, None)


def test_what_a_gateway_adds_to_a_repeated_request_does_not_make_it_another() -> None:
    context = {**samples.HTTP_2["requestContext"], "requestId": "another", "timeEpoch": 2}
    first = with_header(samples.HTTP_2, "idempotency-key", "k")
    again = with_header(
        samples.HTTP_2,
        "x-amzn-trace-id",
        "Root=1-2-3",
        headers={**samples.HTTP_2["headers"], "idempotency-key": "k", "x-amzn-trace-id": "Root=1"},
        requestContext=context,
    )
    assert again.scope == first.scope


@pytest.mark.parametrize(
    "changes",
    [
        {"body": '{"order":2}'},
        {"rawPath": "/refunds"},
        {"rawQueryString": "dry=yes"},
        {"cookies": ["session=2"]},
        {"headers": {"authorization": "Bearer b", "idempotency-key": "k"}},
        *({"headers": {**KEYED, name: "another's"}} for name in WHO),
        *({"requestContext": {**samples.HTTP_2["requestContext"], **who}} for who in IN_CONTEXT),
    ],
    ids=lambda changes: str(changes)[-60:],
)
def test_another_request_or_client_with_the_same_key_has_another_scope(
    changes: dict[str, Any],
) -> None:
    first = with_header(samples.HTTP_2, "idempotency-key", "k")
    other = sending(
        {
            **samples.HTTP_2,
            "headers": {**samples.HTTP_2["headers"], "idempotency-key": "k"},
            **changes,
        }
    )
    assert other.key == "k"
    assert other.scope != first.scope

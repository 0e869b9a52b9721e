from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.payload import MAX_PAYLOAD_BYTES
from reprise.call.request import CallRequest, check_request, read_request
from reprise.call.target import Target
from reprise.errors import BadRequestError
from reprise.settings import CallerSettings
from strategies import ORDERS, json_values, texts

SETTINGS = CallerSettings(
    targets=(ORDERS,),
    bucket="bucket",
    mac_secret_arn="arn:secret",
    call_timeout_s=30,
    capture_outcomes=frozenset(),
    status_url="reprise://reprise/calls/{id}",
    ledger_table="ledger",
    capture_log_group="stdout",
)


def _read(**fields: Any) -> CallRequest:
    return read_request({"FunctionName": "orders", **fields}, SETTINGS)


def _refusal(event: object) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        read_request(event, SETTINGS)
    return caught.value


def test_a_request_takes_the_invoke_apis_own_names() -> None:
    request = read_request(
        {
            "FunctionName": "orders",
            "Qualifier": "live",
            "Payload": {"order": 1},
            "ClientContext": "e30=",
            "TenantId": "t-1",
            "IdempotencyKey": "order-1",
            "Scope": "shop",
            "NotAfter": "2026-11-21T12:00:00+01:00",
        },
        SETTINGS,
        trace="Root=1-0-0",
    )
    assert request == CallRequest(
        target=Target(function=ORDERS, qualifier="live", tenant_id="t-1"),
        payload=b'{"order":1}',
        client_context="e30=",
        idempotency_key="order-1",
        scope="shop",
        not_after="2026-11-21T11:00:00.000000Z",
        trace="Root=1-0-0",
        wants_json=True,
    )


@given(text=texts)
def test_a_text_payload_is_sent_byte_for_byte(text: str) -> None:
    request = _read(Payload=text)
    assert (request.payload, request.wants_json) == (text.encode(), False)


@given(value=json_values.filter(lambda value: not isinstance(value, str)))
def test_a_json_payload_is_sent_as_json(value: object) -> None:
    request = _read(Payload=value)
    assert (json.loads(request.payload), request.wants_json) == (value, True)


@given(data=st.binary())
def test_bytes_travel_as_base64(data: bytes) -> None:
    request = _read(PayloadBase64=base64.b64encode(data).decode())
    assert (request.payload, request.wants_json) == (data, False)


def test_a_request_without_payload_sends_none() -> None:
    assert _read().payload == b""


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"PayloadBase64": "no base64!"}, "PayloadBase64"),
        ({"PayloadBase64": "é"}, "PayloadBase64"),
        ({"PayloadBase64": "", "Payload": None}, "PayloadBase64"),
        ({"PayloadBase64": 5}, "PayloadBase64"),
        ({"Payload": "\ud800"}, "Payload"),
        ({"Payload": "a" * (MAX_PAYLOAD_BYTES + 1)}, "Payload"),
        ({"Payload": {"x": [float("nan")]}}, "Payload"),
        ({"Payload": float("-inf")}, "Payload"),
        ({"functionName": "orders"}, "functionName"),
        ({"FUNCTIONNAME": "orders"}, "FUNCTIONNAME"),
        ({"Qualifier": "a b"}, "Qualifier"),
        ({"Qualifier": 7}, "Qualifier"),
        ({"ClientContext": "x" * 3584}, "ClientContext"),
        ({"ClientContext": "é"}, "ClientContext"),
        ({"ClientContext": "a\r\nX-Forged: 1"}, "ClientContext"),
        ({"TenantId": "é"}, "TenantId"),
        ({"TenantId": "a\n"}, "TenantId"),
        ({"TenantId": ""}, "TenantId"),
        ({"TenantId": "t" * 257}, "TenantId"),
        ({"IdempotencyKey": "a b"}, "IdempotencyKey"),
        ({"IdempotencyKey": ""}, "IdempotencyKey"),
        ({"IdempotencyKey": "k", "Scope": ""}, "Scope"),
        ({"IdempotencyKey": "k", "Scope": "a b"}, "Scope"),
        ({"Scope": "mine"}, "Scope"),
        ({"NotAfter": "tomorrow"}, "NotAfter"),
        ({"NotAfter": ""}, "NotAfter"),
        ({"NotAfter": "2026-11-21T12:00:00"}, "NotAfter"),
        ({"FunctionName": "a b"}, "FunctionName"),
        ({"FunctionName": None}, "FunctionName"),
        ({"InvocationType": "Event"}, "InvocationType"),
    ],
)
def test_a_refusal_names_the_field_and_the_next_step(fields: dict[str, Any], field: str) -> None:
    error = _refusal({"FunctionName": "orders", **fields})
    assert error.field == field
    assert error.message
    assert error.next_step


@pytest.mark.parametrize("event", [None, [], "orders", 7])
def test_an_event_that_is_no_object_is_refused(event: object) -> None:
    assert _refusal(event).field == "request"


def test_fields_may_be_spelt_as_other_tools_of_aws_spell_them() -> None:
    written = {"FunctionName": "orders", "TenantId": "t", "Payload": {"functionName": 1}}
    spelt = {"functionName": "orders", "tenantId": "t", "payload": {"functionName": 1}}
    assert read_request(spelt, SETTINGS) == read_request(written, SETTINGS)


def test_a_request_without_function_name_is_refused() -> None:
    assert _refusal({}).field == "FunctionName"


def test_the_longest_payload_and_context_are_accepted() -> None:
    check_request(
        CallRequest(
            target=Target(function=ORDERS, tenant_id="t" * 256),
            payload=bytes(MAX_PAYLOAD_BYTES),
            client_context="x" * 3583,
        )
    )


def test_a_payload_over_lambdas_limit_says_so_by_status() -> None:
    with pytest.raises(BadRequestError) as caught:
        check_request(
            CallRequest(target=Target(function=ORDERS), payload=bytes(MAX_PAYLOAD_BYTES + 1))
        )
    assert caught.value.status == 413


names = st.sampled_from(
    [
        "FunctionName",
        "Payload",
        "PayloadBase64",
        "Qualifier",
        "ClientContext",
        "TenantId",
        "IdempotencyKey",
        "Scope",
        "NotAfter",
        "Other",
    ]
)


@given(event=json_values | st.dictionaries(names, st.just("orders") | json_values))
def test_any_event_is_a_request_or_a_refusal(event: object) -> None:
    try:
        request = read_request(event, SETTINGS)
    except BadRequestError:
        return
    assert request.target.function == ORDERS


def test_a_caller_may_wait_no_longer_than_a_call_may_take() -> None:
    assert _read(WaitSeconds=30).wait_s == 30.0
    error = _refusal({"FunctionName": "orders", "WaitSeconds": 31})
    assert (error.field, error.status) == ("WaitSeconds", 400)

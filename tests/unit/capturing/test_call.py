"""The caller's side: what is captured, what is not, and what the caller learns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from doubles import FakeKeys, FakePolicies
from harness import FAILED, GONE, KEYS, LARGE, ORDERS, THROTTLED, TRANSIENT, UNKNOWN, Pipeline, call
from reprise import metric
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.request import CallRequest, read_request
from reprise.call.target import Target
from reprise.capturing.answer import write_answer, write_refusal
from reprise.capturing.line import MAX_LINE_BYTES, Verifier, read_line
from reprise.errors import BadRequestError, StoreError
from reprise.ports import Reply
from reprise.retry.policy import read_policy_document
from reprise.settings import CallerSettings
from reprise.testing import SUCCEEDED

if TYPE_CHECKING:
    from reprise.capturing.invoker import CallInvoker

URL = "reprise://reprise/calls/{id}"
SETTINGS = CallerSettings(
    targets=(ORDERS,),
    bucket="bucket",
    mac_secret_arn="arn",
    call_timeout_s=60,
    capture_outcomes=frozenset(),
    status_url=URL,
    ledger_table="ledger",
    capture_log_group="stdout",
)
TRUSTED = Verifier(keys=FakeKeys(KEYS), targets=(ORDERS,))


def test_success_is_passed_on_and_nothing_is_written() -> None:
    pipeline = Pipeline()
    request = call()

    answer = pipeline.caller().run(request)

    assert write_answer(request, answer, URL) == {"StatusCode": 200, "Payload": '{"ok":true}'}
    assert pipeline.lines == []
    assert pipeline.objects.kept == {}
    assert pipeline.meter.counts == {}


@pytest.mark.parametrize(
    "reply", [THROTTLED, TRANSIENT, UNKNOWN, FAILED], ids=lambda r: r.outcome.kind
)
def test_call_that_did_not_succeed_is_captured_and_answered_202(reply: Reply) -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [reply]
    request = call()

    answer = write_answer(request, pipeline.caller().run(request), URL)

    (line,) = pipeline.lines
    record = read_line(line, TRUSTED)
    assert record is not None
    assert record.outcome == reply.outcome
    assert record.payload.inline == '{"order":1}'
    assert answer["StatusCode"] == 202
    assert answer["reprise"]["id"] == record.id
    assert answer["reprise"]["outcome"]["kind"] == reply.outcome.kind
    assert answer["reprise"]["status_url"] == f"reprise://reprise/calls/{record.id}"
    assert "Payload" not in answer


def test_permanent_error_is_answered_and_not_captured() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [GONE]
    request = call()

    answer = write_answer(request, pipeline.caller().run(request), URL)

    assert answer["StatusCode"] == 404
    assert answer["error"]["code"] == "ResourceNotFoundException"
    assert pipeline.lines == []


def test_function_error_that_is_not_to_be_captured_is_the_targets_own_reply() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [FAILED]
    stage = pipeline.caller()
    stage = type(stage)(
        functions=stage.functions,
        capturer=stage.capturer,
        capture_outcomes=frozenset({OutcomeKind.THROTTLED}),
        meter=stage.meter,
    )
    request = call()

    answer = write_answer(request, stage.run(request), URL)

    assert answer == {
        "StatusCode": 200,
        "Payload": '{"errorType":"ValueError"}',
        "FunctionError": "Unhandled",
    }


def _asked_by(document: str) -> tuple[Pipeline, CallInvoker, FakePolicies]:
    pipeline = Pipeline()
    policies = FakePolicies(read_policy_document(document))
    outcomes = frozenset({OutcomeKind.THROTTLED, OutcomeKind.FUNCTION_ERROR})
    stage = replace(pipeline.caller(), capture_outcomes=outcomes, policies=policies)
    return pipeline, stage, policies


def test_a_targets_policy_decides_what_is_captured_of_it() -> None:
    pipeline, stage, _ = _asked_by('{"targets": {"orders": {"capture_on": ["transient"]}}}')
    pipeline.functions.script = [FAILED, THROTTLED, TRANSIENT]
    answers = [stage.run(call()) for _ in range(3)]
    assert [answer.captured is not None for answer in answers] == [False, False, True]


def test_where_the_policy_says_nothing_the_stack_decides() -> None:
    pipeline, stage, _ = _asked_by('{"targets": {"basket": {"capture_on": []}}}')
    pipeline.functions.script = [FAILED, THROTTLED, TRANSIENT]
    answers = [stage.run(call()) for _ in range(3)]
    assert [answer.captured is not None for answer in answers] == [True, True, False]


def test_a_policy_that_cannot_be_read_leaves_the_default_and_warns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pipeline, stage, policies = _asked_by('{"default": {"capture_on": []}}')
    policies.faults.fail("policies")
    pipeline.functions.script = [THROTTLED]
    assert stage.run(call()).captured is not None
    assert "policy cannot be read" in caplog.text


def test_a_success_asks_no_policy() -> None:
    _, stage, policies = _asked_by("{}")
    policies.faults.fail("policies")
    assert stage.run(call()).is_passed_through
    with pytest.raises(StoreError):
        policies.policies()


def test_large_payload_is_kept_before_its_line_is_written() -> None:
    pipeline = Pipeline()
    payload = LARGE
    pipeline.capture(call(payload))

    (line,) = pipeline.lines
    record = read_line(line, TRUSTED)
    assert record is not None
    assert record.payload.claim_check is not None
    assert pipeline.objects.kept[record.payload.claim_check.key] == payload
    assert pipeline.meter.counts[metric.CLAIM_CHECKS] == 1


@pytest.mark.parametrize("payload", [b"\\" * 150_000, "ä".encode() * 100_000, b"\x00" * 190_000])
def test_every_line_stays_below_200_kilobytes(payload: bytes) -> None:
    pipeline = Pipeline()
    pipeline.capture(
        CallRequest(
            target=Target(function=ORDERS),
            payload=payload,
            client_context="c" * 3583,
            trace="t" * 256,
        ),
        reply=Reply(outcome=Outcome(kind=OutcomeKind.THROTTLED, message="\x01" * 1024)),
    )

    assert len(pipeline.lines[0].encode()) <= MAX_LINE_BYTES


@pytest.mark.parametrize("operation", ["put", "keys"])
def test_capture_that_fails_gives_the_targets_own_error_marked_not_captured(operation: str) -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    pipeline.objects.faults.fail("put")
    pipeline.invoker_keys.faults.fail("keys", int(operation == "keys"))
    request = call(LARGE)

    answer = write_answer(request, pipeline.caller().run(request), URL)

    assert answer["StatusCode"] == 429
    assert answer["error"]["code"] == "TooManyRequestsException"
    assert answer["reprise"]["captured"] is False
    assert "InternalServerError" in answer["reprise"]["reason"]
    assert pipeline.lines == []
    assert pipeline.meter.counts == {metric.CAPTURE_FAILED: 1}


@pytest.mark.parametrize(
    ("event", "field", "status"),
    [
        (None, "request", 400),
        ([], "request", 400),
        ({}, "FunctionName", 400),
        ({"FunctionName": 1}, "FunctionName", 400),
        ({"FunctionName": ""}, "FunctionName", 400),
        ({"FunctionName": "admin"}, "FunctionName", 403),
        ({"FunctionName": "orders", "Extra": 1}, "Extra", 400),
        ({"FunctionName": "orders", "Qualifier": "a b"}, "Qualifier", 400),
        ({"FunctionName": "orders:live", "Qualifier": "blue"}, "Qualifier", 400),
        ({"FunctionName": "orders", "Payload": "x" * (6 * 1024 * 1024 + 1)}, "Payload", 413),
        ({"FunctionName": "orders", "Payload": "\ud800"}, "Payload", 400),
        ({"FunctionName": "orders", "PayloadBase64": "?"}, "PayloadBase64", 400),
        ({"FunctionName": "orders", "PayloadBase64": "", "Payload": ""}, "PayloadBase64", 400),
        ({"FunctionName": "orders", "ClientContext": "c" * 3584}, "ClientContext", 400),
        ({"FunctionName": "orders", "IdempotencyKey": ""}, "IdempotencyKey", 400),
        ({"FunctionName": "orders", "IdempotencyKey": "a b"}, "IdempotencyKey", 400),
        ({"FunctionName": "orders", "IdempotencyKey": 7}, "IdempotencyKey", 400),
        ({"FunctionName": "orders", "IdempotencyKey": "k", "Scope": " "}, "Scope", 400),
        ({"FunctionName": "orders", "Scope": "mine"}, "Scope", 400),
        ({"FunctionName": "orders", "NotAfter": "tomorrow"}, "NotAfter", 400),
        ({"FunctionName": "orders", "NotAfter": "2026-11-21T10:00:00"}, "NotAfter", 400),
    ],
)
def test_bad_request_is_refused_by_field_with_the_next_step(
    event: object, field: str, status: int
) -> None:
    with pytest.raises(BadRequestError) as refused:
        read_request(event, SETTINGS)

    answer = write_refusal(refused.value)
    assert answer["StatusCode"] == status
    assert answer["error"]["field"] == field
    assert answer["error"]["next_step"]


def test_request_speaks_lambdas_own_names() -> None:
    request = read_request(
        {
            "FunctionName": ORDERS,
            "Qualifier": "live",
            "Payload": ' {"a": 1.10e2} ',
            "ClientContext": "e30=",
            "TenantId": "t",
            "IdempotencyKey": "order-1",
            "NotAfter": "2026-11-21T12:00:00+01:00",
        },
        SETTINGS,
        trace="Root=1",
    )

    assert request == CallRequest(
        target=Target(function=ORDERS, qualifier="live", tenant_id="t"),
        payload=b' {"a": 1.10e2} ',
        client_context="e30=",
        idempotency_key="order-1",
        not_after="2026-11-21T11:00:00.000000Z",
        trace="Root=1",
    )


def test_payload_given_as_json_is_answered_as_json() -> None:
    request = read_request({"FunctionName": "orders", "Payload": {"a": [1]}}, SETTINGS)
    pipeline = Pipeline()

    answer = write_answer(request, pipeline.caller().run(request), URL)

    assert request.payload == b'{"a":[1]}'
    assert answer["Payload"] == {"ok": True}


@pytest.mark.parametrize("wants_json", [True, False])
def test_reply_that_is_no_text_is_answered_as_base64(wants_json: bool) -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [
        Reply(outcome=SUCCEEDED.outcome, payload=b"\xff", executed_version="3")
    ]
    request = CallRequest(target=Target(function=ORDERS), payload=b"", wants_json=wants_json)

    answer = write_answer(request, pipeline.caller().run(request), URL)

    assert answer == {"StatusCode": 200, "PayloadBase64": "/w==", "ExecutedVersion": "3"}

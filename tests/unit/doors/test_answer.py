"""What each kind of sender is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import FAILED, GONE, THROTTLED, TRANSIENT, UNKNOWN
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.capturing.invoker import Answer, Captured
from reprise.doors.answer import DoorAnswer, answer_door, refuse_door
from reprise.doors.sender import SENDERS, Way
from reprise.doors.sending import Sending, read_sending
from reprise.errors import BadRequestError
from reprise.ports import Reply
from unit.doors import samples

URL = "reprise://reprise/calls/{id}"
KEPT = Answer(
    reply=THROTTLED,
    captured=Captured(call_id="id-1", status_token="t.1.2", captured_at="2026-11-29T00:00:00Z"),
)
ANSWERED = Answer(
    reply=Reply(outcome=Outcome(kind=OutcomeKind.SUCCEEDED, status=200), payload=b'{ "a":\t1.0}')
)
EVERY = [
    *(samples.REST, samples.HTTP_1, samples.HTTP_2, samples.FUNCTION_URL, samples.ALB),
    *(
        samples.ALB_MULTI,
        samples.APPSYNC,
        samples.APPSYNC_QUERY,
        samples.AUTHORIZER_1,
        samples.AUTHORIZER_2,
    ),
    *(
        samples.COGNITO,
        samples.COGNITO_AFTER,
        samples.SQS,
        samples.KAFKA,
        samples.TASK,
        samples.OWN,
    ),
]


def told(event: object, answer: Answer) -> DoorAnswer:
    data = json.dumps(event).encode()
    return answer_door(read_sending(data), data, answer, URL)


def document(answer: DoorAnswer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.payload)
    return found


@pytest.mark.parametrize("event", EVERY)
def test_reply_of_the_target_is_not_touched(event: dict[str, Any]) -> None:
    assert told(event, ANSWERED) == DoorAnswer(payload=b'{ "a":\t1.0}')


@pytest.mark.parametrize("event", EVERY)
def test_error_of_the_target_is_the_invocations(event: dict[str, Any]) -> None:
    expected = DoorAnswer(payload=b'{"errorType":"ValueError"}', error_type="ValueError")
    assert told(event, Answer(reply=FAILED)) == expected
    assert told(event, Answer(reply=FAILED, not_captured="the ledger is away")) == expected


@pytest.mark.parametrize("event", [samples.REST, samples.HTTP_2, samples.FUNCTION_URL])
def test_http_client_of_a_kept_call_is_told_where_and_when_to_look(event: dict[str, Any]) -> None:
    answer = told(event, KEPT)
    response = document(answer)
    assert answer.error_type is None
    assert response["statusCode"] == 202
    assert response["isBase64Encoded"] is False
    assert response["headers"] == {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Location": "reprise://reprise/calls/id-1",
        "Retry-After": "60",
        "X-Reprise-Id": "id-1",
    }
    body = json.loads(response["body"])
    assert body["errorType"] == "Reprise.Captured"
    assert body["reprise"] == {
        "id": "id-1",
        "outcome": {
            "kind": "throttled",
            "code": "TooManyRequestsException",
            "reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
            "status": 429,
        },
        "status_token": "t.1.2",
        "status_url": "reprise://reprise/calls/id-1",
    }
    assert body["errorMessage"] == (
        "refused by Lambda (429 ReservedFunctionConcurrentInvocationLimitExceeded), kept as id-1, "
        "will be replayed; reprise status id-1"
    )


def test_load_balancer_gets_a_description_and_headers_of_the_events_own_form() -> None:
    plain, multi = document(told(samples.ALB, KEPT)), document(told(samples.ALB_MULTI, KEPT))
    assert plain["statusDescription"] == multi["statusDescription"] == "202 Accepted"
    assert "multiValueHeaders" not in plain
    assert "headers" not in multi
    assert multi["multiValueHeaders"] == {k: [v] for k, v in plain["headers"].items()}


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (samples.APPSYNC, "Captured"),
        (samples.OWN, "Reprise.Captured"),
        (samples.EVENTBRIDGE, "Reprise.Captured"),
    ],
    ids=["appsync", "own", "eventbridge"],
)
def test_kept_call_of_others_is_an_error_by_name(event: dict[str, Any], name: str) -> None:
    answer = told(event, KEPT)
    assert answer.error_type == document(answer)["errorType"] == name
    assert document(answer)["reprise"]["id"] == "id-1"


def test_task_that_waits_for_its_token_goes_on_waiting() -> None:
    answer = told(samples.TASK, KEPT)
    assert answer.error_type is None
    assert document(answer)["reprise"]["id"] == "id-1"


def test_cognito_gets_its_event_back_afterwards() -> None:
    assert told(samples.COGNITO_AFTER, KEPT) == DoorAnswer(
        payload=json.dumps(samples.COGNITO_AFTER).encode()
    )


@pytest.mark.parametrize(
    ("reply", "status", "retry_after"),
    [
        (THROTTLED, 503, "5"),
        (TRANSIENT, 503, "5"),
        (UNKNOWN, 504, None),
        (GONE, 502, None),
    ],
    ids=["throttled", "transient", "unknown", "permanent"],
)
def test_http_client_of_a_call_that_is_not_kept_is_told_whether_to_try_again(
    reply: Reply, status: int, retry_after: str | None
) -> None:
    read = {**samples.REST, "httpMethod": "GET"}
    for event, answer, why in (
        (samples.REST, Answer(reply=reply, not_captured="the secret is away"), "true"),
        (read, Answer(reply=reply), "read"),
    ):
        response = document(told(event, answer))
        assert response["statusCode"] == status
        assert response["headers"].get("Retry-After") == retry_after
        assert response["headers"]["X-Reprise-Not-Captured"] == why
        assert json.loads(response["body"])["reprise"]["captured"] is False


def test_what_could_not_keep_a_call_is_told_to_no_http_client() -> None:
    answer = Answer(reply=THROTTLED, not_captured="arn:aws:secretsmanager:... refused")
    assert b"secretsmanager" not in told(samples.REST, answer).payload
    assert b"secretsmanager" in told(samples.OWN, answer).payload


def test_kept_call_that_may_have_run_promises_no_replay() -> None:
    message = document(told(samples.OWN, replace(KEPT, reply=UNKNOWN)))["errorMessage"]
    assert message.startswith("not answered (ReadTimeoutError), kept as id-1, ")
    assert "will be replayed if its policy says idempotent" in message


def test_lambdas_own_retry_after_is_passed_on_in_whole_seconds() -> None:
    reply = replace(THROTTLED, outcome=Outcome(kind=OutcomeKind.THROTTLED, retry_after_s=10.2))
    assert document(told(samples.REST, Answer(reply=reply)))["headers"]["Retry-After"] == "11"


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        (THROTTLED, "Lambda.TooManyRequestsException"),
        (TRANSIENT, "Lambda.ServiceException"),
        (UNKNOWN, "Lambda.Unknown"),
        (GONE, "Lambda.ResourceNotFoundException"),
        (
            Reply(outcome=Outcome(kind=OutcomeKind.TRANSIENT, code="ConnectTimeoutError")),
            "Lambda.SdkClientException",
        ),
    ],
    ids=["throttled", "transient", "unknown", "permanent", "never-sent"],
)
def test_others_get_the_error_by_the_name_that_their_own_retries_know(
    reply: Reply, name: str
) -> None:
    answer = told(samples.OWN, Answer(reply=reply, not_captured="the secret is away"))
    assert answer.error_type == document(answer)["errorType"] == name
    assert document(answer)["reprise"]["reason"] == "the secret is away"


def test_what_a_target_says_of_its_failure_is_not_told_to_the_public() -> None:
    outcome = replace_message(FAILED.outcome)
    answer = told(samples.REST, replace(KEPT, reply=Reply(outcome=outcome)))
    assert b"secret" not in answer.payload
    assert (
        "failed in its function (ValueError)"
        in json.loads(document(answer)["body"])["errorMessage"]
    )


def replace_message(outcome: Outcome) -> Outcome:
    return Outcome(kind=outcome.kind, code=outcome.code, message="password=secret")


def test_refused_request_is_told_by_kind() -> None:
    error = BadRequestError("alias", "is no front door", "Name it", status=403)
    http = refuse_door(read_sending(json.dumps(samples.HTTP_2).encode()), error)
    assert (document(http)["statusCode"], http.error_type) == (403, None)
    other = refuse_door(read_sending(b"{}"), error)
    assert other.error_type == document(other)["errorType"] == "Reprise.BadRequest"


def test_key_of_another_payload_is_the_clients_mistake() -> None:
    refused = BadRequestError("IdempotencyKey", "is taken", "Send another", status=409)
    answer = Answer(reply=THROTTLED, not_captured=str(refused), refused=refused)
    assert document(told(samples.ALB, answer))["statusCode"] == 409


@given(
    sender=st.sampled_from(SENDERS),
    is_read=st.booleans(),
    has_multi_values=st.booleans(),
    outcome=st.builds(
        Outcome,
        kind=st.sampled_from(list(OutcomeKind)),
        code=st.none() | st.text(max_size=40),
        reason=st.none() | st.text(max_size=40),
        status=st.none() | st.integers(400, 599),
        retry_after_s=st.none() | st.floats(0, 43_200),
    ),
    how=st.sampled_from(["kept", "not kept", "passed"]),
)
def test_no_call_that_did_not_succeed_looks_like_a_success_to_who_waits_for_it(
    sender: Any, is_read: bool, has_multi_values: bool, outcome: Outcome, how: str
) -> None:
    sending = Sending(sender=sender, is_read=is_read, has_multi_values=has_multi_values)
    answer = Answer(
        reply=Reply(outcome=outcome, payload=b"{}"),
        captured=KEPT.captured if how == "kept" else None,
        not_captured="why" if how == "not kept" else None,
    )
    found = answer_door(sending, b'{"event":1}', answer, URL)
    if found.error_type is not None:
        return
    if how != "kept" and outcome.kind is OutcomeKind.SUCCEEDED:
        assert found.payload == b"{}"
    elif sender.way in (Way.HTTP, Way.ALB):
        status = document(found)["statusCode"]
        assert status == 202 if how == "kept" else status >= 500
    else:
        # Nobody waits for these replies: a token's owner, and Cognito, afterwards.
        assert how == "kept"
        assert sender.way in (Way.TOKEN, Way.EVENT)

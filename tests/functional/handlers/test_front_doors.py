"""The invoker through its aliases: the target's own event and reply, or what its sender is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functional.handlers.conftest import ANSWERED
from reprise.call.payload import digest
from reprise.capturing.record import EVENT_NAME
from scripted_server import Answer
from unit.doors import samples

if TYPE_CHECKING:
    from functional.handlers.conftest import Stack

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:reprise-invoker"
THROTTLED = Answer(
    status=429,
    headers={"x-amzn-ErrorType": "TooManyRequestsException"},
    body=b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","message":"Rate"}',
)
FAILED = Answer(
    headers={"X-Amz-Function-Error": "Handled"}, body=b'{"errorType":"NoStock", "errorMessage":"x"}'
)
ODD = b'{ "order":\t1.0, "name": "\\u00fc" }'


def through(stack: Stack, event: object, alias: str | None = "orders", **fields: Any) -> Any:
    """Invoke an alias of the invoker with an event, bytes or what is to be JSON."""
    module = stack.load("invoker.handler")
    data = event if isinstance(event, bytes) else json.dumps(event).encode()
    arn = ARN if alias is None else f"{ARN}:{alias}"
    invocation = module.Invocation(request_id="request-1", arn=arn, event=data, **fields)
    return module.handle(invocation)


def captured(out: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in out.splitlines()]
    return [line for line in lines if line.get("event") == EVENT_NAME]


def sent(stack: Stack) -> list[bytes]:
    return [each.body for each in stack.server.requests if each.path.endswith("invocations")]


def test_event_and_reply_pass_byte_for_byte(stack: Stack) -> None:
    stack.server.answers[:] = [Answer(body=b'[1.0,\n"\xc3\xbc"]')]
    reply = through(stack, ODD)
    assert (reply.payload, reply.error_type) == (b'[1.0,\n"\xc3\xbc"]', None)
    assert sent(stack) == [ODD]


def test_request_without_an_alias_is_what_it_was(stack: Stack) -> None:
    reply = through(stack, {"FunctionName": "orders", "Payload": "{}"}, alias=None)
    assert reply.error_type is None
    assert json.loads(reply.payload) == {
        "StatusCode": 200,
        "Payload": ANSWERED.body.decode(),
    }


def test_error_of_the_target_is_its_answer_though_the_invokers_other_callers_are_kept(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.server.answers[:] = [FAILED]
    reply = through(stack, ODD)
    assert (reply.payload, reply.error_type) == (FAILED.body, "NoStock")
    assert captured(capsys.readouterr().out) == []
    request = {"FunctionName": "orders", "Payload": "{}"}
    assert json.loads(through(stack, request, alias=None).payload)["StatusCode"] == 202


def test_error_of_the_target_is_kept_where_its_policy_says_so(stack: Stack) -> None:
    policy = json.dumps({"targets": {"orders": {"capture_on": ["function_error"]}}})
    name = stack.env["REPRISE_POLICY_PARAMETER"]
    stack.clients.parameters().put_parameter(Name=name, Value=policy, Overwrite=True)
    stack.server.answers[:] = [FAILED]
    response = json.loads(through(stack, samples.REST).payload)
    assert response["statusCode"] == 202
    stack.server.answers[:] = [THROTTLED]
    assert json.loads(through(stack, samples.REST).payload)["statusCode"] == 503


def test_refused_request_of_an_http_api_is_kept_with_its_own_event(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.server.answers[:] = [THROTTLED]
    reply = through(stack, samples.HTTP_2)
    response = json.loads(reply.payload)
    (line,) = captured(capsys.readouterr().out)
    assert (response["statusCode"], reply.error_type) == (202, None)
    assert response["headers"]["Location"].endswith(f"/calls/{line['id']}")
    assert line["payload"]["sha256"] == digest(json.dumps(samples.HTTP_2).encode())


def test_read_of_an_http_api_is_not_kept(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.server.answers[:] = [THROTTLED]
    response = json.loads(through(stack, {**samples.REST, "httpMethod": "GET"}).payload)
    assert (response["statusCode"], response["headers"]["Retry-After"]) == (503, "5")
    assert captured(capsys.readouterr().out) == []


def test_call_whose_line_cannot_be_signed_is_not_called_kept(stack: Stack) -> None:
    stack.server.answers[:] = [THROTTLED]
    arn = stack.env["REPRISE_MAC_SECRET_ARN"]
    stack.clients.secrets().delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    response = json.loads(through(stack, samples.REST).payload)
    assert response["statusCode"] == 503
    assert response["headers"]["X-Reprise-Not-Captured"] == "true"


def test_kept_call_of_anybody_else_is_an_error_with_its_id(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.server.answers[:] = [THROTTLED]
    reply = through(stack, samples.EVENTBRIDGE)
    (line,) = captured(capsys.readouterr().out)
    assert reply.error_type == "Reprise.Captured"
    assert json.loads(reply.payload)["reprise"]["id"] == line["id"]


def test_event_that_lambda_sends_again_is_one_call(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.server.answers[:] = [THROTTLED]
    first = json.loads(through(stack, samples.EVENTBRIDGE).payload)["reprise"]["id"]
    again = json.loads(through(stack, samples.EVENTBRIDGE).payload)["reprise"]["id"]
    assert again == first
    assert {line["id"] for line in captured(capsys.readouterr().out)} == {first}


def test_client_that_clicks_again_is_told_of_the_call_that_is_kept(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.server.answers[:] = [THROTTLED]
    event = {**samples.HTTP_2, "headers": {"idempotency-key": "order-7"}}
    first = json.loads(through(stack, event).payload)
    (line,) = captured(capsys.readouterr().out)
    stack.store("captured/1.gz", json.dumps(line))
    stack.handle("replayer.unpacker", stack.receive("CAPTURE"))
    before = len(sent(stack))
    stack.server.answers[:] = [ANSWERED]
    # A gateway gives each request an id and a time of its own.
    context = {**samples.HTTP_2["requestContext"], "requestId": "another", "timeEpoch": 2}
    again = json.loads(through(stack, {**event, "requestContext": context}).payload)
    assert again["statusCode"] == 202
    assert again["headers"]["X-Reprise-Id"] == first["headers"]["X-Reprise-Id"] == line["id"]
    assert len(sent(stack)) == before


def test_same_key_with_another_body_is_another_call(stack: Stack) -> None:
    stack.server.answers[:] = [THROTTLED]
    event = {**samples.HTTP_2, "headers": {"idempotency-key": "order-7"}}
    through(stack, event)
    stack.server.answers[:] = [ANSWERED]
    assert through(stack, {**event, "body": "{}"}).payload == ANSWERED.body


def test_alias_that_is_no_door_calls_nothing_whatever_its_event_asks_for(stack: Stack) -> None:
    reply = through(stack, {"FunctionName": "orders", "Payload": "{}"}, alias="live")
    assert reply.error_type == "Reprise.BadRequest"
    assert "'live' is no front door" in json.loads(reply.payload)["errorMessage"]
    assert sent(stack) == []


def test_door_calls_what_the_stack_says(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRISE_FRONT_DOORS", "checkout=orders:live")
    assert through(stack, ODD, alias="checkout").payload == ANSWERED.body
    (request,) = stack.server.requests
    assert "Qualifier=live" in request.path or request.path.endswith("live/invocations")


def test_trace_and_client_context_go_on(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "reprise-invoker")
    through(stack, ODD, client_context=b'{"custom":{"a":"b"}}')
    (request,) = stack.server.requests
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["x-amzn-trace-id"].startswith("Root=1-5759e988-bd862e3fe1be46a994272793")
    assert headers["x-amz-client-context"]


ACCOUNT_FULL = Answer(
    status=429,
    headers={"x-amzn-ErrorType": "TooManyRequestsException"},
    body=b'{"Reason":"ConcurrentInvocationLimitExceeded","message":"Rate"}',
)
BROKEN = Answer(
    status=500, headers={"x-amzn-ErrorType": "ServiceException"}, body=b'{"Message":"x"}'
)
OUTCOMES = {
    "success": ANSWERED,
    "429-function": THROTTLED,
    "429-account": ACCOUNT_FULL,
    "5xx": BROKEN,
    "no-answer": Answer(hang_up=True),
    "function-error": FAILED,
}
READ = {**samples.REST, "httpMethod": "GET"}
DOORS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    # What comes back for each outcome: an HTTP status, or the name of an error, of a call that is captured
    # but for the target's own replies.
    "rest": (samples.REST, ("own", "202", "202", "202", "202", "NoStock")),
    "http": (samples.HTTP_2, ("own", "202", "202", "202", "202", "NoStock")),
    "function-url": (samples.FUNCTION_URL, ("own", "202", "202", "202", "202", "NoStock")),
    "load-balancer": (samples.ALB_MULTI, ("own", "202", "202", "202", "202", "NoStock")),
    "read": (READ, ("own", "503", "503", "503", "504", "NoStock")),
    "appsync": (samples.APPSYNC, ("own", *["Captured"] * 4, "NoStock")),
    "state-machine": (samples.OWN, ("own", *["Reprise.Captured"] * 4, "NoStock")),
    "eventbridge": (samples.EVENTBRIDGE, ("own", *["Reprise.Captured"] * 4, "NoStock")),
    "task-token": (samples.TASK, ("own", *["kept"] * 4, "NoStock")),
    "cognito": (
        samples.COGNITO,
        (
            "own",
            "Lambda.TooManyRequestsException",
            "Lambda.TooManyRequestsException",
            "Lambda.ServiceException",
            "Lambda.Unknown",
            "NoStock",
        ),
    ),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("door", DOORS)
def test_every_sender_is_told_of_every_outcome_after_one_send(
    stack: Stack, capsys: pytest.CaptureFixture[str], door: str, outcome: str
) -> None:
    event, expected = DOORS[door]
    wanted = expected[list(OUTCOMES).index(outcome)]
    stack.server.answers[:] = [OUTCOMES[outcome]]
    reply = through(stack, event)
    lines = captured(capsys.readouterr().out)
    assert sent(stack) == [json.dumps(event).encode()]
    if wanted == "own":
        assert (reply.payload, reply.error_type) == (ANSWERED.body, None)
    elif wanted.isdigit():
        assert reply.error_type is None
        assert json.loads(reply.payload)["statusCode"] == int(wanted)
    elif wanted == "kept":
        assert reply.error_type is None
        assert json.loads(reply.payload)["reprise"]["id"] == lines[0]["id"]
    else:
        assert reply.error_type == wanted
    is_kept = wanted in ("202", "Captured", "Reprise.Captured", "kept")
    assert len(lines) == int(is_kept)

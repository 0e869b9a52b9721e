"""Invoking through the real SDK against a loopback server; every test counts the requests."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from urllib3.connection import HTTPConnection

from reprise.aws.clients import Clients
from reprise.aws.functions import LambdaFunctions
from reprise.call.outcome import OutcomeKind
from reprise.call.target import Target
from reprise_cli.aws import Aws
from reprise_cli.place import Place
from scripted_server import Answer, ScriptedServer
from strategies import ORDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_lambda import LambdaClient

    from reprise.ports import Reply

TARGET = Target(function=ORDERS)


@pytest.fixture
def env(aws_env: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    del aws_env
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def _functions(env: pytest.MonkeyPatch, url: str, timeout_s: int = 60) -> LambdaFunctions:
    env.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
    return LambdaFunctions(Clients().functions(timeout_s))


def _error(code: str, **fields: str) -> dict[str, object]:
    return {
        "headers": {"x-amzn-ErrorType": code, "x-amzn-RequestId": "r-1"},
        "body": json.dumps({"Type": "User", "message": "why", **fields}).encode(),
    }


@contextmanager
def _invoked(
    env: pytest.MonkeyPatch, answer: Answer, target: Target = TARGET
) -> Iterator[tuple[Reply, ScriptedServer]]:
    # Only who never answers is waited for; a busy machine may take a second for any answer.
    timeout_s = 3 if answer.never else 60
    with ScriptedServer(answer) as server:
        yield _functions(env, server.url, timeout_s).invoke(target, b'{"a":1}', None), server
        assert len(server.requests) == 1, "an SDK that repeats an invocation runs it twice"


def test_a_call_travels_byte_for_byte_with_all_that_names_it(env: pytest.MonkeyPatch) -> None:
    answer = Answer(
        body=b"\xff\x00reply", headers={"X-Amz-Executed-Version": "7", "x-amzn-RequestId": "r-1"}
    )
    with ScriptedServer(answer) as server:
        functions = _functions(env, server.url)
        target = Target(function=ORDERS, qualifier="live", tenant_id="t 1")
        reply = functions.invoke(target, b"\xfe\x01call", "e30=")
    assert (reply.payload, reply.executed_version) == (b"\xff\x00reply", "7")
    assert reply.outcome.kind is OutcomeKind.SUCCEEDED
    assert reply.outcome.request_id == "r-1"
    (request,) = server.requests
    assert request.body == b"\xfe\x01call"
    assert request.path.endswith("/invocations?Qualifier=live")
    assert request.headers["x-amz-tenant-id"] == "t 1"
    assert request.headers["x-amz-client-context"] == "e30="


def test_a_tenant_needs_no_parameter_that_an_older_sdk_refuses(env: pytest.MonkeyPatch) -> None:
    with ScriptedServer(Answer()) as server:
        env.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        functions = LambdaFunctions(Clients(is_thin=False).functions(60))
        named: list[str] = []
        functions._client.meta.events.register(  # noqa: SLF001 - what the SDK is asked for
            "provide-client-params.lambda.Invoke", lambda params, **_: named.extend(params)
        )
        functions.invoke(Target(function=ORDERS, qualifier="live", tenant_id="t 1"), b"{}", "e30=")
        functions.invoke(TARGET, b"{}", None)
    assert set(named) == {"FunctionName", "Payload", "Qualifier", "ClientContext"}
    assert [request.headers.get("x-amz-tenant-id") for request in server.requests] == ["t 1", None]


@pytest.mark.parametrize(
    "make", [lambda: Clients().functions(60), lambda: Aws(Place()).calls], ids=["stack", "command"]
)
def test_a_long_call_is_kept_alive_where_idle_connections_are_dropped(
    env: pytest.MonkeyPatch, make: Callable[[], LambdaClient]
) -> None:
    """A NAT gateway drops a connection that was idle for 350 s; Linux's own probes begin after two hours."""
    made: list[dict[str, int]] = []
    connect = HTTPConnection._new_conn  # noqa: SLF001 - where urllib3 makes its sockets

    def remembered(self: HTTPConnection) -> socket.socket:
        new = connect(self)
        options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL")
        made.append(
            {name: new.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in options}
            | {"SO_KEEPALIVE": new.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)}
        )
        return new

    env.setattr(HTTPConnection, "_new_conn", remembered)
    with ScriptedServer(Answer()) as server:
        env.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        LambdaFunctions(make()).invoke(TARGET, b"{}", None)
    (options,) = made
    assert options["SO_KEEPALIVE"] == 1
    assert 0 < options["TCP_KEEPIDLE"] + options["TCP_KEEPINTVL"] < 350


def test_a_call_without_qualifier_tenant_or_context_sends_none(env: pytest.MonkeyPatch) -> None:
    with _invoked(env, Answer()) as (reply, server):
        assert reply.outcome.kind is OutcomeKind.SUCCEEDED
    (request,) = server.requests
    assert "?" not in request.path
    assert not {"x-amz-tenant-id", "x-amz-client-context"} & set(request.headers)


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e300", 43_200.0),
    ],
)
def test_a_throttle_keeps_its_reason_and_when_to_come_again(
    env: pytest.MonkeyPatch, header: str, expected_s: float | None
) -> None:
    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
    error = _error("TooManyRequestsException", Reason=reason)
    headers = {"x-amzn-ErrorType": "TooManyRequestsException", "Retry-After": header}
    with _invoked(env, Answer(status=429, **(error | {"headers": headers}))) as (reply, _):  # type: ignore[arg-type]
        outcome = reply.outcome
    assert (outcome.kind, outcome.code) == (OutcomeKind.THROTTLED, "TooManyRequestsException")
    assert (outcome.reason, outcome.status, outcome.message) == (reason, 429, "why")
    assert outcome.retry_after_s == expected_s


def test_a_throttle_of_a_function_url_is_read_from_its_body(env: pytest.MonkeyPatch) -> None:
    """F§5: response headers may not pass, so the code is in the body, too."""
    body = b'{"__type":"TooManyRequestsException","Reason":"x","message":"y"}'
    with _invoked(env, Answer(status=429, body=body)) as (reply, _):
        assert reply.outcome.kind is OutcomeKind.THROTTLED
        assert (reply.outcome.code, reply.outcome.reason) == ("TooManyRequestsException", "x")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "ServiceException", OutcomeKind.TRANSIENT),
        (502, "ENINotReadyException", OutcomeKind.TRANSIENT),
        (502, "InvalidZipFileException", OutcomeKind.PERMANENT),
        (502, "KMSAccessDeniedException", OutcomeKind.PERMANENT),
        (409, "ResourceConflictException", OutcomeKind.TRANSIENT),
        (404, "ResourceNotFoundException", OutcomeKind.PERMANENT),
        (403, "AccessDeniedException", OutcomeKind.PERMANENT),
        (413, "RequestTooLargeException", OutcomeKind.PERMANENT),
        (400, "RecursiveInvocationException", OutcomeKind.PERMANENT),
    ],
)
def test_a_refusal_is_asked_for_once_and_classified_by_its_code(
    env: pytest.MonkeyPatch, status: int, code: str, kind: OutcomeKind
) -> None:
    with _invoked(env, Answer(status=status, **_error(code))) as (reply, _):  # type: ignore[arg-type]
        assert (reply.outcome.kind, reply.outcome.code) == (kind, code)
        assert (reply.outcome.status, reply.outcome.request_id) == (status, "r-1")
        assert reply.payload == b""


@pytest.mark.parametrize(
    "body", [b"", b"<html>bad gateway</html>", b"[]", b'"text"', b"5", b"null", b"{", b"\xff"]
)
@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_proxys_error_of_any_shape_is_classified_by_its_status(
    env: pytest.MonkeyPatch, status: int, body: bytes
) -> None:
    with _invoked(env, Answer(status=status, body=body)) as (reply, _):
        expected = OutcomeKind.THROTTLED if status == 429 else OutcomeKind.TRANSIENT
        assert reply.outcome.kind in {expected, OutcomeKind.UNKNOWN}


@pytest.mark.parametrize("word", ["Handled", "Unhandled"])
def test_a_function_error_is_no_success(env: pytest.MonkeyPatch, word: str) -> None:
    answer = Answer(
        headers={"X-Amz-Function-Error": word},
        body=b'{"errorType":"KeyError","errorMessage":"sku"}',
    )
    with _invoked(env, answer) as (reply, _):
        assert reply.outcome.kind is OutcomeKind.FUNCTION_ERROR
        assert (reply.outcome.code, reply.outcome.function_error) == ("KeyError", word)
        assert reply.payload == answer.body


@pytest.mark.parametrize(
    "answer",
    [Answer(never=True), Answer(hang_up=True), Answer(body=b'{"half', cut_body=True)],
    ids=["read timeout", "connection closed", "answer cut"],
)
def test_a_call_without_an_answer_may_have_run_and_is_never_repeated(
    env: pytest.MonkeyPatch, answer: Answer
) -> None:
    with _invoked(env, answer) as (reply, _):
        assert reply.outcome.kind is OutcomeKind.UNKNOWN
        assert reply.outcome.code
        assert reply.payload == b""


def test_a_refused_connection_was_never_sent(env: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        reply = _functions(env, url).invoke(TARGET, b"", None)
    assert reply.outcome.kind is OutcomeKind.TRANSIENT
    assert reply.outcome.code == "EndpointConnectionError"


def test_without_credentials_nothing_is_sent(env: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        env.delenv(name)
    with ScriptedServer(Answer()) as server:
        reply = _functions(env, server.url).invoke(TARGET, b"", None)
        assert (reply.outcome.kind, reply.outcome.code) == (
            OutcomeKind.TRANSIENT,
            "NoCredentialsError",
        )
        assert server.requests == []


def test_a_call_that_the_sdk_refuses_is_permanent(env: pytest.MonkeyPatch) -> None:
    with ScriptedServer(Answer()) as server:
        reply = _functions(env, server.url).invoke(Target(function=""), b"", None)
        assert reply.outcome.kind is OutcomeKind.PERMANENT
        assert reply.outcome.code == "ParamValidationError"
        assert server.requests == []


def test_a_context_that_no_header_carries_raises_nothing(env: pytest.MonkeyPatch) -> None:
    """A record of an older version may hold one."""
    with ScriptedServer(Answer()) as server:
        reply = _functions(env, server.url).invoke(TARGET, b"", "a\r\nX-Forged: 1")
        assert reply.outcome.kind is OutcomeKind.UNKNOWN
        assert server.requests == []


def test_the_environment_cannot_turn_retries_on(env: pytest.MonkeyPatch) -> None:
    """Trap 1: five attempts by default, and each of them may run the target."""
    env.setenv("AWS_MAX_ATTEMPTS", "5")
    env.setenv("AWS_RETRY_MODE", "adaptive")
    with _invoked(env, Answer(status=503)) as (reply, _):
        assert reply.outcome.kind is OutcomeKind.TRANSIENT


def test_trace_and_lineage_are_passed_on(env: pytest.MonkeyPatch) -> None:
    """F§8: without the lineage, Lambda's loop detection is blind."""
    trace = "Root=1-67890123-0123456789abcdef01234567;Sampled=0;Lineage=1:24b18b0a:5"
    env.setenv("AWS_LAMBDA_FUNCTION_NAME", "replayer")
    env.setenv("_X_AMZN_TRACE_ID", trace)
    with _invoked(env, Answer()) as (_, server):
        assert server.requests[0].headers["x-amzn-trace-id"] == trace


CALLER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
OWN = "Root=1-aaaaaaaa-bbbbbbbbbbbbbbbbbbbbbbbb;Sampled=0;Lineage=1:bbbb:2"


@pytest.mark.parametrize(
    ("trace", "sent"),
    [
        pytest.param(CALLER, f"{CALLER};Lineage=1:bbbb:2", id="callers-trace"),
        pytest.param(None, OWN, id="own-trace-of-the-sdks"),
    ],
)
def test_an_invocation_carries_one_trace_header(
    env: pytest.MonkeyPatch, trace: str | None, sent: str
) -> None:
    env.setenv("AWS_LAMBDA_FUNCTION_NAME", "reprise-replayer")
    env.setenv("_X_AMZN_TRACE_ID", OWN)
    with ScriptedServer(Answer()) as server:
        reply = _functions(env, server.url).invoke(TARGET, b"{}", None, trace)
    (request,) = server.requests
    assert request.headers["x-amzn-trace-id"] == sent
    assert reply.took_ms > 0

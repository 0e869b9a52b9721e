"""The plugin as callers meet it: boto3 as it is, a loopback Lambda, moto for the rest."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.stub import Stubber
from moto import mock_aws

from doubles import FakeKeys
from reprise import boto3_plugin, metric
from reprise.aws.clients import Clients
from reprise.aws.ledger_table import LedgerTable
from reprise.boto3_plugin import attach, awscli_initialize, install
from reprise.boto3_plugin.capture_setup import CaptureSetup, make_setup
from reprise.boto3_plugin.exchange import Raw
from reprise.boto3_plugin.lazy_setup import AGAIN_S, LazySetup
from reprise.call.outcome import OutcomeKind
from reprise.call.payload import digest
from reprise.call.reply_to import ReplyTo
from reprise.call.target import Target, conflict_id, id_of
from reprise.capturing.kept import EXCEPTION
from reprise.capturing.line import Verifier, read_line
from reprise.capturing.signature import MacKeys
from reprise.capturing.status_token import read_status_token
from reprise.errors import SettingsError, StoreError
from reprise.ledger import State
from scripted_server import Answer, ScriptedServer
from strategies import KEY, ORDERS, make_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reprise.capturing.record import Record

SECRET = json.dumps({"current": "k1", "k1": KEY, "targets": [ORDERS]})
SHOP = MacKeys.from_secret(SECRET, "web-shop")
TRUSTED = Verifier(keys=FakeKeys(SHOP), targets=(ORDERS,))
ORIGINAL = b'{"order":1}'


def _refusal(reason: str) -> Answer:
    return Answer(
        status=429,
        headers={"x-amzn-ErrorType": "TooManyRequestsException", "x-amzn-RequestId": "r-1"},
        body=json.dumps({"Reason": reason, "message": "Rate Exceeded."}).encode(),
    )


OF_FUNCTION = _refusal("ReservedFunctionConcurrentInvocationLimitExceeded")
OF_ACCOUNT = _refusal("ConcurrentInvocationLimitExceeded")
AWAY = Answer(status=503, headers={"x-amzn-ErrorType": "ServiceException"}, body=b"{}")
FAILED = Answer(
    headers={"X-Amz-Function-Error": "Unhandled"}, body=b'{"errorType":"E","errorMessage":"m"}'
)
GONE = Answer(status=404, headers={"x-amzn-ErrorType": "ResourceNotFoundException"}, body=b"{}")
DONE = Answer(body=b"\xffreply", headers={"X-Amz-Executed-Version": "7"})


class World:
    """A caller's process: our settings, a Lambda on the loopback, all other services on moto."""

    def __init__(
        self,
        env: pytest.MonkeyPatch,
        server: ScriptedServer,
        capsys: pytest.CaptureFixture[str],
        name: str,
    ) -> None:
        self.env = env
        self.server = server
        self.name = name
        self._capsys = capsys
        self.setup: CaptureSetup | None = None
        self.change: Callable[[CaptureSetup], CaptureSetup] = lambda setup: setup

    def client(self, **settings: Any) -> Any:
        """Return a client as the caller makes it, with the plugin."""
        client = boto3.client("lambda", config=Config(**settings))
        attach(client, os.environ, LazySetup(self.make))
        return client

    def make(self, env: Mapping[str, str]) -> CaptureSetup:
        """Make what captures, as a test changes it."""
        self.setup = self.change(make_setup(env))
        return self.setup

    def records(self) -> list[Record]:
        """Return what was captured since the last time."""
        lines = self._capsys.readouterr().out.splitlines()
        return [record for line in lines if (record := read_line(line, TRUSTED)) is not None]

    def record(self) -> Record:
        (record,) = self.records()
        return record

    @property
    def ledger(self) -> LedgerTable:
        return LedgerTable(Clients().dynamodb(), self.name)


@pytest.fixture
def world(aws_env: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    del aws_env
    with pytest.MonkeyPatch.context() as env, mock_aws(), ScriptedServer(OF_FUNCTION) as server:
        clients, name = Clients(), f"bucket-{uuid4()}"
        clients.s3().create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        clients.secrets().create_secret(Name=f"{name}/source/web-shop", SecretString=SECRET)
        clients.dynamodb().create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        said = {
            "bucket": name,
            "ledger_table": name,
            "targets": [ORDERS],
            "call_timeout_s": 35,
            "policy_parameter": f"/{name}/policy",
        }
        ssm = clients.parameters()
        ssm.put_parameter(Name=f"/{name}/callers", Value=json.dumps(said), Type="String")
        ssm.put_parameter(Name=f"/{name}/policy", Value="{}", Type="String")
        env.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        env.setenv("REPRISE_STACK", name)
        env.setenv("REPRISE_SOURCE", "web-shop")
        env.setenv("REPRISE_CAPTURE_LOG_GROUP", "stdout")
        # The SDK's waits between its own sends are not what is tested.
        env.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
        world = World(env, server, capsys, name)
        env.setattr(boto3_plugin, "SETUP", LazySetup(world.make))
        yield world


def _policy(world: World, **fields: object) -> None:
    world.env.delenv("REPRISE_CAPTURE_OUTCOMES", raising=False)
    Clients().parameters().put_parameter(
        Name=f"/{world.name}/policy",
        Value=json.dumps({"targets": {"orders": fields}}),
        Type="String",
        Overwrite=True,
    )


def _context(**said: object) -> str:
    document = {"client": {"app": "shop"}, "custom": {"reprise": said}}
    return base64.b64encode(json.dumps(document).encode()).decode()


def _body(answer: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(answer["Payload"].read())
    return document


# --- What is passed on ----------------------------------------------------------------------------


def test_a_success_is_the_targets_own_byte_for_byte_and_asks_nobody(world: World) -> None:
    world.server.answers = [DONE]
    answer = world.client().invoke(FunctionName="orders", Payload=b"\xfecall", Qualifier="live")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "7")
    assert answer["Payload"].read() == b"\xffreply"
    assert "FunctionError" not in answer
    (request,) = world.server.requests
    assert (request.body, request.path.partition("?")[2]) == (b"\xfecall", "Qualifier=live")
    assert (world.setup, world.records()) == (None, [])


def test_an_answer_can_be_read_in_pieces_as_boto3_gives_it(world: World) -> None:
    world.server.answers = [Answer(body=b"a\nb\n")]
    payload = world.client().invoke(FunctionName="orders")["Payload"]
    assert list(payload.iter_lines()) == [b"a", b"b"]


@pytest.mark.parametrize("size_bytes", [0, 1, 6_000_000])
def test_payload_and_reply_of_any_size_are_carried_whole(world: World, size_bytes: int) -> None:
    payload = b"\x00\xff" * (size_bytes // 2) + b"x" * (size_bytes % 2)
    world.server.answers = [Answer(body=payload)]
    answer = world.client().invoke(FunctionName="orders", Payload=payload)
    assert answer["Payload"].read() == payload == world.server.requests[0].body


def test_a_functions_own_error_is_its_answer(world: World) -> None:
    world.server.answers = [FAILED]
    answer = world.client().invoke(FunctionName="orders", Payload=ORIGINAL)
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert _body(answer) == {"errorType": "E", "errorMessage": "m"}
    assert (len(world.server.requests), world.records()) == (1, [])


def test_an_error_that_no_replay_can_heal_is_the_sdks_own(world: World) -> None:
    world.server.answers = [GONE]
    with pytest.raises(ClientError) as caught:
        world.client().invoke(FunctionName="orders")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert (len(world.server.requests), world.records()) == (1, [])


@pytest.mark.parametrize("kind", ["Event", "DryRun"])
def test_invocations_that_ask_for_no_answer_are_the_sdks_alone(world: World, kind: str) -> None:
    world.server.answers = [OF_FUNCTION, Answer(status=202)]
    answer = world.client().invoke(FunctionName="orders", InvocationType=kind)
    assert (answer["StatusCode"], len(world.server.requests)) == (202, 2)
    assert "FunctionError" not in answer
    assert world.records() == []


def test_an_execution_of_a_durable_function_is_the_sdks_alone(world: World) -> None:
    world.server.answers = [OF_FUNCTION, DONE]
    answer = world.client().invoke(FunctionName="orders:1", DurableExecutionName="order-1")
    assert (answer["Payload"].read(), len(world.server.requests)) == (b"\xffreply", 2)


def test_other_operations_and_other_services_are_untouched(world: World) -> None:
    world.server.answers = [Answer(body=b'{"FunctionName":"orders"}')]
    found = world.client().get_function_configuration(FunctionName="orders")
    assert found["FunctionName"] == "orders"
    assert install(boto3.client("sqs")).list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_refused_target_that_the_stack_does_not_list_is_logged_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.server.answers = [OF_FUNCTION]
    client = world.client()
    for _ in range(2):
        with pytest.raises(ClientError):
            client.invoke(FunctionName="no-order")
    said = [record.message for record in caplog.records if "no-order" in record.message]
    assert said == [
        "calls of no-order in eu-west-1 are not kept: it is none of the stack's Targets"
    ]


@pytest.mark.parametrize(
    ("function", "region"),
    [("basket", "eu-west-1"), (f"{ORDERS[:-6]}basket", "eu-west-1"), ("orders", "eu-central-1")],
    ids=["by name", "by arn", "of another region"],
)
def test_a_target_that_the_stack_does_not_list_keeps_the_sdks_retries_and_is_counted(
    world: World, function: str, region: str
) -> None:
    counted = _count(world)
    world.server.answers = [OF_FUNCTION, OF_FUNCTION, DONE]
    client = world.client(region_name=region)
    answer = client.invoke(FunctionName=function)
    assert (answer["Payload"].read(), len(world.server.requests)) == (b"\xffreply", 3)
    assert counted == []
    world.server.answers = [GONE]
    with pytest.raises(ClientError):
        client.invoke(FunctionName=function)
    world.server.answers = [OF_FUNCTION]
    with pytest.raises(ClientError) as caught:
        client.invoke(FunctionName=function)
    assert "x-reprise-not-captured" not in caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert counted == [metric.UNLISTED_TARGETS]
    assert world.records() == []


def _count(world: World) -> list[str]:
    counted: list[str] = []

    class Meter:
        def count(self, name: str, value: int = 1, **_: object) -> None:
            counted.extend([name] * value)

        def observe(self, *_: object, **__: object) -> None: ...

    def change(setup: CaptureSetup) -> CaptureSetup:
        meter = Meter()
        capturer = replace(setup.invoker.capturer, meter=meter)
        return replace(
            setup, meter=meter, invoker=replace(setup.invoker, meter=meter, capturer=capturer)
        )

    world.change = change
    return counted


# --- What is kept ---------------------------------------------------------------------------------

KEPT: Final[list[Any]] = [
    pytest.param(OF_FUNCTION, "throttled", 429, "TooManyRequestsException", id="429 of function"),
    pytest.param(OF_ACCOUNT, "throttled", 429, "TooManyRequestsException", id="429 of account"),
    pytest.param(AWAY, "transient", 503, "ServiceException", id="5xx"),
    pytest.param(Answer(status=502, body=b"<"), "transient", 502, "502", id="5xx of a proxy"),
    pytest.param(Answer(hang_up=True), "unknown", None, "ConnectionClosedError", id="hang up"),
    pytest.param(Answer(never=True), "unknown", None, "ReadTimeoutError", id="timeout"),
    pytest.param(
        Answer(body=b"half", cut_body=True), "unknown", None, "ResponseStreamingError", id="cut"
    ),
]


@pytest.mark.parametrize(("answer", "kind", "status", "code"), KEPT)
def test_a_call_that_did_not_succeed_is_sent_once_and_kept(
    world: World, answer: Answer, kind: str, status: int | None, code: str
) -> None:
    world.server.answers = [answer]
    found = world.client(read_timeout=0.3).invoke(FunctionName="orders:live", Payload=ORIGINAL)
    assert len(world.server.requests) == 1
    record = world.record()
    assert record.target == Target(function=ORDERS, qualifier="live")
    assert record.payload.inline == ORIGINAL.decode()
    assert (record.outcome.kind, record.outcome.status, record.outcome.code) == (kind, status, code)

    assert (found["StatusCode"], found["FunctionError"]) == (202, "Captured")
    headers = found["ResponseMetadata"]["HTTPHeaders"]
    body = _body(found)
    assert body["errorType"] == "Reprise.Captured"
    assert f"kept as {record.id}" in body["errorMessage"]
    assert body["errorMessage"].endswith(f"; reprise status {record.id}")
    assert body["reprise"]["id"] == headers["x-reprise-id"] == record.id
    assert body["reprise"]["outcome"]["kind"] == kind
    assert body["reprise"]["status_url"] == f"reprise://{world.name}/calls/{record.id}"
    token = headers["x-reprise-status-token"]
    assert body["reprise"]["status_token"] == token
    assert read_status_token(record.id, token, SHOP) is not None


def test_the_answer_says_why_in_a_sentence(world: World) -> None:
    body = _body(world.client().invoke(FunctionName="orders"))
    call_id = body["reprise"]["id"]
    assert body["errorMessage"] == (
        "refused by Lambda (429 ReservedFunctionConcurrentInvocationLimitExceeded), "
        f"kept as {call_id}, will be replayed; reprise status {call_id}"
    )
    world.server.answers = [Answer(hang_up=True)]
    assert (
        "will be replayed if its policy says idempotent"
        in _body(world.client().invoke(FunctionName="orders"))["errorMessage"]
    )


def test_a_connection_that_is_refused_is_kept_and_not_tried_again(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        world.env.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{free.getsockname()[1]}")
    start_s = time.monotonic()
    answer = world.client().invoke(FunctionName="orders")
    assert answer["FunctionError"] == "Captured"
    outcome = world.record().outcome
    assert (outcome.kind, outcome.code) == (OutcomeKind.TRANSIENT, "EndpointConnectionError")
    assert time.monotonic() - start_s < 5


def test_a_payload_that_fits_no_line_is_kept_in_the_bucket(world: World) -> None:
    payload = os.urandom(3_000_000) * 2
    world.client().invoke(FunctionName="orders", Payload=payload)
    check = world.record().payload.claim_check
    assert check is not None
    found = Clients().s3().get_object(Bucket=check.bucket, Key=check.key)
    assert found["Body"].read() == payload == world.server.requests[0].body


@pytest.mark.parametrize("payload", [io.BytesIO(ORIGINAL), bytearray(ORIGINAL), "text"])
def test_whatever_boto3_takes_for_a_payload_is_kept_as_it_was_sent(
    world: World, payload: Any
) -> None:
    world.client().invoke(FunctionName="orders", Payload=payload)
    assert world.record().payload.inline == world.server.requests[0].body.decode()


def test_tenant_client_context_and_trace_travel_with_the_call(world: World) -> None:
    world.env.setenv("AWS_LAMBDA_FUNCTION_NAME", "basket")
    world.env.setenv("_X_AMZN_TRACE_ID", "Root=1-5;Sampled=1")
    context = base64.b64encode(b'{"custom":{"a":"b"}}').decode()
    world.client().invoke(FunctionName="orders", TenantId="blue", ClientContext=context)
    record = world.record()
    assert record.target.tenant_id == "blue"
    assert (record.client_context, record.trace) == (context, "Root=1-5;Sampled=1")
    assert world.server.requests[0].headers["x-amz-client-context"] == context


def test_lines_go_into_the_capture_log_group(world: World) -> None:
    world.env.delenv("REPRISE_CAPTURE_LOG_GROUP")
    logs, group = boto3.client("logs"), f"/reprise/{world.name}/capture"
    logs.create_log_group(logGroupName=group)
    answer = world.client().invoke(FunctionName="orders")
    (event,) = logs.filter_log_events(logGroupName=group)["events"]
    record = read_line(event["message"], TRUSTED)
    assert record is not None
    assert record.id == answer["ResponseMetadata"]["HTTPHeaders"]["x-reprise-id"]
    # Standard output is the program's own.
    assert world.records() == []


# --- What is captured is the target's policy ------------------------------------------------------


def test_a_functions_error_is_kept_where_its_targets_policy_says_so(world: World) -> None:
    _policy(world, capture_on=["function_error"])
    world.server.answers = [FAILED]
    body = _body(world.client().invoke(FunctionName="orders"))
    assert body["errorMessage"].startswith("failed in its function (E), kept as ")
    assert world.record().outcome.kind == OutcomeKind.FUNCTION_ERROR


def test_what_is_not_captured_keeps_the_sdks_own_retries(world: World) -> None:
    _policy(world, capture_on=["throttled"])
    world.server.answers = [AWAY, DONE]
    client = world.client()
    assert client.invoke(FunctionName="orders")["Payload"].read() == b"\xffreply"
    assert (len(world.server.requests), world.records()) == (2, [])
    # A refusal after an error that is not captured is the last send, and the same call.
    world.server.requests.clear()
    world.server.answers = [AWAY, OF_FUNCTION]
    answer = client.invoke(FunctionName="orders")
    assert (answer["FunctionError"], len(world.server.requests)) == ("Captured", 2)
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    first, second = (each.headers["amz-sdk-invocation-id"] for each in world.server.requests)
    assert first == second
    assert world.record().id.startswith(f"orders:sdk:{first}~")


def test_what_a_caller_is_told_comes_before_what_its_targets_policy_says(world: World) -> None:
    _policy(world, capture_on=["throttled"])
    world.env.setenv("REPRISE_CAPTURE_OUTCOMES", "function_error")
    client = world.client(retries={"total_max_attempts": 1})
    with pytest.raises(ClientError):
        client.invoke(FunctionName="orders")
    world.server.answers = [FAILED]
    assert client.invoke(FunctionName="orders")["FunctionError"] == "Captured"


def test_a_policy_that_cannot_be_read_leaves_the_default(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    Clients().parameters().delete_parameter(Name=f"/{world.name}/policy")
    client = world.client()
    assert client.invoke(FunctionName="orders")["FunctionError"] == "Captured"
    world.server.answers = [FAILED]
    assert client.invoke(FunctionName="orders")["FunctionError"] == "Unhandled"
    (warning,) = [each for each in caplog.records if "policies cannot be read" in each.message]
    assert warning.levelno == logging.WARNING


# --- How the caller is told -----------------------------------------------------------------------


def test_an_exception_is_raised_where_one_is_wanted(world: World) -> None:
    world.env.setenv("REPRISE_ON_CAPTURE", "exception")
    with pytest.raises(ClientError) as caught:
        world.client().invoke(FunctionName="orders")
    record, response = world.record(), caught.value.response
    assert response["Error"]["Code"] == EXCEPTION
    assert f"kept as {record.id}" in str(caught.value)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-reprise-id"] == record.id
    assert len(world.server.requests) == 1


def test_a_plain_202_is_given_where_one_is_wanted(world: World) -> None:
    world.env.setenv("REPRISE_ON_CAPTURE", "accepted")
    answer = world.client().invoke(FunctionName="orders")
    assert (answer["StatusCode"], "FunctionError" in answer) == (202, False)
    assert _body(answer)["reprise"]["id"] == world.record().id


# --- When it cannot be kept -----------------------------------------------------------------------


def _break(world: World) -> None:
    def sink(_: str, /) -> None:
        raise StoreError("logs", "PutLogEvents", "ReadTimeoutError", "the store\nis slow")

    def change(setup: CaptureSetup) -> CaptureSetup:
        capturer = replace(setup.invoker.capturer, sink=sink)
        return replace(setup, invoker=replace(setup.invoker, capturer=capturer))

    world.change = change


def test_a_capture_that_fails_hides_no_error_of_the_targets_and_says_so(world: World) -> None:
    _break(world)
    with pytest.raises(ClientError) as caught:
        world.client().invoke(FunctionName="orders")
    response = caught.value.response
    assert response["Error"]["Code"] == "TooManyRequestsException"
    why = response["ResponseMetadata"]["HTTPHeaders"]["x-reprise-not-captured"]
    assert "PutLogEvents" in why
    assert "\n" not in why
    # What is to be captured is sent once, whether the capture succeeds or not.
    assert len(world.server.requests) == 1


def test_a_capture_that_fails_hides_no_time_out_either(world: World) -> None:
    _break(world)
    world.server.answers = [Answer(never=True)]
    with pytest.raises(ReadTimeoutError) as caught:
        world.client(read_timeout=0.2).invoke(FunctionName="orders")
    assert "x-reprise-not-captured: " in caught.value.__notes__[0]
    assert len(world.server.requests) == 1


def test_a_log_group_that_is_not_there_is_no_capture(world: World) -> None:
    world.env.setenv("REPRISE_CAPTURE_LOG_GROUP", "/nowhere")
    with pytest.raises(ClientError) as caught:
        world.client().invoke(FunctionName="orders")
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert "ResourceNotFoundException" in headers["x-reprise-not-captured"]


def test_a_target_that_the_source_may_not_sign_for_is_not_called_captured(world: World) -> None:
    """Its line would be in quarantine."""
    payments = f"{ORDERS[:-6]}payments"
    world.env.setenv("REPRISE_TARGETS", f"{ORDERS},{payments}")
    with pytest.raises(ClientError) as caught:
        world.client().invoke(FunctionName="payments")
    why = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-reprise-not-captured"]
    assert "source 'web-shop' may not sign for 'payments'" in why
    assert world.records() == []


def test_without_its_stack_a_caller_has_what_it_had_before_and_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.env.setenv("REPRISE_STACK", "another")
    world.server.answers = [OF_FUNCTION, OF_FUNCTION, DONE, OF_FUNCTION]
    client = world.client()
    assert client.invoke(FunctionName="orders")["Payload"].read() == b"\xffreply"
    assert len(world.server.requests) == 3
    with pytest.raises(ClientError) as caught:
        client.invoke(FunctionName="orders")
    why = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-reprise-not-captured"]
    assert "/another/callers" in why
    assert "call was not captured" in caplog.text


def test_a_stack_that_could_not_be_asked_is_asked_again_a_minute_later() -> None:
    now_s, asked = 0.0, 0

    def make(_: Mapping[str, str]) -> CaptureSetup:
        nonlocal asked
        asked += 1
        raise SettingsError("away")

    lazy_setup = LazySetup(make, monotonic=lambda: now_s)
    for _ in range(3):
        with pytest.raises(SettingsError, match="away"):
            lazy_setup.get()
    assert asked == 1
    now_s = AGAIN_S
    with pytest.raises(SettingsError):
        lazy_setup.get()
    assert asked == 2


def test_no_credentials_are_the_callers_own_error(world: World) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        world.env.delenv(name)
    with pytest.raises(NoCredentialsError) as caught:
        world.client().invoke(FunctionName="orders")
    assert "x-reprise-not-captured: no settings" in caught.value.__notes__[0]
    assert world.server.requests == []


# --- Keys -----------------------------------------------------------------------------------------


def _id(key: str, scope: str | None = None) -> str:
    return id_of(Target(function=ORDERS), source="web-shop", scope=scope, key=key)


def test_without_a_key_the_sdks_invocation_id_names_the_call(world: World) -> None:
    world.client().invoke(FunctionName="orders")
    (request,) = world.server.requests
    assert world.record().id == _id(f"sdk:{request.headers['amz-sdk-invocation-id']}")


def test_a_key_in_the_client_context_names_the_call_and_is_sent_on(world: World) -> None:
    context = _context(
        idempotency_key="order-1", scope="shop", not_after="2030-01-01T00:00:00+01:00"
    )
    world.client().invoke(FunctionName="orders", ClientContext=context)
    record = world.record()
    assert (record.id, record.client_context) == (_id("order-1", "shop"), context)
    assert record.not_after == "2029-12-31T23:00:00.000000Z"
    assert world.server.requests[0].headers["x-amz-client-context"] == context


def test_a_key_in_a_header_names_the_call_and_goes_no_further(world: World) -> None:
    client = world.client()
    said = {"X-Reprise-Idempotency-Key": "order-2", "x-reprise-scope": "shop"}
    client.meta.events.register(
        "before-call.lambda.Invoke", lambda params, **_: params["headers"].update(said)
    )
    client.invoke(FunctionName="orders")
    assert world.record().id == _id("order-2", "shop")
    assert not [name for name in world.server.requests[0].headers if name.startswith("x-reprise")]


@pytest.mark.parametrize("key", [None, "order-1"])
def test_a_place_for_the_late_result_travels_in_the_line_if_the_stack_allows_it(
    world: World, key: str | None
) -> None:
    said = {"reply_to": {"event": "mine"}} | ({"idempotency_key": key} if key else {})
    client, ssm = world.client(), Clients().parameters()
    with pytest.raises(ClientError, match="is not served here"):
        client.invoke(FunctionName="orders", ClientContext=_context(**said))
    assert world.server.requests == []
    ssm.put_parameter(Name=f"/{world.name}/replies", Value='{"events": "true"}', Type="String")
    # Another process: the first one believes for a minute that there is no add-on.
    world.client().invoke(FunctionName="orders", ClientContext=_context(**said))
    assert world.record().reply_to == ReplyTo(event="mine")


@pytest.mark.parametrize(
    ("context", "words"),
    [
        (_context(idempotency_key="a b"), "custom.reprise.idempotency_key: must be 1 to 256"),
        (_context(idempotency_key=7), "custom.reprise.idempotency_key: is of type int"),
        (_context(not_after="tomorrow"), "custom.reprise.not_after: is no instant"),
        (
            base64.b64encode(b'{"custom": {"reprise": []}}').decode(),
            "custom.reprise: must be an object",
        ),
    ],
)
def test_a_key_that_is_none_is_an_error_that_names_it_and_nothing_is_sent(
    world: World, context: str, words: str
) -> None:
    with pytest.raises(ClientError, match=words) as caught:
        world.client().invoke(FunctionName="orders", ClientContext=context)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert world.server.requests == []


@pytest.mark.parametrize("context", ["!", base64.b64encode(b"\xff").decode(), "W10="])
def test_a_client_context_that_cannot_be_read_is_lambdas_affair(world: World, context: str) -> None:
    world.server.answers = [DONE]
    answer = world.client().invoke(FunctionName="orders", ClientContext=context)
    assert answer["StatusCode"] == 200


def test_a_key_whose_call_was_captured_is_called_again_and_runs_once(world: World) -> None:
    """As the library: README, "Call again with the same key"."""
    client, context = world.client(), _context(idempotency_key="order-1")
    first = client.invoke(FunctionName="orders", Payload=ORIGINAL, ClientContext=context)
    assert first["FunctionError"] == "Captured"
    call_id = world.record().id
    world.ledger.record(make_row(id=call_id, sha256=digest(ORIGINAL), state=State.WAITING))

    world.server.requests.clear()
    second = client.invoke(FunctionName="orders", Payload=ORIGINAL, ClientContext=context)
    assert second["FunctionError"] == "Captured"
    assert second["ResponseMetadata"]["HTTPHeaders"]["x-reprise-id"] == call_id
    assert _body(second)["errorMessage"].startswith("not called again (AlreadyCaptured)")
    assert (world.server.requests, world.records()) == ([], [])


def test_a_key_whose_call_has_succeeded_meanwhile_gets_its_late_result(world: World) -> None:
    client, context = world.client(), _context(idempotency_key="order-1")
    client.invoke(FunctionName="orders", Payload=ORIGINAL, ClientContext=context)
    call_id = world.record().id
    done = make_row(id=call_id, sha256=digest(ORIGINAL), state=State.SUCCEEDED, result='{"a":1}')
    world.ledger.record(done)

    world.server.requests.clear()
    answer = client.invoke(FunctionName="orders", Payload=ORIGINAL, ClientContext=context)
    assert (answer["StatusCode"], "FunctionError" in answer) == (200, False)
    assert answer["Payload"].read() == b'{"a":1}'
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-reprise-id"], headers["x-reprise-late-result"]) == (call_id, "true")
    assert world.server.requests == []


def test_a_live_success_with_a_captured_calls_key_ends_it(world: World) -> None:
    client, context = world.client(), _context(idempotency_key="order-1")
    client.invoke(FunctionName="orders", Payload=ORIGINAL, ClientContext=context)
    call_id = world.record().id
    world.server.answers = [DONE]
    answer = client.invoke(FunctionName="orders", Payload=ORIGINAL, ClientContext=context)
    assert answer["Payload"].read() == b"\xffreply"
    row = world.ledger.get(call_id)
    assert row is not None
    assert row.state is State.SUCCEEDED


def test_a_key_that_names_another_payload_is_the_targets_own_error_and_not_captured(
    world: World,
) -> None:
    world.ledger.record(make_row(id=_id("order-1"), sha256=digest(b"another")))
    with pytest.raises(ClientError) as caught:
        world.client().invoke(
            FunctionName="orders",
            Payload=ORIGINAL,
            ClientContext=_context(idempotency_key="order-1"),
        )
    response = caught.value.response
    assert response["Error"]["Code"] == "TooManyRequestsException"
    assert (
        "another payload" in response["ResponseMetadata"]["HTTPHeaders"]["x-reprise-not-captured"]
    )
    assert (len(world.server.requests), world.records()) == (1, [])
    assert world.ledger.get(conflict_id(_id("order-1"), digest(ORIGINAL))) is None


# --- How it is installed --------------------------------------------------------------------------


def _is_installed(client: Any) -> bool:
    """Tell whether a call that is refused is kept."""
    try:
        return bool(client.invoke(FunctionName="orders")["FunctionError"] == "Captured")
    except (ClientError, AttributeError):
        return False


def test_the_sdks_variable_is_enough(world: World) -> None:
    world.env.setenv("BOTOCORE_EXPERIMENTAL__PLUGINS", "reprise=reprise.boto3_plugin")
    for client in (boto3.client("lambda"), botocore.session.get_session().create_client("lambda")):
        assert _is_installed(client)
    assert not _is_installed(boto3.client("sqs"))


def test_one_line_is_enough_for_a_client_and_for_all_of_a_session(world: World) -> None:
    del world
    client = boto3.client("lambda")
    assert install(client) is client
    install(client)
    assert _is_installed(client)
    for session in (boto3.Session(), botocore.session.get_session()):
        install(session)
        install(session)
        make: Any = session.client if isinstance(session, boto3.Session) else session.create_client
        assert _is_installed(make("lambda"))
        assert not _is_installed(make("sqs"))
    assert not _is_installed(boto3.client("lambda"))


def test_a_plugin_of_the_aws_cli_is_told_of_its_session_alone(world: World) -> None:
    del world
    session = botocore.session.get_session()
    awscli_initialize(session.get_component("event_emitter"))
    assert _is_installed(session.create_client("lambda"))
    assert not _is_installed(session.create_client("sqs"))


def test_a_fault_of_ours_hides_no_error_of_the_targets(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def change(_: CaptureSetup) -> CaptureSetup:
        raise ZeroDivisionError

    world.change = change
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        world.client(retries={"total_max_attempts": 1}).invoke(FunctionName="orders")
    assert "call was not captured" in caplog.text


def test_a_stubbed_client_answers_from_its_stubs(world: World) -> None:
    """Callers' own tests go on as they are."""
    client = world.client()
    with Stubber(client) as stubber:
        stubber.add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
        with pytest.raises(client.exceptions.TooManyRequestsException):
            client.invoke(FunctionName="orders")
    assert (world.server.requests, world.records()) == ([], [])


def test_calls_of_many_threads_are_kept_each_by_itself(world: World) -> None:
    client = world.client(max_pool_connections=16)
    with ThreadPoolExecutor(16) as pool:
        found = list(
            pool.map(
                lambda number: client.invoke(FunctionName="orders", Payload=str(number)), range(64)
            )
        )
    ids = {each["ResponseMetadata"]["HTTPHeaders"]["x-reprise-id"] for each in found}
    records = world.records()
    assert len(world.server.requests) == len(ids) == 64
    assert {record.id for record in records} == ids
    assert {record.payload.inline for record in records} == {str(number) for number in range(64)}


def test_what_is_neither_client_nor_session_is_refused() -> None:
    with pytest.raises(TypeError, match="a client or a session"):
        install("lambda")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPRISE_ON_CAPTURE", "raise"),
        ("REPRISE_CAPTURE_OUTCOMES", "often"),
        ("REPRISE_SOURCE", ""),
    ],
)
def test_a_malformed_setting_fails_the_making_of_a_client(
    world: World, name: str, value: str
) -> None:
    world.env.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        install(boto3.client("lambda"))
    # botocore would swallow an Exception.
    world.env.setenv("BOTOCORE_EXPERIMENTAL__PLUGINS", "reprise=reprise.boto3_plugin")
    with pytest.raises(boto3_plugin.PluginFailure, match=name):
        boto3.client("lambda")


def test_the_librarys_own_client_is_not_captured_twice(world: World) -> None:
    world.env.setenv("BOTOCORE_EXPERIMENTAL__PLUGINS", "reprise=reprise.boto3_plugin")
    assert not _is_installed(Clients(is_thin=False).functions(35))


# --- Attacks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize("sends", [{"total_max_attempts": 1}, {"max_attempts": 0}, {}])
def test_in_every_mode_of_retries_a_kept_call_is_sent_once(
    world: World, mode: str, sends: dict[str, int]
) -> None:
    client = world.client(retries={"mode": mode, **sends})
    assert _is_kept(client.invoke(FunctionName="orders"))
    world.server.answers = [DONE]
    assert client.invoke(FunctionName="orders")["Payload"].read() == b"\xffreply"
    assert len(world.server.requests) == 2


def test_a_bare_name_is_a_function_of_the_clients_region_wherever_it_is_listed(
    world: World,
) -> None:
    elsewhere = ORDERS.replace("eu-west-1", "us-east-1")
    world.env.setenv("REPRISE_TARGETS", f"{elsewhere},{ORDERS}")
    assert _is_kept(world.client().invoke(FunctionName="orders"))
    assert world.record().target.function == ORDERS


def test_a_bare_name_of_two_accounts_is_not_guessed(world: World) -> None:
    theirs = ORDERS.replace(ORDERS.split(":")[4], "999999999999")
    world.env.setenv("REPRISE_TARGETS", f"{theirs},{ORDERS}")
    secret = json.dumps({"current": "k1", "k1": KEY, "targets": [ORDERS, theirs]})
    Clients().secrets().put_secret_value(
        SecretId=f"{world.name}/source/web-shop", SecretString=secret
    )
    client = world.client(retries={"total_max_attempts": 1})
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        client.invoke(FunctionName="orders")
    assert world.records() == []
    assert _is_kept(client.invoke(FunctionName=ORDERS))
    assert world.record().target.function == ORDERS


def test_a_fault_of_ours_keeps_no_call_with_a_key_from_being_made(world: World) -> None:
    def change(_: CaptureSetup) -> CaptureSetup:
        raise ZeroDivisionError

    world.change = change
    world.server.answers = [DONE]
    context = _context(idempotency_key="order-1", reply_to={"event": True})
    answer = world.client().invoke(FunctionName="orders", ClientContext=context)
    assert answer["Payload"].read() == b"\xffreply"


def test_a_process_without_a_region_of_its_own_makes_its_calls_with_keys(world: World) -> None:
    world.server.answers = [DONE, OF_FUNCTION]
    client = world.client(retries={"total_max_attempts": 1})
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        world.env.delenv(name, raising=False)
    context = _context(idempotency_key="order-1")
    answer = client.invoke(FunctionName="orders", ClientContext=context)
    assert answer["Payload"].read() == b"\xffreply"
    with pytest.raises(ClientError, match="TooManyRequestsException") as caught:
        client.invoke(FunctionName="orders", ClientContext=context)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert "region" in headers["x-reprise-not-captured"]


class CircuitOpenError(Exception):
    """Raised by a handler of a caller's own."""


@pytest.mark.parametrize("event", ["before-send", "request-created", "before-sign"])
@pytest.mark.parametrize("said", [{}, {"idempotency_key": "order-1"}])
def test_what_a_callers_own_handler_raises_is_the_callers_and_no_call_to_keep(
    world: World, event: str, said: dict[str, str]
) -> None:
    def stop(**_: object) -> None:
        raise CircuitOpenError

    client = world.client()
    client.meta.events.register(f"{event}.lambda.Invoke", stop)
    with pytest.raises(CircuitOpenError):
        client.invoke(FunctionName="orders", ClientContext=_context(**said))
    assert (world.server.requests, world.records()) == ([], [])


def test_what_a_callers_own_handler_answers_is_the_answer(world: World) -> None:
    def answer(request: Any, **_: object) -> AWSResponse:
        make: Any = AWSResponse
        made: AWSResponse = make(request.url, 200, {}, Raw(b"mine"))
        return made

    client = world.client()
    client.meta.events.register("before-send.lambda.Invoke", answer)
    assert client.invoke(FunctionName="orders")["Payload"].read() == b"mine"
    assert world.server.requests == []


def test_handlers_that_hear_of_errors_hear_of_the_callers(world: World) -> None:
    _break(world)
    world.server.answers = [Answer(hang_up=True)]
    client, heard = world.client(), []
    client.meta.events.register(
        "after-call-error.lambda.Invoke", lambda exception, **_: heard.append(exception)
    )
    with pytest.raises(ConnectionClosedError) as caught:
        client.invoke(FunctionName="orders")
    assert heard == [caught.value]


def test_handlers_can_read_a_kept_calls_answer_as_any(world: World) -> None:
    client, heard = world.client(), []
    client.meta.events.register(
        "after-call.lambda.Invoke",
        lambda http_response, **_: heard.append(
            (http_response.content, http_response.text, http_response.headers["X-Reprise-Id"])
        ),
    )
    answer = client.invoke(FunctionName="orders")
    body = answer["Payload"].read()
    call_id = answer["ResponseMetadata"]["HTTPHeaders"]["x-reprise-id"]
    assert heard == [(body, body.decode(), call_id)]


def _is_kept(answer: dict[str, Any]) -> bool:
    return (answer["StatusCode"], answer.get("FunctionError")) == (202, "Captured")

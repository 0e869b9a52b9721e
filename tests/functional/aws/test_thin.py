"""The thin client beside the SDK's own, which says what is right: requests, answers, errors, repetitions."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    HTTPClientError,
)
from botocore.loaders import Loader
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from reprise.aws.address import endpoint, why_not
from reprise.aws.clients import Clients, ServiceModels
from reprise.aws.exchange import SignedRequest, sign
from reprise.aws.thin import ThinClient
from scripted_server import Answer, ScriptedServer
from strategies import ORDERS
from unit.test_imports import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY: Final = {"id": {"S": "orders:ü-1"}}
UPDATE: Final = {
    "TableName": "ledger",
    "Key": KEY,
    "UpdateExpression": "SET #a = :a, #n = :n",
    "ConditionExpression": "attribute_not_exists(#a)",
    "ExpressionAttributeNames": {"#a": "a", "#n": "n"},
    "ExpressionAttributeValues": {":a": {"BOOL": True}, ":n": {"N": "1"}},
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}
INVOKE: Final = {"FunctionName": ORDERS, "Payload": b"\xfe\x00call"}
SEND: Final = {
    "QueueUrl": "https://sqs/queue",
    "Entries": [
        {
            "Id": "0",
            "MessageBody": "ü\n",
            "DelaySeconds": 5,
            "MessageGroupId": "g",
            "MessageAttributes": {"a": {"DataType": "String", "StringValue": "b"}},
        }
    ],
}
CALLS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "update_item": ("dynamodb", UPDATE),
    "get_item": ("dynamodb", {"TableName": "ledger", "Key": KEY, "ConsistentRead": True}),
    "put_item": ("dynamodb", {"TableName": "ledger", "Item": {**KEY, "b": {"B": b"\x00\xff"}}}),
    "delete_item": ("dynamodb", {"TableName": "ledger", "Key": KEY}),
    "batch_get_item": ("dynamodb", {"RequestItems": {"ledger": {"Keys": [KEY]}}}),
    "batch_execute_statement": ("dynamodb", {"Statements": [{"Statement": "SELECT 1"}]}),
    "send_message_batch": ("sqs", SEND),
    "change_message_visibility_batch": (
        "sqs",
        {
            "QueueUrl": "https://sqs/queue",
            "Entries": [{"Id": "0", "ReceiptHandle": "h", "VisibilityTimeout": 5}],
        },
    ),
    "get_queue_attributes": (
        "sqs",
        {"QueueUrl": "https://sqs/queue", "AttributeNames": ("ApproximateNumberOfMessages",)},
    ),
    "invoke": ("lambda", {**INVOKE, "Qualifier": "a b/é", "ClientContext": "e30="}),
    "get_function_concurrency": ("lambda", {"FunctionName": ORDERS}),
    "get_function_configuration": ("lambda", {"FunctionName": ORDERS}),
    "get_account_settings": ("lambda", {}),
}


class Pair:
    """Both clients of a service, on one server, with one list of waits."""

    def __init__(
        self,
        env: pytest.MonkeyPatch,
        url: str,
        service: str,
        *,
        connect_s: float = 5,
        read_s: float = 30,
    ) -> None:
        env.setenv("AWS_ENDPOINT_URL", url)
        self.waits_s: list[float] = []
        # Only the module's own `time`: the SDK takes no other clock.
        sleep = SimpleNamespace(sleep=self.waits_s.append)
        env.setattr("botocore.endpoint.time", sleep)
        attempts = 1 if service == "lambda" else 4
        config = Config(
            retries={"total_max_attempts": attempts, "mode": "standard"},
            connect_timeout=connect_s,
            read_timeout=read_s,
        )
        session = botocore.session.get_session()
        session.register_component("data_loader", Loader(file_loader=ServiceModels()))
        # A session makes clients of a service by its name.
        create: Any = session.create_client
        self.sdk = create(service, region_name="eu-west-1", config=config)
        assert why_not(session, service) is None
        self.thin: Any = ThinClient(
            session, service, config, lambda: self.sdk, sleep=self.waits_s.append
        )


@pytest.fixture
def env(aws_env: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    del aws_env
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def _told(call: Callable[..., Any], parameters: dict[str, Any]) -> tuple[str, Any]:
    """Return how a call ended, as far as adapters can see."""
    try:
        found = call(**parameters)
    except ClientError as error:
        response: Any = error.response
        metadata = response["ResponseMetadata"]
        seen = ("Error", "Item", "Reason", "retryAfterSeconds")
        return "ClientError", (
            {name: response.get(name) for name in seen},
            {name: metadata.get(name) for name in ("HTTPStatusCode", "RequestId", "RetryAttempts")},
            error.operation_name,
            str(error),
        )
    except Exception as error:  # noqa: BLE001 - its class is what is compared
        return type(error).__name__, None
    metadata = found.pop("ResponseMetadata")
    if "Payload" in found:
        found["Payload"] = found["Payload"].read()
    return "answer", (found, metadata.get("RequestId"), metadata["RetryAttempts"])


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("path", ["", "/base/"])
def test_requests_are_the_sdks_own(env: pytest.MonkeyPatch, method: str, path: str) -> None:
    service, parameters = CALLS[method]
    env.setenv("AWS_LAMBDA_FUNCTION_NAME", "replayer")
    env.setenv("_X_AMZN_TRACE_ID", "Root=1-67890123-0123456789abcdef01234567;Lineage=1:a:5")
    with ScriptedServer(Answer(body=b"{}")) as server:
        pair = Pair(env, f"{server.url}{path}", service)
        assert _told(getattr(pair.sdk, method), parameters) == _told(
            getattr(pair.thin, method), parameters
        )
    theirs, ours = server.requests
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    if method == "invoke":
        assert ours.body == theirs.body
    else:
        assert json.loads(ours.body or b"{}") == json.loads(theirs.body or b"{}")
    assert _comparable(ours.headers) == _comparable(theirs.headers)


def _comparable(headers: dict[str, str]) -> dict[str, str]:
    """Leave out what differs from call to call; of a signature remains what it covers."""
    kept = dict(headers)
    for name in ("amz-sdk-invocation-id", "x-amz-date", "content-length"):
        assert kept.pop(name, "") or name == "content-length"
    kept["authorization"] = re.sub(r"Signature=\w{64}|\d{8}(?=/)", "", kept["authorization"])
    # The features that a request uses, as botocore counts them.
    kept["user-agent"] = re.sub(r" m/\S+", "", kept["user-agent"])
    return kept


@pytest.mark.parametrize("token", [None, "a-token"])
@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("https://dynamodb.eu-west-1.amazonaws.com/", {"X-Amz-Target": "DynamoDB_20120810.GetItem"}),
        ("http://LOCALHOST:4566/base/x", {"User-Agent": "a", "X-Amzn-Trace-Id": "b", "A": " c  d "}),
        ("http://[::1]:80/2015-03-31/functions/arn%3Aaws%3A%C3%A9~/invocations?Qualifier=a%20b", {}),
        ("https://lambda.eu-west-1.amazonaws.com:443/a%2Fb", {"X-Amz-Tenant-Id": "t 1"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"", b'{"a":1}\xff'])
def test_signatures_are_botocores(
    env: pytest.MonkeyPatch, url: str, headers: dict[str, str], body: bytes, token: str | None
) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    env.setattr("botocore.auth.get_current_datetime", lambda: at)
    credentials = Credentials("AKID", "a secret", token)
    theirs = AWSRequest("POST", url, headers=dict(headers), data=body)
    SigV4Auth(credentials, "lambda", "eu-west-1").add_auth(theirs)
    ours = SignedRequest("POST", url, dict(headers), body, {})
    sign(ours, credentials.get_frozen_credentials(), ("eu-west-1", "lambda"), "20260102T030405Z")
    assert ours.headers == dict(theirs.headers.items())


def _refusal(
    status: int, code: str, headers: dict[str, str] | None = None, **more: object
) -> Answer:
    body = json.dumps({"__type": code, "message": "why", **more}).encode()
    return Answer(status=status, body=body, headers={"x-amzn-RequestId": "r-1"} | (headers or {}))


OK: Final = Answer(body=b'{"Attributes":null,"Item":{"id":{"S":"a"}}}')
PREFIX: Final = "com.amazonaws.dynamodb.v20120810#"
QUERY_ERROR: Final = {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"}
STORES: Final[dict[str, tuple[str, list[Answer], int]]] = {
    "item": ("get_item", [OK], 1),
    "failed condition": (
        "update_item",
        [_refusal(400, f"{PREFIX}ConditionalCheckFailedException", Item={"id": {"S": "x"}})],
        1,
    ),
    "throttled once": (
        "get_item",
        [_refusal(400, f"{PREFIX}ProvisionedThroughputExceededException"), OK],
        2,
    ),
    "throttled for ever": ("get_item", [_refusal(400, f"{PREFIX}ThrottlingException")], 4),
    "retried by the model": (
        "update_item",
        [_refusal(400, f"{PREFIX}ReplicatedWriteConflictException"), Answer(body=b"{}")],
        2,
    ),
    "500 once": ("get_item", [_refusal(500, f"{PREFIX}InternalServerError"), OK], 2),
    "500 for ever": ("get_item", [_refusal(500, f"{PREFIX}InternalServerError")], 4),
    "a proxy's 503": ("get_item", [Answer(status=503, body=b"<html>busy</html>")], 4),
    "an empty 502": ("get_item", [Answer(status=502)], 4),
    "429 of nobody": ("get_item", [Answer(status=429, body=b"slow down")], 4),
    "not retried": ("get_item", [_refusal(400, "com.amazon.coral.validate#ValidationException")], 1),
    "expired token": ("get_item", [_refusal(400, "com.amazon.coral.service#ExpiredTokenException")], 1),
    "query compatible": (
        "get_queue_attributes",
        [_refusal(400, "com.amazonaws.sqs#QueueDoesNotExist", QUERY_ERROR)],
        1,
    ),
    "throttled by SQS": (
        "send_message_batch",
        [_refusal(400, "com.amazonaws.sqs#RequestThrottled"), Answer(body=b'{"Failed":[]}')],
        2,
    ),
    "lost once": ("get_item", [Answer(hang_up=True), OK], 2),
    "lost for ever": ("get_item", [Answer(hang_up=True)], 4),
    "wrong checksum": (
        "get_item",
        [
            Answer(body=OK.body, headers={"x-amz-crc32": "1"}),
            Answer(body=OK.body, headers={"x-amz-crc32": str(crc32(OK.body))}),
        ],
        2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STORES)
def test_answers_and_repetitions_of_stores_are_the_sdks(env: pytest.MonkeyPatch, case: str) -> None:
    method, answers, requests = STORES[case]
    service, parameters = CALLS[method]
    ends = []
    for name in ("sdk", "thin"):
        with ScriptedServer(*answers) as server:
            pair = Pair(env, server.url, service)
            ends.append(_told(getattr(getattr(pair, name), method), parameters))
            assert (name, len(server.requests)) == (name, requests)
            assert len(pair.waits_s) == requests - 1
            # Botocore's own waits, of chance: at most 1, 2 and 4 seconds after throttles.
            assert all(0 <= wait_s <= 4 for wait_s in pair.waits_s)
    assert ends[0] == ends[1]


THROTTLE: Final = {
    "x-amzn-ErrorType": "TooManyRequestsException:http://internal.amazon.com/coral/",
    "x-amzn-RequestId": "r-1",
    "Retry-After": "3",
}
TELLS: Final = {
    "x-amzn-RequestId": "r-1",
    "X-Amz-Function-Error": "Unhandled",
    "X-Amz-Executed-Version": "7",
}
INVOCATIONS: Final = {
    "success": Answer(body=b"\xff\x00", headers={"x-amzn-RequestId": "r-1"}),
    "function error": Answer(body=b'{"errorType":"KeyError"}', headers=TELLS),
    "throttle": Answer(
        status=429,
        headers=THROTTLE,
        body=b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"why"}',
    ),
    "throttle by code": Answer(status=429, body=b'{"code":"Throttled","Message":"why"}'),
    "500": Answer(status=500, headers={"x-amzn-ErrorType": "ServiceException"}, body=b'{"Message":"a"}'),
    "an empty 503": Answer(status=503),
    "lost": Answer(hang_up=True),
    "never": Answer(never=True),
}  # fmt: skip


@pytest.mark.parametrize("case", INVOCATIONS)
def test_invocations_end_as_the_sdks_do_and_are_sent_once(
    env: pytest.MonkeyPatch, case: str
) -> None:
    answer = INVOCATIONS[case]
    with ScriptedServer(answer) as server:
        pair = Pair(env, server.url, "lambda", read_s=0.5 if answer.never else 30)
        ends = [_told(client.invoke, INVOKE) for client in (pair.sdk, pair.thin)]
        assert len(server.requests) == 2
    assert ends[0] == ends[1]
    assert pair.waits_s == []


def test_an_invocation_on_a_kept_connection_that_breaks_is_not_sent_again(
    env: pytest.MonkeyPatch,
) -> None:
    with ScriptedServer(Answer(), Answer(hang_up=True)) as server:
        thin = Pair(env, server.url, "lambda").thin
        thin.invoke(**INVOKE)
        with pytest.raises(ConnectionClosedError):
            thin.invoke(**INVOKE)
        assert len(server.requests) == 2


def test_a_kept_connection_that_was_closed_meanwhile_is_not_used(env: pytest.MonkeyPatch) -> None:
    with ScriptedServer(Answer()) as server:
        thin = Pair(env, server.url, "lambda").thin
        thin.invoke(**INVOKE)
        ((connection, _),) = thin.connections._idle  # noqa: SLF001 - what the server does to it
        connection.sock.shutdown(socket.SHUT_RDWR)
        thin.invoke(**INVOKE)
        assert len(server.requests) == 2
        assert thin.connections._idle[0][0] is not connection  # noqa: SLF001 - as above


@pytest.mark.parametrize(("idle_s", "is_used"), [(29, True), (31, False), (-3600, False)])
def test_a_connection_that_was_idle_for_long_is_not_trusted_with_a_call(
    env: pytest.MonkeyPatch, idle_s: float, *, is_used: bool
) -> None:
    """A frozen environment sees no end of it: the call would be sent, and nobody knew whether it ran."""
    now_s = [1000.0]
    with ScriptedServer(Answer()) as server:
        thin = Pair(env, server.url, "lambda").thin
        thin.connections.now_s = lambda: now_s[0]
        thin.invoke(**INVOKE)
        ((connection, _),) = thin.connections._idle  # noqa: SLF001 - whether it is used again
        now_s[0] += idle_s
        thin.invoke(**INVOKE)
        assert (thin.connections._idle[0][0] is connection) is is_used  # noqa: SLF001 - as above
        assert len(server.requests) == 2


@pytest.mark.parametrize("method", ["invoke", "get_item"])
def test_an_answer_that_is_cut_is_lost(env: pytest.MonkeyPatch, method: str) -> None:
    """The SDK takes a store's for an empty answer: a row that is not there."""
    service, parameters = CALLS[method]
    with ScriptedServer(Answer(body=b'{"Item":{}}', cut_body=True)) as server:
        pair = Pair(env, server.url, service)
        with pytest.raises(ConnectionClosedError):
            getattr(pair.thin, method)(**parameters)
        assert len(server.requests) == (1 if method == "invoke" else 4)


@pytest.mark.parametrize("body", [b'{"Item":', b"[]", b"null", b"\xff", b""])
def test_a_stores_answer_that_is_no_json_object_is_lost(
    env: pytest.MonkeyPatch, body: bytes
) -> None:
    """The SDK takes some for an empty answer, and trips over others."""
    with ScriptedServer(Answer(body=body), OK) as server:
        thin = Pair(env, server.url, "dynamodb").thin
        assert thin.get_item(TableName="ledger", Key=KEY)["Item"] == {"id": {"S": "a"}}
    with ScriptedServer(Answer(body=body)) as server:
        thin = Pair(env, server.url, "dynamodb").thin
        with pytest.raises(HTTPClientError):
            thin.get_item(TableName="ledger", Key=KEY)
        assert len(server.requests) == 4


@pytest.mark.parametrize("body", [b"[]", b"5", b"\xff", b"{"])
def test_a_refusal_of_any_shape_has_a_code(env: pytest.MonkeyPatch, body: bytes) -> None:
    with ScriptedServer(Answer(status=400, body=body)) as server:
        thin = Pair(env, server.url, "dynamodb").thin
        with pytest.raises(ClientError) as caught:
            thin.get_item(TableName="ledger", Key=KEY)
    assert caught.value.response["Error"]["Code"] == "400"


def test_refused_connections_and_names_that_lead_nowhere_end_as_the_sdks(
    env: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and nobody listens
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for url in (nowhere, "http://nowhere.invalid"):
            pair = Pair(env, url, "lambda")
            ends = [_told(client.invoke, INVOKE) for client in (pair.sdk, pair.thin)]
            assert ends == [("EndpointConnectionError", None)] * 2


def test_a_line_that_never_becomes_tls_was_not_used(env: pytest.MonkeyPatch) -> None:
    """The SDK speaks of a read timeout, as if the call might have run."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        thin = Pair(env, url, "lambda", connect_s=0.3).thin
        with pytest.raises(ConnectTimeoutError):
            thin.invoke(**INVOKE)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate of its own for `localhost`, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("host", "is_known", "end"),
    [("localhost", True, "answer"), ("127.0.0.1", True, "SSLError"), ("localhost", False, "SSLError")],
)  # fmt: skip
def test_a_certificate_is_checked_and_the_name_in_it(
    env: pytest.MonkeyPatch, certificate: Path, host: str, end: str, *, is_known: bool
) -> None:
    env.delenv("REQUESTS_CA_BUNDLE", raising=False)
    env.delenv("AWS_CA_BUNDLE", raising=False)
    if is_known:
        env.setenv("AWS_CA_BUNDLE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ScriptedServer(Answer(body=b"ok")) as server:
        plain = server._server.socket  # noqa: SLF001 - it speaks no TLS by itself
        server._server.socket = context.wrap_socket(plain, server_side=True)  # noqa: SLF001 - as above
        url = server.url.replace("http://127.0.0.1", f"https://{host}")
        pair = Pair(env, url, "lambda")
        ends = [_told(client.invoke, INVOKE)[0] for client in (pair.sdk, pair.thin)]
    assert ends == [end, end]


def test_a_header_with_a_line_break_is_not_sent(env: pytest.MonkeyPatch) -> None:
    with ScriptedServer(Answer()) as server:
        pair = Pair(env, server.url, "lambda")
        parameters = {**INVOKE, "ClientContext": "a\r\nX-Forged: 1"}
        ends = [_told(client.invoke, parameters) for client in (pair.sdk, pair.thin)]
        assert ends == [("HTTPClientError", None)] * 2
        assert server.requests == []


def test_what_is_not_called_here_goes_to_the_sdks_client(env: pytest.MonkeyPatch) -> None:
    with ScriptedServer(Answer(body=b'{"TableNames":["a"]}')) as server:
        thin = Pair(env, server.url, "dynamodb").thin
        assert thin.list_tables()["TableNames"] == ["a"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "true", "use_fips_endpoint"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", "use_dualstack_endpoint"),
        ("AWS_ENDPOINT_DISCOVERY_ENABLED", "true", "endpoint_discovery_enabled"),
        ("AWS_DATA_PATH", "/models", "data_path"),
        ("HTTPS_PROXY", "http://proxy:3128", "proxy"),
        ("AWS_REGION", "local", "local"),
        ("AWS_REGION", "fips-us-east-1", "fips-us-east-1"),
        ("AWS_REGION", "us-gov-west-1-fips", "us-gov-west-1-fips"),
        ("AWS_ACCOUNT_ID", "123456789012", "account"),
        ("AWS_ACCOUNT_ID_ENDPOINT_MODE", "required", "account"),
    ],
)
def test_what_is_unusual_is_left_to_the_sdk(
    env: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        env.delenv(proxy, raising=False)
    assert why_not(botocore.session.get_session(), "dynamodb") is None
    env.setenv(name, value)
    assert reason in str(why_not(botocore.session.get_session(), "dynamodb"))


@pytest.mark.parametrize("service", ["dynamodb", "lambda"])
@pytest.mark.parametrize("keepalive", ["true", "false", ""])
def test_settings_of_requests_and_connections_are_heard_as_the_sdk_hears_them(
    env: pytest.MonkeyPatch, tmp_path: Path, service: str, keepalive: str
) -> None:
    profile = tmp_path / "config"
    profile.write_text(f"[default]\nsdk_ua_app_id = orders\ntcp_keepalive = {keepalive}\n")
    env.setenv("AWS_CONFIG_FILE", str(profile))
    with ScriptedServer(Answer(body=b"{}")) as server:
        env.setenv("AWS_ENDPOINT_URL", server.url)
        method = "get_item" if service == "dynamodb" else "get_account_settings"
        options = []
        for is_thin in (False, True):
            clients = Clients(is_thin=is_thin)
            client: Any = clients.dynamodb() if service == "dynamodb" else clients.functions(30)
            assert isinstance(client, ThinClient) is is_thin
            getattr(client, method)(**CALLS[method][1])
            http: Any = client.connections if is_thin else client._endpoint.http_session  # noqa: SLF001 - what it tells the system
            options.append(vars(http).get("socket_options", vars(http).get("_socket_options")))
    theirs, ours = (_comparable(request.headers)["user-agent"] for request in server.requests)
    assert ours == theirs
    assert "app/orders" in ours
    assert options[1] == options[0]


def test_addresses_are_those_of_the_sdks_rules(env: pytest.MonkeyPatch) -> None:
    env.delenv("AWS_ENDPOINT_URL", raising=False)
    session, loader = botocore.session.get_session(), Loader()
    partitions = loader.load_data("partitions")
    regions = [region for each in partitions["partitions"] for region in each["regions"]]
    assert {"eu-west-1", "cn-north-1", "us-gov-west-1"} < set(regions)
    for service in ("dynamodb", "sqs", "lambda"):
        rules = loader.load_service_model(service, "endpoint-rule-set-1")
        provider = EndpointProvider(rules, partitions)
        for region in [*regions, "eu-east-9", "moon-north-1"]:
            given = {"Region": region, "UseFIPS": False, "UseDualStack": False}
            theirs = provider.resolve_endpoint(**given).url
            assert endpoint(session, service, region) == (theirs, False)


def test_addresses_of_the_environment_come_first_unless_they_are_to_be_ignored(
    env: pytest.MonkeyPatch,
) -> None:
    env.setenv("AWS_ENDPOINT_URL", "http://all")
    env.setenv("AWS_ENDPOINT_URL_SQS", "http://queue")
    session = botocore.session.get_session()
    assert endpoint(session, "sqs", "eu-west-1") == ("http://queue", True)
    assert endpoint(session, "lambda", "eu-west-1") == ("http://all", True)
    env.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    found = endpoint(botocore.session.get_session(), "sqs", "eu-west-1")
    assert found == ("https://sqs.eu-west-1.amazonaws.com", False)


MODELS: Final = """
import importlib, sys
from botocore.loaders import Loader
load, asked = Loader.load_service_model, []
def spy(self, service, kind, *more):
    asked.append(service)
    return load(self, service, kind, *more)
Loader.load_service_model = spy
importlib.import_module(sys.argv[1])
print(*sorted(set(asked)))
"""


@pytest.mark.parametrize("module", ["invoker.handler", "replayer.unpacker", "replayer.replayer"])
def test_init_reads_no_model_of_a_service_that_is_called_here(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODELS, module],
        env={**ENVIRONMENT, "AWS_SHARED_CREDENTIALS_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"dynamodb", "lambda", "sqs"} & set(done.stdout.split())

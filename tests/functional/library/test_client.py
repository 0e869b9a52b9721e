"""The library as its users meet it: the real SDK, a loopback Lambda, moto for the rest."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from moto import mock_aws

from doubles import FakeKeys
from reprise import client as library
from reprise.aws.clients import Clients
from reprise.aws.ledger_table import LedgerTable
from reprise.call.outcome import OutcomeKind
from reprise.call.payload import digest
from reprise.call.target import Target, conflict_id, id_of
from reprise.capturing.line import Verifier, read_line
from reprise.capturing.signature import MacKeys
from reprise.capturing.status_token import read_status_token
from reprise.client import CallStatus, Client
from reprise.errors import BadRequestError, SettingsError
from reprise.instant import parse_instant
from reprise.ledger import State
from reprise.testing import FakeClient
from scripted_server import Answer, ScriptedServer
from strategies import KEY, NOW, ORDERS, make_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.capturing.record import Record

SECRET = json.dumps({"current": "k1", "k1": KEY, "targets": [ORDERS]})
SHOP = MacKeys.from_secret(SECRET, "web-shop")
TRUSTED = Verifier(keys=FakeKeys(SHOP), targets=(ORDERS,))
THROTTLE = Answer(
    status=429,
    headers={"x-amzn-ErrorType": "TooManyRequestsException", "Retry-After": "2"},
    body=b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","message":"Rate"}',
)
FAILED = Answer(
    headers={"X-Amz-Function-Error": "Unhandled"}, body=b'{"errorType":"E","errorMessage":"m"}'
)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(THROTTLE) as running:
        yield running


@pytest.fixture
def env(aws_env: pytest.MonkeyPatch, server: ScriptedServer) -> Iterator[pytest.MonkeyPatch]:
    """A caller's process: our settings, and none of Powertools'."""
    del aws_env
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        clients = Clients()
        bucket = f"bucket-{uuid4()}"
        clients.s3().create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        name = f"{bucket}/source/web-shop"
        arn = clients.secrets().create_secret(Name=name, SecretString=SECRET)["ARN"]
        clients.dynamodb().create_table(
            TableName=bucket,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        patch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        patch.setenv("REPRISE_TARGETS", ORDERS)
        patch.setenv("REPRISE_BUCKET", bucket)
        patch.setenv("REPRISE_MAC_SECRET_ARN", arn)
        patch.setenv("REPRISE_CALL_TIMEOUT_S", "5")
        patch.setenv("REPRISE_LEDGER_TABLE", bucket)
        patch.setenv("REPRISE_CAPTURE_LOG_GROUP", "stdout")
        patch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
        library.default_client.cache_clear()
        yield patch
        library.default_client.cache_clear()


@pytest.fixture
def client(env: pytest.MonkeyPatch) -> Client:
    del env
    return Client()


def _record(capsys: pytest.CaptureFixture[str]) -> Record:
    records = [read_line(line, TRUSTED) for line in capsys.readouterr().out.splitlines()]
    (record,) = [record for record in records if record is not None]
    return record


def _told(client: Client, call_id: str, status_token: str | None = None) -> str:
    status = client.result_of(call_id, status_token)
    assert status is not None
    return status.call_id


def test_an_answer_is_the_targets_own(
    client: Client, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [Answer(body=b"\xffreply")]
    result = client.invoke("orders", b"\xfecall", qualifier="live", client_context="e30=")
    assert (result.status_code, result.payload) == (200, b"\xffreply")
    assert (result.call_id, result.not_captured, result.function_error) == (None, None, None)
    assert server.requests[0].body == b"\xfecall"
    assert server.requests[0].path.endswith("?Qualifier=live")
    assert capsys.readouterr().out == "", "the happy path writes nothing"


MISTAKES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "payload: is of type dict": (("orders", {"a": 1}), {}),
    "payload: is of type NoneType": (("orders", None), {}),
    "payload: holds a lone surrogate": (("orders", "\ud800"), {}),
    "Payload: has 7000000 bytes": (("orders", b"x" * 7_000_000), {}),
    "FunctionName: is not a function name": (("", b""), {}),
    "function_name: is of type NoneType": ((None, b""), {}),
    "Qualifier: is not a version": (("orders", b""), {"qualifier": "ü"}),
    "Qualifier: is 'live'": (("orders:blue", b""), {"qualifier": "live"}),
    "ClientContext: is not base64": (("orders", b""), {"client_context": "ü"}),
    "TenantId: must be 1 to 256": (("orders", b""), {"tenant_id": ""}),
    "IdempotencyKey: must be 1 to 256": (("orders", b""), {"idempotency_key": "a b"}),
    "idempotency_key: is of type int": (("orders", b""), {"idempotency_key": 7}),
    "Scope: stands without": (("orders", b""), {"scope": "shop"}),
    "not_after: has no time zone": (("orders", b""), {"not_after": NOW.replace(tzinfo=None)}),
    "not_after: is of type str": (("orders", b""), {"not_after": "2026-01-31T12:00Z"}),
}


@pytest.mark.parametrize("said", MISTAKES)
def test_client_and_double_refuse_the_same_with_the_same_words(
    client: Client, server: ScriptedServer, said: str
) -> None:
    arguments, options = MISTAKES[said]
    double = FakeClient(FakeClient.captured())
    found = []
    for each in (client, double):
        with pytest.raises(BadRequestError) as caught:
            each.invoke(*arguments, **options)
        found.append((caught.value.field, str(caught.value)))
    assert found[0] == found[1]
    assert found[0][1].startswith(said)
    assert (server.requests, double.invoked) == ([], [])
    assert double.invoke("orders").status_code == 202, "a refused call takes no result"


@pytest.mark.parametrize(
    "name", ["orders", "orders:live", ORDERS, f"{ORDERS}:7", "123456789012:function:orders"]
)
def test_client_and_double_take_every_name_that_lambda_takes(client: Client, name: str) -> None:
    assert client.invoke(name, b"").status_code == 202
    assert FakeClient().invoke(name, b"").status_code == 200


@pytest.mark.parametrize("call_id", ["", None, 7])
def test_client_and_double_ask_for_no_call_without_an_id(client: Client, call_id: Any) -> None:
    for each in (client, FakeClient()):
        with pytest.raises(BadRequestError, match="call_id"):
            each.result_of(call_id)
        with pytest.raises(BadRequestError, match="call_id"):
            each.wait(call_id, timeout_s=0)


@pytest.mark.parametrize("timeout_s", [-1, None, True, "5", float("inf"), float("nan")])
def test_client_and_double_wait_for_a_number_of_seconds(client: Client, timeout_s: Any) -> None:
    for each in (client, FakeClient()):
        with pytest.raises(BadRequestError, match="timeout_s"):
            each.wait("orders:1", timeout_s=timeout_s)


def test_a_call_that_has_ended_is_waited_for_no_longer(
    client: Client, env: pytest.MonkeyPatch
) -> None:
    del env
    assert client.wait("orders:order-1", timeout_s=0) is None
    ledger = LedgerTable(Clients().dynamodb(), client._settings.ledger_table)  # noqa: SLF001 - as above
    ledger.record(make_row(state=State.SUCCEEDED, result="sold"))
    status = client.wait("orders:order-1")
    assert status is not None
    assert (status.state, status.payload) == (State.SUCCEEDED, b"sold")


def test_a_throttled_call_is_captured_with_all_that_a_replay_needs(
    client: Client, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    result = client.invoke(
        "orders",
        "payload ü",
        qualifier="live",
        client_context="e30=",
        tenant_id="t-1",
        idempotency_key="order-1",
        scope="shop",
        not_after=NOW,
    )
    target = Target(function=ORDERS, qualifier="live", tenant_id="t-1")
    call_id = id_of(target, source="web-shop", scope="shop", key="order-1")
    assert (result.status_code, result.call_id) == (202, call_id)
    assert result.outcome.kind is OutcomeKind.THROTTLED
    assert len(server.requests) == 1
    record = _record(capsys)
    assert (record.id, record.idempotency_key, record.scope) == (call_id, "order-1", "shop")
    token = read_status_token(call_id, result.status_token, SHOP)
    assert token is not None
    assert record.payload.sha256.startswith(token.sha256)
    assert (record.source.name, record.payload.inline) == ("web-shop", "payload ü")
    assert (record.target.qualifier, record.target.tenant_id) == ("live", "t-1")
    assert record.client_context == "e30="
    assert record.not_after is not None
    assert parse_instant(record.not_after) == NOW
    assert record.outcome.retry_after_s == 2


def test_a_call_without_key_is_named_at_random(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = {client.invoke("orders").call_id for _ in range(3)}
    assert len(ids) == 3
    assert None not in ids
    lines = [line for line in capsys.readouterr().out.splitlines() if "invocation.captured" in line]
    assert len(lines) == 3


def test_a_function_error_is_captured_and_told(
    client: Client, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [FAILED]
    result = client.invoke("orders", "{}")
    assert (result.status_code, result.function_error) == (202, "Unhandled")
    assert _record(capsys).outcome.code == "E"


def test_a_permanent_error_is_the_callers_to_deal_with(
    client: Client, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [
        Answer(status=404, headers={"x-amzn-ErrorType": "ResourceNotFoundException"}, body=b"{}")
    ]
    result = client.invoke("orders")
    assert (result.status_code, result.call_id, result.not_captured) == (404, None, None)
    assert capsys.readouterr().out == ""


def test_a_large_payload_is_kept_in_the_bucket(
    client: Client, env: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del env
    noise = bytes((index * index * 7919 + index // 251) % 256 for index in range(400_000))
    result = client.invoke("orders", noise)
    record = _record(capsys)
    assert result.call_id == record.id
    claim_check = record.payload.claim_check
    assert claim_check is not None
    body = Clients().s3().get_object(Bucket=claim_check.bucket, Key=claim_check.key)["Body"]
    assert body.read() == noise


def test_a_capture_that_fails_does_not_hide_how_the_call_ended(
    client: Client, env: pytest.MonkeyPatch
) -> None:
    Clients().secrets().delete_secret(
        SecretId=client._settings.mac_secret_arn,  # noqa: SLF001 - where the fixture put it
        ForceDeleteWithoutRecovery=True,
    )
    del env
    result = client.invoke("orders")
    assert (result.status_code, result.call_id) == (429, None)
    assert result.not_captured is not None
    assert "secretsmanager" in result.not_captured


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"idempotency_key": "a b"}, "IdempotencyKey"),
        ({"scope": "mine"}, "Scope"),
        ({"qualifier": ""}, "Qualifier"),
        ({"client_context": "é"}, "ClientContext"),
    ],
)
def test_a_bad_request_invokes_nothing(
    client: Client, server: ScriptedServer, options: dict[str, str], field: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.invoke("orders", b"", **options)  # type: ignore[arg-type]
    assert caught.value.field == field
    assert server.requests == []


def test_a_function_that_is_not_listed_is_not_invoked(
    client: Client, server: ScriptedServer
) -> None:
    with pytest.raises(BadRequestError, match="allowed"):
        client.invoke("payments")
    assert server.requests == []


def test_a_calls_status_is_found_by_its_id(client: Client, env: pytest.MonkeyPatch) -> None:
    del env
    assert client.result_of("orders:order-1") is None
    table = client._settings.ledger_table  # noqa: SLF001 - where the fixture put it
    row = make_row(state=State.DEAD_LETTERED, attempts=3, reason="exhausted", message="E, 3 times")
    LedgerTable(Clients().dynamodb(), table).record(row)
    assert client.result_of("orders:order-1") == CallStatus(
        call_id="orders:order-1",
        state=State.DEAD_LETTERED,
        target=ORDERS,
        attempts=3,
        payload=None,
        reason="exhausted",
        message="E, 3 times",
        captured_at=parse_instant(row.captured_at),
        updated_at=parse_instant(row.updated_at),
    )


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_long_late_result_is_read_from_the_bucket_as_long_as_it_is_there(
    client: Client, env: pytest.MonkeyPatch, *, is_kept: bool
) -> None:
    del env
    settings = client._settings  # noqa: SLF001 - where the fixture put it
    row = make_row(state=State.SUCCEEDED, result_key="results/orders:order-1")
    LedgerTable(Clients().dynamodb(), settings.ledger_table).record(row)
    if is_kept:
        Clients().s3().put_object(Bucket=settings.bucket, Key=str(row.result_key), Body=b"\xfflate")
    status = client.result_of("orders:order-1")
    assert status is not None
    assert (status.state, status.payload) == (State.SUCCEEDED, b"\xfflate" if is_kept else None)


def test_a_status_by_token_is_that_of_the_captures_own_row(
    client: Client, env: pytest.MonkeyPatch
) -> None:
    del env
    ledger = LedgerTable(Clients().dynamodb(), client._settings.ledger_table)  # noqa: SLF001 - as above
    ours = client.invoke("orders", "ours", idempotency_key="order-1")
    assert ours.call_id is not None
    theirs = make_row(id=ours.call_id, sha256=digest(b"theirs"))
    ledger.record(theirs)
    assert _told(client, ours.call_id) == theirs.id
    assert client.result_of(ours.call_id, ours.status_token) is None
    own = make_row(id=conflict_id(ours.call_id, digest(b"ours")), sha256=digest(b"ours"))
    ledger.record(own)
    assert _told(client, ours.call_id, ours.status_token) == own.id
    with pytest.raises(BadRequestError, match="status_token"):
        client.result_of("another", ours.status_token)


def test_a_key_that_names_another_payload_is_refused_and_writes_no_line(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    table = client._settings.ledger_table  # noqa: SLF001 - where the fixture put it
    first = client.invoke("orders", "1", idempotency_key="order-1")
    assert first.call_id is not None
    row = make_row(id=first.call_id, sha256=digest(b"1"))
    LedgerTable(Clients().dynamodb(), table).record(row)
    capsys.readouterr()
    again = client.invoke("orders", "1", idempotency_key="order-1")
    other = client.invoke("orders", "2", idempotency_key="order-1")
    assert (again.status_code, again.call_id) == (202, first.call_id)
    assert (other.status_code, other.call_id, other.status_token) == (409, None, None)
    assert other.not_captured is not None
    assert other.not_captured.startswith("IdempotencyKey: ")
    assert other.outcome.kind is OutcomeKind.THROTTLED
    # The first call's own line stands behind its 202.
    assert "invocation.captured" not in capsys.readouterr().out


def test_a_key_whose_captured_call_has_succeeded_gets_its_reply_and_invokes_nothing(
    client: Client, server: ScriptedServer
) -> None:
    table = client._settings.ledger_table  # noqa: SLF001 - where the fixture put it
    first = client.invoke("orders", "1", idempotency_key="order-1")
    assert first.call_id is not None
    row = make_row(
        id=first.call_id, sha256=digest(b"1"), state=State.SUCCEEDED, result='{"late":1}'
    )
    LedgerTable(Clients().dynamodb(), table).record(row)
    made = len(server.requests)
    again = client.invoke("orders", "1", idempotency_key="order-1")
    assert (again.status_code, again.payload, again.is_late) == (200, b'{"late":1}', True)
    assert again.call_id == first.call_id
    status = client.result_of(first.call_id, again.status_token)
    assert status is not None
    assert (status.call_id, status.state, status.payload) == (row.id, row.state, b'{"late":1}')
    assert len(server.requests) == made


def test_a_ledger_that_cannot_be_asked_captures(client: Client) -> None:
    table = client._settings.ledger_table  # noqa: SLF001 - where the fixture put it
    Clients().dynamodb().delete_table(TableName=table)
    assert client.invoke("orders", "1", idempotency_key="order-1").status_code == 202


def test_the_modules_function_uses_the_environment_once(
    env: pytest.MonkeyPatch, server: ScriptedServer
) -> None:
    server.answers = [Answer(body=b"ok")]
    assert library.invoke("orders", base64.b64encode(b"x")).payload == b"ok"
    env.delenv("REPRISE_TARGETS")
    assert library.invoke("orders", json.dumps({})).payload == b"ok"


def test_a_missing_setting_is_named(env: pytest.MonkeyPatch) -> None:
    env.delenv("REPRISE_BUCKET")
    with pytest.raises(SettingsError, match="REPRISE_BUCKET"):
        Client()


def test_settings_may_be_handed_in_and_the_environment_is_not_needed_then(
    env: pytest.MonkeyPatch, server: ScriptedServer
) -> None:
    for name in ("TARGETS", "BUCKET", "MAC_SECRET_ARN", "CALL_TIMEOUT_S", "LEDGER_TABLE"):
        env.delenv(f"REPRISE_{name}")
    client = Client(
        targets=(ORDERS,),
        bucket="b",
        mac_secret_arn="arn",
        ledger_table="t",
        call_timeout_s=5,
        capture_outcomes=(),
        capture_log_group="stdout",
    )
    result = client.invoke("orders")
    assert (result.status_code, result.call_id) == (429, None)
    assert len(server.requests) == 1


def test_a_setting_that_is_handed_in_goes_before_the_environments(
    env: pytest.MonkeyPatch, server: ScriptedServer
) -> None:
    env.setenv("REPRISE_TARGETS", "arn:aws:lambda:eu-west-1:123456789012:function:others")
    captured = Client(targets=ORDERS).invoke("orders")
    refused = Client(targets=[ORDERS], capture_outcomes=["unknown"]).invoke("orders")
    assert (captured.status_code, refused.status_code) == (202, 429)
    assert len(server.requests) == 2
    with pytest.raises(BadRequestError):
        Client().invoke("orders")


def test_a_setting_that_is_handed_in_is_checked_as_the_environments_are(
    env: pytest.MonkeyPatch,
) -> None:
    del env
    with pytest.raises(SettingsError, match=r"REPRISE_CALL_TIMEOUT_S must be .* got '0'"):
        Client(call_timeout_s=0)
    with pytest.raises(SettingsError, match="REPRISE_TARGETS"):
        Client(targets=[])
    with pytest.raises(SettingsError, match="'often' is none of throttled"):
        Client(capture_outcomes=["often"])


GROUP = "/reprise/reprise/capture"


def _lines() -> list[str]:
    logs = Clients().logs()
    streams = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(
            logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
    ]


def test_a_process_whose_output_nobody_reads_writes_into_the_capture_log_group(
    env: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    env.delenv("REPRISE_CAPTURE_LOG_GROUP")
    Clients().logs().create_log_group(logGroupName=GROUP)
    client = Client()
    results = [client.invoke("orders", b'{"n":1}') for _ in range(2)]
    assert {result.status_code for result in results} == {202}
    records = [read_line(line, TRUSTED) for line in _lines()]
    assert [record.id for record in records if record] == [result.call_id for result in results]
    assert "invocation.captured" not in capsys.readouterr().out


def test_a_line_that_no_group_takes_is_no_capture(env: pytest.MonkeyPatch) -> None:
    env.setenv("REPRISE_CAPTURE_LOG_GROUP", "/reprise/of-another-account/capture")
    result = Client().invoke("orders", b"{}")
    assert (result.status_code, result.call_id, result.status_token) == (429, None, None)
    assert "ResourceNotFoundException" in str(result.not_captured)


def test_a_call_that_succeeds_never_asks_for_the_log_group(
    env: pytest.MonkeyPatch, server: ScriptedServer
) -> None:
    env.setenv("REPRISE_CAPTURE_LOG_GROUP", "/reprise/of-another-account/capture")
    env.setattr(Clients, "capture_lines", lambda _: pytest.fail("a client was made"))
    server.answers = [Answer(body=b"ok")]
    assert Client().invoke("orders", b"{}").payload == b"ok"

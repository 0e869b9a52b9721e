"""The invoker's handler as Lambda meets it: its own wiring, a loopback Lambda, moto for the rest."""

from __future__ import annotations

import gc
import importlib
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

import reprise
from reprise.aws.ledger_table import LedgerTable
from reprise.call.payload import digest
from reprise.ledger import State
from scripted_server import Answer, ScriptedServer
from strategies import ORDERS, make_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.aws.clients import Clients

SECRET = json.dumps({"current": "k1", "k1": "a key for tests, and long enough", "targets": ["*"]})
THROTTLE = Answer(
    status=429,
    headers={"x-amzn-ErrorType": "TooManyRequestsException"},
    body=b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","message":"Rate"}',
)


@pytest.fixture
def ask(clients: Clients, table: str) -> Iterator[Callable[..., dict[str, Any]]]:
    secret = f"{table}/source/invoker"
    arn = clients.secrets().create_secret(Name=secret, SecretString=SECRET)["ARN"]
    with pytest.MonkeyPatch.context() as patch, ScriptedServer(THROTTLE) as server:
        patch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        patch.setenv("REPRISE_TARGETS", ORDERS)
        patch.setenv("REPRISE_BUCKET", "bucket")
        patch.setenv("REPRISE_CAPTURE_LOG_GROUP", "stdout")
        patch.setenv("REPRISE_MAC_SECRET_ARN", arn)
        patch.setenv("REPRISE_CALL_TIMEOUT_S", "5")
        patch.setenv("REPRISE_LEDGER_TABLE", table)
        patch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
        handler = importlib.import_module("invoker.handler")

        def ask(**event: object) -> dict[str, Any]:
            answer: dict[str, Any] = json.loads(json.dumps(handler.lambda_handler(event, None)))
            return answer

        yield ask
        # As if it had never been imported: its init is part of what other tests look at.
        for module in ("invoker.handler", "reprise.cold_start"):
            sys.modules.pop(module, None)
        delattr(reprise, "cold_start")
        gc.unfreeze()


def test_a_captured_call_is_found_by_its_id_and_token(
    ask: Callable[..., dict[str, Any]], dynamodb: DynamoDBClient, table: str
) -> None:
    captured = ask(FunctionName="orders", Payload="1", IdempotencyKey="order-1")
    assert captured["StatusCode"] == 202
    block = captured["reprise"]
    assert block["status_url"] == f"reprise://reprise/calls/{block['id']}"
    question = {"StatusOf": block["id"], "StatusToken": block["status_token"]}
    assert ask(**question)["reprise"]["state"] == "captured"

    row = make_row(id=block["id"], state=State.SUCCEEDED, sha256=digest(b"1"), result='{"ok":true}')
    LedgerTable(dynamodb, table).record(row)
    answer = ask(**question)
    assert (answer["reprise"]["state"], answer["Payload"]) == ("succeeded", '{"ok":true}')
    assert ask(StatusOf=block["id"])["StatusCode"] == 403
    assert ask(StatusOf="")["StatusCode"] == 400
    assert ask(StatusOf=7)["StatusCode"] == 400


def test_a_key_that_names_another_payload_is_refused(
    ask: Callable[..., dict[str, Any]], dynamodb: DynamoDBClient, table: str
) -> None:
    first = ask(FunctionName="orders", Payload="1", IdempotencyKey="order-1", Scope="shop")
    LedgerTable(dynamodb, table).record(make_row(id=first["reprise"]["id"], sha256=digest(b"1")))
    other = ask(FunctionName="orders", Payload="2", IdempotencyKey="order-1", Scope="shop")
    assert (other["StatusCode"], other["error"]["field"]) == (409, "IdempotencyKey")
    elsewhere = ask(FunctionName="orders", Payload="2", IdempotencyKey="order-1", Scope="b2b")
    assert elsewhere["StatusCode"] == 202

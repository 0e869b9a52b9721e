from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def handler(aws_env: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The handler's module as Lambda imports it."""
    del aws_env
    monkeypatch.setenv("REPRISE_RECEIPTS_TABLE", "receipts")
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="receipts",
            KeySchema=[
                {"AttributeName": "run", "KeyType": "HASH"},
                {"AttributeName": "receipt", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "run", "AttributeType": "S"},
                {"AttributeName": "receipt", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield importlib.reload(importlib.import_module("chaos_target.handler"))


def receipts() -> list[tuple[str, bool]]:
    items = boto3.client("dynamodb").scan(TableName="receipts")["Items"]
    return sorted((item["receipt"]["S"], item["ok"]["BOOL"]) for item in items)


def test_each_run_of_a_call_is_a_receipt(handler: Any) -> None:
    event = {"run": "r", "call": 7, "behaviour": "ok", "work_ms": 1}
    for request_id in ("a", "b"):
        context = SimpleNamespace(aws_request_id=request_id)
        assert handler.lambda_handler(event, context) == {"call": 7, "run": "r"}
    assert receipts() == [("7#a", True), ("7#b", True)]


def test_poison_fails_after_its_receipt(handler: Any) -> None:
    event = {"run": "r", "call": 7, "behaviour": "poison"}
    with pytest.raises(handler.PoisonError):
        handler.lambda_handler(event, SimpleNamespace(aws_request_id="a"))
    assert receipts() == [("7#a", False)]

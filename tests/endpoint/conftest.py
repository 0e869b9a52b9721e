from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from endpoint_place import BINARY, TABLE, Place, World, run
from reprise.aws.gate_table import GateTable
from reprise.aws.ledger_table import LedgerTable

if TYPE_CHECKING:
    from collections.abc import Iterator

if not BINARY.is_file():
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str | None:
    return (
        None if BINARY.is_file() else f"endpoint: no binary, no tests; `make endpoint` ({BINARY})"
    )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield World(dynamodb)


@pytest.fixture
def place(world: World) -> Iterator[Place]:
    yield from run(world)


@pytest.fixture
def ledger(world: World) -> LedgerTable:
    return LedgerTable(world.dynamodb, TABLE)


@pytest.fixture
def gates(world: World) -> GateTable:
    return GateTable(world.dynamodb, TABLE, is_consistent=True)

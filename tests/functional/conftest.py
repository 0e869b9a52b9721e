"""AWS for these tests: credentials that open nothing, and moto's in-process services."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from moto import mock_aws

from moto_statements import run_statements
from reprise.aws.clients import Clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def aws_env() -> Iterator[pytest.MonkeyPatch]:
    """Let no test reach a real account, whatever the developer's shell is set to."""
    with pytest.MonkeyPatch.context() as env:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"):
            env.delenv(name, raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            env.setenv(name, "testing")
        env.setenv("AWS_REGION", REGION)
        env.setenv("AWS_DEFAULT_REGION", REGION)
        env.setenv("AWS_EC2_METADATA_DISABLED", "true")
        env.setenv("AWS_CONFIG_FILE", os.devnull)
        env.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield env


@pytest.fixture(scope="module")
def clients(aws_env: pytest.MonkeyPatch) -> Iterator[Clients]:
    """Make the product's own clients, on moto."""
    run_statements(aws_env)
    with mock_aws():
        yield Clients()


@pytest.fixture(scope="module")
def dynamodb(clients: Clients) -> DynamoDBClient:
    return clients.dynamodb()


@pytest.fixture
def table(dynamodb: DynamoDBClient) -> str:
    """Make a table of this test's own, as infra/replay.yaml makes it."""
    name = f"ledger-{uuid4()}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name

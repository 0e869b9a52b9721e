"""A stack's stores on moto, its Lambda on the loopback, and its handlers as Lambda imports them."""

from __future__ import annotations

import gc
import importlib
import json
import logging
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest

import reprise
from reprise.aws.ledger_table import LedgerTable
from reprise.capturing.line import write_line
from reprise.instant import format_instant, utc_now
from scripted_server import Answer, ScriptedServer
from strategies import ACCOUNT, KEY, KEYS, LOG_GROUP, ORDERS, envelope, make_record, zipped
from unit.test_imports import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.aws.clients import Clients
    from reprise.ledger import Row

CONTEXT: Final = SimpleNamespace(
    aws_request_id="request-1", get_remaining_time_in_millis=lambda: 300_000
)
ANSWERED: Final = Answer(body=b'{"ReservedConcurrentExecutions":10}')
"""What a function says, and what Lambda says of its concurrency: one answer serves both."""
QUEUES: Final = (
    "REPLAY",
    "DEAD_LETTER",
    "CAPTURE",
    "JOBS",
    "JOBS_DEAD_LETTER",
    "REPLIES",
    "REPLIES_DEAD_LETTER",
    "LETTER_JOBS",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What a deployed stack has, by the variables that its functions get."""

    clients: Clients
    env: dict[str, str]
    server: ScriptedServer
    loaded: set[str] = field(default_factory=set)

    @property
    def ledger(self) -> LedgerTable:
        """Return the ledger."""
        return LedgerTable(self.clients.dynamodb(), self.env["REPRISE_LEDGER_TABLE"])

    def row(self, call_id: str) -> Row:
        """Return a call's row."""
        row = self.ledger.get(call_id)
        assert row is not None
        return row

    def load(self, module: str) -> Any:
        """Start a function."""
        self.loaded.add(module)
        return importlib.import_module(module)

    def handle(self, module: str, event: object) -> Any:
        """Let a function handle an event."""
        return self.load(module).lambda_handler(event, CONTEXT)

    def capture(self, call_id: str, **fields: Any) -> None:
        """Put an object with one captured call into the bucket, and S3's notification into the queue."""
        record = make_record(id=call_id, captured_at=format_instant(utc_now()), **fields)
        self.store(f"captured/{call_id}.gz", write_line(record, KEYS))

    def store(self, key: str, line: str) -> None:
        """Put an object with one capture line into the bucket, and S3's notification into the queue."""
        bucket, body = self.env["REPRISE_BUCKET"], zipped(envelope([line]))
        self.clients.s3().put_object(Bucket=bucket, Key=key, Body=body)
        entry = {
            "eventVersion": "2.1",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": len(body)}},
        }
        self.send("CAPTURE", json.dumps({"Records": [entry]}))

    def send(self, queue: str, body: str) -> None:
        """Put a message into a queue."""
        self.clients.sqs().send_message(QueueUrl=self._url(queue), MessageBody=body)

    def receive(self, queue: str) -> dict[str, Any]:
        """Return what lies in a queue as the event that Lambda makes of it."""
        found = self.clients.sqs().receive_message(
            QueueUrl=self._url(queue),
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
        )
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                }
                for message in found.get("Messages", [])
            ]
        }

    def _url(self, queue: str) -> str:
        return self.env[f"REPRISE_{queue}_QUEUE_URL"]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(ANSWERED) as running:
        yield running


@pytest.fixture
def stack(clients: Clients, table: str, server: ScriptedServer) -> Iterator[Stack]:
    name = f"shop-{uuid4().hex[:8]}"
    made = Stack(clients=clients, server=server, env=_make(clients, name, table))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [])
        for variable, value in made.env.items():
            patch.setenv(variable, value)
        patch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        yield made
        # As if they had never been imported: their init is part of what other tests look at.
        for module in (*made.loaded, "reprise.cold_start"):
            sys.modules.pop(module, None)
        if made.loaded:
            delattr(reprise, "cold_start")
            gc.unfreeze()


def _make(clients: Clients, name: str, table: str) -> dict[str, str]:
    """Make what the functions need, and return the variables that name it."""
    env = {key: value for key, value in ENVIRONMENT.items() if key.startswith(("REPRISE", "POWER"))}
    clients.s3().create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    for source in ("invoker", "schedules", "pipeline"):
        document = json.dumps({"current": "k1", "k1": KEY, "targets": ["*"]})
        made = clients.secrets().create_secret(
            Name=f"{name}/source/{source}", SecretString=document
        )
        env["REPRISE_MAC_SECRET_ARN"] = made["ARN"]
    clients.parameters().put_parameter(Name=f"/{name}/policy", Value="{}", Type="String")
    for queue in QUEUES:
        url = clients.sqs().create_queue(QueueName=f"{name}-{queue.lower()}")["QueueUrl"]
        env[f"REPRISE_{queue}_QUEUE_URL"] = url
    return env | {
        "REPRISE_STACK": name,
        "REPRISE_BUCKET": name,
        "REPRISE_LEDGER_TABLE": table,
        "REPRISE_POLICY_PARAMETER": f"/{name}/policy",
        "REPRISE_TARGETS": ORDERS,
        "REPRISE_LOG_GROUPS": LOG_GROUP,
        "REPRISE_ACCOUNT_ID": ACCOUNT,
        "REPRISE_CAPTURE_DLQ_URL": env["REPRISE_DEAD_LETTER_QUEUE_URL"],
    }

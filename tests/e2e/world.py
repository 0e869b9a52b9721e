"""A deployed stack in a local engine, and short ways to work with it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import uuid
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from typer.testing import CliRunner

from reprise.aws.ledger_table import LedgerTable
from reprise_cli.calling import InvokerClient
from reprise_cli.deploy import REPOSITORY
from reprise_cli.main import app
from reprise_cli.place import exports, local_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from local_engine.control import Engine
    from reprise.ledger import Row
    from reprise_cli.place import Place
    from reprise_cli.stack import Stack

GUEST_PREFIX = "guest-"
"""Functions of the tests' own; the stack allows every name that starts so."""
GUESTS = f"arn:aws:lambda:us-east-1:000000000000:function:{GUEST_PREFIX}*"
DOORS = "guest-echo,checkout=guest-door:live"
"""Aliases of the invoker, once a test has made them; the targets, too, are a test's to deploy."""
BATCH_JOB = "arn:aws:batch:us-east-1:000000000000:job-definition/e2e-nightly"
"""Job definition that scheduled jobs may submit, once a test has made it."""
WARM_GUESTS = [
    f"arn:aws:lambda:us-east-1:000000000000:function:{GUEST_PREFIX}warm-{number}"
    for number in range(10)
]
"""Functions that the add-on schedules keeps warm, once a test has deployed them."""
_POLL_S = 0.25
_COMPLAINTS = ('"WARNING"', '"ERROR"', '"CRITICAL"', "Task timed out", "Status: error", "Runtime.")
"""What a log line holds that somebody should read."""


@dataclass(frozen=True)
class Done:
    """One run of the command."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """What it printed with --json: one line, and nothing else."""
        (line,) = self.stdout.splitlines()
        return json.loads(line)


@dataclass
class World:
    """The stack and its surroundings."""

    engine: Engine
    stack: Stack
    _guests: list[str] = field(default_factory=list)

    @cached_property
    def place(self) -> Place:
        """Where the stack is, and what opens it."""
        return local_place(self.engine)

    def client(self, service: str) -> Any:
        """Return a client of the account's owner."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.place.endpoint_url,
            region_name=self.place.region,
            aws_access_key_id=self.place.access_key,
            aws_secret_access_key=self.place.secret_key,
            config=Config(
                retries={"total_max_attempts": 5}, read_timeout=60, max_pool_connections=64
            ),
        )

    @cached_property
    def functions(self) -> Any:
        return self.client("lambda")

    @cached_property
    def sqs(self) -> Any:
        return self.client("sqs")

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def dynamodb(self) -> Any:
        return self.client("dynamodb")

    @cached_property
    def ledger(self) -> LedgerTable:
        return LedgerTable(self.dynamodb, self.stack.ledger_table)

    def reprise(self, *arguments: str) -> Done:
        """Run the command as a user does, on this engine."""
        command = [str(Path(sys.executable).with_name("reprise")), *arguments]
        done = subprocess.run(
            command,
            env={"PATH": "/usr/bin:/bin", **exports(self.place)},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def look(self, *arguments: str) -> Done:
        """Run a command that only looks in this process: it is asked again and again."""
        done = CliRunner().invoke(app, list(arguments), env=exports(self.place))
        return Done(done.exit_code, done.stdout, done.stderr)

    # --- targets ---

    def make_guest(self) -> str:
        """Deploy another target that writes receipts, and return its name."""
        name = f"{GUEST_PREFIX}{uuid.uuid4().hex[:8]}"
        self.make_function(name)
        return name

    def make_function(self, name: str) -> None:
        """Deploy the chaos target's code under another name."""
        model = self.functions.get_function_configuration(FunctionName=self.stack.chaos_target)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path in (REPOSITORY / "functions" / "chaos_target").glob("*.py"):
                archive.write(path, f"chaos_target/{path.name}")
        self.functions.create_function(
            FunctionName=name,
            Code={"ZipFile": buffer.getvalue()},
            **{key: model[key] for key in ("Runtime", "Role", "Handler", "Timeout")},
            Environment={"Variables": model["Environment"]["Variables"]},
        )

    def hold(self, function: str) -> None:
        """Let Lambda refuse every call of a function."""
        self.functions.put_function_concurrency(
            FunctionName=function, ReservedConcurrentExecutions=0
        )

    def let_go(self, function: str) -> None:
        """Let the function be called again."""
        self.functions.delete_function_concurrency(FunctionName=function)

    # --- calls ---

    def call(self, function: str, payload: object, **options: object) -> dict[str, Any]:
        """Make one call through the invoker and return its answer."""
        invoker = InvokerClient(self.functions, self.stack.invoker)
        request = {"FunctionName": function, "Payload": payload, **options}
        return invoker.call(request).document

    def capture(self, function: str, run: str, count: int, **payload: object) -> list[str]:
        """Make calls of a held function and return their ids."""

        def make(number: int) -> str:
            body = {"run": run, "call": number, "behaviour": "ok", **payload}
            answer = self.call(function, body)
            assert answer["StatusCode"] == 202, answer
            return str(answer["reprise"]["id"])

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(make, range(1, count + 1)))

    def receipts(self, run: str) -> list[tuple[int, bool]]:
        """Return call number and success of each execution of a run."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.stack.receipts_table,
            KeyConditionExpression="#run = :run",
            ExpressionAttributeNames={"#run": "run"},
            ExpressionAttributeValues={":run": {"S": run}},
            ConsistentRead=True,
        )
        items = [item for page in pages for item in page["Items"]]
        return sorted((int(item["call"]["N"]), item["ok"]["BOOL"]) for item in items)

    def states(self, call_ids: Sequence[str]) -> Counter[str]:
        """Return how many calls are in each state, by one read."""
        table = self.stack.ledger_table
        keys = [{"id": {"S": call_id}} for call_id in call_ids]
        found = self.dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}})
        return Counter(item["state"]["S"] for item in found["Responses"][table])

    def await_end(self, call_ids: Sequence[str], *, limit_s: float = 60.0) -> list[Row]:
        """Return the rows of calls once each has ended, its dead letter sent."""

        def rows() -> list[Row] | None:
            found = [row for row in map(self.ledger.get, call_ids) if row is not None]
            ended = [row for row in found if row.state == "succeeded" or row.letter_sent]
            return found if len(ended) == len(call_ids) else None

        return poll(rows, limit_s=limit_s)

    # --- operators ---

    def subscribe(self, topic: str) -> str:
        """Return the address of a queue that gets a topic's messages as they are."""
        queue = f"arn:aws:sqs:us-east-1:000000000000:{topic}-inbox"
        arn = f"arn:aws:sns:us-east-1:000000000000:{topic}"
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        url = self.sqs.create_queue(QueueName=f"{topic}-inbox", Attributes={"Policy": policy})
        self.client("sns").subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=queue,
            Attributes={"RawMessageDelivery": "true"},
        )
        return str(url["QueueUrl"])

    def letters(self) -> int:
        """Return how many dead letters are visible, of whatever target."""
        name = "ApproximateNumberOfMessages"
        url = self.stack.dead_letter_queue_url
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return int(found["Attributes"][name])

    def log_groups(self) -> list[str]:
        """Return the names of all log groups; a page has fifty, and each guest has one."""
        pages = self.client("logs").get_paginator("describe_log_groups").paginate()
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    def complaints(self) -> list[str]:
        """Return the functions' log lines of the last minutes that are warnings, errors or timeouts."""
        logs, since_ms = self.client("logs"), int((time.time() - 180) * 1000)
        found: list[tuple[int, str]] = []
        for name in self.log_groups():
            events = logs.filter_log_events(logGroupName=name, startTime=since_ms)["events"]
            found += [
                (event["timestamp"], f"{name.rpartition('/')[2]}: {event['message'].strip()}")
                for event in events
                if any(mark in event["message"] for mark in _COMPLAINTS)
                and not event["message"].startswith('{"reprise"')
            ]
        return [line for _, line in sorted(found)]

    # --- engine ---

    def admin(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask the engine itself."""
        return self.engine.admin(method, path, body)

    @contextmanager
    def faults(self, *faults: dict[str, object]) -> Iterator[None]:
        """Let calls of services fail inside."""
        for fault in faults:
            self.admin("POST", "faults", fault)
        try:
            yield
        finally:
            self.admin("DELETE", "faults")

    @contextmanager
    def hidden_for(self, queue_url: str, *, seconds: int) -> Iterator[None]:
        """Hide a queue's messages for another time after each delivery inside."""
        name = "VisibilityTimeout"
        found = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])
        self.sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={name: str(seconds)})
        try:
            yield
        finally:
            self.sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=found["Attributes"])

    @contextmanager
    def reconfigured(self, function: str, **changes: Any) -> Iterator[None]:
        """Change a function's timeout or environment inside."""
        before = self.functions.get_function_configuration(FunctionName=function)
        environment = before["Environment"]["Variables"]
        variables = {**environment, **changes.pop("variables", {})}
        self.functions.update_function_configuration(
            FunctionName=function, Environment={"Variables": variables}, **changes
        )
        try:
            yield
        finally:
            self.functions.update_function_configuration(
                FunctionName=function,
                Environment={"Variables": environment},
                Timeout=before["Timeout"],
            )


def poll[T](probe: Callable[[], T | None], *, limit_s: float = 30.0) -> T:
    """Return the first true answer of a probe.

    Raises:
        TimeoutError: If there is none in time.
    """
    deadline_s = time.monotonic() + limit_s
    while not (answer := probe()):
        if time.monotonic() > deadline_s:
            msg = f"still {answer!r} after {limit_s} s"
            raise TimeoutError(msg)
        Event().wait(_POLL_S)
    return answer


def new_run() -> str:
    """Return a name for receipts that no other test uses."""
    return f"e2e-{uuid.uuid4().hex[:12]}"

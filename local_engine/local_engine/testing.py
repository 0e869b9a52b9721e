"""Short ways for tests to deploy into an engine and to wait for it; needs boto3."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message as HTTPHeaders

    from local_engine.control import Engine

REGION = "eu-west-1"
ACCOUNT = "000000000000"

_ROLE = f"arn:aws:iam::{ACCOUNT}:role/test"
_POLL_S = 0.02
_REQUEST_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Aws:
    """Clients and shorthands for one engine."""

    engine: Engine
    """A running one."""
    runtime: str = "python3.13"
    """Runtime of the functions made here."""

    @classmethod
    def at(cls, engine: Engine) -> Self:
        """Return the clients of an engine, with functions of the first runtime that it has."""
        return cls(engine, runtime=engine.admin("GET", "health")["runtimes"][0])

    @property
    def url(self) -> str:
        """Address of the engine."""
        return self.engine.url

    def client(self, service: str, **settings: Any) -> Any:
        """Return a boto3 client that never retries."""
        config = Config(
            retries={"total_max_attempts": 1},
            read_timeout=30,
            max_pool_connections=64,
            **settings,
        )
        key = self.engine.key
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            config=config,
        )

    def make_function(
        self, source: str, files: Mapping[str, str] | None = None, **settings: Any
    ) -> str:
        """Create a function from the text of its module, and of more files; wait for it, return its name."""
        name = f"f-{uuid.uuid4().hex[:8]}"
        client = self.client("lambda")
        client.create_function(
            FunctionName=name,
            Code={"ZipFile": archive({"handler.py": source, **(files or {})})},
            **{
                "Runtime": self.runtime,
                "Handler": "handler.handle",
                "Timeout": 10,
                "Role": _ROLE,
                **settings,
            },
        )
        wait_for(lambda: client.get_function_configuration(FunctionName=name)["State"] == "Active")
        return name

    def invoke(self, name: str, event: object, **settings: Any) -> Any:
        """Invoke a function and return its decoded answer."""
        payload = json.dumps(event).encode()
        answer = self.client("lambda").invoke(FunctionName=name, Payload=payload, **settings)
        return json.load(answer["Payload"])

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Send a signed request to a door; return status, headers and body of the answer.

        Paths: ``/_aws/execute-api/{api}/{stage}/…``, ``/_alb/{name of a load balancer}/…``,
        ``/_aws/lambda-url/{id}/…``.
        """
        request = AWSRequest(method, self.url + path, headers=dict(headers or {}), data=body)
        key = self.engine.key
        credentials = Credentials(key.access_key_id, key.secret_access_key)
        SigV4Auth(credentials, "execute-api", REGION).add_auth(request)
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=_REQUEST_LIMIT_S)
        with closing(connection):
            connection.request(method, path, body or None, dict(request.headers.items()))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def admin(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Call a path of the engine itself, such as ``POST faults``; see ``local_engine.admin``."""
        return self.engine.admin(method, path, body or None)

    def make_queue(self, **attributes: str) -> tuple[str, str]:
        """Create a queue and return its URL and its ARN."""
        sqs = self.client("sqs")
        name = f"q-{uuid.uuid4().hex[:8]}"
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    def log_lines(self, group: str, pattern: str = "") -> list[str]:
        """Return the messages of a log group, oldest first."""
        logs = self.client("logs")
        pages = logs.get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=group, filterPattern=pattern)
        return [event["message"] for page in found for event in page["events"]]


def archive(files: Mapping[str, str]) -> bytes:
    """Return a zip archive of text files; those that name an interpreter may be executed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if text.startswith("#!") else 0o644) << 16
            target.writestr(entry, text)
    return buffer.getvalue()


def wait_for[T](probe: Callable[[], T], *, limit_s: float = 10.0) -> T:
    """Return the first true answer of the probe.

    Raises:
        TimeoutError: If there is none in time.
    """
    deadline = time.monotonic() + limit_s
    while not (answer := probe()):
        if time.monotonic() > deadline:
            message = f"still {answer!r} after {limit_s} s"
            raise TimeoutError(message)
        time.sleep(_POLL_S)
    return answer

"""Make AWS clients, with retries that never hide a second invocation.

Read botocore's service models fast: most of what making a client costs is decoding JSON. botocore takes any
object as `file_loader`; this one decodes with msgspec, which is several times faster than `json` with
ordered dicts, and plain dicts keep their order (docs: Python language reference, 3.7).
"""

from __future__ import annotations

import gzip
import logging
import os
import socket
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast

import botocore.session
import msgspec
from botocore.config import Config
from botocore.loaders import JSONFileLoader, Loader
from botocore.utils import create_nested_client

from reprise.aws.address import why_not
from reprise.aws.thin import ThinClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_batch import BatchClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

_log = logging.getLogger(__name__)


class ServiceModels(JSONFileLoader):
    """A `file_loader` for botocore's Loader."""

    def load_file(self, file_path: str) -> object:
        """Return a decoded model, plain or gzipped, or None if it is not there.

        The path comes without its suffix.
        """
        plain = Path(f"{file_path}.json")
        if plain.is_file():
            return msgspec.json.decode(plain.read_bytes())
        packed = Path(f"{file_path}.json.gz")
        if packed.is_file():
            return msgspec.json.decode(gzip.decompress(packed.read_bytes()))
        return None


_STORE_RETRIES: Final = 4
_POOL: Final = 32
_PROBE_S: Final = 60


class Clients:
    """Makes the clients of one process; one session serves all, since sessions are dear.

    `botocore.session` rather than boto3: resources and transfers are not needed, and starting
    without them is measurably cheaper (bench/cold_start.py).
    """

    __slots__ = ("_is_thin", "_making", "_session")

    def __init__(self, *, is_thin: bool = True) -> None:
        """Start a session with the process's own AWS settings.

        Args:
            is_thin: Call hot operations without models (`reprise.aws.thin`); botocore's stubs need models.
        """
        self._is_thin = is_thin
        # A session makes one client at a time (boto3 guide, "Session", on threads).
        self._making = Lock()
        self._session = botocore.session.get_session()
        self._session.register_component("data_loader", Loader(file_loader=ServiceModels()))

    def functions(self, call_timeout_s: int) -> LambdaClient:
        """Return a client that invokes exactly once, however long the target takes.

        The SDK's default re-sends an invocation after a read timeout, and so runs it twice
        (boto3 issue 1104); attempts are ours to count.
        """
        config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=5,
            read_timeout=call_timeout_s,
            max_pool_connections=_POOL,
            tcp_keepalive=True,
        )
        client: LambdaClient = self._hot("lambda", config)
        keep_alive(client)
        return client

    def dynamodb(self) -> DynamoDBClient:
        """Return a client for the ledger."""
        client: DynamoDBClient = self._hot("dynamodb", _store_config())
        return client

    def dynamodb_in_passing(self) -> DynamoDBClient:
        """Return a client for a look at the ledger that must not hold up a capture line."""
        client: DynamoDBClient = self._hot("dynamodb", _passing_config())
        return client

    def sqs(self) -> SQSClient:
        """Return a client for the queues."""
        client: SQSClient = self._hot("sqs", _store_config())
        return client

    def s3(self) -> S3Client:
        """Return a client for the bucket."""
        client: S3Client = self._make("s3", _store_config(read_timeout_s=30))
        return client

    def secrets(self) -> SecretsManagerClient:
        """Return a client for the MAC secret."""
        client: SecretsManagerClient = self._make("secretsmanager", _store_config())
        return client

    def signing_key(self) -> SecretsManagerClient:
        """Return a client for the key of a source that signs while its caller waits, nine seconds at most."""
        client: SecretsManagerClient = self._make("secretsmanager", _capturing_config())
        return client

    def batch(self) -> BatchClient:
        """Return a client that submits jobs exactly once: SubmitJob knows no idempotency key."""
        config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=_POOL,
        )
        client: BatchClient = self._make("batch", config)
        return client

    def parameters(self) -> SSMClient:
        """Return a client for the policy."""
        client: SSMClient = self._make("ssm", _store_config())
        return client

    def parameters_in_passing(self) -> SSMClient:
        """Return a client for a look at settings while somebody waits for the answer to a call."""
        client: SSMClient = self._make("ssm", _passing_config())
        return client

    def events(self) -> EventBridgeClient:
        """Return a client for events, which gives up soon: nothing may wait for an event."""
        client: EventBridgeClient = self._make("events", _passing_config())
        return client

    def state_machines(self) -> Any:  # noqa: ANN401 - its users name the operations
        """Return a client that answers tasks: an answer that is sent twice is one."""
        return self._make("stepfunctions", _store_config())

    def callbacks(self) -> LambdaClient:
        """Return a client that answers callbacks of durable executions, which may be answered twice."""
        client: LambdaClient = self._make("lambda", _store_config())
        return client

    def cloudwatch(self) -> CloudWatchClient:
        """Return a client for the states of alarms."""
        client: CloudWatchClient = self._make("cloudwatch", _store_config())
        return client

    def logs(self) -> CloudWatchLogsClient:
        """Return a client for subscription filters."""
        client: CloudWatchLogsClient = self._make("logs", _store_config())
        return client

    def capture_lines(self) -> CloudWatchLogsClient:
        """Return a client that writes capture lines: a caller waits meanwhile, nine seconds at most.

        A line that is written twice is one call.
        """
        client: CloudWatchLogsClient = self._make("logs", _capturing_config())
        return client

    def _hot(self, service: str, config: Config) -> Any:  # noqa: ANN401 - typed by its callers
        """Return a thin client if all that is set is known to it; the SDK's own otherwise."""
        reason = why_not(self._session, service) if self._is_thin else "not wanted"
        if reason is None:
            return ThinClient(self._session, service, config, partial(self._make, service, config))
        _log.info("the SDK's own client is used", extra={"service": service, "reason": reason})
        return self._make(service, config)

    def _make(self, service: str, config: Config) -> Any:  # noqa: ANN401 - typed by its callers
        with self._making:
            # Without the SDK's plugins, of which ours is one: what captures a call is not captured.
            return create_nested_client(
                self._session,
                service,
                region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
                config=config,
            )


def keep_alive(client: LambdaClient | ThinClient) -> None:
    """Let the system probe idle connections once a minute, as far as it can be told to.

    A target may run for half an hour without a byte on the line. botocore switches probes on, and Linux then
    begins after two hours; a NAT gateway or an interface endpoint drops what was idle for 350 seconds (AWS
    networking blog, "Implementing long-running TCP Connections within VPC networking"). botocore has no
    setting for that; its list of options goes to each new socket.
    """
    options = (
        client.connections.socket_options
        if isinstance(client, ThinClient)
        else client._endpoint.http_session._socket_options  # type: ignore[attr-defined]  # noqa: SLF001
    )
    options += [
        (socket.IPPROTO_TCP, getattr(socket, name), _PROBE_S)
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL")
        if hasattr(socket, name)
    ]


def _passing_config() -> Config:
    """Return the settings of clients whose answer is worth a few seconds and no more."""
    return Config(
        retries={"total_max_attempts": 2, "mode": "standard"},
        connect_timeout=1,
        read_timeout=2,
    )


def _capturing_config() -> Config:
    """Return the settings of clients without whose answer a call is not captured, while a caller waits."""
    return Config(
        retries={"total_max_attempts": 3, "mode": "standard"},
        connect_timeout=1,
        read_timeout=2,
        max_pool_connections=_POOL,
    )


def _store_config(read_timeout_s: int = 10) -> Config:
    """Return the settings of clients whose calls may be repeated harmlessly."""
    return Config(
        retries={"total_max_attempts": _STORE_RETRIES, "mode": "standard"},
        connect_timeout=2,
        read_timeout=read_timeout_s,
        max_pool_connections=_POOL,
    )


class _Lazy:
    """Stands for a client until that is needed."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = cache(make)

    def __getattr__(self, name: str) -> object:
        return getattr(self._make(), name)


def lazily[T](make: Callable[[], T]) -> T:
    """Return a client that is made when it is first used: what may never need it costs nothing to make."""
    return cast("T", _Lazy(make))

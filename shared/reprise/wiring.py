"""Put adapters and stages together for what captures calls: invoker, runner, library and decorator.

The handlers that read queues, and the observer, put together what each of them alone has.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
from datetime import UTC, datetime
from functools import cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Final

from reprise.aws.clients import Clients
from reprise.aws.functions import LambdaFunctions
from reprise.aws.gate_table import GateTable
from reprise.aws.keys import SecretKeys
from reprise.aws.ledger_table import LedgerTable
from reprise.aws.log_group import LogGroup
from reprise.aws.s3 import S3Objects
from reprise.capturing.capturer import Capturer
from reprise.capturing.invoker import CallInvoker
from reprise.capturing.open_calls import OpenCalls
from reprise.capturing.repeat import Repeats
from reprise.settings import STDOUT
from reprise.telemetry import write_stdout

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise.call.target_type import TargetType
    from reprise.ports import LineSink, Meter
    from reprise.settings import CallerSettings

_NO_STREAM: Final = re.compile(r"[^A-Za-z0-9._-]+")


TARGET_TYPES: Final = {
    "lambda": "reprise.call.target_type:FUNCTION",
    "batch": "reprise_batch.target_type:BATCH",
}
"""The types of targets, by the service in their ARNs; one of an add-on is loaded only where it is listed."""


def target_types(targets: Iterable[str]) -> tuple[TargetType, ...]:
    """Return the types that the listed targets are of, functions first, which nearly all are."""
    services = {"lambda": None} | dict.fromkeys(arn.split(":")[2] for arn in targets if ":" in arn)
    return tuple(resolve_name(TARGET_TYPES[each]) for each in services if each in TARGET_TYPES)


def make_clients() -> Clients:
    """Return what makes AWS clients, each when it is first needed."""
    return Clients()


def make_ledger(clients: Clients, table: str) -> LedgerTable:
    """Return the ledger in this table."""
    return LedgerTable(clients.dynamodb(), table)


def utc_now() -> datetime:
    """Return the present, aware."""
    return datetime.now(UTC)


def make_capturer(
    clients: Clients, *, bucket: str, mac_secret_arn: str, meter: Meter, log_group: str
) -> Capturer:
    """Return what writes capture lines, in the name of the source whose secret this is.

    Args:
        clients: Makes clients, each when it is first needed.
        bucket: The stack's.
        mac_secret_arn: The source's secret.
        meter: Counts.
        log_group: Where lines go; `STDOUT` if this process's standard output is such a group's.
    """
    return Capturer(
        keys=SecretKeys(cache(clients.secrets), mac_secret_arn),
        objects=S3Objects(cache(clients.s3), bucket),
        sink=_sink(clients, log_group),
        clock=utc_now,
        random_bytes=secrets.token_bytes,
        meter=meter,
    )


def _sink(clients: Clients, log_group: str) -> LineSink:
    if log_group == STDOUT:
        return write_stdout
    # No two processes write to one stream: a person sees who wrote what, and none is busy.
    who = os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or _NO_STREAM.sub("-", platform.node())
    stream = f"{who or 'process'}/{secrets.token_hex(8)}"
    return LogGroup(cache(clients.capture_lines), log_group, stream, utc_now)


def make_call_stage(clients: Clients, settings: CallerSettings, *, meter: Meter) -> CallInvoker:
    """Return what makes calls; everything but the invocation itself waits until it is needed."""
    table = settings.ledger_table
    dynamodb = cache(clients.dynamodb_in_passing)
    return CallInvoker(
        functions=LambdaFunctions(clients.functions(settings.call_timeout_s)),
        capturer=cache(
            lambda: make_capturer(
                clients,
                bucket=settings.bucket,
                mac_secret_arn=settings.mac_secret_arn,
                meter=meter,
                log_group=settings.capture_log_group,
            )
        ),
        capture_outcomes=settings.capture_outcomes,
        meter=meter,
        ledger=cache(lambda: LedgerTable(dynamodb(), table)),
        repeats=cache(
            lambda: Repeats(
                open_calls=OpenCalls(
                    gates=GateTable(dynamodb(), table, is_consistent=True), clock=utc_now
                ),
                ledger=LedgerTable(dynamodb(), table),
                clock=utc_now,
                meter=meter,
                bucket=settings.bucket,
                call_timeout_s=settings.call_timeout_s,
            )
        ),
    )


def trace_header() -> str | None:
    """Return the X-Ray header of the invocation that this process serves, if any."""
    return os.environ.get("_X_AMZN_TRACE_ID")

"""Put together what captures calls: invoker, runner, library and decorator."""

from __future__ import annotations

import os
import platform
import re
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reprise.aws.clients import lazily
from reprise.aws.config import (
    CallersPolicies,
    ParameterDestinations,
    destinations_parameter,
    read_parameter,
)
from reprise.aws.functions import LambdaFunctions
from reprise.aws.gate_table import GateTable
from reprise.aws.keys import SecretKeys
from reprise.aws.ledger_table import LedgerTable
from reprise.aws.log_group import LogGroup
from reprise.aws.s3 import S3Objects
from reprise.call.outcome import OutcomeKind
from reprise.capturing.attach import Ends
from reprise.capturing.invoker import CallInvoker, Capturer
from reprise.capturing.open_calls import OpenCalls
from reprise.capturing.repeat import Repeats
from reprise.capturing.status import StatusReader
from reprise.capturing.wait import Waiter
from reprise.errors import SettingsError, StoreError
from reprise.instant import utc_now
from reprise.settings import (
    CALLERS_NEED,
    STDOUT,
    CallerSettings,
    callers_parameter,
    missing_of,
    with_secret,
    with_what_the_stack_says,
)
from reprise.telemetry import write_stdout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reprise.aws.clients import Clients
    from reprise.ports import LineSink, Meter

WAITER: Final = Waiter(pause=time.sleep, monotonic=time.monotonic)
_NO_STREAM: Final = re.compile(r"[^A-Za-z0-9._-]+")


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
        keys=SecretKeys(lazily(clients.signing_key), mac_secret_arn),
        objects=S3Objects(lazily(clients.s3), bucket),
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
    return LogGroup(lazily(clients.capture_lines), log_group, stream, utc_now)


def make_status_reader(clients: Clients, settings: CallerSettings) -> StatusReader:
    """Return what tells callers how their captured calls stand; its clients wait until they are needed."""
    return StatusReader(
        keys=SecretKeys(lazily(clients.secrets), settings.mac_secret_arn),
        ledger=LedgerTable(lazily(clients.dynamodb), settings.ledger_table),
        objects=S3Objects(lazily(clients.s3), settings.bucket),
        bucket=settings.bucket,
        waiter=WAITER,
        call_timeout_s=settings.call_timeout_s,
    )


FUNCTION_MARGIN_S: Final = 15
"""By how much an invoker may outlive its call: its timeout is 25 seconds longer at least (template.yaml,
Timeouts)."""


def caller_environment(
    env: Mapping[str, str], clients: Clients, *, needed: Iterable[str] = CALLERS_NEED
) -> Mapping[str, str]:
    """Return a caller's environment, and for what is missing there what its stack says.

    Args:
        env: The environment; a variable that is set wins.
        clients: Make the client that asks.
        needed: Settings without which the stack is asked.

    Raises:
        SettingsError: If nothing says it.
    """
    missing = missing_of(env, needed)
    if missing:
        try:
            client = lazily(clients.parameters_in_passing)
            document = read_parameter(client, callers_parameter(env))
        except StoreError as error:
            msg = (
                f"what the stack says of its callers cannot be read: {str(error).rstrip('.')}. "
                "Set REPRISE_STACK to the stack's name, and allow ssm:GetParameter as `reprise sources add` "
                f"prints it; or set what the stack is asked for: {missing}"
            )
            raise SettingsError(msg) from error
        env = with_what_the_stack_says(env, document)
    return with_secret(env)


def read_caller_settings(env: Mapping[str, str], clients: Clients) -> CallerSettings:
    """Return a caller's settings: the environment's, and for what is missing there the stack's.

    Raises:
        SettingsError: Naming the variable that is missing or malformed.
    """
    return CallerSettings.from_env(caller_environment(env, clients))


def make_policies(clients: Clients, settings: CallerSettings) -> CallersPolicies | None:
    """Return what says of single targets what is captured; None if nobody named where that stands."""
    if not settings.policy_parameter:
        return None
    return CallersPolicies(lazily(clients.parameters_in_passing), settings.policy_parameter)


def make_invoker(
    clients: Clients, settings: CallerSettings, *, meter: Meter, longest_s: float | None = None
) -> CallInvoker:
    """Return what makes calls; everything but the invocation itself waits until it is needed.

    Args:
        clients: Makes clients, each when it is first needed.
        settings: Of the caller.
        meter: Counts.
        longest_s: How long one run may take, waiting included; None in a process that nobody stops.
    """
    table, dynamodb = settings.ledger_table, lazily(clients.dynamodb_in_passing)
    ledger = LedgerTable(dynamodb, table)
    gates = GateTable(dynamodb, table, is_consistent=True)
    capturer = make_capturer(
        clients,
        bucket=settings.bucket,
        mac_secret_arn=settings.mac_secret_arn,
        meter=meter,
        log_group=settings.capture_log_group,
    )
    return CallInvoker(
        functions=LambdaFunctions(clients.functions(settings.call_timeout_s)),
        capturer=capturer,
        capture_outcomes=settings.capture_outcomes,
        meter=meter,
        ledger=ledger,
        repeats=Repeats(
            open_calls=OpenCalls(gates=gates, clock=utc_now),
            ledger=ledger,
            clock=utc_now,
            meter=meter,
            bucket=settings.bucket,
            call_timeout_s=settings.call_timeout_s,
        ),
        policies=make_policies(clients, settings),
        ends=Ends(
            ledger=ledger,
            objects=capturer.objects,
            bucket=settings.bucket,
            waiter=WAITER,
            call_timeout_s=settings.call_timeout_s,
            longest_s=longest_s,
        ),
        replies=ParameterDestinations(
            lazily(clients.parameters_in_passing), destinations_parameter(settings.stack)
        ),
    )


def behind_doors(invoker: CallInvoker) -> CallInvoker:
    """Return what makes calls through front doors: there a function's own error is its answer."""
    kinds = invoker.capture_outcomes - {OutcomeKind.FUNCTION_ERROR}
    return replace(invoker, capture_outcomes=kinds)

"""Make calls from any process, with the invoker's behaviour and without the invoker.

    from reprise import client
    reply = client.invoke("orders", json.dumps(order), idempotency_key=order["id"])

The capture line goes to the stack's capture log group, by CloudWatch Logs' API. Where standard output is
captured from (a Lambda function whose log group the stack's parameter ExtraLogGroups names),
`REPRISE_CAPTURE_LOG_GROUP=stdout` spares that request. A line that could not be written is no capture.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypedDict, Unpack

from reprise.call.request import CallRequest, check_request
from reprise.call.target import resolve_target
from reprise.capturing.answer import status_of
from reprise.capturing.signature import read_status_token
from reprise.capturing.status import find_row
from reprise.errors import BadRequestError
from reprise.instant import format_instant
from reprise.settings import CallerSettings
from reprise.telemetry import EmfMeter, trace_header
from reprise.wiring import make_clients, make_ledger
from reprise.wiring.callers import make_call_stage

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.call.outcome import Outcome
    from reprise.ledger import Row


class CallOptions(TypedDict, total=False):
    """What a caller may say of a call."""

    qualifier: str | None
    """Version or alias."""
    client_context: str | None
    """Base64, as Lambda's Invoke API takes it."""
    tenant_id: str | None
    """Tenant, for functions with tenant isolation."""
    idempotency_key: str | None
    """Your own name of the effect; it becomes part of the call's id."""
    scope: str | None
    """Your own namespace of such names, where other callers use the same source."""
    not_after: datetime | None
    """Aware instant after which a replay is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """What became of a call."""

    status_code: int
    """200: the target answered. 202: captured, to be replayed. 409: it did not succeed, and is not captured,
    since its idempotency key names another payload. Else: neither."""
    payload: bytes
    """The target's own reply, unaltered."""
    function_error: str | None
    """The target failed, and the call was not captured."""
    outcome: Outcome
    call_id: str | None
    """Name of the captured call, for `result_of`."""
    status_token: str | None
    """Tells this capture from others of its key; whoever has it may ask the invoker, too."""
    not_captured: str | None
    """Why a call that should have been captured was not."""
    is_late: bool = False
    """Whether the payload is the target's reply to the captured call of this key, `call_id`, which was
    replayed meanwhile: nothing ran now."""


class Client:
    """Makes calls; safe to use from several threads."""

    def __init__(self, settings: CallerSettings | None = None) -> None:
        """Use these settings, or those of the environment (`REPRISE_*`, see the README).

        Raises:
            SettingsError: Naming the variable that is missing or malformed.
        """
        self._settings = settings or CallerSettings.from_env(os.environ)
        self._clients = make_clients()
        self._meter = EmfMeter(targets=self._settings.targets)
        self._stage = make_call_stage(self._clients, self._settings, meter=self._meter)

    def invoke(
        self, function_name: str, payload: bytes | str = b"", **options: Unpack[CallOptions]
    ) -> CallResult:
        """Invoke a function synchronously; a call that was refused or failed is captured.

        Args:
            function_name: Name or ARN, as Lambda's Invoke API takes it; must be an allowed target.
            payload: Sent byte for byte; at most 6 MB.
            options: See `CallOptions`.

        Raises:
            BadRequestError: If the request cannot be served; nothing was invoked.
        """
        not_after = options.get("not_after")
        if not_after is not None and not_after.tzinfo is None:
            raise BadRequestError("not_after", "has no time zone", "Pass an aware datetime")
        request = CallRequest(
            target=resolve_target(
                function_name,
                self._settings.targets,
                qualifier=options.get("qualifier"),
                tenant_id=options.get("tenant_id"),
            ),
            payload=payload.encode() if isinstance(payload, str) else payload,
            client_context=options.get("client_context"),
            idempotency_key=options.get("idempotency_key"),
            scope=options.get("scope"),
            not_after=format_instant(not_after) if not_after is not None else None,
            trace=trace_header(),
        )
        check_request(request)
        answer = self._stage.run(request)
        self._meter.flush()
        outcome, captured = answer.reply.outcome, answer.captured or answer.late
        status_code = 202 if answer.captured is not None else status_of(outcome)
        if answer.refused is not None:
            status_code = answer.refused.status
        return CallResult(
            status_code=status_code,
            payload=answer.reply.payload,
            function_error=outcome.function_error,
            outcome=outcome,
            call_id=captured.call_id if captured is not None else None,
            status_token=captured.status_token if captured is not None else None,
            not_captured=answer.not_captured,
            is_late=answer.late is not None,
        )

    def result_of(self, call_id: str, status_token: str | None = None) -> Row | None:
        """Return what the ledger knows of a captured call; None until its line has been unpacked.

        With the token it is the row of that very capture: its key may name a call with another payload,
        or one that was given up before.

        Raises:
            BadRequestError: If the token is not this call's.
            StoreError: If the ledger, or the key, cannot be had now.
        """
        ledger = make_ledger(self._clients, self._settings.ledger_table)
        if status_token is None:
            return ledger.get(call_id)
        token = read_status_token(call_id, status_token, self._stage.capturer.keys.keys())
        if token is None:
            raise BadRequestError("status_token", "is not this call's", "Pass the CallResult's own")
        return find_row(ledger, call_id, token)


@cache
def default_client() -> Client:
    """Return the client of this process's environment."""
    return Client()


def invoke(
    function_name: str, payload: bytes | str = b"", **options: Unpack[CallOptions]
) -> CallResult:
    """Invoke by the default client; see `Client.invoke`."""
    return default_client().invoke(function_name, payload, **options)

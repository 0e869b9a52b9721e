"""Make calls from any process, with the invoker's behaviour and without the invoker.

    import reprise
    reply = reprise.invoke("orders", json.dumps(order), idempotency_key=order["id"])

The capture line goes to the stack's capture log group, by CloudWatch Logs' API. Where standard output is
captured from (a Lambda function whose log group the stack's parameter ExtraLogGroups names),
`REPRISE_CAPTURE_LOG_GROUP=stdout` spares that request. A line that could not be written is no capture.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from reprise.call.request import check_call_id, check_timeout, library_call
from reprise.capturing.answer import GIVEN_UP_STATUS, status_of
from reprise.capturing.status import find_row, read_result
from reprise.capturing.status_token import read_status_token
from reprise.capturing.wait import has_ended
from reprise.errors import BadRequestError, ObjectMissingError
from reprise.instant import parse_instant
from reprise.telemetry import EmfMeter, trace_header
from reprise.wiring import make_clients, make_ledger
from reprise.wiring.callers import WAITER, make_invoker, read_caller_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from reprise.call.outcome import Outcome
    from reprise.ledger import Row, State


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """What became of a call.

    Example:
        result = reprise.invoke("orders", order_json, idempotency_key="order-1")
        match result.status_code:
            case 200:
                reply = json.loads(result.payload)
            case 202:
                remember(result.call_id, result.status_token)
            case _:
                raise RuntimeError(result.outcome.message)
    """

    status_code: int
    """200: the target answered. 202: captured, to be replayed. 409: it did not succeed, and is not captured,
    since its idempotency key names another payload. Else: neither."""
    payload: bytes
    """The target's own reply, unaltered."""
    function_error: str | None
    """The target failed, and the call was not captured."""
    outcome: Outcome
    call_id: str | None
    """Name of the captured call, for `Client.result_of`."""
    status_token: str | None
    """Tells this capture from others of its key; whoever has it may ask the invoker, too."""
    not_captured: str | None
    """Why a call that should have been captured was not."""
    is_late: bool = False
    """Whether the payload is the target's reply to the captured call `call_id`, the one of this key or the
    one that was waited for, which was replayed meanwhile."""
    given_up: str | None = None
    """Why the captured call `call_id` was given up while it was waited for; `status_code` is 502 then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatus:
    """How a captured call stands, and what its target answered in the end.

    Example:
        status = reprise.Client().result_of(result.call_id, result.status_token)
        if status is not None and status.state is reprise.State.SUCCEEDED:
            reply = status.payload
    """

    call_id: str
    """Another than was asked for, if that is the name of a call with another payload: see `reason`."""
    state: State
    """`captured`, `leased` (it runs now), `waiting`, and its ends: `succeeded`, `dead_lettered`."""
    target: str
    """Unqualified ARN of the function."""
    attempts: int
    """Executions that failed."""
    payload: bytes | None
    """The late result: the target's own reply to the replay that succeeded. None as long as there is none,
    or if it was not kept."""
    reason: str | None
    """Why the call was given up: `exhausted`, `expired`, `permanent`, `unknown` or `key_conflict`."""
    message: str | None
    """The same, for people."""
    captured_at: datetime
    """When the call was captured; aware, in UTC."""
    updated_at: datetime
    """When what is told here last changed; aware, in UTC."""


class Client:
    """Makes calls; safe to use from several threads, and to be kept for as long as the process lives.

    Example:
        client = reprise.Client()  # by the environment, as `reprise sources add` prints it
        client.invoke("orders", '{"n": 1}')

        client = reprise.Client(targets=["arn:aws:lambda:eu-west-1:111122223333:function:orders"])
    """

    def __init__(  # noqa: PLR0913 - settings, each by its own name and all of them optional
        self,
        *,
        targets: str | Iterable[str] | None = None,
        bucket: str | None = None,
        mac_secret_arn: str | None = None,
        ledger_table: str | None = None,
        call_timeout_s: int | None = None,
        capture_outcomes: str | Iterable[str] | None = None,
        capture_log_group: str | None = None,
    ) -> None:
        """Use these settings; one that is left out is the environment's, `REPRISE_TARGETS` for `targets`.

        What the environment leaves out, too, the stack says (`REPRISE_STACK`), and who signs is then the
        source that `REPRISE_SOURCE` names, or is called as this Lambda function is.

        Args:
            targets: ARNs of the functions that may be called.
            bucket: The stack's, for payloads that no line can hold.
            mac_secret_arn: Secret of the source that this client signs as.
            ledger_table: The stack's ledger.
            call_timeout_s: How long a call may take.
            capture_outcomes: Kinds of outcomes to capture: `throttled`, `transient`, `unknown`,
                `function_error` unless said otherwise. A target's policy that says `capture_on` comes first.
            capture_log_group: Where capture lines go; `stdout` if this process's standard output is captured
                from.

        Raises:
            SettingsError: Naming the variable whose value is missing or malformed, wherever it came from.

        Example:
            client = reprise.Client(call_timeout_s=20, capture_outcomes=["throttled", "transient"])
        """
        given = {
            "REPRISE_TARGETS": _listed(targets),
            "REPRISE_BUCKET": bucket,
            "REPRISE_MAC_SECRET_ARN": mac_secret_arn,
            "REPRISE_LEDGER_TABLE": ledger_table,
            "REPRISE_CALL_TIMEOUT_S": None if call_timeout_s is None else str(call_timeout_s),
            "REPRISE_CAPTURE_OUTCOMES": _listed(capture_outcomes),
            "REPRISE_CAPTURE_LOG_GROUP": capture_log_group,
        }
        # One reader for both, so that what is handed in is checked as the environment is.
        known = {name: value for name, value in given.items() if value is not None}
        self._clients = make_clients()
        self._settings = read_caller_settings({**os.environ, **known}, self._clients)
        self._meter = EmfMeter(targets=self._settings.targets)
        self._invoker = make_invoker(self._clients, self._settings, meter=self._meter)

    def invoke(  # noqa: PLR0913 - what may be said of a call, each by its own name, as help() shows it
        self,
        function_name: str,
        payload: bytes | str = b"",
        *,
        qualifier: str | None = None,
        client_context: str | None = None,
        tenant_id: str | None = None,
        idempotency_key: str | None = None,
        scope: str | None = None,
        not_after: datetime | None = None,
        wait_s: float = 0.0,
        reply_to: dict[str, str | bool] | None = None,
    ) -> CallResult:
        """Invoke a function synchronously; a call that was refused or failed is captured.

        Args:
            function_name: Name or ARN, as Lambda's Invoke API takes it; must be an allowed target.
            payload: Sent byte for byte; at most 6 MB.
            qualifier: Version or alias.
            client_context: Base64, as Lambda's Invoke API takes it.
            tenant_id: Tenant, for functions with tenant isolation.
            idempotency_key: Your own name of the effect; it becomes part of the call's id.
            scope: Your own namespace of such names, where other callers use the same source.
            not_after: Aware instant after which a replay is of no use.
            wait_s: Seconds to wait for the outcome of the call if it is kept, or of the one with its key that
                waits or runs already; 0 waits for none.
            reply_to: Where the late result goes if the call is kept: `queue`, `event`, `task_token`,
                `callback_id` or `webhook`, as the stack's add-on replies allows.

        Raises:
            BadRequestError: If the request cannot be served; nothing was invoked.

        Example:
            result = client.invoke("orders", json.dumps(order), idempotency_key=order["id"])
            print(result.payload if result.status_code == 200 else result.call_id)
        """
        request = library_call(
            function_name,
            payload,
            self._settings.targets,
            qualifier=qualifier,
            client_context=client_context,
            tenant_id=tenant_id,
            idempotency_key=idempotency_key,
            scope=scope,
            not_after=not_after,
            wait_s=wait_s,
            reply_to=reply_to,
            trace=trace_header(),
        )
        answer = self._invoker.run(request)
        self._meter.flush()
        outcome, captured = answer.reply.outcome, answer.captured or answer.late
        status_code = 202 if answer.captured is not None else status_of(outcome)
        if answer.refused is not None:
            status_code = answer.refused.status
        if answer.given_up is not None:
            status_code = GIVEN_UP_STATUS
        return CallResult(
            status_code=status_code,
            payload=answer.reply.payload,
            function_error=outcome.function_error,
            outcome=outcome,
            call_id=captured.call_id if captured is not None else None,
            status_token=captured.status_token if captured is not None else None,
            not_captured=answer.not_captured,
            is_late=answer.late is not None and answer.given_up is None,
            given_up=answer.given_up.reason if answer.given_up is not None else None,
        )

    def result_of(self, call_id: str, status_token: str | None = None) -> CallStatus | None:
        """Tell how a captured call stands; None until its line has been unpacked.

        Args:
            call_id: As in `CallResult.call_id`.
            status_token: As in `CallResult.status_token`. With it, it is that very capture that is told of:
                its key may name a call with another payload, or one that was given up before.

        Raises:
            BadRequestError: If the token is not this call's, or the id is empty.
            StoreError: If the ledger, the key or the late result cannot be had now.

        Example:
            result = client.invoke("orders", json.dumps(order))
            if result.status_code == 202:
                status = client.result_of(result.call_id, result.status_token)
                print(status.state if status is not None else "on its way")
        """
        row = self._look(call_id, status_token)()
        return self._status(row) if row is not None else None

    def wait(
        self, call_id: str, status_token: str | None = None, *, timeout_s: float = 60.0
    ) -> CallStatus | None:
        """Return how a captured call stands as soon as it has ended, or when time is over.

        Args:
            call_id: As in `CallResult.call_id`.
            status_token: As in `CallResult.status_token`; see `result_of`.
            timeout_s: Seconds to wait at most; the call's row is read once a second.

        Returns:
            As `result_of`: its `state` tells whether the call has ended.

        Raises:
            BadRequestError: As `result_of`, or if the timeout is no such number.
            StoreError: As `result_of`.

        Example:
            result = client.invoke("orders", json.dumps(order))
            if result.status_code == 202:
                status = client.wait(result.call_id, result.status_token, timeout_s=300)
                if status is not None and status.state is reprise.State.SUCCEEDED:
                    print(status.payload)
        """
        check_timeout("timeout_s", timeout_s)
        row = WAITER.until(self._look(call_id, status_token), has_ended, timeout_s=timeout_s)
        return self._status(row) if row is not None else None

    def _look(self, call_id: str, status_token: str | None) -> Callable[[], Row | None]:
        """Return what reads a call's row, of the very capture that a token is of."""
        check_call_id(call_id)
        ledger = make_ledger(self._clients, self._settings.ledger_table)
        if status_token is None:
            return partial(ledger.get, call_id)
        token = read_status_token(call_id, status_token, self._invoker.capturer.keys.keys())
        if token is None:
            raise BadRequestError("status_token", "is not this call's", "Pass the CallResult's own")
        return partial(find_row, ledger, call_id, token)

    def _status(self, row: Row) -> CallStatus:
        payload = None
        # It may be deleted sooner than its row, which still tells the end.
        with suppress(ObjectMissingError):
            payload = read_result(self._invoker.capturer.objects, self._settings.bucket, row)
        return CallStatus(
            call_id=row.id,
            state=row.state,
            target=row.target,
            attempts=row.attempts,
            payload=payload,
            reason=row.reason,
            message=row.message,
            captured_at=parse_instant(row.captured_at),
            updated_at=parse_instant(row.updated_at),
        )


def _listed(values: str | Iterable[str] | None) -> str | None:
    return values if values is None or isinstance(values, str) else ",".join(values)


@cache
def default_client() -> Client:
    """Return the client of this process's environment."""
    return Client()


def invoke(  # noqa: PLR0913 - as `Client.invoke`
    function_name: str,
    payload: bytes | str = b"",
    *,
    qualifier: str | None = None,
    client_context: str | None = None,
    tenant_id: str | None = None,
    idempotency_key: str | None = None,
    scope: str | None = None,
    not_after: datetime | None = None,
    wait_s: float = 0.0,
    reply_to: dict[str, str | bool] | None = None,
) -> CallResult:
    """Invoke by the client of this process's environment, which is made at the first call.

    Args:
        function_name: Name or ARN, as Lambda's Invoke API takes it; must be an allowed target.
        payload: Sent byte for byte; at most 6 MB.
        qualifier: Version or alias.
        client_context: Base64, as Lambda's Invoke API takes it.
        tenant_id: Tenant, for functions with tenant isolation.
        idempotency_key: Your own name of the effect; it becomes part of the call's id.
        scope: Your own namespace of such names, where other callers use the same source.
        not_after: Aware instant after which a replay is of no use.
        wait_s: Seconds to wait for the outcome of the call if it is kept, or of the one with its key that
            waits or runs already; 0 waits for none.
        reply_to: Where the late result goes if the call is kept: `queue`, `event`, `task_token`,
            `callback_id` or `webhook`, as the stack's add-on replies allows.

    Raises:
        BadRequestError: If the request cannot be served; nothing was invoked.
        SettingsError: Naming the environment variable that is missing or malformed.

    Example:
        import reprise

        result = reprise.invoke("orders", '{"n": 1}', idempotency_key="order-1")
        if result.status_code == 202:
            print("captured, and replayed later:", result.call_id)
    """
    return default_client().invoke(
        function_name,
        payload,
        qualifier=qualifier,
        client_context=client_context,
        tenant_id=tenant_id,
        idempotency_key=idempotency_key,
        scope=scope,
        not_after=not_after,
        wait_s=wait_s,
        reply_to=reply_to,
    )

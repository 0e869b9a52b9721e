"""Let a target log its own failed event: `@reprise.capture` around a Lambda handler.

For targets whose callers cannot go through the invoker. A target that is called through it needs no
decorator: the invoker sees the failure itself. A target that is invoked asynchronously, or fed by a queue or
a stream, must have none: there AWS itself tries a failed event again, and both would.
"""

from __future__ import annotations

import functools
import json
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, overload

from reprise.call.outcome import Outcome, OutcomeKind, shorten
from reprise.call.request import CallRequest, check_request
from reprise.call.target import Target
from reprise.capturing.line import is_marked, marked_context
from reprise.settings import capture_log_group
from reprise.telemetry import EmfMeter, trace_header
from reprise.wiring import make_clients
from reprise.wiring.callers import caller_environment, make_capturer

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from reprise.capturing.invoker import Capturer

_log = logging.getLogger(__name__)


class _Decorator(Protocol):
    """What `capture(on=...)` returns."""

    def __call__[R](self, handler: Callable[[Any, Any], R], /) -> Callable[[Any, Any], R]: ...


@overload
def capture[R](handler: Callable[[Any, Any], R], /) -> Callable[[Any, Any], R]: ...


@overload
def capture(*, on: type[Exception] | tuple[type[Exception], ...]) -> _Decorator: ...


def capture(
    handler: Callable[[Any, Any], Any] | None = None,
    /,
    *,
    on: type[Exception] | tuple[type[Exception], ...] = Exception,
) -> Any:
    """Let a Lambda handler write a capture line when it raises, and raise on.

    A replay that fails is not captured again: the replayer sees the failure itself. Needs in the function's
    environment what `reprise sources add` says. The line goes to the stack's capture log group, or, where
    `REPRISE_CAPTURE_LOG_GROUP` is `stdout`, to the function's own, which ExtraLogGroups must name then.

    Args:
        handler: The handler, where the decorator stands without parentheses.
        on: Errors that are worth a replay; the others are raised on, and not captured.

    Raises:
        TypeError: If `on` names anything but errors: when the module is loaded, not when an event fails.

    Example:
        @reprise.capture
        def handler(event, context):
            return sell(event["sku"])


        @reprise.capture(on=(TimeoutError, ConnectionError))
        def another(event, context):
            return sell(event["sku"])
    """
    kinds = on if isinstance(on, tuple) else (on,)
    named: tuple[object, ...] = kinds  # Types are no guard at run time.
    if not named or not all(
        isinstance(each, type) and issubclass(each, Exception) for each in named
    ):
        msg = f"capture: on must be an Exception class, or a tuple of such, got {on!r}"
        raise TypeError(msg)

    def decorate[R](function: Callable[[Any, Any], R]) -> Callable[[Any, Any], R]:
        @functools.wraps(function)
        def wrapped(event: object, context: LambdaContext) -> R:
            try:
                return function(event, context)
            except kinds as error:
                if not is_marked(context):
                    _capture_quietly(event, context, error)
                raise

        return wrapped

    return decorate if handler is None else decorate(handler)


def failed_call(
    event: object, function_arn: str, request_id: str, error: Exception
) -> tuple[CallRequest, Outcome]:
    """Return the call that a failing invocation was, and how it failed.

    Its key is the invocation's request id, which Lambda keeps when it tries an event again: the tries of one
    event are one call.

    Raises:
        BadRequestError: If the event is over Lambda's limit.
        TypeError, ValueError: If the event is no JSON.

    Source: Lambda developer guide, "Understanding retry behavior in Lambda": on asynchronous retries the
    event has the same request id.
    """
    parts = function_arn.split(":")
    request = CallRequest(
        target=Target(function=":".join(parts[:7]), qualifier=parts[7] if parts[7:] else None),
        payload=json.dumps(event, separators=(",", ":")).encode(),
        idempotency_key=request_id,
        trace=trace_header(),
    )
    check_request(request)
    outcome = Outcome(
        kind=OutcomeKind.FUNCTION_ERROR,
        code=type(error).__name__,
        status=200,
        message=shorten(str(error)),
        function_error="Unhandled",
    )
    return request, outcome


def _capture_quietly(event: object, context: LambdaContext, error: Exception) -> None:
    try:
        request, outcome = failed_call(
            event, context.invoked_function_arn, context.aws_request_id, error
        )
        request = replace(request, client_context=marked_context(context.aws_request_id))
        capturer, meter = _default()
        capturer.capture(request, outcome)
        meter.flush()
    except Exception:  # noqa: BLE001 - whatever it is, the target's own error comes first
        _log.exception("failed event was not captured")


@functools.cache
def _default() -> tuple[Capturer, EmfMeter]:
    meter, clients = EmfMeter(), make_clients()
    env = caller_environment(os.environ, clients, needed=("bucket",))
    capturer = make_capturer(
        clients,
        bucket=env["REPRISE_BUCKET"],
        mac_secret_arn=env["REPRISE_MAC_SECRET_ARN"],
        meter=meter,
        log_group=capture_log_group(env),
    )
    return capturer, meter

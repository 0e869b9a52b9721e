"""Invoke functions through Lambda's Invoke API, once, and say how it ended."""

from __future__ import annotations

import os
import time
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ParamValidationError,
)

from reprise.observe.trace import header_for_replay
from reprise.outcome.classify import (
    classify_error,
    classify_reply,
    never_sent,
    no_answer,
    shorten,
)
from reprise.outcome.outcome import Outcome, OutcomeKind
from reprise.ports import Reply

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationRequestTypeDef

    from reprise.call.target import Target


_TRACE_VARIABLE: Final = "_X_AMZN_TRACE_ID"
_headers: ContextVar[dict[str, str]] = ContextVar("reprise_headers")
"""Headers of the invocation that this thread makes: trace and tenant.

The tenant is no parameter of Invoke's for the botocore of every runtime: 1.40 refuses it.
"""

_MAX_RETRY_AFTER_S: Final = 43_200.0
"""SQS's longest visibility: a nonsensical header must not hold a gate for ever."""


class LambdaFunctions:
    """Invokes Lambda functions; the client must not retry (see `Clients.functions`)."""

    __slots__ = ("_client",)

    def __init__(self, client: LambdaClient) -> None:
        """Invoke through this client."""
        self._client = client
        # More specific than botocore's own handler, and so before it: it adds what is not there.
        client.meta.events.register("before-call.lambda.Invoke", _add_headers)

    def invoke(
        self, target: Target, payload: bytes, client_context: str | None, trace: str | None = None
    ) -> Reply:
        """Invoke once, synchronously, as part of an X-Ray trace; never raise for how it ends.

        Without a trace the header is the SDK's own: that of the invocation that this process serves.
        """
        header = header_for_replay(trace, os.environ.get(_TRACE_VARIABLE))
        headers = {"X-Amzn-Trace-Id": header, "X-Amz-Tenant-Id": target.tenant_id}
        token = _headers.set({name: text for name, text in headers.items() if text is not None})
        start_s = time.perf_counter()
        try:
            reply = self._invoke(target, payload, client_context)
        finally:
            _headers.reset(token)
        return replace(reply, took_ms=(time.perf_counter() - start_s) * 1000)

    def _invoke(self, target: Target, payload: bytes, client_context: str | None) -> Reply:
        request: InvocationRequestTypeDef = {"FunctionName": target.function, "Payload": payload}
        if target.qualifier is not None:
            request["Qualifier"] = target.qualifier
        if client_context is not None:
            request["ClientContext"] = client_context
        try:
            response = self._client.invoke(**request)
            body = response["Payload"].read()
        except Exception as error:  # noqa: BLE001 - the class of the failure is the answer
            return Reply(outcome=outcome_of(error))
        outcome = classify_reply(
            response["StatusCode"],
            response.get("FunctionError"),
            body,
            response["ResponseMetadata"].get("RequestId"),
        )
        return Reply(
            outcome=outcome, payload=body, executed_version=response.get("ExecutedVersion")
        )


def _add_headers(params: dict[str, Any], **_: object) -> None:
    params["headers"].update(_headers.get())


def outcome_of(error: Exception) -> Outcome:
    """Classify how an invocation without an answer of the target's ended, whatever the service."""
    name, text = type(error).__name__, str(error)
    match error:
        case ClientError():
            return _refused(error)
        case ParamValidationError():
            return Outcome(kind=OutcomeKind.PERMANENT, code=name, message=shorten(text))
        case EndpointConnectionError() | ConnectTimeoutError():
            return never_sent(name, text)
        case HTTPClientError() | IncompleteReadError():
            # Read timeouts and connections that closed under way: sent, and never answered.
            return no_answer(name, text)
        case BotoCoreError():
            # Raised before anything is sent: no credentials, no region, an unreadable config.
            return never_sent(name, text)
        case _:
            # botocore trips over some answers of proxies (JSON that is no object, bytes that are no text).
            return no_answer(name, text)


def _refused(error: ClientError) -> Outcome:
    response: dict[str, Any] = dict(error.response)
    details, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    return classify_error(
        str(details.get("Code", "Unknown")),
        metadata.get("HTTPStatusCode"),
        str(details.get("Message") or response.get("message") or ""),
        reason=response.get("Reason"),
        retry_after_s=_seconds(response.get("retryAfterSeconds")),
        request_id=metadata.get("RequestId"),
    )


def _seconds(text: object) -> float | None:
    """Return `Retry-After` in seconds, at most 12 hours, if the server sent a number."""
    try:
        seconds = float(str(text))
    except ValueError:
        return None
    return min(seconds, _MAX_RETRY_AFTER_S) if 0 <= seconds < float("inf") else None

"""Invoke targets, once, each by the adapter of its type, and say how it ended.

A replay carries its caller's X-Ray trace, so that one trace shows both. Source: X-Ray developer guide,
"Tracing header"; Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops"
(the header's Lineage is what counts a loop's hops).
"""

from __future__ import annotations

import os
import re
import time
from contextvars import ContextVar
from dataclasses import replace
from pkgutil import resolve_name
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

from reprise.call.outcome import (
    Outcome,
    OutcomeKind,
    classify_error,
    classify_reply,
    never_sent,
    no_answer,
    shorten,
)
from reprise.call.target_type import type_of
from reprise.ports import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationRequestTypeDef

    from reprise.aws.clients import Clients
    from reprise.call.target import Target
    from reprise.call.target_type import TargetType
    from reprise.ports import Invoker

_FIELD: Final = re.compile(r"(Root|Parent|Sampled|Self)=([A-Za-z0-9:-]{1,64})")
_LINEAGE: Final = "Lineage="


def header_for_replay(recorded: str | None, own: str | None) -> str | None:
    """Return the trace header of a replay: the caller's trace, and the lineage of whoever replays.

    An old lineage would hide the hops since, and with them a loop through the target.

    Args:
        recorded: The header that the caller's own call had, if any.
        own: The header of the invocation that this process serves, if any.

    Returns:
        None if the caller's call was not traced, or its header names no trace.
    """
    kept = [part for part in _split(recorded) if _FIELD.fullmatch(part)]
    if not any(part.startswith("Root=") for part in kept):
        return None
    lineage = [part for part in _split(own) if part.startswith(_LINEAGE)]
    return ";".join([*kept, *lineage])


def _split(header: str | None) -> list[str]:
    return [part.strip() for part in (header or "").split(";")]


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
    reason = response.get("Reason")
    return classify_error(
        str(details.get("Code", "Unknown")),
        metadata.get("HTTPStatusCode"),
        str(details.get("Message") or response.get("message") or ""),
        reason=None if reason is None else str(reason),
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


class InvokerRouter:
    """Invokes whatever a target is; safe to use from several threads."""

    __slots__ = ("_adapters", "_call_timeout_s", "_clients", "_types")

    def __init__(self, clients: Clients, call_timeout_s: int, types: Iterable[TargetType]) -> None:
        """Invoke targets of these types; the first one's, which nearly all are, are connected at once."""
        self._clients = clients
        self._call_timeout_s = call_timeout_s
        self._types = tuple(types)
        first = self._types[0]
        self._adapters: dict[str, Invoker] = {
            first.name: _connected(first, clients, call_timeout_s)
        }

    def invoke(
        self, target: Target, payload: bytes, client_context: str | None, trace: str | None = None
    ) -> Reply:
        """Invoke once; never raise for how it ends."""
        found = type_of(target.function, self._types)
        if found is None:
            return Reply(
                outcome=Outcome(
                    kind=OutcomeKind.PERMANENT,
                    code="UnknownTargetType",
                    message=f"no type of target is known that is called {target.function}",
                )
            )
        if found.name not in self._adapters:
            self._adapters[found.name] = _connected(found, self._clients, self._call_timeout_s)
        return self._adapters[found.name].invoke(target, payload, client_context, trace)


def connect(clients: Clients, call_timeout_s: int) -> LambdaFunctions:
    """Return what invokes functions, given the longest call in seconds."""
    return LambdaFunctions(clients.functions(call_timeout_s))


def _connected(target_type: TargetType, clients: Clients, call_timeout_s: int) -> Invoker:
    adapter: Callable[[Clients, int], Invoker] = resolve_name(target_type.adapter)
    return adapter(clients, call_timeout_s)

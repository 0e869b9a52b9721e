"""Hear of a client's calls by botocore's events, and answer the synchronous invocations among them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from reprise.boto3_plugin.exchange import ERROR_FROM, EndedError, Exchange, is_synchronous
from reprise.boto3_plugin.self_check import PROBE

if TYPE_CHECKING:
    from reprise.boto3_plugin.exchange import Parsed
    from reprise.boto3_plugin.lazy_setup import LazySetup

_log = logging.getLogger(__name__)
_EXCHANGE: Final = "reprise"
"""Name of the exchange in botocore's context of a request."""


class Events:
    """The handlers of one client."""

    __slots__ = ("_client", "_lazy_setup")

    def __init__(self, client: Any, lazy_setup: LazySetup) -> None:  # noqa: ANN401 - botocore's clients have no type
        """Answer this client's calls."""
        self._client = client
        self._lazy_setup = lazy_setup

    def register(self) -> None:
        """Be asked about every call, once, however often this is done."""
        events = self._client.meta.events
        # Last of all: botocore asks handlers of the more general event later, and whoever answers ends the
        # round. So headers of others (tracing) are there by then.
        events.register_last("before-call", self.before_call, unique_id="reprise-before-call")
        # First of all: the SDK's own rules must neither wait nor charge their quota for what is captured.
        events.register_first(
            "needs-retry.lambda.Invoke", self.needs_retry, unique_id="reprise-needs-retry"
        )
        # Last of all: what raises before that has sent nothing.
        events.register_last(
            "request-created", self.request_created, unique_id="reprise-request-created"
        )

    def before_call(self, model: Any, params: dict[str, Any], **_: object) -> Parsed | None:  # noqa: ANN401 - botocore's
        """Make a synchronous invocation in the SDK's place; None leaves a call to the SDK."""
        if model.name != "Invoke" or not is_synchronous(params):
            return None
        exchange = Exchange(self._client, model, params)
        params["context"][_EXCHANGE] = exchange
        if not _says_something(params["headers"]):
            exchange.send()
            if exchange.has_succeeded:
                return exchange.given()
        try:
            return _capture().answer(exchange, self._lazy_setup)
        except Exception as error:
            if exchange.own is None or error is exchange.own:
                raise
            # A fault of ours, which must not take the place of what the target said.
            _log.exception("call was not captured")
            return exchange.given()

    def request_created(self, request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
        """Note that a send is about to go."""
        exchange = request.context.get(_EXCHANGE)
        if exchange is not None:
            exchange.is_under_way = True

    def needs_retry(
        self,
        request_dict: dict[str, Any],
        response: Parsed | None = None,
        caught_exception: Exception | None = None,
        **_: object,
    ) -> None:
        """End a call's sends once the last one's end is captured; else leave it to the SDK's rules.

        Raises:
            EndedError: If it is.
        """
        exchange = request_dict["context"].get(_EXCHANGE)
        if exchange is None:
            return
        exchange.is_under_way = False
        if response is not None and response[0].status_code < ERROR_FROM:
            return
        exchange.own = response or caught_exception
        if exchange.own is None or exchange.is_stopped:
            return
        try:
            is_captured = _capture().is_captured(exchange, exchange.own, self._lazy_setup)
        except Exception:  # noqa: BLE001 - a fault of ours leaves the call to the SDK
            _log.exception("whether a call is captured cannot be told")
            return
        if is_captured:
            raise EndedError


def _says_something(headers: Any) -> bool:  # noqa: ANN401 - botocore's headers, or a plain dict
    """Tell whether a caller may have said something of its call beside the payload."""
    return any(
        name == "X-Amz-Client-Context" or name.lower().startswith("x-reprise-") for name in headers
    )


class _Capture(Protocol):
    """What captures: `reprise.boto3_plugin.capture`, or what stands for it in a self-check."""

    def is_captured(
        self, exchange: Exchange, own: Parsed | Exception, lazy_setup: LazySetup, /
    ) -> bool: ...

    def answer(self, exchange: Exchange, lazy_setup: LazySetup, /) -> Parsed: ...


def _capture() -> _Capture:
    probe = PROBE.get()
    if probe is not None:
        return probe
    from reprise.boto3_plugin import capture  # noqa: PLC0415 - the kernel, for calls that need it only

    return capture

"""The runtime API, as bytes: the event as it came, the answer as it is.

The managed runtime decodes each event and writes each answer anew: that changes bytes and, of six
megabytes, takes its time. Source: Lambda developer guide, "Using the Lambda runtime API for custom runtimes".
"""

from __future__ import annotations

import json
import logging
import os
import re
import traceback
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger("reprise.invoker")
_PATH: Final = "/2018-06-01/runtime/invocation"
_TRACE: Final = "_X_AMZN_TRACE_ID"
"""Where the SDK, and X-Ray's, look for the header of the invocation that is served."""
_NO_HEADER: Final = re.compile(r"[^!-~]")
_MAX_TYPE_CHARS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One invocation, as the runtime API gives it."""

    request_id: str
    arn: str
    """The ARN that was invoked, with its qualifier."""
    event: bytes
    client_context: bytes = b""
    """JSON, or nothing."""
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How an invocation ends."""

    payload: bytes
    error_type: str | None = None
    """Set if it failed; the payload is its error then."""


class RuntimeGoneError(Exception):
    """The runtime API is in no state to go on."""


class RuntimeApi:
    """The API of this execution environment, on one connection."""

    __slots__ = ("_connection",)

    def __init__(self, address: str) -> None:
        """Connect to host and port when it is first needed; an invocation may be hours away."""
        self._connection = HTTPConnection(address)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def next(self) -> Invocation:
        """Wait for the next invocation, and return it.

        Raises:
            RuntimeGoneError, OSError, http.client.HTTPException: If there is none to be had: the process is
                to end, and Lambda starts another.
        """
        self._connection.request("GET", f"{_PATH}/next")
        response = self._connection.getresponse()
        event = response.read()
        if response.status != HTTPStatus.OK:
            msg = f"the runtime API answered {response.status} when asked for an invocation"
            raise RuntimeGoneError(msg)
        header = response.headers.get
        return Invocation(
            request_id=header("Lambda-Runtime-Aws-Request-Id", ""),
            arn=header("Lambda-Runtime-Invoked-Function-Arn", ""),
            event=event,
            # http.client reads headers as Latin-1; these are the bytes.
            client_context=header("Lambda-Runtime-Client-Context", "").encode("latin-1"),
            trace=header("Lambda-Runtime-Trace-Id"),
        )

    def answer(self, invocation: Invocation, reply: Reply) -> None:
        """Say how an invocation ended; a refusal is logged, and Lambda tells the caller.

        Raises:
            RuntimeGoneError, OSError, http.client.HTTPException: As `next`.
        """
        headers = {"Content-Type": "application/json"}
        path = f"{_PATH}/{invocation.request_id}/"
        if reply.error_type is not None:
            named = _NO_HEADER.sub("?", reply.error_type)[:_MAX_TYPE_CHARS]
            headers["Lambda-Runtime-Function-Error-Type"] = named
        self._post(
            path + ("response" if reply.error_type is None else "error"), reply.payload, headers
        )

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        self._connection.request("POST", path, body, dict(headers))
        response = self._connection.getresponse()
        told = response.read()
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            # "Container error. Non-recoverable state. Runtime should exit promptly."
            msg = f"the runtime API answered {response.status} to an answer"
            raise RuntimeGoneError(msg)
        if response.status >= HTTPStatus.BAD_REQUEST:
            extra = {"status": response.status, "told": told[:200].decode("utf-8", "replace")}
            _log.error("answer was refused", extra=extra)


class _RequestId(logging.Filter):
    """Adds the invocation's request id to log lines, as the managed runtime's own filter does."""

    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line pass."""
        record.aws_request_id = self.request_id
        return True


def serve(api: RuntimeApi, handle: Callable[[Invocation], Reply]) -> NoReturn:
    """Handle invocations for as long as there is an environment; a handler that raises fails its own only."""
    named = _RequestId()
    for handler in logging.getLogger().handlers:
        handler.addFilter(named)
    while True:
        invocation = api.next()
        named.request_id = invocation.request_id
        if invocation.trace:
            os.environ[_TRACE] = invocation.trace
        else:
            os.environ.pop(_TRACE, None)
        try:
            reply = handle(invocation)
        except Exception as error:  # noqa: BLE001 - as the managed runtime's own loop
            _log.exception("invocation failed")
            reply = failed(error, invocation.request_id)
        api.answer(invocation, reply)


def failed(error: Exception, request_id: str) -> Reply:
    """Return how an invocation ends whose handler raised, in the managed runtime's own shape."""
    name = type(error).__name__
    document = {
        "errorMessage": str(error),
        "errorType": name,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }
    return Reply(payload=json.dumps(document).encode(), error_type=name)

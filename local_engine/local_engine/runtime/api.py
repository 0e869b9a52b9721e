"""The Runtime API of one environment, served by whichever thread runs a call in it.

Sockets and output pipe are read by the same thread, so a warm call costs no thread
switch and no timer, and the lines of a call are complete when its answer is: the
runtime writes them to the pipe before it posts the answer.

Source: Lambda Developer Guide, "Using the Lambda runtime API".
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

from local_engine.runtime.http import ApiRequest, RequestParser
from local_engine.runtime.output import OutputPipe
from local_engine.runtime.peer import belongs_to
from local_engine.runtime.process import describe_exit

if TYPE_CHECKING:
    from local_engine.runtime.output import LogLine
    from local_engine.runtime.process import FunctionProcess

_EXIT_CHECK_S = 0.5
_REAP_S = 0.05
_RECEIVE_BYTES = 1 << 18


class EnvironmentDiedError(Exception):
    """The process ended, or its initialisation failed, before an answer."""

    def __init__(self, body: dict[str, Any]) -> None:
        """Keep Lambda's error object."""
        super().__init__(body.get("errorMessage", ""))
        self.body = body


class RuntimeApi:
    """Listening socket, connections and output of one process."""

    def __init__(self) -> None:
        """Listen on a free port of the loopback interface."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._parsers: dict[socket.socket, RequestParser] = {}
        self._process: FunctionProcess | None = None
        self._output: OutputPipe | None = None
        self.waiting: socket.socket | None = None
        """Connection on which the runtime asked for its next call."""

    @property
    def address(self) -> str:
        """Host and port, as AWS_LAMBDA_RUNTIME_API names them."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def attach(self, process: FunctionProcess) -> None:
        """Read the output of the process that will call."""
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._process = process
        self._output = OutputPipe(process.stdout.fileno())
        self._selector.register(process.stdout, selectors.EVENT_READ)

    def close(self) -> None:
        """Free the sockets and the pipe."""
        for connection in [*self._parsers, self._listener]:
            connection.close()
        self._selector.close()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()

    def serve(self, deadline: float) -> list[tuple[socket.socket, ApiRequest]]:
        """Wait for the runtime and return the requests that arrived, perhaps none.

        Raises:
            EnvironmentDiedError: If the process is gone.
            TimeoutError: If the deadline, on the monotonic clock, has passed.
        """
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        assert self._process is not None  # noqa: S101 - attached before it is served
        assert self._output is not None  # noqa: S101
        requests: list[tuple[socket.socket, ApiRequest]] = []
        events = self._selector.select(min(remaining, _EXIT_CHECK_S))
        for key, _ in events:
            if key.fileobj is self._listener:
                self._accept()
            elif key.fd == self._output.descriptor:
                self._output.drain()
                if not self._output.is_open:
                    self._selector.unregister(key.fileobj)
            elif isinstance(key.fileobj, socket.socket):
                requests += self._receive(key.fileobj)
        is_silent = not events and self._process.poll() is not None
        if not requests and (is_silent or not self._output.is_open) and _has_ended(self._process):
            body = {"errorType": "Runtime.ExitError", "errorMessage": describe_exit(self._process)}
            raise EnvironmentDiedError(body)
        return requests

    def send(self, connection: socket.socket, data: bytes) -> None:
        """Send an answer; that a runtime is gone shows at the next read."""
        with contextlib.suppress(OSError):
            connection.sendall(data)

    def take_lines(self) -> list[LogLine]:
        """Return the lines written since the last time."""
        if self._output is None:
            return []
        self._output.drain()
        return self._output.take()

    def _accept(self) -> None:
        assert self._process is not None  # noqa: S101 - attached before it is served
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            if not belongs_to(self._process.pid, connection):
                connection.close()
                return
            connection.settimeout(None)
            # Without it the kernel holds back the end of an answer for 40 ms.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._parsers[connection] = RequestParser()
            self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, connection: socket.socket) -> list[tuple[socket.socket, ApiRequest]]:
        try:
            data = connection.recv(_RECEIVE_BYTES)
        except OSError:
            data = b""
        if data:
            return [(connection, request) for request in self._parsers[connection].feed(data)]
        self._selector.unregister(connection)
        connection.close()
        del self._parsers[connection]
        if self.waiting is connection:
            self.waiting = None
        return []


def _has_ended(process: FunctionProcess) -> bool:
    """Tell whether the process is gone; its pipe closes a moment before it can be reaped."""
    try:
        process.wait(timeout=_REAP_S)
    except subprocess.TimeoutExpired:
        return False
    return True

"""The Runtime and Extensions API of one environment, served by whichever thread runs a call in it.

Sockets and output pipe are read by the same thread, so a warm call costs no thread
switch and no timer, and the lines of a call are complete when its answer is: the
runtime writes them to the pipe before it posts the answer.

Source: Lambda Developer Guide, "Using the Lambda runtime API", "Using the Lambda Extensions
API to create extensions".
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import time
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from local_engine.runtime.extensions import (
    PREFIX,
    SHUTDOWN,
    SHUTDOWN_LIMIT_S,
    ExtensionFailedError,
)
from local_engine.runtime.http import ApiRequest, RequestParser, answer
from local_engine.runtime.output import OutputPipe
from local_engine.runtime.peer import belongs_to
from local_engine.runtime.process import describe_exit

if TYPE_CHECKING:
    from local_engine.runtime.extensions import Extensions
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
    """Listening socket and connections of one environment, and the output of its processes."""

    def __init__(self, extensions: Extensions) -> None:
        """Listen on a free port of the loopback interface."""
        self.extensions = extensions
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._parsers: dict[socket.socket, RequestParser] = {}
        self._outputs: dict[FunctionProcess, OutputPipe] = {}
        self._runtime: FunctionProcess | None = None
        self._has_closed = False
        self.waiting: socket.socket | None = None
        """Connection on which the runtime asked for its next call."""

    @property
    def address(self) -> str:
        """Host and port, as AWS_LAMBDA_RUNTIME_API names them."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def attach(self, process: FunctionProcess, *, is_runtime: bool) -> None:
        """Let a process call, and read its output."""
        if is_runtime:
            self._runtime = process
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._outputs[process] = OutputPipe(process.stdout.fileno())
        self._selector.register(process.stdout, selectors.EVENT_READ, process)

    @property
    def are_alive(self) -> bool:
        """Whether every process runs."""
        return all(process.poll() is None for process in self._outputs)

    def signal(self, number: int) -> None:
        """Send a signal to every process, and to its children."""
        for process in self._outputs:
            process.signal_group(number)

    def close(self) -> None:
        """Free the sockets and the pipes."""
        for connection in [*self._parsers, self._listener]:
            connection.close()
        self._selector.close()
        for process in self._outputs:
            if process.stdout is not None:
                process.stdout.close()

    def serve(self, deadline: float) -> list[tuple[socket.socket, ApiRequest]]:
        """Wait for the processes and return the requests of the runtime that arrived, perhaps none.

        Raises:
            EnvironmentDiedError: If one of them is gone, or an extension failed.
            TimeoutError: If the deadline, on the monotonic clock, has passed.
        """
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        is_silent, requests = self._handle_events(min(remaining, _EXIT_CHECK_S))
        if not requests and (self._has_closed or is_silent):
            self._check()
        return requests

    def shut_down(self, reason: str) -> None:
        """Tell the extensions that it is over, give them their time, and end all processes."""
        deadline = time.monotonic() + SHUTDOWN_LIMIT_S
        event = {
            "eventType": SHUTDOWN,
            "shutdownReason": reason,
            "deadlineMs": int((time.time() + SHUTDOWN_LIMIT_S) * 1000),
        }
        while any(process.poll() is None for process in self._outputs):
            # Who is busy with the last event asks for the next one later.
            self.extensions.tell(self.send, event)
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            with contextlib.suppress(EnvironmentDiedError):
                self._handle_events(min(remaining, _EXIT_CHECK_S))
        self.end_processes()

    def end_processes(self) -> None:
        """Kill what still runs."""
        for process in self._outputs:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)

    def _handle_events(
        self, timeout_s: float
    ) -> tuple[bool, list[tuple[socket.socket, ApiRequest]]]:
        """Return whether nothing came, and the requests of the runtime that did."""
        requests: list[tuple[socket.socket, ApiRequest]] = []
        events = self._selector.select(timeout_s)
        for key, _ in events:
            if key.fileobj is self._listener:
                self._accept()
            elif key.data is not None:
                self._drain(key.data)
            elif isinstance(key.fileobj, socket.socket):
                requests += self._receive(key.fileobj)
        of_extensions = [one for one in requests if one[1].path.startswith(PREFIX)]
        for source, request in of_extensions:
            self._extend(source, request)
        if of_extensions:
            requests = [one for one in requests if one not in of_extensions]
        return not events, requests

    def _drain(self, process: FunctionProcess) -> None:
        output = self._outputs[process]
        output.drain()
        if not output.is_open:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            self._selector.unregister(process.stdout)
            self._has_closed = True

    def _extend(self, source: socket.socket, request: ApiRequest) -> None:
        """Answer an extension.

        Raises:
            EnvironmentDiedError: If it reports an error.
        """
        try:
            if (data := self.extensions.handle(source, request)) is not None:
                self.send(source, data)
        except ExtensionFailedError as failed:
            self.send(source, answer(202, body=b'{"status":"OK"}'))
            raise EnvironmentDiedError(failed.body) from failed

    def _check(self) -> None:
        """Find out whether a process is gone.

        Raises:
            EnvironmentDiedError: If one is.
        """
        for process, output in self._outputs.items():
            if (not output.is_open or process.poll() is not None) and _has_ended(process):
                is_runtime = process is self._runtime
                raise EnvironmentDiedError(describe_exit(process, is_runtime=is_runtime))

    def send(self, connection: socket.socket, data: bytes) -> None:
        """Send an answer; that a runtime is gone shows at the next read."""
        with contextlib.suppress(OSError):
            connection.sendall(data)

    def take_lines(self) -> list[LogLine]:
        """Return the lines written since the last time."""
        lines, self.extensions.lines = self.extensions.lines, []
        for process, output in self._outputs.items():
            output.drain()
            # An extension may be in the middle of a line when a call ends.
            lines += output.take(with_rest=process is self._runtime or not output.is_open)
        if len(self._outputs) > 1:
            lines.sort(key=attrgetter("timestamp_ms"))
        return lines

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            if not any(belongs_to(process.pid, connection) for process in self._outputs):
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
        self.extensions.forget(connection)
        return []


def _has_ended(process: FunctionProcess) -> bool:
    """Tell whether the process is gone; its pipe closes a moment before it can be reaped."""
    try:
        process.wait(timeout=_REAP_S)
    except subprocess.TimeoutExpired:
        return False
    return True

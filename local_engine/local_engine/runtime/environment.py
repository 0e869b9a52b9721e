"""One execution environment: a function's process, reused from call to call.

ministack pools these objects in the place of its own workers, and uses
``in_use``, ``last_used``, ``config``, ``_proc``, ``_lock``, ``_cold``, ``_spawn``
and ``_discard_tmpdir`` of them.

Source: Lambda Developer Guide, "Understanding the Lambda execution environment
lifecycle", "Using the Lambda runtime API for custom runtimes".
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_engine.runtime.api import EnvironmentDiedError, RuntimeApi
from local_engine.runtime.extensions import (
    INVOKE,
    Extensions,
    extension_environment,
    find_extensions,
    with_own_ports,
)
from local_engine.runtime.http import ApiRequest, answer, refusal
from local_engine.runtime.logs import log_group, put
from local_engine.runtime.process import (
    BOOTSTRAP,
    FunctionProcess,
    Place,
    function_environment,
    start_process,
)
from local_engine.seams import Seam
from local_engine.switches import CLOCKS

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from local_engine.runtime.output import LogLine

#: "The Init phase is limited to 10 seconds"; Lambda then repeats it within the
#: function's timeout, which here simply adds to the limit.
INIT_TIMEOUT_S = 10.0

#: 6 MB of response, and the few bytes AWS allows on top.
MAX_RESPONSE_BYTES = 6_291_556

_LAMBDA_SVC = Seam("services.lambda_svc")

NEXT_PATH = "/2018-06-01/runtime/invocation/next"
ERROR_TYPE_HEADER = "lambda-runtime-function-error-type"
_INVOCATION_PATH = "/2018-06-01/runtime/invocation/"
_INIT_ERROR_PATH = "/2018-06-01/runtime/init/error"
_ANSWER_PATHS = {"response": False, "error": True}
"""Ends of a call, and whether it is an error."""
_TOO_LARGE_MESSAGE = (
    f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
)
_TOO_LARGE = 413, "RequestEntityTooLarge", _TOO_LARGE_MESSAGE
_TOO_LARGE_ERROR = json.dumps(
    {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": _TOO_LARGE_MESSAGE}
).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One invocation, as the runtime receives it."""

    request_id: str
    payload: bytes
    function_arn: str
    trace_header: str = ""
    client_context: str = ""
    tenant_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an invocation ended."""

    payload: bytes
    """The function's answer as it gave it, or Lambda's error object in JSON."""
    is_error: bool
    lines: list[LogLine] = field(default_factory=list)
    init_ms: float | None = None
    """Time of the cold start this call paid for."""
    timed_out: bool = False


class Environment:
    """A reusable environment of one function, in ministack's worker pool."""

    def __init__(self, config: dict[str, Any], find_place: Callable[[], Place]) -> None:
        """Prepare the environment; the process starts with the first call."""
        self.config = config
        self._find_place = find_place
        self.in_use = False
        self.last_used = time.time()
        self.log_stream = time.strftime("%Y/%m/%d/", time.gmtime()) + (
            f"[{config.get('Version', '$LATEST')}]{uuid.uuid4().hex}"
        )
        self._proc: FunctionProcess | None = None
        self._lock = threading.RLock()
        self._cold = True
        self._is_frozen = False
        self._api: RuntimeApi | None = None
        self._skew_s = 0.0
        """By how much its clock is off."""

    def invoke(self, call: Call) -> Outcome:
        """Run one invocation, starting the process first when there is none."""
        with self._lock:
            timeout_s = float(self.config.get("Timeout", 3))
            init_ms = None
            try:
                api = self._api
                if api is None or not api.are_alive:
                    started = time.monotonic()
                    api = self._spawn()
                    init_ms = (time.monotonic() - started) * 1000
                elif self._is_frozen:
                    api.signal(signal.SIGCONT)
                self._is_frozen = False
                return _run(api, call, timeout_s, init_ms, self._skew_s)
            except EnvironmentDiedError as died:
                return self._give_up(died.body, call, init_ms)
            except TimeoutError:
                message = f"Task timed out after {timeout_s:.2f} seconds"
                body = {"errorType": "Sandbox.Timedout", "errorMessage": message}
                return self._give_up(body, call, init_ms, timed_out=True)

    def _give_up(
        self, body: dict[str, Any], call: Call, init_ms: float | None, *, timed_out: bool = False
    ) -> Outcome:
        """End the environment and make the outcome of what ended it."""
        lines = self._api.take_lines() if self._api is not None else []
        self.close("timeout" if timed_out else "failure")
        message = str(body.get("errorMessage") or "")
        if "requestId" not in body:
            message = f"RequestId: {call.request_id} Error: {message}"
        body = {"errorType": "Runtime.Unknown", **body, "errorMessage": message}
        return Outcome(
            payload=json.dumps(body).encode(),
            is_error=True,
            lines=lines,
            init_ms=init_ms,
            timed_out=timed_out,
        )

    def close(self, reason: str = "failure") -> None:
        """End the processes and free the sockets; extensions are told in a thread of its own."""
        process, self._proc = self._proc, None
        with self._lock:
            api, self._api = self._api, None
        if api is not None and self._is_frozen:
            # What is told of its end has to run for that.
            api.signal(signal.SIGCONT)
        if process is not None:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)
        if api is not None and api.extensions:
            # They may call the engine, which may be what waits for this.
            threading.Thread(target=self._shut_down, args=(api, reason), daemon=True).start()
        elif api is not None:
            api.end_processes()
            api.close()

    def _shut_down(self, api: RuntimeApi, reason: str) -> None:
        """Tell the extensions, give them their time, and write what they say."""
        api.shut_down(reason)
        lines = api.take_lines()
        api.close()
        in_scope = _LAMBDA_SVC["_run_with_function_config_scope"]
        in_scope(self.config, put, log_group(self.config), self.log_stream, lines)

    def kill(self) -> bool:
        """End the process, so that a call in it fails as on a crash; False if there is none."""
        process = self._proc
        if process is None or process.poll() is not None:
            return False
        process.kill()
        return True

    def freeze(self) -> bool:
        """Stop the processes of an idle environment until its next call; False if there are none.

        Lambda does so with every environment after every call.
        """
        with self._lock:
            if self._api is None or self._is_frozen:
                return False
            self._is_frozen = True
            self._api.signal(signal.SIGSTOP)
            return True

    def stun(self, seconds: float) -> bool:
        """Stop the processes of a busy environment for a time, mid-invocation; False if there are none."""
        # Whoever invokes has the lock.
        api = self._api
        if api is None or not api.are_alive:
            return False
        api.signal(signal.SIGSTOP)
        timer = threading.Timer(seconds, api.signal, [signal.SIGCONT])
        timer.daemon = True
        timer.start()
        return True

    def _discard_tmpdir(self) -> None:
        """Free what ministack's reaper leaves: it has ended the process itself."""
        if not self.in_use:
            self.close("spindown")

    def _spawn(self) -> RuntimeApi:
        """Start the process and wait until the runtime asks for its first call."""
        self.close()
        with self._lock:
            place = self._find_place()
            programs = find_extensions(place.layers_dir)
            described = {
                "functionName": self.config["FunctionName"],
                "functionVersion": self.config.get("Version", "$LATEST"),
                "handler": self.config.get("Handler", ""),
                "accountId": self.config["FunctionArn"].split(":")[4],
            }
            extensions = Extensions([program.name for program in programs], described)
            api = self._api = RuntimeApi(extensions)
            self._cold = False
            deadline = time.monotonic() + INIT_TIMEOUT_S + float(self.config.get("Timeout", 3))
            environment = function_environment(
                self.config, place, api=api.address, log_stream=self.log_stream
            )
            if str(BOOTSTRAP) in place.command and (skew_s := CLOCKS.draw_s()):
                self._skew_s = skew_s
                environment["_ENGINE_CLOCK_SKEW_S"] = str(skew_s)
            if programs:
                environment = with_own_ports(environment, place.endpoint)
                for program in programs:
                    api.attach(
                        start_process(
                            [str(program)],
                            directory=place.code_dir,
                            environment=extension_environment(environment),
                        ),
                        is_runtime=False,
                    )
                _serve_until(lambda: extensions.have_registered, api, deadline)
            process = start_process(
                place.command, directory=place.code_dir, environment=environment
            )
            self._proc = process
            api.attach(process, is_runtime=True)
            _wait_until_idle(api, deadline)
            extensions.close_registration()
            process.is_warned = bool(extensions)
            return api


def _run(
    api: RuntimeApi, call: Call, timeout_s: float, init_ms: float | None, skew_s: float
) -> Outcome:
    """Hand the runtime a call and wait for its answer."""
    deadline = time.monotonic() + timeout_s
    connection = _wait_until_idle(api, deadline)
    api.waiting = None
    headers = {
        "Lambda-Runtime-Aws-Request-Id": call.request_id,
        "Lambda-Runtime-Deadline-Ms": str(int((time.time() + skew_s + timeout_s) * 1000)),
        "Lambda-Runtime-Invoked-Function-Arn": call.function_arn,
        "Lambda-Runtime-Trace-Id": call.trace_header,
    }
    if call.client_context:
        headers["Lambda-Runtime-Client-Context"] = call.client_context
    if call.tenant_id:
        headers["Lambda-Runtime-Aws-Tenant-Id"] = call.tenant_id
    if api.extensions:
        api.extensions.tell(api.send, _invoke_event(call, headers))
    api.send(connection, answer(200, headers, call.payload))
    outcome = None
    while outcome is None:
        # A runtime may ask for its next call before it has read that its answer was taken.
        for source, request in api.serve(deadline):
            if request.method == "GET" and request.path == NEXT_PATH:
                api.waiting = source
            elif (is_error := _ANSWER_PATHS.get(_ending(request, call.request_id))) is not None:
                outcome = _take(api, source, request, is_error=is_error, init_ms=init_ms)
            else:
                api.send(source, _refuse(request))
    return outcome


def _take(
    api: RuntimeApi,
    source: socket.socket,
    request: ApiRequest,
    *,
    is_error: bool,
    init_ms: float | None,
) -> Outcome:
    """Take a runtime's answer, unless it is too large, with the lines written before it."""
    lines = api.take_lines()
    if len(request.body) > MAX_RESPONSE_BYTES:
        api.send(source, refusal(*_TOO_LARGE))
        return Outcome(payload=_TOO_LARGE_ERROR, is_error=True, lines=lines, init_ms=init_ms)
    api.send(source, answer(202))
    return Outcome(payload=request.body, is_error=is_error, lines=lines, init_ms=init_ms)


def _ending(request: ApiRequest, request_id: str) -> str:
    """Return what follows the path of a call, or nothing if it is not the path of this call."""
    prefix = f"{_INVOCATION_PATH}{request_id}/"
    is_answer = request.method == "POST" and request.path.startswith(prefix)
    return request.path.removeprefix(prefix) if is_answer else ""


def _refuse(request: ApiRequest) -> bytes:
    """Return the refusal of what no call waits for, or of a path that is not there."""
    if request.method == "POST" and request.path.startswith(_INVOCATION_PATH):
        return refusal(400, "InvalidRequestID", "Invalid request ID")
    return refusal(404, "NotFound", f"no {request.method} {request.path}")


def _invoke_event(call: Call, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "eventType": INVOKE,
        "deadlineMs": int(headers["Lambda-Runtime-Deadline-Ms"]),
        "requestId": call.request_id,
        "invokedFunctionArn": call.function_arn,
        "tracing": {"type": "X-Amzn-Trace-Id", "value": call.trace_header},
    }


def _wait_until_idle(api: RuntimeApi, deadline: float) -> socket.socket:
    """Serve until the runtime waits for a call and the extensions for an event; return where it waits.

    Raises:
        EnvironmentDiedError: If it posts an initialisation error, or a process ends.
        TimeoutError: If the deadline passes first.
    """
    _serve_until(lambda: api.waiting is not None and api.extensions.are_ready, api, deadline)
    assert api.waiting is not None  # noqa: S101 - as was waited for
    return api.waiting


def _serve_until(is_reached: Callable[[], bool], api: RuntimeApi, deadline: float) -> None:
    while not is_reached():
        for source, request in api.serve(deadline):
            if request.method == "GET" and request.path == NEXT_PATH:
                api.waiting = source
            elif request.method == "POST" and request.path == _INIT_ERROR_PATH:
                api.send(source, answer(202))
                raise EnvironmentDiedError(_read_error(request))
            else:
                api.send(source, _refuse(request))


def _read_error(request: ApiRequest) -> dict[str, Any]:
    """Return the error object of a runtime that could not start, however little it says."""
    error: dict[str, Any] = {"errorType": request.headers.get(ERROR_TYPE_HEADER, "Runtime.Unknown")}
    with contextlib.suppress(ValueError):
        body = json.loads(request.body)
        error |= body if isinstance(body, dict) else {"errorMessage": str(body)}
    return error

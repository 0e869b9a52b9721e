"""The Extensions API of one environment: who registered, for what, and who waits for an event.

Source: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions" (lifecycle, API
reference); types of errors as the Runtime Interface Emulator names them.
"""

from __future__ import annotations

import json
import os
import re
import socket
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_engine.runtime.http import ApiRequest, answer, refusal
from local_engine.runtime.output import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PREFIX = "/2020-01-01/extension/"

INVOKE, SHUTDOWN = "INVOKE", "SHUTDOWN"

#: "2,000 ms - A function with one or more registered external extensions."
SHUTDOWN_LIMIT_S = 2.0

#: Variables "specific to the runtime process", which extensions do not see.
_OF_THE_RUNTIME = (
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
)
_ENDPOINT = re.compile(r"(?:127\.0\.0\.1|localhost):(\d+)")


@dataclass(slots=True)
class Extension:
    """One that registered."""

    name: str
    events: frozenset[str]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    waiting: socket.socket | None = None
    """Connection on which it asked for its next event."""


class ExtensionFailedError(Exception):
    """An extension said that it cannot go on."""

    def __init__(self, kind: str, message: str) -> None:
        """Keep Lambda's type of error and what the extension said."""
        super().__init__(message)
        self.body = {"errorType": kind, "errorMessage": message}


class Extensions:
    """The extensions of one environment, external ones by the name of their file."""

    def __init__(self, names: list[str], described: Mapping[str, str]) -> None:
        """Expect these to register.

        Args:
            names: Files that are started.
            described: What a registration is answered.
        """
        self._expected = set(names)
        self._described = described
        self._found: dict[str, Extension] = {}
        self._is_open = True
        self.lines: list[LogLine] = []
        """The platform's own lines."""

    def __bool__(self) -> bool:
        """Tell whether one registered."""
        return bool(self._found)

    @property
    def have_registered(self) -> bool:
        """Whether all that were started have registered."""
        return not self._expected

    @property
    def are_ready(self) -> bool:
        """Whether all that were started wait for an event, and those that registered themselves do, too."""
        return not self._expected and all(one.waiting for one in self._found.values())

    def close_registration(self) -> None:
        """Take no more: the runtime has asked for its first call."""
        if self._is_open:
            self._is_open = False
            self.lines += [
                LogLine.now(
                    f"EXTENSION\tName: {one.name}\tState: Ready\tEvents: [{','.join(sorted(one.events))}]"
                )
                for one in self._found.values()
            ]

    def handle(self, source: socket.socket, request: ApiRequest) -> bytes | None:
        """Return the answer to a request, or None if it waits for an event.

        Raises:
            ExtensionFailedError: If it reports an error.
        """
        what = request.method, request.path.removeprefix(PREFIX)
        if what == ("POST", "register"):
            return self._register(request)
        extension = self._found.get(request.headers.get("lambda-extension-identifier", ""))
        if extension is None:
            kind = "Extension.UnknownExtensionIdentifier"
            return refusal(403, kind, "Unknown extension: register first")
        match what:
            case "GET", "event/next":
                extension.waiting = source
                return None
            case "POST", "init/error":
                raise ExtensionFailedError("Extension.InitError", _reported(request))
            case "POST", "exit/error":
                raise ExtensionFailedError("Extension.ExitError", _reported(request))
            case _:
                return refusal(404, "NotFound", f"no {request.method} {request.path}")

    def tell(self, send: Callable[[socket.socket, bytes], None], event: dict[str, Any]) -> None:
        """Send an event to those that registered for it; those that wait for the other stay."""
        for extension in self._found.values():
            if event["eventType"] in extension.events and extension.waiting is not None:
                connection, extension.waiting = extension.waiting, None
                headers = {"Lambda-Extension-Event-Identifier": str(uuid.uuid4())}
                send(connection, answer(200, headers, json.dumps(event).encode()))
                if event["eventType"] == SHUTDOWN:
                    # Its last one.
                    extension.events = frozenset()

    def forget(self, connection: socket.socket) -> None:
        """Drop a connection that its other end closed."""
        for extension in self._found.values():
            if extension.waiting is connection:
                extension.waiting = None

    def _register(self, request: ApiRequest) -> bytes:
        name = request.headers.get("lambda-extension-name", "")
        try:
            events = frozenset(json.loads(request.body)["events"])
        except (ValueError, KeyError, TypeError):
            return refusal(400, "InvalidRequestFormat", "the body is no JSON with a list of events")
        if not name:
            return refusal(
                403, "Extension.InvalidExtensionName", "Lambda-Extension-Name is missing"
            )
        if events - {INVOKE, SHUTDOWN}:
            return refusal(400, "InvalidEventType", f"events are {INVOKE} and {SHUTDOWN}")
        is_external = name in self._expected
        if not is_external and SHUTDOWN in events:
            kind = "ShutdownEventNotSupportedForInternalExtension"
            return refusal(400, kind, f"{name} is no file in /opt/extensions")
        if not self._is_open or any(one.name == name for one in self._found.values()):
            return refusal(403, "Extension.RegistrationError", f"{name} may not register any more")
        self._expected.discard(name)
        extension = Extension(name, events)
        self._found[extension.id] = extension
        body = dict(self._described)
        if "accountId" not in request.headers.get("lambda-extension-accept-feature", ""):
            body.pop("accountId", None)
        headers = {"Lambda-Extension-Identifier": extension.id}
        return answer(200, headers, json.dumps(body).encode())


def _reported(request: ApiRequest) -> str:
    """Return what an extension says of its error: the type that it names, and the message."""
    kind = request.headers.get("lambda-extension-function-error-type", "Extension.Unknown")
    try:
        message = json.loads(request.body)["errorMessage"]
    except (ValueError, KeyError, TypeError):
        return kind
    return f"{kind}: {message}"


def find_extensions(layers_dir: Path) -> list[Path]:
    """Return the programs that Lambda starts beside the runtime."""
    folder = layers_dir / "extensions"
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and os.access(path, os.X_OK))


def extension_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an extension: the function's, without the runtime's own."""
    return {name: value for name, value in environment.items() if name not in _OF_THE_RUNTIME}


def with_own_ports(environment: Mapping[str, str], engine: str) -> dict[str, str]:
    """Return the variables with a port of this environment's own wherever the SDK is sent to an extension.

    On AWS every environment has a loopback interface of its own; here all share the machine's, so that two
    of them could not listen on one port. The port that ``AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:9350``
    names is a free one in each, and so is it in every variable with that address, or with that number alone.
    """
    ports = {
        found[1]
        for name, value in environment.items()
        if name.startswith("AWS_ENDPOINT_URL_") and not value.startswith(engine)
        for found in _ENDPOINT.finditer(value)
    }
    own = {port: _free_port() for port in ports}

    def replaced(value: str) -> str:
        if value in own:
            return own[value]
        return _ENDPOINT.sub(
            lambda found: found[0].removesuffix(found[1]) + own.get(found[1], found[1]), value
        )

    environment = {name: replaced(value) for name, value in environment.items()}
    if found := _ENDPOINT.search(environment.get("AWS_ENDPOINT_URL_LAMBDA", "")):
        # Our own endpoint listens where this says, and has a default that two environments cannot share.
        environment.setdefault("REPRISE_ENDPOINT_PORT", found[1])
    return environment


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])

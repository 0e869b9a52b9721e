"""Start, find and stop a local engine from any interpreter; standard library only.

The command line and the test fixtures both use this; ministack is needed only by
the interpreter the engine itself runs under.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from local_engine.key import EngineKey, write_private

_PACKAGE_PARENT = Path(__file__).resolve().parents[1]
_REPOSITORY = _PACKAGE_PARENT.parent
IS_CHECKOUT = (_REPOSITORY / "template.yaml").is_file()
"""Whether this is the repository, and not a package that was installed."""
_STATE_FILE = "engine.json"
_LOG_FILE = "engine.log"
_POLL_S = 0.05
_STOP_LIMIT_S = 60.0
"""One with the traces of 100,000 calls takes more than ten."""
_HEALTH_LIMIT_S = 5.0
_OWNERS_ONLY = 0o700

#: Interpreter the engine runs under, when it is neither ``.tools/engine`` nor that of an installed package.
ENGINE_PYTHON_VARIABLE = "REPRISE_ENGINE_PYTHON"


class EngineError(RuntimeError):
    """The engine did not start, stop or answer; the message says what to do."""


class EngineMissingError(EngineError):
    """What the engine runs on is not there."""

    def __init__(self, message: str, next_step: str) -> None:
        """Say what is missing, and what to do."""
        super().__init__(f"{message}; {next_step}")
        self.message = message
        self.next_step = next_step


def _engine_python() -> str:
    default = _REPOSITORY / ".tools" / "engine" / "bin" / "python"
    return os.environ.get(ENGINE_PYTHON_VARIABLE) or (
        str(default) if IS_CHECKOUT else sys.executable
    )


def _state_dir() -> Path:
    """Return where an engine's files are: in the checkout, else where programs keep their state.

    Source: XDG Base Directory Specification, XDG_STATE_HOME.
    """
    if IS_CHECKOUT:
        return _REPOSITORY / ".reprise-local"
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "reprise" / "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A local engine, known by its state folder.

    ``Engine(state_dir=…).start()`` on one side and ``Engine(state_dir=…).stop()``
    in another process name the same engine.
    """

    state_dir: Path = field(default_factory=_state_dir)
    """Folder of the engine's files."""
    python: str = field(default_factory=_engine_python)
    """Interpreter with the pinned ministack."""
    runtimes: str | None = None
    """``python3.13=/path,…`` or one path; None takes REPRISE_RUNTIME_PYTHON or ``.tools/runtime``."""

    @property
    def state(self) -> dict[str, Any]:
        """What the state file holds: ``pid``, ``port``, ``url``, and the key; empty when there is none."""
        try:
            state: dict[str, Any] = json.loads((self.state_dir / _STATE_FILE).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return state

    @property
    def url(self) -> str:
        """Address of the running engine.

        Raises:
            EngineError: If none was started in this state folder.
        """
        if not (state := self.state):
            raise self._not_started()
        return str(state["url"])

    @property
    def key(self) -> EngineKey:
        """Key of the running engine.

        Raises:
            EngineError: If none was started in this state folder.
        """
        try:
            return EngineKey.read(self.state)
        except KeyError as error:
            raise self._not_started() from error

    @property
    def log_path(self) -> Path:
        """File with everything the engine wrote."""
        return self.state_dir / _LOG_FILE

    def start(
        self,
        *,
        port: int = 0,
        time_scale: float | None = None,
        auth: bool = False,
        stock: bool = False,
        limit_s: float = 30.0,
    ) -> str:
        """Start the engine detached and return its address once it answers.

        Args:
            port: 0 takes a free one.
            time_scale: Factor on waits inside services; None takes the launcher's.
            auth: Whether IAM is enforced.
            stock: Whether no correction is applied.
            limit_s: How long it may take.

        Raises:
            EngineError: If one runs already, or it does not answer in time.
        """
        if self.health() is not None:
            message = f"an engine already runs at {self.url}; stop it first (`reprise local down`)"
            raise EngineError(message)
        self._check_python()
        port = port or _free_port()
        command = [self.python, "-m", "local_engine", "--port", str(port)]
        command += ["--state-dir", str(self.state_dir)]
        command += [] if time_scale is None else ["--time-scale", str(time_scale)]
        command += ["--auth"] if auth else []
        command += ["--stock"] if stock else []
        environment = {**os.environ, "PYTHONPATH": str(_PACKAGE_PARENT)}
        if self.runtimes is not None:
            environment["REPRISE_RUNTIME_PYTHON"] = self.runtimes
        # Before its start: the engine reads its key there, and no list of processes shows it.
        state = self.admit(port)
        with self.log_path.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own launcher
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._write({"pid": process.pid, **state})
        self._wait_until_healthy(process, limit_s)
        return self.url

    def admit(self, port: int, pid: int | None = None) -> dict[str, Any]:
        """Write the state of an engine that is about to start, with a new key, and return it.

        Args:
            port: Where it will answer.
            pid: Its process, if that is known already.
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        # Logs, code and objects of the functions are its owner's, as the key is.
        self.state_dir.chmod(_OWNERS_ONLY)
        state = {"port": port, "url": f"http://127.0.0.1:{port}", **asdict(EngineKey.make())}
        state |= {} if pid is None else {"pid": pid}
        self._write(state)
        return state

    def stop(self) -> bool:
        """Stop the engine by its process id; return whether one was running.

        Raises:
            EngineError: If it is still there after a minute.
        """
        health = self.health()
        pid = self.state.get("pid")
        # A pid of an engine that no longer answers may be somebody else's by now.
        if health is not None and health["pid"] == pid:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + _STOP_LIMIT_S
            while _is_alive(pid):
                if time.monotonic() > deadline:
                    message = f"the engine (pid {pid}) ignores SIGTERM; see {self.log_path}"
                    raise EngineError(message)
                time.sleep(_POLL_S)
        for name in (_STATE_FILE, "tmp", "code", "s3", "state"):
            path = self.state_dir / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return health is not None

    def health(self) -> dict[str, Any] | None:
        """Return the engine's health answer, or None when none answers."""
        try:
            return self.admin("GET", "health", timeout_s=_HEALTH_LIMIT_S)
        except (EngineError, OSError, ValueError):
            return None

    def admin(
        self, method: str, path: str, body: object = None, *, timeout_s: float = 10.0
    ) -> dict[str, Any]:
        """Ask the engine itself; ``local_engine.admin`` lists the paths.

        Raises:
            EngineError: If none was started in this state folder.
            OSError: If it does not answer, or refuses.
        """
        request = urllib.request.Request(  # noqa: S310 - our own engine
            f"{self.url}/_reprise/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310 - as above
            answer: dict[str, Any] = json.load(response)
        return answer

    def _check_python(self) -> None:
        """Accept an interpreter that has what the engine runs on.

        Raises:
            EngineMissingError: With what to install.
        """
        if not Path(self.python).is_file():
            step = "Run `make setup`" if IS_CHECKOUT else f"Correct {ENGINE_PYTHON_VARIABLE}"
            message = f"its interpreter {self.python} is missing"
            raise EngineMissingError(message, step)
        if self.python == sys.executable and find_spec("ministack") is None:
            step = "Add the extra local, in a checkout: pip install '.[cli,local]'"
            message = "is not installed"
            raise EngineMissingError(message, step)

    def _write(self, state: dict[str, Any]) -> None:
        write_private(self.state_dir / _STATE_FILE, json.dumps(state))

    def _not_started(self) -> EngineError:
        message = f"no engine was started in {self.state_dir}; run `reprise local up`"
        return EngineError(message)

    def _wait_until_healthy(self, process: subprocess.Popen[bytes], limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while self.health() is None:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                (self.state_dir / _STATE_FILE).unlink(missing_ok=True)
                tail = self.log_path.read_text(errors="replace")[-2000:]
                message = f"the engine did not start; it wrote:\n{tail}"
                raise EngineError(message)
            time.sleep(_POLL_S)
        # It is meant to outlive this object; stop() reaps it when it is our child.
        process.returncode = 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _is_alive(pid: int) -> bool:
    """Tell whether a process runs, reaping it when it was our child."""
    try:
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

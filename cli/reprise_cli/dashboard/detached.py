"""A page that outlives the command that started it: known by its state file, stopped by its process id."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.dashboard.server import ABOUT, HOST
from reprise_cli.exits import CommandError
from reprise_cli.place import exports

if TYPE_CHECKING:
    from pathlib import Path

    from reprise_cli.place import Place

_STATE_FILE: Final = "page.json"
_LOG_FILE: Final = "page.log"
_LIMIT_S: Final = 20.0
_POLL_S: Final = 0.1


def start_page(state_dir: Path, place: Place, stack_name: str) -> str:
    """Start a page for a local engine's stack, detached, and return its address once it answers.

    Raises:
        CommandError: If it does not answer in time.
    """
    stop_page(state_dir)
    with socket.create_server((HOST, 0)) as probe:
        port = int(probe.getsockname()[1])
    run = "from reprise_cli.main import app; app()"
    with (state_dir / _LOG_FILE).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                sys.executable,
                "-c",
                run,
                "dashboard",
                f"--port={port}",
                f"--stack-name={stack_name}",
            ],
            env={**os.environ, **exports(place)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://{HOST}:{port}/"
    (state_dir / _STATE_FILE).write_text(json.dumps({"pid": process.pid, "url": url}))
    deadline_s = time.monotonic() + _LIMIT_S
    while _pid_at(url) != process.pid:
        if process.poll() is not None or time.monotonic() > deadline_s:
            process.kill()
            process.wait()
            (state_dir / _STATE_FILE).unlink(missing_ok=True)
            tail = (state_dir / _LOG_FILE).read_text(errors="replace")[-500:]
            raise CommandError("dashboard", f"did not start: {tail}", "Run reprise dashboard")
        time.sleep(_POLL_S)
    # It is meant to outlive this command.
    process.returncode = 0
    return url


def stop_page(state_dir: Path) -> bool:
    """Stop the page of a state folder; return whether one was running."""
    path = state_dir / _STATE_FILE
    try:
        state: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    # A process id that no page of ours answers for may be somebody else's by now.
    pid = int(state["pid"])
    is_ours = _pid_at(str(state["url"])) == pid
    if is_ours:
        os.kill(pid, signal.SIGTERM)
    path.unlink(missing_ok=True)
    return is_ours


def _pid_at(url: str) -> int | None:
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}{ABOUT}", timeout=2) as answer:  # noqa: S310 - our own page
            return int(json.load(answer)["pid"])
    except (OSError, ValueError, KeyError):
        return None

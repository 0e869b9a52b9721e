"""A page that outlives the command that started it: known by its state file, stopped by its process id."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from local_engine.key import write_private
from reprise_cli.exits import CommandError
from reprise_cli.page.access import HOST, PageAccess
from reprise_cli.page.routes import ABOUT
from reprise_cli.page.server import TOKEN_VARIABLE
from reprise_cli.place import exports

if TYPE_CHECKING:
    from pathlib import Path

    from reprise_cli.place import Place

_STATE_FILE: Final = "page.json"
_LOG_FILE: Final = "page.log"
_LIMIT_S: Final = 20.0
_POLL_S: Final = 0.1


def start_page(state_dir: Path, place: Place, stack_name: str) -> PageAccess:
    """Start a page for a local engine's stack, detached, and return where once it answers.

    Raises:
        CommandError: If it does not answer in time.
    """
    stop_page(state_dir)
    with socket.create_server((HOST, 0)) as probe:
        door = PageAccess(port=int(probe.getsockname()[1]), token=secrets.token_urlsafe(32))
    run = "from reprise_cli.main import app; app()"
    with (state_dir / _LOG_FILE).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                sys.executable,
                "-c",
                run,
                "dashboard",
                f"--port={door.port}",
                f"--stack-name={stack_name}",
            ],
            env={**os.environ, **exports(place), TOKEN_VARIABLE: door.token},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    write_private(state_dir / _STATE_FILE, json.dumps({"pid": process.pid, **asdict(door)}))
    deadline_s = time.monotonic() + _LIMIT_S
    while _pid_at(door) != process.pid:
        if process.poll() is not None or time.monotonic() > deadline_s:
            process.kill()
            process.wait()
            (state_dir / _STATE_FILE).unlink(missing_ok=True)
            tail = (state_dir / _LOG_FILE).read_text(errors="replace")[-500:]
            raise CommandError("dashboard", f"did not start: {tail}", "Run reprise dashboard")
        time.sleep(_POLL_S)
    # It is meant to outlive this command.
    process.returncode = 0
    return door


def stop_page(state_dir: Path) -> bool:
    """Stop the page of a state folder; return whether one was running."""
    path = state_dir / _STATE_FILE
    try:
        state: dict[str, Any] = json.loads(path.read_text())
        pid = int(state.pop("pid"))
        door = PageAccess(**state)
    except (OSError, ValueError, TypeError):
        return False
    # A process id that no page of ours answers for may be somebody else's by now.
    is_ours = _pid_at(door) == pid
    if is_ours:
        os.kill(pid, signal.SIGTERM)
    path.unlink(missing_ok=True)
    return is_ours


def _pid_at(door: PageAccess) -> int | None:
    request = urllib.request.Request(
        f"http://{HOST}:{door.port}{ABOUT}", headers={"Authorization": f"Bearer {door.token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - as above
            return int(json.load(answer)["pid"])
    except (OSError, ValueError, KeyError):
        return None

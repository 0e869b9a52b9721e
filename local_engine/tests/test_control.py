"""How an engine starts, is found, and ends without leaving anything behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import local_engine
from local_engine.control import Engine, EngineError
from local_engine.key import write_private
from local_engine.testing import Aws, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Writes its process id where it is told, and a child's, then sleeps.
SLEEPER = """
import os, subprocess, time
def handle(event, context):
    child = subprocess.Popen(["sleep", "60"])
    with open(event, "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    time.sleep(60)
"""


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(state_dir=tmp_path / "engine")
    engine.start()
    yield engine
    engine.stop()


def test_engine_that_was_started_by_hand_is_found_and_stopped(tmp_path: Path) -> None:
    engine = Engine(state_dir=tmp_path / "engine")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [engine.python, "-m", "local_engine", f"--port={port}"]
    command.append(f"--state-dir={engine.state_dir}")
    environment = {**os.environ, "PYTHONPATH": str(Path(local_engine.__file__).parents[1])}
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--new-key" in refused.stderr
    process = subprocess.Popen([*command, "--new-key"], env=environment, stderr=subprocess.DEVNULL)
    try:
        health = wait_for(engine.health, limit_s=30)
        assert health is not None
        assert health["pid"] == process.pid
        assert engine.stop() is True
    finally:
        process.kill()
        process.wait()
    assert engine.health() is None


def start_sleeper(engine: Engine, note: Path) -> list[int]:
    """Run a function that stays busy; return the pids of its process and its child."""
    aws = Aws.at(engine)
    name = aws.make_function(SLEEPER, Timeout=60)

    def call() -> None:
        with contextlib.suppress(Exception):
            aws.invoke(name, str(note))

    threading.Thread(target=call, daemon=True).start()
    text = wait_for(lambda: note.exists() and note.read_text())
    assert text
    return [int(pid) for pid in text.split()]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_stop_ends_busy_functions_and_empties_the_state_folder(
    own_engine: Engine, tmp_path: Path
) -> None:
    pids = [own_engine.state["pid"], *start_sleeper(own_engine, tmp_path / "note")]
    assert own_engine.stop() is True
    wait_for(lambda: not any(map(is_running, pids)))
    assert sorted(path.name for path in own_engine.state_dir.iterdir()) == ["engine.log"]
    assert own_engine.health() is None
    assert own_engine.stop() is False


def test_function_dies_with_a_killed_engine(own_engine: Engine, tmp_path: Path) -> None:
    function, child = start_sleeper(own_engine, tmp_path / "note")
    os.kill(own_engine.state["pid"], signal.SIGKILL)
    wait_for(lambda: not is_running(function))
    # Only the function itself is tied to the engine's life; its children are not.
    os.kill(child, signal.SIGKILL)


def test_second_engine_in_a_state_folder_is_refused(own_engine: Engine) -> None:
    with pytest.raises(EngineError, match="already runs"):
        own_engine.start()


def test_address_of_no_engine_tells_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="reprise local up"):
        _ = Engine(state_dir=tmp_path).url


def test_engine_that_cannot_start_shows_why(tmp_path: Path) -> None:
    engine = Engine(state_dir=tmp_path, runtimes="/no/such/python")
    with pytest.raises(EngineError, match="No such file"):
        engine.start()


def test_key_is_in_a_file_of_its_owner_and_nowhere_else(own_engine: Engine) -> None:
    folder, key = own_engine.state_dir, own_engine.key
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "engine.json").stat().st_mode & 0o777 == 0o600
    process = Path(f"/proc/{own_engine.state['pid']}")
    seen = (process / "cmdline").read_text() + (process / "environ").read_text()
    seen += own_engine.log_path.read_text() + repr(key)
    assert key.secret_access_key not in seen
    assert key.token not in seen


def test_every_start_makes_another_key(own_engine: Engine) -> None:
    first = own_engine.key
    own_engine.stop()
    own_engine.start()
    assert not set(asdict(first).values()) & set(asdict(own_engine.key).values())


def test_a_file_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_an_engine_that_was_started_without_a_key_is_none(tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text('{"pid": 1, "port": 1, "url": "http://127.0.0.1:1"}')
    engine = Engine(state_dir=tmp_path)
    with pytest.raises(EngineError, match="reprise local up"):
        _ = engine.key
    assert engine.health() is None


def test_health_names_versions_runtimes_and_corrections(own_engine: Engine) -> None:
    health = own_engine.health()
    assert health is not None
    assert health["ministack"] == "1.5.33"
    assert health["corrections"][0] == "runtime"
    assert own_engine.log_path.read_text().count("reprise local engine") == 1

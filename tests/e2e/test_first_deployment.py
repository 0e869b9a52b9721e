"""The first deployment, as a stranger makes it: the real SAM CLI on a terminal, and Enter."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from e2e.dialogue import converse
from e2e.world import GUESTS, World, new_run
from local_engine.control import Engine
from reprise.ledger.states import State
from reprise_cli.aws import Aws
from reprise_cli.deploy import REPOSITORY
from reprise_cli.place import LOCAL_REGION, exports, local_place
from reprise_cli.stack import read_stack
from template.templates import SOURCES, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAM = REPOSITORY / ".tools/sam/bin/sam"
LIMIT_S = 180.0


@pytest.fixture
def empty_engine(tmp_path: Path) -> Iterator[Engine]:
    """An account in which nothing was deployed."""
    engine = Engine(state_dir=tmp_path / "engine")
    engine.start(auth=True)
    try:
        yield engine
    finally:
        engine.stop()


@pytest.mark.parametrize("is_guided", [False, True], ids=["plain", "guided"])
def test_a_first_deployment_asks_for_no_more_than_enter_and_replays_a_call(
    empty_engine: Engine, built: Path, tmp_path: Path, *, is_guided: bool
) -> None:
    place = local_place(empty_engine)
    # What the dialogue saves goes into a copy; the parameters are those of the engine's environment.
    config = tmp_path / "samconfig.toml"
    shutil.copy(REPOSITORY / "samconfig.toml", config)
    runtime = empty_engine.admin("GET", "health")["runtimes"][0]
    given = [f"Targets={GUESTS}", "ChaosTarget=true", "OnAws=false", "ReplayConcurrency=2"]
    template: list[str | Path] = [
        "--template-file",
        built / "template.yaml",
        "--config-file",
        config,
    ]
    command: list[str | Path] = [SAM, "deploy", "--config-env", "local", *template]
    if is_guided:
        text = config.read_text()
        assert "parameter_overrides" in text
        config.write_text(text.replace("ChaosTarget=", f"PythonRuntime={runtime} ChaosTarget="))
        command.append("--guided")
    else:
        command += ["--parameter-overrides", *given, f"PythonRuntime={runtime}"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env = {**kept, **exports(place), "SAM_CLI_TELEMETRY": "0", "HOME": str(tmp_path)}

    written, questions = converse(
        command, {"Parameter Targets": GUESTS}, env=env, cwd=tmp_path, limit_s=LIMIT_S
    )

    assert "Successfully created/updated stack" in written
    parameters = read(SOURCES[0])["Parameters"]
    asked = {name for name in parameters if any(f"Parameter {name} " in q for q in questions)}
    assert asked == (set(parameters) if is_guided else set())
    if not is_guided:
        assert questions == []
    stack = read_stack(Aws(place).cloudformation, "reprise", LOCAL_REGION)
    world = World(empty_engine, stack)
    guest, run = world.make_guest(), new_run()
    world.hold(guest)
    call_ids = world.capture(guest, run, 1)
    world.let_go(guest)
    (row,) = world.await_end(call_ids, limit_s=120.0)
    assert row.state is State.SUCCEEDED
    assert world.receipts(run) == [(1, True)]

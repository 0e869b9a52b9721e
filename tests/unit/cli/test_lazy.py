"""Every command is found where the table says, and only the one that runs is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reprise_cli.lazy import LazyCommands
from reprise_cli.main import COMMANDS

READ = """
import sys
from reprise_cli.main import app
app(["read", "--stats", "--json", sys.argv[1]], standalone_mode=False)
heavy = {"boto3", "local_engine", "reprise_cli.dlq", "reprise_cli.chaos", "urllib.request"}
heavy |= {"reprise_letters", "reprise_schedules", "reprise_schedules_cli"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name: str) -> None:
    assert LazyCommands(COMMANDS)[name].name == name


def test_names_are_known_without_importing_anything() -> None:
    commands = LazyCommands({"a": "no.such.module:it", "b": "neither:it"})
    assert (list(commands), len(commands), commands.get("c")) == (["a", "b"], 2, None)
    with pytest.raises(ModuleNotFoundError):
        commands["a"]


def test_commands_can_be_set_and_forgotten() -> None:
    commands = LazyCommands({"a": "no.such.module:it"})
    made = object()
    commands["made"] = made
    del commands["a"]
    assert (list(commands), commands["made"]) == (["made"], made)


def test_reading_imports_no_other_command() -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ, "/dev/null"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

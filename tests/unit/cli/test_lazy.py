"""Every command is found where the table says, and only the one that runs is imported."""

from __future__ import annotations

import os
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
    assert LazyCommands({name: COMMANDS[name].place})[name].name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_with_what_its_own_help_begins_with(name: str) -> None:
    own = LazyCommands({name: COMMANDS[name].place})[name].help
    assert COMMANDS[name].help == " ".join(own.split("\n\n")[0].split())


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


LIST = """
import sys
from reprise_cli.main import app
app(sys.argv[1:], standalone_mode=False)
ours = {name for name in sys.modules if name.startswith("reprise_cli.commands.")}
assert not {"boto3", "botocore.client"} & set(sys.modules) and not ours, ours
"""


@pytest.mark.parametrize("arguments", [["--help"], ["help"], ["--stack-name", "x", "--help"]])
def test_the_list_of_commands_imports_no_command(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIST, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_options(shell: str) -> None:
    words = {"bash": {"COMP_WORDS": "reprise pol", "COMP_CWORD": "1"}}
    asked = {"_TYPER_COMPLETE_ARGS": "reprise pol", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    environment = {"_REPRISE_COMPLETE": f"complete_{shell}", **asked, **words.get(shell, {})}
    done = subprocess.run(
        [sys.executable, "-c", "from reprise_cli.start import main; main()"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "policy" in done.stdout, done.stderr

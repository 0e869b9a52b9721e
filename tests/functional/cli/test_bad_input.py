"""Every option and argument of every command is given what is none, where neither AWS nor an engine is."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Never

import pytest
from botocore.exceptions import EndpointConnectionError
from typer.main import get_command
from typer.testing import CliRunner

from local_engine.control import EngineMissingError
from reprise_cli.app import App
from reprise_cli.exits import ExitCode
from reprise_cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

NOTHING_IS = (
    "",
    " ",
    "\0",
    "-1",
    "9" * 400,
    "nan",
    "1e999",
    "soon",
    "/(/",
    "{}",
    "s3://",
    "2026-13-45T99:99Z",
    "💥" * 700,
    "\udcff",
    "/",
    "/nowhere/at/all",
    "--",
)


class Nowhere(App):
    """The command where nothing can be reached."""

    @cached_property
    def aws(self) -> Any:
        return Unreachable()

    @cached_property
    def engine(self) -> Any:
        return NoEngine()


class Unreachable:
    """Clients of no service."""

    region = "eu-west-1"

    def __getattr__(self, name: str) -> Never:
        raise EndpointConnectionError(endpoint_url=f"https://{name}.invalid")


class NoEngine:
    """No engine."""

    url = "http://127.0.0.1:1"

    def health(self) -> None:
        return None

    def __getattr__(self, name: str) -> Never:
        raise EngineMissingError(name, "make setup")


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that is no group."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name in command.commands:
        yield from leaves(command.commands[name], (*path, name))


LEAVES = dict(leaves(get_command(app)))


def lines_of(path: tuple[str, ...], command: Any) -> Iterator[list[str]]:
    """Yield a command line for each parameter and each bad value, all else left out or plausible."""
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    plausible = ["x" for each in arguments if each.required]
    for place in range(len(arguments)):
        for value in NOTHING_IS:
            given = [*plausible, "x"][: len(arguments)]
            given[min(place, len(given) - 1)] = value
            yield [*path, "--", *given]
    for number, option in enumerate(options):
        if option.is_flag:
            continue
        # Every second one, so that every kind of option meets every value, in half the time.
        for value in NOTHING_IS[number % 2 :: 2]:
            yield [*path, f"{option.opts[0]}={value}", *plausible]


def run(arguments: list[str]) -> Result:
    return CliRunner().invoke(app, ["--region", "eu-west-1", *arguments], obj=Nowhere)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_bad_input_of_any_kind_ends_in_a_known_code_and_one_error(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in lines_of(path, LEAVES[path]):
        result = run(arguments)
        told = f"{arguments}: {result.exit_code} {result.exception!r}\n{result.stderr}"
        assert result.exit_code in set(ExitCode), told
        assert "Traceback" not in result.stderr, told
        assert result.exception is None or isinstance(result.exception, SystemExit), told
        if result.exit_code:
            errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
            assert len(errors) == 1 or "─ Error ─" in result.stderr, told
            assert not any(line.startswith('error: {"') for line in errors), told

"""Every line of the command `reprise` in the pages is understood, and runs as far as what it works on.

Whole runs on the local engine: those of the tutorial (tests/tutorial), and the tests of tests/e2e.
"""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest
from typer.exceptions import TyperException
from typer.main import get_command
from typer.testing import CliRunner

from reprise_cli.app import App
from reprise_cli.doctor.report import sealed
from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.main import app
from reprise_cli.options import hoist

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "skills").rglob("*.md"),
        ROOT / "docs" / "llms.txt",
    )
    # What was said when it was decided stays as it was said.
    if "adr" not in path.parts and path.name != "CHANGELOG.md"
)
INLINE: Final = re.compile(r"`([^`]+)`", re.DOTALL)
FENCED: Final = re.compile(r"^ *```[a-z]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
CALLED: Final = re.compile(r"(?:^|[\s(;&|\"])(?<!xargs )(reprise [a-z].*)")
COMMAND: Final[Any] = get_command(app)
SYNOPSES: Final = {"docs/reference/command.md", "docs/reference/policy.md"}
"""Pages whose blocks say what a command takes, rather than what to type."""


class Nowhere(App):
    """A run of the command that ends where it would ask the world."""

    @property
    def place(self) -> NoReturn:
        raise CommandError("world", "is not there", "It need not be", ExitCode.UNREACHABLE)

    aws = stack = engine = operator = schedules_if_any = place


def lines(page: str) -> list[str]:
    """Return the command lines of a page, from blocks and from the text."""
    text = (ROOT / page).read_text()
    inline = [" ".join(found.split()) for found in INLINE.findall(FENCED.sub("", text))]
    return [*of_blocks(page), *commands(inline)]


def of_blocks(page: str) -> list[str]:
    """Return the command lines of a page's blocks, which are there to be copied."""
    text = (ROOT / page).read_text()
    return commands("\n".join(FENCED.findall(text)).replace("\\\n", " ").splitlines())


def commands(texts: Iterable[str]) -> list[str]:
    """Return the commands among lines."""
    found = [match[1] for line in texts if (match := CALLED.search(line))]
    return [line for line in found if line.split()[1] in COMMAND.commands]


def words(line: str) -> list[str]:
    """Return what a shell makes of a line, without comments, pipes, and what a person reads beside it."""
    line = line.replace("\u2026 --", " --")
    line = re.split(r"\s{3,}|\s#|[|;&>)]|\s\[|\u2026|\.\.\.", line)[0]
    line = line.replace("<", "").replace(">", "").rstrip(".,:")
    return shlex.split(line)[1:]


def problem(given: list[str]) -> str | None:
    """Return what the command does not understand of the words after its name."""
    command: Any = COMMAND
    rest = hoist(given)
    known = {name for option in command.params for name in option.opts}
    while hasattr(command, "commands"):
        while rest and rest[0] in known:
            takes = next(each for each in COMMAND.params if rest[0] in each.opts)
            rest = rest[1 if takes.is_flag else 2 :]
        if not rest or rest[0] == "--help":
            return None
        name, *rest = rest
        if name not in command.commands:
            return f"no command {name!r}"
        command = command.commands[name]
    context = command.context_class(command, info_name="reprise")
    try:
        command.make_parser(context).parse_args(list(rest))
    except TyperException as error:
        return error.format_message()
    return None


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_exists_with_its_options(page: str) -> None:
    wrong = {line: told for line in lines(page) if (told := problem(words(line)))}
    assert wrong == {}


@pytest.mark.parametrize("page", sorted({*PAGES} - SYNOPSES))
def test_every_command_of_a_block_runs_as_far_as_what_it_works_on(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values of options are checked there, too, and what works on files alone runs to its end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDITOR", "true")
    lay_out(tmp_path)
    ended = {
        line: (done.exit_code, done.output[-300:])
        for line in of_blocks(page)
        if (done := CliRunner().invoke(app, words(line), obj=Nowhere)).exit_code
        not in {ExitCode.OK, ExitCode.UNREACHABLE}
    }
    assert ended == {}


def lay_out(folder: Path) -> None:
    """Put the files there that pages speak of."""
    jobs = (ROOT / "docs/howto/cron-without-overlap.md").read_text()
    (found,) = re.findall(r"```yaml\n( *# jobs.yaml\n.*?)```", jobs, re.DOTALL)
    (folder / "jobs.yaml").write_text(textwrap.dedent(found))
    (folder / "FILE").write_text('{"n": 1}')
    (folder / "OBJECT").write_text("")
    (folder / "report.json").write_text(json.dumps(sealed({"report": 1, "stack": "shop"}, None)))


def test_commands_are_found_and_mistakes_in_them_seen() -> None:
    assert len(lines("docs/runbooks/dead-letters.md")) > 10
    assert problem(["dlq", "redrive", "--al"]) is not None
    assert problem(["dlq", "redirve"]) is not None
    assert problem(["--json", "dlq", "redrive", "--all"]) is None

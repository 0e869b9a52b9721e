"""Every command line of the command `reprise` in the pages is one that the command understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
from typer.exceptions import TyperException
from typer.main import get_command

from reprise_cli.main import app
from reprise_cli.options import hoist

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    # What was said when it was decided stays as it was said.
    if "adr" not in path.parts and path.name != "CHANGELOG.md"
)
INLINE: Final = re.compile(r"`([^`]+)`", re.DOTALL)
FENCED: Final = re.compile(r"^```[a-z]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
CALLED: Final = re.compile(r"(?:^|[\s(;&|\"])(reprise [a-z].*)")
COMMAND: Final[Any] = get_command(app)


def lines(page: str) -> list[str]:
    """Return the command lines of a page, from blocks and from the text."""
    text = (ROOT / page).read_text()
    blocks = "\n".join(FENCED.findall(text)).replace("\\\n", " ").splitlines()
    inline = [" ".join(found.split()) for found in INLINE.findall(FENCED.sub("", text))]
    found = [match[1] for line in (*blocks, *inline) if (match := CALLED.search(line))]
    return [line for line in found if line.split()[1] in COMMAND.commands]


def words(line: str) -> list[str]:
    """Return what a shell makes of a line, without comments, pipes, and what a person reads beside it."""
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


def test_commands_are_found_and_mistakes_in_them_seen() -> None:
    assert len(lines("docs/runbooks/dead-letters.md")) > 10
    assert problem(["dlq", "redrive", "--al"]) is not None
    assert problem(["dlq", "redirve"]) is not None
    assert problem(["--json", "dlq", "redrive", "--all"]) is None

"""docs/reference/command.md: every command with its arguments and options, from the command itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from typer.main import get_command

from reprise_cli.exits import ExitCode
from reprise_cli.main import COMMANDS, app
from reprise_reference.markdown import notes, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = """# The command

Written by `make reference` from the command itself; `reprise COMMAND --help` says the same. How to install
it: [the library and the command](../howto/library.md#install-it).

The options of this table may stand anywhere on the line, whatever the command.
"""


def command_page() -> str:
    """Return the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    root: Any = get_command(app)
    yield _HEAD
    yield from _options(root)
    yield "## Exit codes\n"
    codes = [(str(ExitCode[name].value), text) for name, _, text in notes(ExitCode)]
    yield from table(["code", "meaning"], codes)
    for name in COMMANDS:
        yield from _command(root.commands[name], f"reprise {name}", 2)


def _command(command: Any, name: str, depth: int) -> Iterator[str]:  # noqa: ANN401 - typer's own
    yield f"{'#' * depth} {name}\n"
    yield f"{_text(command.help)}\n"
    if hasattr(command, "commands"):
        for sub, each in command.commands.items():
            yield from _command(each, f"{name} {sub}", depth + 1)
        return
    context = command.context_class(command, info_name=name)
    yield f"```\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    yield from _options(command)


def _options(command: Any) -> Iterator[str]:  # noqa: ANN401 - typer's own
    context = command.context_class(command, info_name="reprise")
    found = (param.get_help_record(context) for param in command.params)
    rows = [(f"`{_plain(given)}`", _text(text)) for given, text in (each for each in found if each)]
    if rows:
        yield from table(["argument or option", ""], rows)


def _plain(given: str) -> str:
    """Return an option without the type, which its metavar or its help says as well."""
    return re.sub(r" <(str|int|float|list\[str\]|path|int range|float range)>", "", given)


def _text(text: str | None) -> str:
    """Return help as Markdown: square brackets and angle brackets are its own."""
    plain = re.sub(r"\s+", " ", text or "").strip()
    return plain.replace("[", r"\[").replace("<", r"\<").replace("*", r"\*")

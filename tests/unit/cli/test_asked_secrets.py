"""What is asked for on the command line, which shells keep and the list of processes shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from typer.main import get_command

from reprise_cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

SOUNDS_SECRET: Final = re.compile("token|secret|pass|key|payload|context|credential|webhook")
ASKED: Final = {
    ("invoke", "--payload"): "for a try by hand; --payload-file keeps it out of the history",
    ("invoke", "--payload-file"): "a file's name",
    ("invoke", "--idempotency-key"): "part of the call's id, so no secret (where-data-goes.md)",
    ("calls list", "--key"): "part of the call's id",
    ("calls cancel", "--key"): "part of the call's id",
    ("dlq redrive", "--payload"): "a file's name",
    ("cost", "--payload-bytes"): "a number",
}
"""Options with a value that sound as if it were secret, and why it is not, or need not stand there."""


def _options(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for parameter in command.params:
        if not getattr(parameter, "is_flag", False):
            yield from ((" ".join(path), name) for name in parameter.opts)
    for name, inner in getattr(command, "commands", {}).items():
        yield from _options(inner, (*path, name))


def test_no_secret_is_asked_for_on_the_command_line() -> None:
    found = {option for option in _options(get_command(app)) if SOUNDS_SECRET.search(option[1])}
    assert found == set(ASKED)

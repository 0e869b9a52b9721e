"""The reference follows from code and templates, and leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from reprise_cli.main import COMMANDS
from reprise_reference.cast import demo_picture
from reprise_reference.documents import documents
from reprise_reference.environment import CALLERS, COMMAND
from reprise_reference.markdown import docstring

ROOT: Final = Path(__file__).parents[2]
READ: Final = re.compile(r"\"(REPRISE_[A-Z_]+)\"")
READERS: Final = ("shared", "cli", "local_engine/local_engine", "endpoint")
OF_THE_STACK: Final = {
    "REPRISE_EVENT_BUS",
    "REPRISE_READ_BACK",
    "REPRISE_REPLY_DESTINATIONS",
    "REPRISE_SUCCESS_EVENTS",
}
"""What only templates set."""
BETWEEN_PROCESSES: Final = {"REPRISE_ENDPOINT_RESTARTS"}
"""What one process of ours hands to another."""


def test_every_page_is_in_step_with_the_code() -> None:
    stale = [path.name for path, text in documents().items() if path.read_text() != text]
    assert stale == [], "run `make reference`"


def test_every_variable_that_is_read_is_told_of() -> None:
    sources = (
        path
        for folder in READERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".go"} and "test" not in path.name and "tests" not in path.parts
    )
    read = {name for path in sources for name in READ.findall(path.read_text())}
    told = {*CALLERS, *COMMAND}
    assert read - told == OF_THE_STACK | BETWEEN_PROCESSES
    assert told - read <= {"REPRISE_BROWSER"}  # the tests read it


def test_every_command_has_its_place() -> None:
    page = (ROOT / "docs/reference/command.md").read_text()
    assert re.findall(r"^## reprise (.*)$", page, re.MULTILINE) == list(COMMANDS)


def test_a_docstring_becomes_tables_and_code() -> None:
    said = docstring("""Do it.

    Args:
        name: Of it, in
            two lines.

    Example:
        do("it")
    """)
    assert list(said) == [
        "Do it.",
        "",
        "| argument |  |",
        "| --- | --- |",
        "| `name` | Of it, in two lines. |",
        "",
        "```python",
        'do("it")',
        "```",
        "",
    ]


def test_a_readme_without_the_demos_output_is_refused() -> None:
    with pytest.raises(ValueError, match="make demo"):
        demo_picture("nothing")

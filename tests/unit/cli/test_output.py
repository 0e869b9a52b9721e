"""Whatever the command writes, and by whichever way: nobody's text speaks to the terminal."""

from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.live import Live
from rich.table import Table
from rich.text import Text

import reprise_cli
from reprise.printable import printable
from reprise_cli.exits import CommandError
from reprise_cli.output import LogWarnings, Output

if TYPE_CHECKING:
    from collections.abc import Callable

STYLE = re.compile(r"\x1b\[[0-9;]*m")
"""What rich colours with: SGR."""
CLIPBOARD = "\x1b]52;c;Y3VybA==\x1b\\"
# What terminals obey, what people do not see, and what rich or Slack could take for markup.
texts = st.text(
    st.characters(codec="utf-8")
    | st.sampled_from("\x00\x07\x08\x0b\x0c\r\x1b\x7f\x85\x9b\x9d\u200b\u202e\u2066[]/\\;m"),
    max_size=60,
)


class Terminal(io.StringIO):
    """A terminal that keeps what it is sent."""

    def isatty(self) -> bool:
        return True


def table(text: str) -> Table:
    found = Table(text, "other", title=text, caption=text)
    found.add_column(text, no_wrap=True, max_width=7, overflow="ellipsis")
    found.add_row(text, Text(printable(text), "green"), text)
    return found


def fail(out: Output, text: str) -> None:
    out.fail(CommandError(text, text, text))


def draw(out: Output, text: str) -> None:
    with Live(table(text), console=out.people, auto_refresh=False):
        pass


def log(out: Output, text: str) -> None:
    record = logging.makeLogRecord({"msg": text, "levelno": logging.WARNING})
    LogWarnings(out).handle(record)


WAYS: dict[str, Callable[[Output, str], None]] = {
    "show": lambda out, text: out.show(text),
    "show several": lambda out, text: out.show(text, text),
    "table": lambda out, text: out.show(table(text)),
    "note": lambda out, text: out.note(text),
    "warn": lambda out, text: out.warn(text),
    "fail": fail,
    "live": draw,
    "defect": lambda out, text: out.defect(ValueError(text)),
    "log": log,
}


def written(way: Callable[[Output, str], None], text: str) -> str:
    stdout, stderr = Terminal(), Terminal()
    way(Output(is_json=False, stdout=stdout, stderr=stderr), text)
    return stdout.getvalue() + stderr.getvalue()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@given(text=texts)
def test_no_text_speaks_to_the_terminal(way: Callable[[Output, str], None], text: str) -> None:
    if way is draw:
        # Rich moves the cursor there: it must be the same if there is nothing to escape.
        assert written(way, text) == written(way, printable(text))
        return
    plain = STYLE.sub("", written(way, text))
    assert plain.replace("\n", "").replace("\t", "").isprintable()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_was_meant_for_the_terminal_is_seen(way: Callable[[Output, str], None]) -> None:
    assert CLIPBOARD not in written(way, CLIPBOARD)
    assert "\\x1b" in written(way, CLIPBOARD)


@given(texts)
def test_even_styled_text_that_nobody_looked_at_is_escaped(text: str) -> None:
    plain = STYLE.sub("", written(lambda out, text: out.show(Text(text, "bold red")), text))
    assert plain.replace("\n", "").replace("\t", "").isprintable()


def test_a_progress_bar_shows_its_name_and_takes_no_markup() -> None:
    stderr = Terminal()
    name = f"reading [/x][bold]{CLIPBOARD}"
    with Output(is_json=False, stderr=stderr).progress(name, total=3) as advance:
        advance(1)
    shown = stderr.getvalue()
    assert "\x1b]52" not in shown
    assert "reading [/x][bold]\\x1b]52;c;Y3VybA==\\x1b\\" in shown


def test_text_that_may_be_copied_has_no_line_ends_of_ours() -> None:
    stdout = io.StringIO()
    Output(is_json=False, stdout=stdout).show("export KEY=" + "x y " * 200)
    assert stdout.getvalue() == "export KEY=" + "x y " * 200 + "\n"


@pytest.mark.parametrize(
    ("columns", "width"), [("80", 80), (None, 160), ("", 160), ("0", 160), ("wide", 160)]
)
def test_a_pipe_is_as_wide_as_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, columns: str | None, width: int
) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    assert Output(is_json=False, stdout=io.StringIO()).people.width == width


def test_rich_s_own_styles_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert written(fail, "x") == "\x1b[1;31merror:\x1b[0m x: x. x\n"


@given(texts)
def test_a_result_is_one_printable_line_with_the_text_itself_in_it(text: str) -> None:
    stdout = io.StringIO()
    out = Output(is_json=True, stdout=stdout, stderr=io.StringIO())
    out.result({"message": text})
    line = stdout.getvalue().removesuffix("\n")
    assert line.isprintable()
    assert json.loads(line) == {"message": text}


def test_no_module_of_the_command_writes_past_its_output() -> None:
    """A way round the output would be a way for everybody's text."""
    past = re.compile(r"\bprint\(|\becho\(|sys\.std(out|err)|\bConsole\(|print_exc")
    folder = Path(reprise_cli.__file__).parent
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if past.search(path.read_text().replace(".print(", ""))
    }
    # The version is ours, and so is what `start` says, and the schemas; `read` writes bytes, and its own test
    # says which.
    schemas = {"capture_schema.py", "policy/model.py"}
    # Imports nothing of the command, which it judges.
    checker = {"chaos/checker.py"}
    assert found == schemas | checker | {"main.py", "output.py", "read.py", "start.py"}

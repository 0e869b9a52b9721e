"""What the command writes: tables for people, JSON, CSV or ids for programs; no text is obeyed."""

from __future__ import annotations

import csv
import json
import logging
import os
import sys
import traceback
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, TextIO

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.text import Text

from reprise.printable import printable, printable_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import ConsoleOptions, RenderableType

    from reprise_cli.exits import CommandError


class Format(StrEnum):
    """What a list is written as."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    IDS = "ids"


FormatOption = Annotated[
    Format | None,
    typer.Option("--output", "-o", help="What to write; ids are for pipes, one a line."),
]


class Output:
    """Keeps standard output clean: with `--json` only the result goes there."""

    def __init__(
        self,
        *,
        is_json: bool,
        is_wide: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        """Write to these streams; tables as wide as they are, if that is asked for."""
        self._format = Format.JSON if is_json else Format.TABLE
        self._stdout = stdout or sys.stdout
        self.people = PlainConsole(stderr or sys.stderr if is_json else self._stdout)
        """Where tables and timelines go: standard error with `--json`."""
        if is_wide:
            self.people.width = _WIDE
        self.notes = PlainConsole(stderr or sys.stderr)
        """Where progress and remarks go."""

    @property
    def is_json(self) -> bool:
        """Tell whether the result is one JSON object."""
        return self._format is Format.JSON

    def write_as(self, chosen: Format | None) -> None:
        """Write a list as its own option says, if it says anything."""
        self._format = chosen or self._format

    def rows(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Write a list's rows for programs that read lines: as CSV, or their ids."""
        if self._format is Format.IDS:
            self._stdout.writelines(f"{printable(str(row['id']))}\n" for row in documents)
        elif self._format is Format.CSV:
            writer = csv.writer(self._stdout, lineterminator="\n")
            names = list(dict.fromkeys(name for row in documents for name in row))
            writer.writerow(names)
            writer.writerows([_cell(row.get(name)) for name in names] for row in documents)
        self._stdout.flush()

    def show(self, *things: RenderableType) -> None:
        """Show something to people; a program does not see it.

        Text may be meant to be copied: we break none of its lines.
        """
        if self._format is Format.TABLE:
            self.people.print(*things, soft_wrap=all(isinstance(thing, str) for thing in things))

    def copyable(self, *lines: str) -> None:
        """Show lines to people that are to be copied: none is cut, or broken by us."""
        self.show("\n".join(lines))

    def note(self, text: str) -> None:
        """Write a remark to standard error."""
        self.notes.print(text, style="dim", soft_wrap=True)

    def warn(self, text: str) -> None:
        """Write a warning to standard error."""
        self.notes.print(Text("warning:", "bold yellow"), text, soft_wrap=True)

    def result(self, document: dict[str, Any]) -> None:
        """Write the result for programs, on one line; people have seen it as a table."""
        if self.is_json:
            self._stdout.write(printable_json(json.dumps(document)) + "\n")
            self._stdout.flush()

    def fail(self, error: CommandError) -> None:
        """Write an error as one line; programs get it as an object, too."""
        self.notes.print(Text("error:", "bold red"), str(error), soft_wrap=True)
        self.result(
            {
                "error": {
                    "field": error.field,
                    "message": error.message,
                    "next_step": error.next_step,
                }
            }
        )

    def defect(self, error: Exception) -> None:
        """Write an error that nobody foresaw as Python does, which would write its message as it is."""
        self.notes.print("".join(traceback.format_exception(error)), soft_wrap=True)

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show a bar while something takes its time; yields what moves it on."""
        columns = [TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()]
        if total is not None:
            columns += [MofNCompleteColumn(), TextColumn("left:"), TimeRemainingColumn()]
        if not self.notes.is_terminal:
            self.note(f"{what} ...")
            yield lambda _: None
            return
        with Progress(*columns, console=self.notes, transient=True) as progress:
            task = progress.add_task(printable(what), total=total)
            yield lambda steps: progress.advance(task, steps)


class LogWarnings(logging.Handler):
    """Shows what libraries log as warnings: Python's handler of last resort would write it as it is."""

    def __init__(self, out: Output) -> None:
        """Show it by this output."""
        super().__init__(logging.WARNING)
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        """Show one line, and the error that it is about."""
        self._out.warn(self.format(record))


def _cell(value: object) -> str:
    """Return a value as CSV has it: text as it is, what is nested as JSON, nothing for none."""
    if value is None:
        return ""
    return printable(value if isinstance(value, str) else json.dumps(value))


def counted(count: int, what: str) -> str:
    """Return a number of things: `1 letter`, `1,000 letters`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


_WIDE: Final = 10_000
_PIPE_WIDTH: Final = 160
"""Columns where neither a terminal nor COLUMNS says otherwise: people search files and pipes."""


def _width(file: TextIO) -> int | None:
    """Return how wide a file is; None if it is a terminal, which is asked each time, after COLUMNS."""
    columns = os.environ.get("COLUMNS", "")
    if file.isatty():
        return None
    return int(columns) if columns.isascii() and columns.isdigit() and int(columns) else _PIPE_WIDTH


class PlainConsole(Console):
    """Takes text as it is, brackets too, and shows what a terminal would obey as its escape.

    All that is written goes through `render`, so that no command can forget it; rich's own control codes
    are no text, and stay. Strings are escaped before they are measured, so that tables stay in line.
    """

    def __init__(self, file: TextIO) -> None:
        """Write to this file."""
        super().__init__(file=file, width=_width(file), markup=False, highlight=False, emoji=False)

    def render_str(self, text: str, **settings: Any) -> Text:  # noqa: ANN401 - rich's own
        """Return a string as rich's text."""
        return super().render_str(printable(text), **settings)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Return the segments of anything that can be shown."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)

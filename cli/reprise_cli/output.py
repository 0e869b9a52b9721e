"""What the command writes: tables for people, or one JSON object for programs."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from reprise_cli.exits import CommandError


_PIPE_WIDTH: Final = 160
"""Columns where no terminal says otherwise: files and pipes cut nothing that people search for."""


class Output:
    """Keeps standard output clean: with `--json` only the result goes there."""

    def __init__(
        self, *, is_json: bool, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        """Write to these streams."""
        self.is_json = is_json
        self._stdout = stdout or sys.stdout
        self.people = _console(stderr or sys.stderr if is_json else self._stdout)
        """Where tables and timelines go: standard error with `--json`."""
        self.notes = _console(stderr or sys.stderr)
        """Where progress and remarks go."""

    def show(self, *things: RenderableType) -> None:
        """Show something to people; a program does not see it."""
        if not self.is_json:
            self.people.print(*things)

    def note(self, text: str) -> None:
        """Write a remark to standard error."""
        self.notes.print(Text(text, style="dim"), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Write a warning to standard error."""
        self.notes.print(Text.assemble(("warning: ", "bold yellow"), text), soft_wrap=True)

    def result(self, document: dict[str, Any]) -> None:
        """Write the result for programs, on one line; people have seen it as a table."""
        if self.is_json:
            self._stdout.write(json.dumps(document) + "\n")
            self._stdout.flush()

    def fail(self, error: CommandError) -> None:
        """Write an error as one line; programs get it as an object, too."""
        text = Text.assemble(("error: ", "bold red"), str(error))
        self.notes.print(text, soft_wrap=True)
        self.result(
            {
                "error": {
                    "field": error.field,
                    "message": error.message,
                    "next_step": error.next_step,
                }
            }
        )

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show a bar while something takes its time; yields what moves it on.

        Args:
            what: What is done, as people would say it.
            total: Steps there are; None if nobody knows.
        """
        columns = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
        if total is not None:
            columns.insert(2, MofNCompleteColumn())
        if not self.notes.is_terminal:
            self.note(f"{what} ...")
            yield lambda _: None
            return
        with Progress(*columns, console=self.notes, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda steps: progress.advance(task, steps)


def _console(file: TextIO) -> Console:
    """Return a console that takes text as it is: messages of others may hold brackets."""
    width = None if file.isatty() else _PIPE_WIDTH
    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)

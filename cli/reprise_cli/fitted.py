"""A table that fits: columns that do not are left out by importance, and only what says so is cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from reprise.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console, ConsoleOptions

WIDE: Final = "--wide shows all"
"""A hint."""
_BETWEEN: Final = (2, 1)
"""Blanks between two columns: more if there is room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column, with what is in it."""

    name: str
    cells: Sequence[str | Text]
    rank: int
    """The column of the highest goes first where not all fit; that of rank 0 never goes."""
    least: int | None = None
    """Fewest characters in which it is of use; None if it is as wide as its longest cell, or goes."""
    folded: int | None = None
    """Fewest characters that the first column is folded to for those that are wanted."""
    is_number: bool = False
    note: str | None = None
    """What is to be known of it, below the table."""
    is_shortened: bool = False
    """Whether an ellipsis ends what is too long; otherwise that goes on in the next line."""

    @property
    def natural(self) -> int:
        """Return the width of its longest line."""
        texts = (self.name, *self.cells)
        return max(cell_len(line) for text in texts for line in printable(str(text)).split("\n"))

    @property
    def needed(self) -> int:
        """Return the fewest characters that it stays for."""
        return self.natural if self.least is None else min(self.least, self.natural)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Columns, shown in as many characters as there are."""

    columns: Sequence[Column]
    title: str
    wanted: int = 0
    """Columns up to this rank stay if the first can make room for them by being folded."""
    hint: str = ""
    """What shows all, said below where something is cut or left out."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Table | Text]:
        """Show what fits the console, which may have another width each time."""
        del console
        widths, between = share(self.columns, options.max_width, self.wanted)
        shown = [column for column in self.columns if column.name in widths]
        yield Text(printable(self.title), "italic")
        yield self._table(shown, widths, between)
        for column in shown:
            if column.note is not None:
                yield Text(printable(f"{column.name}: {column.note}"), "dim")
        less = [
            column.name
            for column in self.columns
            if (column.is_shortened and widths.get(column.name, 0) < column.natural)
            or column.name not in widths
        ]
        if less and self.hint:
            yield Text(printable(f"cut, or left out: {', '.join(less)}; {self.hint}"), "dim")

    def _table(self, shown: Sequence[Column], widths: Mapping[str, int], between: int) -> Table:
        padding = (0, between - 1, 0, 0)
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding)
        for column in shown:
            table.add_column(
                column.name,
                width=widths[column.name],
                justify="right" if column.is_number else "left",
                vertical="top",
                no_wrap=column.is_shortened,
                overflow="ellipsis" if column.is_shortened else "fold",
            )
        for row in zip(*(column.cells for column in shown), strict=True):
            table.add_row(*row)
        return table


def share(columns: Sequence[Column], width: int, wanted: int = 0) -> tuple[dict[str, int], int]:
    """Return the widths of the columns that fit, by name, and the blanks between them."""
    kept = sorted(columns, key=lambda column: column.rank)
    roomy, tight = _BETWEEN
    for last in (wanted, 0):
        while kept[-1].rank > last and _needed(kept, tight) > width:
            kept.pop()
        if _needed(kept, tight) > width and kept[0].folded is not None:
            kept[0] = replace(kept[0], least=kept[0].folded)
    between = roomy if _needed(kept, roomy) <= width else tight
    widths = {column.name: column.needed for column in kept}
    spare = width - _needed(kept, between)
    for column in kept:
        # What is over goes to the more important first; where even these are too wide, they are folded.
        more = max(1 - column.needed, min(spare, column.natural - column.needed))
        widths[column.name] += more
        spare -= more
    return widths, between


def _needed(columns: Sequence[Column], between: int) -> int:
    return sum(column.needed for column in columns) + between * (len(columns) - 1)

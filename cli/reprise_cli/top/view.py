"""Show the targets as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from reprise_cli.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.top.board import Line

_STYLES: Final = {"flowing": "green", "probing": "yellow", "holding": "red"}
_NUMBERS: Final = ("window", "backlog", "ended/s", "oldest", "done in", "dead")


def picture(lines: Sequence[Line], title: str) -> Table:
    """Return the targets as a table."""
    table = Table(title=title, title_justify="left")
    table.add_column("target", overflow="fold")
    table.add_column("gate", no_wrap=True)
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(line.target, _gate(line), *_cells(line))
    return table


def _gate(line: Line) -> Text:
    if line.gate is None:
        return Text("-")
    held = f" {format_duration(line.gate.held_s)}" if line.gate.held_s else ""
    return Text(f"{line.gate.mode}{held}", _STYLES.get(line.gate.mode, ""))


def _cells(line: Line) -> tuple[str, ...]:
    window = line.gate.window if line.gate is not None else None
    eta_s = line.eta_s if line.backlog else None
    return (
        "-" if window is None else f"{window:g}",
        f"{line.backlog:,}",
        "-" if line.rate_per_s is None else f"{line.rate_per_s:.1f}",
        "-" if line.oldest_s is None else format_duration(line.oldest_s),
        "-" if eta_s is None else format_duration(eta_s),
        f"{line.dead:,}",
    )

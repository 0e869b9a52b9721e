"""Put widgets on CloudWatch's grid of 24 columns, row below row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reprise_dashboard.widget import Widget

COLUMNS: Final = 24


@dataclass(frozen=True, slots=True)
class Row:
    """Widgets side by side."""

    height: int
    """Grid units; a graph is readable from 5."""
    widgets: tuple[Widget, ...]

    def __post_init__(self) -> None:
        """Refuse a row that does not fit.

        Raises:
            ValueError: If its widgets are wider than the grid.
        """
        if sum(widget.width for widget in self.widgets) > COLUMNS:
            msg = f"a row is {COLUMNS} columns wide: {self}"
            raise ValueError(msg)


def place(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Yield the widgets with their places."""
    y = 0
    for row in rows:
        x = 0
        for widget in row.widgets:
            yield {
                "type": widget.type,
                "x": x,
                "y": y,
                "width": widget.width,
                "height": row.height,
                "properties": widget.properties,
            }
            x += widget.width
        y += row.height

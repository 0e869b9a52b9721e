"""Read a metric widget's `metrics`: rows with shorthands, as metrics and expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.dashboard.model.widgets import MetricProperties, Side

_SAME: Final = "."
_REST: Final = "..."


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesKey:
    """Which metric: its namespace, its name, and all of its dimensions, sorted."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


class _Options(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The object at a row's end."""

    expression: str | None = None
    id: str | None = None
    label: str | None = None
    stat: str | None = None
    period: int | None = None
    color: str | None = None
    visible: bool = True
    y_axis: str = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One row: a metric or an expression, and how it is drawn."""

    id: str
    metric: SeriesKey | None
    """None for an expression."""
    expression: str | None
    label: str | None
    stat: str
    color: str | None
    is_visible: bool
    side: Side


def read_rows(properties: MetricProperties) -> list[MetricRow]:
    """Return a widget's rows, shorthands written out.

    `.` repeats the entry of the row above at its place, `...` all entries up to the last one given.

    Raises:
        ValueError: If a row can be read as neither a metric nor an expression.
    """
    rows: list[MetricRow] = []
    above: list[str] = []
    for number, entries in enumerate(properties.metrics):
        options, words = _split(entries)
        if options.expression is None:
            words = _write_out(words, above, number)
            above = words
        rows.append(_row(number, words, options, properties))
    return rows


def _split(entries: Sequence[Any]) -> tuple[_Options, list[str]]:
    if entries and isinstance(entries[-1], dict):
        return msgspec.convert(entries[-1], _Options), [str(entry) for entry in entries[:-1]]
    return _Options(), [str(entry) for entry in entries]


def _write_out(words: list[str], above: list[str], number: int) -> list[str]:
    if words and words[0] == _REST:
        given = words[1:]
        words = [*above[: max(0, len(above) - len(given))], *given]
    if any(word == _SAME and place >= len(above) for place, word in enumerate(words)):
        msg = f"metrics[{number}]: nothing above to repeat"
        raise ValueError(msg)
    words = [above[place] if word == _SAME else word for place, word in enumerate(words)]
    if len(words) < 2 or len(words) % 2:  # noqa: PLR2004 - namespace and name, then pairs
        msg = f"metrics[{number}]: needs a namespace, a name, and pairs of dimension and value"
        raise ValueError(msg)
    return words


def _row(
    number: int, words: list[str], options: _Options, properties: MetricProperties
) -> MetricRow:
    metric = None
    if options.expression is None:
        pairs = zip(words[2::2], words[3::2], strict=True)
        metric = SeriesKey(namespace=words[0], name=words[1], dimensions=tuple(sorted(pairs)))
    return MetricRow(
        id=options.id or f"row{number}",
        metric=metric,
        expression=options.expression,
        label=options.label,
        stat=options.stat or properties.stat,
        color=options.color,
        is_visible=options.visible,
        side="right" if options.y_axis == "right" else "left",
    )

"""One metric widget: what it needs, and what it shows once that is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.dashboard.expression.evaluate import Search, Sheet, searches
from reprise_cli.dashboard.expression.values import Series
from reprise_cli.dashboard.labels import default_label, dynamic_label
from reprise_cli.dashboard.model.rows import read_rows
from reprise_cli.dashboard.periods import chart_grid, whole_grid
from reprise_cli.dashboard.units import unit_of
from reprise_cli.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reprise_cli.dashboard.expression.values import Grid, Value
    from reprise_cli.dashboard.model.rows import MetricKey, Row
    from reprise_cli.dashboard.model.widgets import Axis, MetricProperties

_MAX_FOUND = 50
"""Series drawn of one search; CloudWatch itself gives 500, and nobody reads so many."""
_NUMBER_VIEWS: Final = frozenset({"singleValue", "gauge"})
_WHOLE_VIEWS: Final = frozenset({"bar", "pie", "table"})
"""Views that show one value for the whole range."""
_MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Over which time a chart is drawn."""

    now_s: int
    """Its end, in seconds since the epoch."""
    range_s: int
    finest_s: int
    """Shortest period that the metrics have."""
    stated_s: int | None
    """Period that was asked for; None lets it follow the range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One metric by one statistic."""

    metric: MetricKey
    stat: str
    grid: Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A metric widget that is ready for its data."""

    properties: MetricProperties
    grid: Grid
    rows: Sequence[Row]
    found: Mapping[str, tuple[Query, ...]]
    """What each search found, by its text."""
    problems: tuple[str, ...] = ()

    @property
    def queries(self) -> set[Query]:
        """Return the data that are needed."""
        own = {query for row in self.rows if (query := self._query(row)) is not None}
        return own.union(*self.found.values())

    def draw(self, data: Mapping[Query, Mapping[int, float]]) -> dict[str, Any]:
        """Return what the page draws."""
        problems = list(self.problems)
        metrics = {
            row.id: _series(query, data)
            for row in self.rows
            if (query := self._query(row)) is not None
        }
        sheet = Sheet(
            grid=self.grid,
            metrics=metrics,
            expressions={row.id: row.expression for row in self.rows if row.expression is not None},
            find=lambda search: self._find(search, data),
        )
        drawn: list[dict[str, Any]] = []
        for row in self.rows:
            if not row.is_visible:
                continue
            try:
                value = sheet.value(row.id)
            except ValueError as error:
                problems.append(f"{row.label or row.id}: {error}")
                continue
            drawn += self._drawn(row, value, list(metrics.values()))
        return self._frame() | {
            "series": drawn,
            "problem": "; ".join(dict.fromkeys(problems)) or None,
        }

    def _query(self, row: Row) -> Query | None:
        if row.metric is None:
            return None
        return Query(metric=row.metric, stat=row.stat, grid=self.grid)

    def _find(
        self, search: Search, data: Mapping[Query, Mapping[int, float]]
    ) -> tuple[Series, ...]:
        queries = self.found.get(search.text, ())
        series = [_series(query, data) for query in queries]
        named = [
            replace(one, label=_found_label(one, search) or default_label(one, series))
            if len(series) == 1
            else replace(one, label=default_label(one, series))
            for one in series
        ]
        return tuple(sorted(named, key=lambda one: one.label))

    def _drawn(self, row: Row, value: Value, siblings: Sequence[Series]) -> list[dict[str, Any]]:
        match value:
            case tuple():
                several = list(value)
            case Series():
                several = [value]
            case number:
                several = [Series(points=dict.fromkeys(self.grid.instants, number))]
        return [
            {
                "id": row.id,
                "label": self._label(row, series, siblings, is_one=len(several) == 1),
                "color": row.color if len(several) == 1 else None,
                "side": row.side,
                "unit": unit_of(series.metric, series.stat),
                "stat": series.stat,
                "values": [series.points.get(at) for at in self.grid.instants],
            }
            for series in several
        ]

    @staticmethod
    def _label(row: Row, series: Series, siblings: Sequence[Series], *, is_one: bool) -> str:
        default = default_label(series, siblings)
        if row.label is None:
            return default or row.expression or row.id
        if "${" in row.label:
            return dynamic_label(row.label, replace(series, label=default))
        return row.label if is_one or not default else f"{row.label} {default}".strip()

    def _frame(self) -> dict[str, Any]:
        properties = self.properties
        annotations = properties.annotations
        return {
            "title": period_words(properties.title, self.grid.period_s),
            "view": properties.view,
            "stacked": properties.stacked,
            "sparkline": properties.sparkline,
            "period_s": self.grid.period_s,
            "times": list(self.grid.instants),
            "axes": {
                "left": self._axis(properties.y_axis.left),
                "right": self._axis(properties.y_axis.right),
            },
            "thresholds": [
                {
                    "value": line.value,
                    "label": line.label,
                    "color": line.color,
                    "fill": line.fill,
                    "side": line.y_axis,
                }
                for line in annotations.thresholds
            ],
            "moments": [
                {"value": line.value, "label": line.label, "color": line.color}
                for line in annotations.moments
            ],
        }

    def _axis(self, axis: Axis) -> dict[str, Any]:
        label = period_words(axis.label or "", self.grid.period_s)
        return {"label": label, "min": axis.min, "max": axis.max}


def _series(query: Query, data: Mapping[Query, Mapping[int, float]]) -> Series:
    return Series(points=data.get(query, {}), metric=query.metric, stat=query.stat)


def _found_label(series: Series, search: Search) -> str:
    """Return the dimension values that a search found, rather than asked for."""
    values = [value for _, value in series.metric.dimensions] if series.metric else []
    return " ".join(value for value in values if f'"{value}"' not in search.text)


def plan_chart(
    properties: MetricProperties,
    timing: Timing,
    listed: Callable[[str], Sequence[MetricKey]],
) -> Chart:
    """Return a widget's chart, its searches made."""
    grid = _grid(properties, timing)
    try:
        rows = read_rows(properties)
    except ValueError as error:
        return Chart(properties=properties, grid=grid, rows=(), found={}, problems=(str(error),))
    found: dict[str, tuple[Query, ...]] = {}
    for row in rows:
        try:
            wanted = searches(row.expression) if row.expression else []
        except ValueError:
            continue  # Told where it is evaluated.
        for search in wanted:
            metrics = [
                metric
                for metric in listed(search.pattern.namespace)
                if search.pattern.finds(metric)
            ]
            found[search.text] = tuple(
                Query(metric=metric, stat=search.stat, grid=grid) for metric in metrics[:_MAX_FOUND]
            )
    return Chart(properties=properties, grid=grid, rows=rows, found=found)


def _grid(properties: MetricProperties, timing: Timing) -> Grid:
    is_number = properties.view in _NUMBER_VIEWS and not properties.set_period_to_time_range
    # A number is of its own period, however finely charts are drawn.
    stated_s = max(properties.period, timing.stated_s or 1) if is_number else timing.stated_s
    grid = chart_grid(timing.now_s, timing.range_s, timing.finest_s, stated_s)
    is_whole = properties.set_period_to_time_range or properties.view in _WHOLE_VIEWS
    return whole_grid(grid) if is_whole else grid


def period_words(words: str, period_s: int) -> str:
    """Return a title or label with the true period, where it says "a minute" and that is not so."""
    if period_s == _MINUTE_S:
        return words
    shown = f"{period_s} s" if period_s < _MINUTE_S else format_duration(period_s)
    return words.replace("a minute", f"per {shown}")

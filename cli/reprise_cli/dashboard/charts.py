"""One metric widget: what it asks for, and what it shows once that is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reprise.metric import NAMESPACE, TABLE
from reprise_cli.dashboard.asking import MetricRequest, MetricResult, Query, at_period, searched
from reprise_cli.dashboard.model.rows import read_rows
from reprise_cli.dashboard.periods import asked_period_s, chart_grid, whole_grid
from reprise_cli.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.dashboard.asking import MetricAnswer
    from reprise_cli.dashboard.model.rows import MetricRow, SeriesKey
    from reprise_cli.dashboard.model.widgets import Axis, MetricProperties
    from reprise_cli.dashboard.periods import Grid

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
class Chart:
    """A metric widget that is ready for its data."""

    properties: MetricProperties
    grid: Grid
    rows: Sequence[MetricRow]
    problems: tuple[str, ...] = ()

    @property
    def request(self) -> MetricRequest | None:
        """Return what to ask for; None if nothing is shown."""
        if not any(row.is_visible for row in self.rows):
            return None
        return MetricRequest(grid=self.grid, queries=tuple(self._query(row) for row in self.rows))

    def draw(self, answer: MetricAnswer) -> dict[str, Any]:
        """Return what the page draws."""
        problems = [*self.problems, *([answer.problem] if answer.problem else [])]
        drawn: list[dict[str, Any]] = []
        for row in self.rows:
            if not row.is_visible:
                continue
            results = [result for result in answer.results if result.id == row.id]
            problems += [f"{each.label}: {each.problem}" for each in results if each.problem]
            if row.metric is not None and not results:
                results = [MetricResult(id=row.id, label=row.label or row.id, points={})]
            drawn += self._drawn(row, results)
        return self._frame() | {
            "series": drawn,
            "problem": "; ".join(dict.fromkeys(problems)) or None,
        }

    def _query(self, row: MetricRow) -> Query:
        expression = row.expression
        if expression is not None:
            expression = at_period(expression, asked_period_s(self.grid))
        return Query(
            id=row.id,
            metric=row.metric,
            stat=row.stat,
            expression=expression,
            label=row.label,
            is_shown=row.is_visible,
        )

    def _drawn(self, row: MetricRow, results: Sequence[MetricResult]) -> list[dict[str, Any]]:
        metric, stat = row.metric, row.stat
        if row.expression is not None:
            search = searched(row.expression)
            metric, stat = (search.metric, search.stat) if search is not None else (None, "")
            if search is not None:
                results = sorted(results, key=lambda result: result.label)
        return [
            {
                "id": row.id,
                "label": _label(row, result),
                "color": row.color if len(results) == 1 else None,
                "side": row.side,
                "unit": unit_of(metric, stat),
                "stat": stat,
                "values": [result.points.get(at) for at in self.grid.instants],
            }
            for result in results[:_MAX_FOUND]
        ]

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


def _label(row: MetricRow, result: MetricResult) -> str:
    """Return a result's label; an expression that CloudWatch calls by its id is called by its text."""
    if row.label is None and row.expression is not None and result.label in {"", row.id}:
        return row.expression
    return result.label


def plan_chart(properties: MetricProperties, timing: Timing) -> Chart:
    """Return a widget's chart."""
    grid = _grid(properties, timing)
    try:
        rows = read_rows(properties)
    except ValueError as error:
        return Chart(properties=properties, grid=grid, rows=(), problems=(str(error),))
    return Chart(properties=properties, grid=grid, rows=rows)


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


_AWS_UNITS: Final = {
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): "Seconds",
    ("AWS/Lambda", "Duration"): "Milliseconds",
    ("AWS/Lambda", "IteratorAge"): "Milliseconds",
    ("AWS/Firehose", "DeliveryToS3.DataFreshness"): "Seconds",
    ("AWS/Firehose", "DeliveryToS3.Bytes"): "Bytes",
    ("AWS/Firehose", "IncomingBytes"): "Bytes",
    ("AWS/DynamoDB", "SuccessfulRequestLatency"): "Milliseconds",
}


def unit_of(metric: SeriesKey | None, stat: str) -> str:
    """Return a metric's unit, which GetMetricData does not tell; empty if it is a count or not known."""
    if metric is None or stat == "SampleCount":
        return ""
    if metric.namespace == NAMESPACE:
        unit = TABLE[metric.name].unit if metric.name in TABLE else ""
        return "" if unit in {"Count", "None"} else unit
    return _AWS_UNITS.get((metric.namespace, metric.name), "")

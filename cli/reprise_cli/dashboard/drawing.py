"""Put a dashboard's body and its data together: what the page draws, as JSON values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, assert_never

from reprise_cli.dashboard.charts import Chart, Timing, plan_chart
from reprise_cli.dashboard.expression.search import read_pattern
from reprise_cli.dashboard.markdown import to_html
from reprise_cli.dashboard.model.widgets import (
    AlarmProperties,
    LogProperties,
    MetricProperties,
    TextProperties,
)
from reprise_cli.dashboard.periods import chart_grid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reprise_cli.dashboard.charts import Query
    from reprise_cli.dashboard.model.body import Dashboard
    from reprise_cli.dashboard.model.rows import MetricKey
    from reprise_cli.dashboard.model.variables import Variable
    from reprise_cli.dashboard.model.widgets import Properties, Widget


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmState:
    """How an alarm stands."""

    name: str
    state: str
    """OK, ALARM or INSUFFICIENT_DATA."""
    reason: str = ""


class MetricSource(Protocol):
    """Has the data."""

    def fetch(self, queries: Collection[Query]) -> Mapping[Query, Mapping[int, float]]:
        """Return values by instant for each query."""

    def list_metrics(self, namespace: str) -> Sequence[MetricKey]:
        """Return the metrics that a namespace has."""

    def alarms(self, names: Collection[str]) -> Sequence[AlarmState]:
        """Return how alarms stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What somebody looks at."""

    now_s: int
    range_s: int
    finest_s: int
    """Shortest period that the metrics have."""
    period_s: int | None = None
    """The period that the reader chose."""


def draw(
    dashboard: Dashboard, chosen: Mapping[str, str], view: View, source: MetricSource
) -> dict[str, Any]:
    """Return the drawn dashboard.

    A widget that cannot be drawn says why in its `problem`; the others are not touched by it.
    """
    listed = _Listing(source)
    charts = {
        number: plan_chart(
            widget.properties, _timing(widget.properties, dashboard, view), listed.metrics
        )
        for number, widget in enumerate(dashboard.widgets)
        if isinstance(widget.properties, MetricProperties)
    }
    queries = {query for chart in charts.values() for query in chart.queries}
    data = source.fetch(queries) if queries else {}
    names = _alarms(dashboard)
    alarms = {alarm.name: alarm for alarm in (source.alarms(names) if names else ())}
    grid = chart_grid(view.now_s, view.range_s, view.finest_s)
    return {
        "start_s": grid.start_s,
        "end_s": grid.end_s,
        "variables": [_variable(entry, chosen, listed) for entry in dashboard.variables],
        "widgets": [
            _place(widget) | _content(widget.properties, charts.get(number), data, alarms)
            for number, widget in enumerate(dashboard.widgets)
        ],
    }


def _timing(properties: MetricProperties, dashboard: Dashboard, view: View) -> Timing:
    stated_s = properties.period if dashboard.keeps_periods else None
    return Timing(
        now_s=view.now_s,
        range_s=view.range_s,
        finest_s=view.finest_s,
        stated_s=view.period_s or stated_s,
    )


class _Listing:
    """Lists each namespace once."""

    def __init__(self, source: MetricSource) -> None:
        self._source = source
        self._known: dict[str, Sequence[MetricKey]] = {}

    def metrics(self, namespace: str) -> Sequence[MetricKey]:
        if namespace not in self._known:
            self._known[namespace] = self._source.list_metrics(namespace)
        return self._known[namespace]


def _place(widget: Widget) -> dict[str, Any]:
    return {
        "x": widget.x,
        "y": widget.y,
        "width": widget.width,
        "height": widget.height,
        "type": widget.kind,
    }


def _content(
    properties: Properties | None,
    chart: Chart | None,
    data: Mapping[Query, Mapping[int, float]],
    alarms: Mapping[str, AlarmState],
) -> dict[str, Any]:
    match properties:
        case None:
            return {"problem": "widgets of this kind are drawn in the CloudWatch console only"}
        case MetricProperties():
            return chart.draw(data) if chart is not None else {}
        case TextProperties(markdown=markdown, background=background):
            return {"html": to_html(markdown), "background": background}
        case AlarmProperties(title=title, alarms=arns):
            states = [alarms.get(_name(arn)) or _unknown(arn) for arn in arns]
            return {"title": title, "alarms": [_alarm(state) for state in states]}
        case LogProperties(title=title, query=query):
            return {
                "title": title,
                "query": query,
                "problem": "log queries run in the CloudWatch console only",
            }
        case _:
            assert_never(properties)


def _alarms(dashboard: Dashboard) -> set[str]:
    return {
        _name(arn)
        for widget in dashboard.widgets
        if isinstance(widget.properties, AlarmProperties)
        for arn in widget.properties.alarms
    }


def _name(arn: str) -> str:
    """Return the name in an alarm's ARN; a bare name stays."""
    return arn.partition(":alarm:")[2] or arn


def _unknown(arn: str) -> AlarmState:
    return AlarmState(name=_name(arn), state="UNKNOWN", reason="there is no such alarm here")


def _alarm(alarm: AlarmState) -> dict[str, str]:
    return {"name": alarm.name, "state": alarm.state, "reason": alarm.reason}


def _variable(variable: Variable, chosen: Mapping[str, str], listed: _Listing) -> dict[str, Any]:
    """Return a variable with every value that it can have, and the one that is chosen."""
    values = {choice.value: choice.label or choice.value for choice in variable.values}
    if variable.search and variable.populate_from:
        try:
            pattern = read_pattern(variable.search)
        except ValueError as error:
            return _told(variable, values, chosen) | {"problem": str(error)}
        found = {
            value
            for metric in listed.metrics(pattern.namespace)
            if pattern.finds(metric)
            for name, value in metric.dimensions
            if name == variable.populate_from
        }
        values |= {value: value for value in sorted(found)}
    return _told(variable, values, chosen)


def _told(
    variable: Variable, values: Mapping[str, str], chosen: Mapping[str, str]
) -> dict[str, Any]:
    current = chosen.get(variable.id) or variable.default_value or ""
    labels = {current: current, **values} if current else dict(values)
    return {
        "id": variable.id,
        "label": variable.label or variable.id,
        "current": current,
        "values": [{"value": value, "label": label} for value, label in labels.items()],
    }

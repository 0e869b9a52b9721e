"""Put a dashboard's body and its data together: what the page draws, as JSON values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, assert_never

import msgspec

from reprise_cli.dashboard.asking import MetricAnswer, MetricRequest, Query, search_of
from reprise_cli.dashboard.charts import Chart, Timing, plan_chart
from reprise_cli.dashboard.markdown import to_html
from reprise_cli.dashboard.model.rows import read_rows
from reprise_cli.dashboard.model.widgets import (
    AlarmProperties,
    LogProperties,
    MetricProperties,
    TextProperties,
)
from reprise_cli.dashboard.periods import asked_period_s, chart_grid, whole_grid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reprise_cli.dashboard.model.body import Dashboard
    from reprise_cli.dashboard.model.variables import Variable
    from reprise_cli.dashboard.model.widgets import Properties, Widget
    from reprise_cli.dashboard.periods import Grid

_FOUND: Final = "found"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmState:
    """How an alarm stands."""

    name: str
    state: str
    """OK, ALARM or INSUFFICIENT_DATA."""
    reason: str = ""


class MetricSource(Protocol):
    """Has the data."""

    def ask(self, requests: Sequence[MetricRequest]) -> Sequence[MetricAnswer]:
        """Return the answer of each request."""

    def alarms(self, names: Collection[str]) -> Sequence[AlarmState]:
        """Return how alarms stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingView:
    """What somebody looks at."""

    now_s: int
    range_s: int
    finest_s: int
    """Shortest period that the metrics have."""
    period_s: int | None = None
    """The period that the reader chose."""


def draw(
    dashboard: Dashboard, chosen: Mapping[str, str], view: DrawingView, source: MetricSource
) -> dict[str, Any]:
    """Return the drawn dashboard.

    A widget that cannot be drawn says why in its `problem`; the others are not touched by it.
    """
    grid = chart_grid(view.now_s, view.range_s, view.finest_s)
    charts = {
        number: plan_chart(widget.properties, _timing(widget.properties, dashboard, view))
        for number, widget in enumerate(dashboard.widgets)
        if isinstance(widget.properties, MetricProperties)
    }
    asked: dict[int | str, MetricRequest] = {
        number: request
        for number, chart in charts.items()
        if (request := chart.request) is not None
    }
    asked |= {
        variable.id: request
        for variable in dashboard.variables
        if (request := _values_request(variable, whole_grid(grid))) is not None
    }
    answers = dict(zip(asked, source.ask(list(asked.values())) if asked else (), strict=True))
    names = _alarms(dashboard)
    alarms = {alarm.name: alarm for alarm in (source.alarms(names) if names else ())}
    return {
        "start_s": grid.start_s,
        "end_s": grid.end_s,
        "variables": [
            _variable(entry, chosen, answers.get(entry.id, MetricAnswer()))
            for entry in dashboard.variables
        ],
        "widgets": [
            _place(widget)
            | _content(
                widget.properties, charts.get(number), answers.get(number, MetricAnswer()), alarms
            )
            for number, widget in enumerate(dashboard.widgets)
        ],
    }


def _timing(properties: MetricProperties, dashboard: Dashboard, view: DrawingView) -> Timing:
    stated_s = properties.period if dashboard.keeps_periods else None
    return Timing(
        now_s=view.now_s,
        range_s=view.range_s,
        finest_s=view.finest_s,
        stated_s=view.period_s or stated_s,
    )


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
    answer: MetricAnswer,
    alarms: Mapping[str, AlarmState],
) -> dict[str, Any]:
    match properties:
        case None:
            return {"problem": "widgets of this kind are drawn in the CloudWatch console only"}
        case MetricProperties():
            return chart.draw(answer) if chart is not None else {}
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


def _values_request(variable: Variable, grid: Grid) -> MetricRequest | None:
    """Return what asks for the values that a variable's search finds: each result is labelled by its own."""
    if not (variable.search and variable.populate_from):
        return None
    search = search_of(variable.search, "SampleCount", asked_period_s(grid))
    label = f"${{PROP('Dim.{variable.populate_from}')}}"
    return MetricRequest(grid=grid, queries=(Query(id=_FOUND, expression=search, label=label),))


def _variable(
    variable: Variable, chosen: Mapping[str, str], answer: MetricAnswer
) -> dict[str, Any]:
    """Return a variable with every value that it can have, and the one that is chosen."""
    values = {choice.value: choice.label or choice.value for choice in variable.values}
    found = {result.label for result in answer.results if result.label}
    values |= {value: value for value in sorted(found)}
    told = _told(variable, values, chosen)
    return told | {"problem": answer.problem} if answer.problem else told


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


def without(dashboard: Dashboard, never: Collection[str]) -> Dashboard:
    """Return the dashboard without the widgets that show nothing but metrics that nobody writes.

    What stands below the rows that are empty then moves up.
    """
    kept = [widget for widget in dashboard.widgets if not _is_never(widget, never)]
    taken = {row for widget in kept for row in range(widget.y, widget.y + widget.height)}
    last = max((widget.y + widget.height for widget in dashboard.widgets), default=0)
    freed = [
        row
        for row in range(last)
        if row not in taken
        and any(each.y <= row < each.y + each.height for each in dashboard.widgets)
    ]
    moved = [
        msgspec.structs.replace(each, y=each.y - sum(row < each.y for row in freed))
        for each in kept
    ]
    return replace(dashboard, widgets=tuple(moved))


def _is_never(widget: Widget, never: Collection[str]) -> bool:
    if not isinstance(widget.properties, MetricProperties):
        return False
    try:
        metrics = [row.metric for row in read_rows(widget.properties)]
    except ValueError:
        # It is drawn with what is wrong with it.
        return False
    return bool(metrics) and all(one is not None and one.name in never for one in metrics)

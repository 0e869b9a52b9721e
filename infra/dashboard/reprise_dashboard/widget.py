"""The kinds of widget that the dashboard is made of, each as a piece of its JSON.

Source: CloudWatch API reference, "Dashboard Body Structure and Syntax".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_dashboard.series import Series

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Widget:
    """A widget that does not know its place yet."""

    type: str
    width: int
    """Columns, of 24."""
    properties: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A horizontal line that marks a threshold."""

    label: str
    value: float


def text(markdown: str, *, width: int = 24) -> Widget:
    """Return a text without a frame."""
    properties = {"markdown": markdown, "background": "transparent"}
    return Widget(type="text", width=width, properties=properties)


def number(question: str, series: Sequence[Series], *, whole_range: bool = False) -> Widget:
    """Return a number under the question that it answers.

    Args:
        question: The title.
        series: Usually one.
        whole_range: Whether the number is of the whole time range, rather than the last period's.
    """
    properties = {
        **_common(question, series, 60),
        "view": "singleValue",
        "sparkline": not whole_range,
        "setPeriodToTimeRange": whole_range,
    }
    return Widget(type="metric", width=4, properties=properties)


def graph(
    title: str,
    series: Sequence[Series],
    *,
    unit: str | tuple[str, str],
    width: int = 12,
    stacked: bool = False,
    lines: Sequence[Line] = (),
) -> Widget:
    """Return a graph over time.

    Args:
        title: What it shows.
        series: Its lines.
        unit: Label of the left axis, or of both.
        width: Columns.
        stacked: Whether the lines add up.
        lines: Thresholds.
    """
    labels = (unit,) if isinstance(unit, str) else unit
    axes = {
        side: {"label": label, "min": 0, "showUnits": False}
        for side, label in zip(("left", "right"), labels, strict=False)
    }
    properties = {
        **_common(title, series, 60),
        "view": "timeSeries",
        "stacked": stacked,
        "yAxis": axes,
        "legend": {"position": "bottom"},
    }
    if lines:
        properties["annotations"] = {"horizontal": [_mark(line) for line in lines]}
    return Widget(type="metric", width=width, properties=properties)


def alarms(title: str, arns: Sequence[str]) -> Widget:
    """Return the states of alarms."""
    return Widget(type="alarm", width=24, properties={"title": title, "alarms": list(arns)})


def _common(title: str, series: Sequence[Series], period_s: int) -> Json:
    return {
        "title": title,
        "region": "${AWS::Region}",
        "period": period_s,
        "metrics": list(series),
    }


def _mark(line: Line) -> Json:
    return {"label": line.label, "value": line.value, "color": "#d55e00"}

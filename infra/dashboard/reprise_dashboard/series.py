"""One line of a graph: a metric of ours, a metric of AWS's, or a search over all targets."""

from __future__ import annotations

from typing import Any, Final

from reprise import metric

STACK: Final = "${Name}"
"""Replaced by CloudFormation, as all of `${…}` in the body."""
TARGET: Final = "${FirstTarget}"
"""What the dashboard's variable `target` replaces: every value of the dimension of this name."""

type Series = list[Any]

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, GREY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#b8a800",
    "#7f7f7f",
)
"""Colours that people with any kind of colour vision tell apart.

Source: M. Okabe and K. Ito, "Color Universal Design", 2008; the yellow is darkened to be seen on white.
"""


def ours(name: str, label: str, stat: str = "Sum", color: str | None = None) -> Series:
    """Return a metric of the whole stack."""
    return [metric.NAMESPACE, name, metric.STACK, STACK, _options(label, stat, color)]


def chosen(name: str, label: str, stat: str = "Sum", color: str | None = None) -> Series:
    """Return a metric of the target that the dashboard's variable names."""
    dimensions = [metric.STACK, STACK, metric.TARGET, TARGET]
    return [metric.NAMESPACE, name, *dimensions, _options(label, stat, color)]


def each(name: str, stat: str, *, by: str = "", period_s: int = 60, what: str = "") -> Series:
    """Return a search for a metric of every target, or of every reason or outcome.

    Args:
        name: Of the metric.
        stat: CloudWatch's statistic.
        by: Dimensions beside the stack, separated by commas; `target` otherwise.
        period_s: Of each data point.
        what: Said of each target in the legend, where a graph shows more than one metric.
    """
    dimensions = by or metric.TARGET
    query = f'{{{metric.NAMESPACE},{metric.STACK},{dimensions}}} {metric.STACK}="{STACK}"'
    query += f' MetricName="{name}"'
    # CloudWatch's own placeholder, which CloudFormation must not take for one of its own.
    label = {"label": f"${{!PROP('Dim.{metric.TARGET}')}}, {what}"} if what else {}
    return [{"expression": f"SEARCH('{query}', '{stat}', {period_s})"} | label]


def aws(
    metric_of: tuple[str, str],
    dimensions: tuple[str, ...],
    label: str,
    stat: str = "Sum",
    color: str | None = None,
) -> Series:
    """Return a metric of AWS's.

    Args:
        metric_of: Namespace and name.
        dimensions: Names and values in turn.
        label: In the legend.
        stat: CloudWatch's statistic.
        color: Of the line.
    """
    return [*metric_of, *dimensions, _options(label, stat, color)]


def on_the_right(series: Series) -> Series:
    """Return a line that is drawn against the right axis."""
    return [*series[:-1], series[-1] | {"yAxis": "right"}]


def _options(label: str, stat: str, color: str | None) -> dict[str, str]:
    return {"label": label, "stat": stat, **({"color": color} if color else {})}

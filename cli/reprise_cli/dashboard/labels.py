"""What a series is called: pure rules.

Source: Amazon CloudWatch User Guide, "Using dynamic labels".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reprise_cli.dashboard.expression.values import Series

_DYNAMIC: Final = re.compile(r"\$\{(?:PROP\('([^']*)'\)|([A-Z_]+))\}")
_DIMENSION: Final = "Dim."
_NUMBERS: Final[dict[str, Callable[[list[float]], float]]] = {
    "LAST": lambda values: values[-1],
    "FIRST": lambda values: values[0],
    "MAX": max,
    "MIN": min,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
}


def default_label(series: Series, siblings: Sequence[Series]) -> str:
    """Return what tells a series from its siblings: dimension values, and the name where it differs."""
    metric = series.metric
    if series.label or metric is None:
        return series.label
    names = {other.metric.name for other in siblings if other.metric is not None}
    others = [dict(other.metric.dimensions) for other in siblings if other.metric is not None]
    differing = [
        value for name, value in metric.dimensions if len({other.get(name) for other in others}) > 1
    ]
    words = [*([metric.name] if len(names) > 1 or not differing else []), *differing]
    return " ".join(words)


def dynamic_label(template: str, series: Series) -> str:
    """Return a label with its dynamic parts filled in; parts that are not known stay."""
    values = [series.points[at] for at in sorted(series.points)]

    def fill(match: re.Match[str]) -> str:
        prop, number = match[1], match[2]
        if prop is not None and series.metric is not None:
            if prop.startswith(_DIMENSION):
                return dict(series.metric.dimensions).get(prop.removeprefix(_DIMENSION), "")
            known = {"MetricName": series.metric.name, "Namespace": series.metric.namespace}
            return known.get(prop, match[0])
        if number == "LABEL":
            return series.label
        if number in _NUMBERS:
            return f"{_NUMBERS[number](values):g}" if values else "-"
        return match[0]

    return _DYNAMIC.sub(fill, template)

"""What a series is called: pure rules.

Source: Amazon CloudWatch User Guide, "Using dynamic labels".
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local_engine.metric_math.evaluate import Search
    from local_engine.metric_math.values import Series

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


def search_labels(found: Sequence[Series], search: Search) -> tuple[Series, ...]:
    """Return what a search found, each with its default label, sorted by that.

    The only series is called by the dimension values that the search found, rather than asked for.
    """
    named = [replace(one, label=default_label(one, found)) for one in found]
    if len(found) == 1 and (words := _found_words(found[0], search)):
        named = [replace(found[0], label=words)]
    return tuple(sorted(named, key=lambda one: one.label))


def _found_words(series: Series, search: Search) -> str:
    values = [value for _, value in series.metric.dimensions] if series.metric else []
    return " ".join(value for value in values if f'"{value}"' not in search.text)


def result_label(
    asked: str | None, series: Series, siblings: Sequence[Series], *, is_one: bool
) -> str:
    """Return the label of one result; empty if nothing names it.

    Args:
        asked: The query's, perhaps with dynamic parts.
        series: The result's.
        siblings: The metrics of the request.
        is_one: Whether the query has no other result.
    """
    default = default_label(series, siblings)
    if asked is None:
        return default
    if "${" in asked:
        return dynamic_label(asked, replace(series, label=default))
    return asked if is_one or not default else f"{asked} {default}".strip()

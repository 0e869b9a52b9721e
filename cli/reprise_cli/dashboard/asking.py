"""What GetMetricData is asked, and what it answers: one request a chart, on AWS and the local engine.

Expressions and labels are CloudWatch's: nothing is computed here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise_cli.dashboard.model.rows import SeriesKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.dashboard.periods import Grid

_SEARCH: Final = re.compile(
    r"""SEARCH\(\s*(?P<pattern>'[^']*'|"[^"]*")\s*,\s*(?P<stat>'[^']*'|"[^"]*")\s*(?:,\s*\d+\s*)?\)""",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(r'\{\s*"?([^",{}]+)"?[,}].*MetricName="([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One metric by one statistic, or an expression over the request's others."""

    id: str
    metric: SeriesKey | None = None
    """None for an expression."""
    stat: str = ""
    expression: str | None = None
    label: str | None = None
    """None leaves it to CloudWatch; dynamic parts are filled in there."""
    is_shown: bool = True
    """Whether it is answered, or only used by expressions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRequest:
    """Queries over the same instants, which may refer to each other."""

    grid: Grid
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """One series; an expression may have several."""

    id: str
    """Of its query."""
    label: str
    points: Mapping[int, float]
    """By instant of the request's grid; an instant without a value is left out."""
    problem: str | None = None
    """What CloudWatch says of this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAnswer:
    """What a request gets."""

    results: tuple[MetricResult, ...] = ()
    problem: str | None = None
    """Why its expressions were refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search says of the series that it finds: how they are read depends on it."""

    stat: str
    metric: SeriesKey | None
    """None if it does not say; its dimensions are not known."""


def searched(expression: str) -> Searched | None:
    """Return what an expression that is one SEARCH says; None for another."""
    search = _SEARCH.fullmatch(expression.strip())
    if search is None:
        return None
    named = _NAMED.search(search["pattern"])
    metric = SeriesKey(namespace=named[1].strip(), name=named[2]) if named is not None else None
    return Searched(stat=search["stat"][1:-1], metric=metric)


def search_of(pattern: str, stat: str, period_s: int) -> str:
    """Return the expression that searches for a pattern."""
    quote = '"' if "'" in pattern else "'"
    return f"SEARCH({quote}{pattern}{quote}, '{stat}', {period_s})"


def at_period(expression: str, period_s: int) -> str:
    """Return an expression with this period in each SEARCH: its own would win over the chart's."""
    return _SEARCH.sub(
        lambda search: f"SEARCH({search['pattern']}, {search['stat']}, {period_s})", expression
    )

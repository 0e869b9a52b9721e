"""What an expression is made of: numbers, and series over instants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricKey:
    """Which metric: its namespace, its name, and all of its dimensions, sorted."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values by instant, in seconds since the epoch; an instant without a value is left out."""

    points: Mapping[int, float]
    label: str = ""
    """Empty if nobody named it."""
    metric: MetricKey | None = None
    """The metric that it shows, if it is one."""
    stat: str = ""
    """By which statistic, then."""

    def mapped(self, change: Callable[[float], float | None]) -> Series:
        """Return the series with each value changed, and left out where that gives None."""
        changed = ((at, change(value)) for at, value in self.points.items())
        return replace(self, points={at: value for at, value in changed if value is not None})


type Value = float | Series | tuple[Series, ...]
"""A scalar, a time series, or several of them, as in CloudWatch's documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The instants that a result may have: from the first, one a period."""

    start_s: int
    end_s: int
    """No instant reaches it."""
    period_s: int

    @property
    def instants(self) -> range:
        """Return them."""
        return range(self.start_s, self.end_s, self.period_s)

"""With which period a time range is drawn: pure rules."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Final

RANGES_S: Final = {
    "5m": 300,
    "15m": 900,
    "1h": 3_600,
    "3h": 10_800,
    "12h": 43_200,
    "1d": 86_400,
    "3d": 259_200,
    "1w": 604_800,
    "30d": 2_592_000,
}
"""The time ranges that can be chosen, beside any two instants."""
_DAY_S: Final = 86_400
_KEPT_S: Final = ((15 * _DAY_S, 60), (63 * _DAY_S, 300), (455 * _DAY_S, 3_600))
"""For how long CloudWatch keeps which period (CloudWatch user guide, Metrics retention)."""
FINEST_AWS_S: Final = 60
"""CloudWatch keeps standard metrics by the minute."""
FINEST_LOCAL_S: Final = 5
"""The local engine keeps every instant, and its outages last seconds."""
PERIODS_S: Final = {"5s": 5, "10s": 10, "30s": 30, "1m": 60, "5m": 300, "15m": 900, "1h": 3_600}
"""The periods that can be chosen, where the metrics have them."""
_LADDER_S: Final = (1, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400)
_MAX_POINTS: Final = 360
_MOST_POINTS: Final = 4_500
"""Points that are drawn where the period is stated: three days by the minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The instants that a chart has: from the first, one a period."""

    start_s: int
    end_s: int
    """No instant reaches it."""
    period_s: int

    @property
    def instants(self) -> range:
        """Return them."""
        return range(self.start_s, self.end_s, self.period_s)


def chart_grid(end_s: int, range_s: int, finest_s: int, stated_s: int | None = None) -> Grid:
    """Return the instants of a chart that ends with the period that runs.

    Args:
        end_s: The present, in seconds since the epoch.
        range_s: Length of the time range.
        finest_s: Shortest period that the metrics have.
        stated_s: The period, as long as that gives a bearable number of points; None lets it follow the
            range, as the console does.
    """
    shortest_s = max(finest_s, stated_s or 1)
    most = _MAX_POINTS if stated_s is None else _MOST_POINTS
    steps = sorted({*_LADDER_S, shortest_s})
    fitting = (step for step in steps if step >= shortest_s and range_s <= step * most)
    period_s = next(fitting, steps[-1])
    last_s = end_s // period_s * period_s + period_s
    points = max(1, -(-range_s // period_s))
    return Grid(start_s=last_s - points * period_s, end_s=last_s, period_s=period_s)


def finest_kept_s(age_s: int, finest_s: int) -> int:
    """Return the shortest period that CloudWatch still has of a range that began so long ago."""
    kept = (period_s for limit_s, period_s in _KEPT_S if age_s <= limit_s)
    return max(finest_s, next(kept, _KEPT_S[-1][1]))


def whole_grid(grid: Grid) -> Grid:
    """Return the same range as one period."""
    return Grid(start_s=grid.start_s, end_s=grid.end_s, period_s=grid.end_s - grid.start_s)


def asked_period_s(grid: Grid) -> int:
    """Return the period to ask CloudWatch for.

    One period for a whole range must not be cut in two where periods begin: a longer one, a multiple
    of a minute, is asked for that begins before the range and ends after it. Only the range's own
    data are in the answer.
    """
    if len(grid.instants) > 1 or grid.period_s <= _LADDER_S[4]:
        return grid.period_s
    first_s = -(-grid.period_s // 60) * 60
    return next(
        period_s
        for period_s in count(first_s, 60)
        if grid.start_s // period_s == (grid.end_s - 1) // period_s
    )

"""Say how times are spread: a pure rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Median, 95th percentile and longest of some times in seconds; None if there were none."""

    p50: float | None = None
    p95: float | None = None
    max: float | None = None

    def document(self) -> dict[str, float | None]:
        """Return the spread for programs, to the millisecond."""
        return {
            name: None if value is None else round(value, 3)
            for name, value in (("p50", self.p50), ("p95", self.p95), ("max", self.max))
        }


def spread(times_s: Sequence[float]) -> Percentiles:
    """Return how times are spread."""
    if not times_s:
        return Percentiles()
    ordered = sorted(times_s)
    return Percentiles(
        p50=nearest_rank(ordered, 50), p95=nearest_rank(ordered, 95), max=ordered[-1]
    )


def nearest_rank(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of the values do not exceed.

    Args:
        ordered: Values from small to large, at least one.
        percent: In (0, 100].

    Raises:
        ValueError: If there is no value, or no such percentage.

    Source: Nearest-rank method, NIST/SEMATECH e-Handbook of Statistical Methods, 7.2.6.2 (variants).
    """
    if not ordered or not 0 < percent <= 100:  # noqa: PLR2004 - per cent
        msg = f"no {percent}th percentile of {len(ordered)} values"
        raise ValueError(msg)
    return ordered[math.ceil(percent * len(ordered) / 100) - 1]

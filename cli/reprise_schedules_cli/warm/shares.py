"""Cold-start shares by function and hour, and the hours that a window should cover: pure rules."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from reprise_schedules.warm import InvocationReport

GB_SECOND_USD: Final = 0.0000166667
REQUEST_USD: Final = 0.0000002
"""Lambda's list prices for x86 in us-east-1, first tier; other regions differ by some percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One reported invocation."""

    function: str
    at: datetime
    report: InvocationReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What was reported of a function in one hour of the day, over all days."""

    function: str
    hour: int
    """0 to 23, in the report's time zone."""
    invocations: int
    cold_starts: int
    longest_init_ms: float

    @property
    def cold_share(self) -> float:
        """Return the share of cold starts, 0 to 1."""
        return self.cold_starts / self.invocations if self.invocations else 0.0


def bare_name(function: str) -> str:
    """Return a function's own name: not its ARN, alias or version."""
    return function.rpartition(":function:")[2].partition(":")[0]


def by_hour(seen: Iterable[Seen], zone: ZoneInfo) -> list[Hour]:
    """Return each function's hours that had an invocation, in order."""
    found: dict[tuple[str, int], list[InvocationReport]] = defaultdict(list)
    for entry in seen:
        found[entry.function, entry.at.astimezone(zone).hour].append(entry.report)
    hours = []
    for (function, hour), reports in sorted(found.items()):
        inits_ms = [report.init_ms for report in reports if report.init_ms is not None]
        hours.append(
            Hour(
                function=function,
                hour=hour,
                invocations=len(reports),
                cold_starts=len(inits_ms),
                longest_init_ms=max(inits_ms, default=0.0),
            )
        )
    return hours


def live_by_hour(hours: Iterable[Hour], pings: Mapping[str, Mapping[int, int]]) -> dict[int, int]:
    """Return the invocations of each hour of the day that were no pings, of all functions.

    Args:
        hours: What was reported.
        pings: Pings that each function got in each hour of the day, over all days.
    """
    live: dict[int, int] = defaultdict(int)
    for hour in hours:
        pinged = pings.get(hour.function, {}).get(hour.hour, 0)
        live[hour.hour] += max(0, hour.invocations - pinged)
    return dict(live)


def suggest_hours(live: Mapping[int, int], *, share: float = 0.95) -> list[int]:
    """Return the fewest hours of the day that hold this share of the live calls, in order.

    Args:
        live: Live calls by hour of the day.
        share: From 0 to 1; calls outside the hours start cold.
    """
    total = sum(live.values())
    chosen: list[int] = []
    covered = 0
    for hour in sorted(live, key=lambda hour: (-live[hour], hour)):
        if covered >= share * total or not live[hour]:
            break
        chosen.append(hour)
        covered += live[hour]
    return sorted(chosen)


def hours_field(hours: Iterable[int]) -> str:
    """Return hours as the field of a cron expression: 6-9,11-13."""
    ranges: list[list[int]] = []
    for hour in sorted(set(hours)):
        if ranges and ranges[-1][1] == hour - 1:
            ranges[-1][1] = hour
        else:
            ranges.append([hour, hour])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def ping_cost_usd(seen: Iterable[Seen], pings: Mapping[str, int]) -> float:
    """Return what pings cost at list price.

    A ping is taken to bill what the function's cheapest warm invocation did: it returns at once.

    Args:
        seen: What was reported.
        pings: How many pings each function got.
    """
    cheapest: dict[str, float] = {}
    for entry in seen:
        if entry.report.init_ms is None:
            gb_s = entry.report.billed_ms / 1000 * entry.report.memory_mb / 1024
            cheapest[entry.function] = min(gb_s, cheapest.get(entry.function, gb_s))
    return sum(
        count * (REQUEST_USD + cheapest.get(function, 0.0) * GB_SECOND_USD)
        for function, count in pings.items()
    )

"""What replay costs live traffic: pure rules."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reprise_cli.chaos.call import Receipt


_NAMED: Final = 5
"""Calls that a problem names; whoever has seen five looks for the others by the same way."""


class LiveEnd(StrEnum):
    """How a live call ended."""

    ANSWERED = "answered"
    THROTTLED = "throttled"
    FAILED = "failed"
    """Any other error; it says nothing of the target's room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """One live call."""

    number: int
    """From 1, as its receipts have it."""
    started_at: datetime
    end: LiveEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvidence:
    """What is known of the live calls: the pipeline has no part in them, and must not disturb them."""

    calls: Sequence[LiveCall]
    receipts: Sequence[Receipt]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTally:
    """How the live calls of one phase ended."""

    calls: int = 0
    throttled: int = 0
    failed: int = 0

    @property
    def throttled_percent(self) -> float:
        """Return the share of throttled calls, in per cent; 0 if there were no calls."""
        return 100.0 * self.throttled / self.calls if self.calls else 0.0

    def document(self) -> dict[str, Any]:
        """Return the tally for programs."""
        return {
            "calls": self.calls,
            "throttled": self.throttled,
            "failed": self.failed,
            "throttled_percent": round(self.throttled_percent, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReport:
    """Live traffic without replay and with it; the same rate, work and concurrency in both."""

    without_replay: LiveTally
    with_replay: LiveTally

    @property
    def extra_percent(self) -> float:
        """Return by how many points of per cent replay raised the live throttles; may be below 0."""
        return self.with_replay.throttled_percent - self.without_replay.throttled_percent

    def document(self) -> dict[str, Any]:
        """Return the report for programs; its keys are a contract."""
        return {
            "without_replay": self.without_replay.document(),
            "with_replay": self.with_replay.document(),
            "extra_throttled_percent": round(self.extra_percent, 3),
        }


def arrivals(rate_per_s: float, seed: int) -> Iterator[float]:
    """Yield the instants of calls that nobody coordinates, in seconds from the start, without end.

    A Poisson process: callers do not wait for each other, and one seed gives the same calls again.
    """
    chance = random.Random(seed)  # noqa: S311 - a load, not a secret
    at_s = 0.0
    while True:
        at_s += chance.expovariate(rate_per_s)
        yield at_s


def tally(calls: Iterable[LiveCall]) -> LiveTally:
    """Return how calls ended."""
    ends = [call.end for call in calls]
    return LiveTally(
        calls=len(ends),
        throttled=ends.count(LiveEnd.THROTTLED),
        failed=ends.count(LiveEnd.FAILED),
    )


def during(calls: Sequence[LiveCall], since: datetime, until: datetime) -> list[LiveCall]:
    """Return the calls that started within a span of time, both ends included."""
    return [call for call in calls if since <= call.started_at <= until]


def live_problems(live: LiveEvidence | None, runs: Mapping[int, int]) -> list[str]:
    """Return what does not add up about live calls."""
    if live is None:
        return []
    by_end: dict[LiveEnd, list[int]] = {end: [] for end in LiveEnd}
    for call in live.calls:
        by_end[call.end].append(call.number)
    silent = [number for number in by_end[LiveEnd.ANSWERED] if not runs.get(number)]
    ran = [number for number in by_end[LiveEnd.THROTTLED] if runs.get(number)]
    strangers = runs.keys() - {call.number for call in live.calls}
    found = (
        (by_end[LiveEnd.FAILED], "live calls were neither answered nor throttled"),
        (silent, "live calls were answered, but the target wrote no receipt"),
        (ran, "live calls were throttled, and ran all the same"),
        (strangers, "receipts are of live calls that nobody made"),
    )
    return [named(map(str, sorted(numbers)), what) for numbers, what in found if numbers]


def named(names: Iterable[str], what: str) -> str:
    """Return how many calls something is true of, and which."""
    known = list(names)
    rest = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return f"{len(known)} {what}: {', '.join(known[:_NAMED])}{rest}"

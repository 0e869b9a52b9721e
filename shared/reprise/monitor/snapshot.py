"""What the observer sees at one look, and what it remembers from one look to the next: values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.monitor.counters import BacklogCounters

KEPT_LOOKS: Final = 6
"""Looks whose totals are remembered: the rate is that of the last five minutes."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The totals at an earlier look."""

    at_s: float
    """Seconds since the epoch."""
    known: dict[str, int]
    ended: dict[str, int]
    is_idle: bool = False
    """Whether both queues were empty."""


class MonitorState(msgspec.Struct, frozen=True, kw_only=True):
    """What the observer remembers."""

    looks: list[Snapshot] = []
    """The last looks, the oldest first."""
    open: dict[str, float] = {}
    """Incidents that were told, by alarm: since when, in seconds since the epoch."""
    dead: dict[str, dict[str, int]] = {}
    """Totals of dead letters by label and reason, at the look before the last at which none lay there."""
    dead_seen: dict[str, dict[str, int]] = {}
    """The same at the last look."""
    nameless: bool = False
    """Whether an alarm for dead letters was seen, and nobody had counted any yet."""


def remember(
    memory: MonitorState, counters: Mapping[str, BacklogCounters], *, at_s: float, is_idle: bool
) -> MonitorState:
    """Return the memory with one more look, the oldest dropped beyond the limit."""
    latest = Snapshot(
        at_s=at_s,
        known={label: counter.known for label, counter in counters.items()},
        ended={label: counter.ended for label, counter in counters.items()},
        is_idle=is_idle,
    )
    return msgspec.structs.replace(memory, looks=[*memory.looks, latest][-KEPT_LOOKS:])


def time_to_drain_s(
    looks: list[Snapshot],
    counters: Mapping[str, BacklogCounters],
    *,
    at_s: float,
    label: str | None = None,
) -> float | None:
    """Return how long the backlog lasts at the rate of the last looks.

    Args:
        looks: Earlier looks, the oldest first.
        counters: As they are now.
        at_s: The present.
        label: Of one target; of all together otherwise.

    Returns:
        Seconds; 0 without a backlog, None if nothing has ended since the oldest look: nobody knows.
    """
    chosen = [label] if label is not None else list(counters)
    backlog = sum(counters[each].backlog for each in chosen)
    if not backlog:
        return 0.0
    if not looks or at_s <= looks[0].at_s:
        return None
    ended = sum(counters[each].ended - looks[0].ended.get(each, 0) for each in chosen)
    return backlog * (at_s - looks[0].at_s) / ended if ended > 0 else None


def drifted(
    memory: MonitorState, counters: Mapping[str, BacklogCounters], *, is_idle: bool
) -> list[str]:
    """Return labels whose counters are off: open calls, though nothing has moved and both queues are empty.

    Two looks: SQS's numbers are approximate, and a batch posts to the counters before its messages go.
    """
    if not is_idle or not memory.looks or not memory.looks[-1].is_idle:
        return []
    last = memory.looks[-1]
    return [
        label
        for label, counter in counters.items()
        if counter.known != counter.ended
        and (counter.known, counter.ended) == (last.known.get(label), last.ended.get(label))
    ]

"""What the observer sees at one look, and what it remembers from one look to the next: values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from reprise.monitor.counters import BacklogCounters  # noqa: TC001 - used in annotations of dataclasses

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    memory: MonitorState, books: Mapping[str, BacklogCounters], *, at_s: float, is_idle: bool
) -> MonitorState:
    """Return the memory with one more look, the oldest dropped beyond the limit."""
    look = Snapshot(
        at_s=at_s,
        known={label: book.known for label, book in books.items()},
        ended={label: book.ended for label, book in books.items()},
        is_idle=is_idle,
    )
    return msgspec.structs.replace(memory, looks=[*memory.looks, look][-KEPT_LOOKS:])


def time_to_drain_s(
    looks: list[Snapshot],
    books: Mapping[str, BacklogCounters],
    *,
    at_s: float,
    label: str | None = None,
) -> float | None:
    """Return how long the backlog lasts at the rate of the last looks.

    Args:
        looks: Earlier looks, the oldest first.
        books: As they are now.
        at_s: The present.
        label: Of one target; of all together otherwise.

    Returns:
        Seconds; 0 without a backlog, None if nothing has ended since the oldest look: nobody knows.
    """
    chosen = [label] if label is not None else list(books)
    backlog = sum(books[each].backlog for each in chosen)
    if not backlog:
        return 0.0
    if not looks or at_s <= looks[0].at_s:
        return None
    ended = sum(books[each].ended - looks[0].ended.get(each, 0) for each in chosen)
    return backlog * (at_s - looks[0].at_s) / ended if ended > 0 else None


def drifted(
    memory: MonitorState, books: Mapping[str, BacklogCounters], *, is_idle: bool
) -> list[str]:
    """Return the labels whose books are off: open calls, though nothing has moved and both queues are empty.

    Two looks, because SQS's numbers are approximate, and a batch posts to the books before its messages go.
    """
    if not is_idle or not memory.looks or not memory.looks[-1].is_idle:
        return []
    last = memory.looks[-1]
    return [
        label
        for label, book in books.items()
        if book.known != book.ended
        and (book.known, book.ended) == (last.known.get(label), last.ended.get(label))
    ]

"""The counters of the backlog: per target, how many calls the ledger knows and how many have ended.

The books of the backlog: per target, how many calls the ledger knows and how many have ended. Two totals
that only grow, added to once a batch, rather than a count of rows: counting would read the whole ledger,
and an index of open rows would write two more units a call into one hot partition.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from reprise import metric
from reprise.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reprise.metric import MetricKey
    from reprise.telemetry import EmfMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogCounters:
    """The totals of one target; or what to add to them."""

    known: int = 0
    """Calls entered in the ledger, or opened again."""
    ended: int = 0
    """Calls that succeeded or were given up."""
    dead: Mapping[str, int] = field(default_factory=dict)
    """Calls given up, by reason."""

    @property
    def backlog(self) -> int:
        """Return how many calls have not ended; at least 0, whatever a crash left uncounted."""
        return max(0, self.known - self.ended)


class CounterStore(Protocol):
    """Keeps one book per label."""

    def add(self, label: str, change: BacklogCounters) -> BacklogCounters:
        """Add to a book, and return it as it is then.

        Raises:
            StoreError: If it cannot be told.
        """

    def read(self, labels: Sequence[str]) -> Mapping[str, BacklogCounters]:
        """Return the books that there are.

        Raises:
            StoreError: If they cannot be read.
        """

    def close(self, label: str, book: BacklogCounters) -> bool:
        """Say that nothing is open; False if the book has changed since it was read.

        Raises:
            StoreError: If it cannot be told.
        """


def changes(measured: Mapping[MetricKey, float]) -> dict[str, BacklogCounters]:
    """Return what a batch's measurements add to the books, by label."""
    known: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    dead: dict[str, Counter[str]] = {}
    for key, value in measured.items():
        if key.target is None:
            continue
        if key.name in {metric.RECORDED, metric.REDRIVEN}:
            known[key.target] += int(value)
        elif key.name in {metric.SUCCEEDED, metric.DEAD_LETTERED}:
            ended[key.target] += int(value)
        if key.name == metric.DEAD_LETTERED and key.reason is not None:
            dead.setdefault(key.target, Counter())[key.reason] += int(value)
    return {
        label: BacklogCounters(known=known[label], ended=ended[label], dead=dead.get(label, {}))
        for label in sorted({*known, *ended})
    }


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterPublisher:
    """Keeps the books of one process."""

    books: CounterStore
    meter: EmfMeter

    def finish(self) -> None:
        """Post, then write what was measured; never raise: what was done must not be undone for a number."""
        try:
            self.post()
            self.meter.flush()
        except Exception:  # noqa: BLE001 - see above
            _log.exception("measurements were lost")

    def post(self) -> None:
        """Add what the meter has gathered to the books, and gauge the backlog of the targets concerned.

        A book that cannot be told is off until the observer finds the queues empty and closes it.
        """
        for label, change in changes(self.meter.sums()).items():
            try:
                book = self.books.add(label, change)
            except StoreError:
                _log.warning("book was not kept", extra={"target": label}, exc_info=True)
                self.meter.count(metric.STORE_FAULTS)
            else:
                self.meter.gauge(metric.BACKLOG, book.backlog, label=label)

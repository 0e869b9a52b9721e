"""Post a batch's measurements to the books; best effort, since no call depends on it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise import metric
from reprise.errors import StoreError
from reprise.observe.books import changes

if TYPE_CHECKING:
    from reprise.observe.books import Books
    from reprise.telemetry import EmfMeter

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookkeeper:
    """Keeps the books of one process."""

    books: Books
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

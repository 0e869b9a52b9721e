"""Decide what a delivery, a reply and a call's end count as; stages ask here.

The ledger's word is what counts: a call has ended when its row says so, and once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise import metric
from reprise.instant import parse_instant
from reprise.ledger import TERMINAL, LedgerEvent, State

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.capturing.record import Record
    from reprise.ledger import Row
    from reprise.ports import Lease, Meter, Reply


def count_delivery(meter: Meter, lease: Lease, row: Row) -> None:
    """Count a delivery that says something: of a call that has ended, or that was redriven.

    A redriven row is leased from `captured` once, so this is where the redrive counts, wherever it was made.
    """
    if row.state in TERMINAL:
        meter.count(metric.DUPLICATES_SUPPRESSED, target=row.target)
    elif lease.granted and row.state is State.CAPTURED and row.opened_at != row.captured_at:
        meter.count(metric.REDRIVEN, target=row.target)


def count_reply(meter: Meter, row: Row, reply: Reply | None) -> None:
    """Count a replay by how the target answered; without a reply the target was not asked."""
    if reply is not None:
        meter.count(metric.REPLAYS, target=row.target, outcome=reply.outcome.kind.value)


def count_end(meter: Meter, row: Row, event: LedgerEvent, now: datetime) -> None:
    """Count a call's end that the ledger knows of."""
    if event is LedgerEvent.SUCCEED:
        meter.count(metric.SUCCEEDED, target=row.target)
        age_s = (now - parse_instant(row.opened_at)).total_seconds()
        meter.observe(metric.AGE_AT_SUCCESS, max(0.0, age_s), target=row.target)
    elif event is LedgerEvent.DEAD_LETTER:
        meter.count(metric.DEAD_LETTERED, target=row.target, reason=row.reason)


def count_owed_end(meter: Meter, record: Record, event: LedgerEvent, reason: str | None) -> None:
    """Count an end that the ledger could only be told of later; the age at it is not known any more."""
    target = record.target.function
    if event is LedgerEvent.SUCCEED:
        meter.count(metric.SUCCEEDED, target=target)
    elif event is LedgerEvent.DEAD_LETTER:
        meter.count(metric.DEAD_LETTERED, target=target, reason=reason)

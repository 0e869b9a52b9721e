"""Enter captured calls in the ledger, then send those that have not ended to the replay queue."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.instant import format_instant
from reprise.ledger.row import Row
from reprise.ledger.states import TERMINAL, State
from reprise.ports import OutMessage
from reprise.stage.message import ReplayMessage, write_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise.backlog.part import Entry
    from reprise.ports import Clock, Draw, Ledger, Meter, Queue
    from reprise.record.record import Record
    from reprise.stage.quarantine import Quarantine

_log = logging.getLogger(__name__)

CHUNK: Final = 100
"""Calls entered and sent together; bounds memory and what a crash makes us repeat."""
LEDGER_THREADS: Final = 16
MAX_DELAY_S: Final = 900
"""SQS API reference, SendMessage: the longest DelaySeconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterStage:
    """Enters calls."""

    ledger: Ledger
    replay_queue: Queue
    clock: Clock
    draw: Draw
    meter: Meter
    retention_days: int

    def enter(
        self,
        chunk: Sequence[Entry],
        url: str,
        quarantine: Quarantine,
        *,
        spread_s: float = 0.0,
    ) -> None:
        """Enter calls in the ledger, then send those that have not ended.

        In this order a crash can repeat a message, which the ledger makes harmless; the other way
        round a message could arrive before its row.

        Args:
            chunk: The calls, at most `CHUNK`.
            url: S3 URL of the capture object that they came in.
            quarantine: Takes calls whose id names another call already.
            spread_s: Each is delayed by its own share of that time.
        """
        if not chunk:
            return
        with ThreadPoolExecutor(max_workers=min(LEDGER_THREADS, len(chunk))) as pool:
            found = list(pool.map(lambda entry: self.ledger.record(self._row(entry, url)), chunk))
        messages: list[OutMessage] = []
        sent: Counter[str] = Counter()
        for entry, existing in zip(chunk, found, strict=True):
            record = entry.record
            body = write_message(ReplayMessage(record=record, object=url))
            if existing is not None and _is_other_call(existing, record):
                quarantine.add(
                    entry.position,
                    "id_conflict",
                    f"id {record.id!r} already names another payload or target",
                    body.encode(),
                )
            elif existing is not None and existing.state in TERMINAL:
                self.meter.count(metric.DUPLICATES_SUPPRESSED, target=record.target.function)
            else:
                target = record.target.function
                self.meter.count(metric.RECORDED, int(existing is None), target=target)
                sent[target] += 1
                delay_s = min(MAX_DELAY_S, int(self.draw() * spread_s))
                messages.append(OutMessage(body=body, group=record.target.name, delay_s=delay_s))
        if messages:
            self.replay_queue.send(messages)
            for target, count in sent.items():
                self.meter.count(metric.UNPACKED, count, target=target)
        _log.info(
            "unpacked calls", extra={"object": url, "read": len(chunk), "sent": len(messages)}
        )

    def _row(self, entry: Entry, url: str) -> Row:
        return new_row(entry.record, url, self.clock, self.retention_days)


def new_row(record: Record, url: str | None, clock: Clock, retention_days: int) -> Row:
    """Return the ledger's first row of a captured call."""
    now = clock()
    return Row(
        id=record.id,
        state=State.CAPTURED,
        target=record.target.function,
        sha256=record.payload.sha256,
        captured_at=record.captured_at,
        opened_at=record.captured_at,
        updated_at=format_instant(now),
        unpacked_at=format_instant(now),
        capture_object=url,
        expires_at_s=int((now + timedelta(days=retention_days)).timestamp()),
    )


def _is_other_call(existing: Row, record: Record) -> bool:
    return existing.sha256 != record.payload.sha256 or existing.target != record.target.function

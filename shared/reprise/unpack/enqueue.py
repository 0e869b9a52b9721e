"""Enter captured calls in the ledger, then send those that have not ended to the replay queue.

A call whose id names another one already, since its caller used a key for two payloads, is entered under an
id of its own as given up, and its dead letter is sent.
"""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.call.outcome import OutcomeKind
from reprise.call.target import conflict_id
from reprise.capturing.reopen import is_other_call, reopens
from reprise.ledger import TERMINAL, LedgerEvent, Row, State, new_row
from reprise.ports import OutMessage
from reprise.replay.finish import count_end
from reprise.replay.message import ReplayMessage, write_message
from reprise.retry.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from reprise.capturing.record import Record
    from reprise.dead_letter import LetterSender
    from reprise.ports import Clock, Draw, Ledger, Meter, Queue
    from reprise.unpack.validate import AcceptedRecord

_log = logging.getLogger(__name__)

CHUNK: Final = 100
"""Calls entered and sent together; bounds memory and what a crash makes us repeat."""
LEDGER_THREADS: Final = 16
MAX_DELAY_S: Final = 900
"""SQS API reference, SendMessage: the longest DelaySeconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueuer:
    """Enters calls."""

    ledger: Ledger
    replay_queue: Queue
    letters: LetterSender
    clock: Clock
    draw: Draw
    meter: Meter
    retention_days: int
    executor: Callable[[int], Executor] = ThreadPoolExecutor
    """Makes what enters so many calls side by side."""

    def enter(self, chunk: Sequence[AcceptedRecord], url: str, *, spread_s: float = 0.0) -> None:
        """Enter calls in the ledger, then send those that have not ended.

        In this order a crash can repeat a message, which the ledger makes harmless; the other way
        round a message could arrive before its row.

        Args:
            chunk: The calls, at most `CHUNK`.
            url: S3 URL of the capture object that they came in.
            spread_s: Each is delayed by its own share of that time.

        Raises:
            StoreError: If it must be tried again.
        """
        if not chunk:
            return
        with self.executor(min(LEDGER_THREADS, len(chunk))) as pool:
            rows = [self._row(entry.record, url) for entry in chunk]
            found = list(pool.map(self.ledger.record, rows))
        messages: list[OutMessage] = []
        conflicts: list[Record] = []
        sent: Counter[str] = Counter()
        for entry, existing in zip(chunk, found, strict=True):
            record, target = entry.record, entry.record.target.function
            if existing is not None and is_other_call(existing, record):
                conflicts.append(record)
            elif existing is not None and not self._is_due(existing, record):
                self.meter.count(metric.DUPLICATES_SUPPRESSED, target=target)
            else:
                self.meter.count(metric.RECORDED, int(_is_first(existing, record)), target=target)
                sent[target] += 1
                delay_s = min(MAX_DELAY_S, int(self.draw() * spread_s))
                body = write_message(ReplayMessage(record=record, object=url))
                messages.append(OutMessage(body=body, group=record.target.name, delay_s=delay_s))
        if messages:
            self.replay_queue.send(messages)
            for target, count in sent.items():
                self.meter.count(metric.UNPACKED, count, target=target)
        for record in conflicts:
            self._give_up(record, url)
        _log.info(
            "unpacked calls", extra={"object": url, "read": len(chunk), "sent": len(messages)}
        )

    def _is_due(self, row: Row, record: Record) -> bool:
        """Tell whether a call is to be sent whose row is there; note what its capture says of it."""
        is_another_try = record.captured_at != row.captured_at
        if is_another_try and record.outcome.kind is OutcomeKind.UNKNOWN:
            self.ledger.mark_may_have_run(row.id)
        return row.state not in TERMINAL or reopens(row, record)

    def _give_up(self, record: Record, url: str) -> None:
        """Keep a call whose key names another payload: as a row of its own, and as a dead letter."""
        row = replace(
            self._row(record, url),
            id=conflict_id(record.id, record.payload.sha256),
            state=State.DEAD_LETTERED,
            reason=Reason.KEY_CONFLICT.value,
            message=f"key names another payload already, that of {record.id}: call again with a new key",
        )
        existing = self.ledger.record(row)
        if existing is None:
            self.meter.count(metric.RECORDED, target=row.target)
            count_end(self.meter, row, LedgerEvent.DEAD_LETTER, self.clock())
        elif existing.letter_sent:
            self.meter.count(metric.DUPLICATES_SUPPRESSED, target=row.target)
            return
        self.letters.send(record, row, now=self.clock())

    def _row(self, record: Record, url: str) -> Row:
        return new_row(record, url, self.clock(), self.retention_days)


def _is_first(existing: Row | None, record: Record) -> bool:
    """Tell whether a line is the first of its call: a live call may have left a row for its own line."""
    if existing is None:
        return True
    is_left = existing.is_live and existing.state is State.WAITING
    return is_left and existing.captured_at == record.captured_at

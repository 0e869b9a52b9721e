"""Enter captured calls in the ledger, then send those that have not ended to the replay queue.

A call whose id names another one already, since its caller used a key for two payloads, is entered under an
id of its own as given up, and its dead letter is sent.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from itertools import batched
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.call.outcome import OutcomeKind
from reprise.call.target import conflict_id
from reprise.call_index import page_key, page_of, write_page
from reprise.capturing.reopen import has_arrived, is_other_call, reopens
from reprise.capturing.status_token import digest_of_token
from reprise.errors import StoreError
from reprise.ledger import TERMINAL, LedgerEvent, Row, State, new_row
from reprise.ports import OutMessage
from reprise.replay.finish import count_end
from reprise.replay.message import ReplayMessage, write_message
from reprise.replies import wants_reply
from reprise.retry.decision import Reason
from reprise.unpack.notification import is_taken_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise.capturing.record import Record
    from reprise.dead_letter import LetterSender
    from reprise.ports import Clock, Draw, Keyring, Ledger, Meter, Objects, Queue
    from reprise.unpack.validate import AcceptedRecord

_log = logging.getLogger(__name__)

CHUNK: Final = 100
"""Calls entered together, and sent together; bounds memory and what a crash makes us repeat."""
MAX_DELAY_S: Final = 900
"""SQS API reference, SendMessage: the longest DelaySeconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueuer:
    """Enters calls."""

    ledger: Ledger
    objects: Objects
    replay_queue: Queue
    letters: LetterSender
    clock: Clock
    draw: Draw
    meter: Meter
    keys: Keyring
    retention_days: int

    def enter(
        self, entries: Sequence[AcceptedRecord], url: str, *, is_known: bool = False
    ) -> list[AcceptedRecord]:
        """Enter calls in the ledger, and return those that are to be replayed: they have not ended.

        From then on each can be found by its id, whenever its message is sent. A message that arrived before
        its row would find nothing to lease.

        Args:
            entries: The calls.
            url: S3 URL of the capture object that they came in.
            is_known: Whether they were most likely entered before.

        Raises:
            StoreError: If some could not be entered: all must be tried again, which is harmless.
        """
        return [
            entry
            for chunk in batched(entries, CHUNK)
            for entry in self._enter(chunk, url, is_known=is_known)
        ]

    def _enter(
        self, chunk: Sequence[AcceptedRecord], url: str, *, is_known: bool
    ) -> list[AcceptedRecord]:
        records: dict[str, Record] = {}
        for entry in chunk:
            records.setdefault(entry.record.id, entry.record)
        found: dict[str, Row | None] = {}
        if is_known:
            found |= self.ledger.get_all(list(records))
        else:
            self._list(chunk, url)
        known = frozenset(found)
        rows = {
            call_id: self._row(record, url)
            for call_id, record in records.items()
            if call_id not in known
        }
        found |= self.ledger.record_all(list(rows.values()))
        due: list[AcceptedRecord] = []
        is_back = is_taken_back(url)
        untold = 0
        for entry in chunk:
            record, target = entry.record, entry.record.target.function
            if record.id not in found:
                untold += 1
                continue
            existing = found[record.id]
            found[record.id] = existing or rows[record.id]
            if existing is not None and is_other_call(existing, record):
                self._give_up(record, url)
            elif existing is not None and not self._is_due(existing, record):
                self.meter.count(metric.DUPLICATES_SUPPRESSED, target=target)
            else:
                is_first = record.id not in known and _is_first(existing, record)
                self.meter.count(metric.RECORDED, int(is_first), target=target)
                if is_back and not has_arrived(existing, record):
                    self.meter.count(metric.LOST_LINES, target=target)
                due.append(entry)
        if untold:
            raise StoreError(
                "dynamodb", "BatchExecuteStatement", "Failed", f"{untold} calls were not entered"
            )
        return due

    def _list(self, chunk: Sequence[AcceptedRecord], url: str) -> None:
        """Enter calls in the index; before the ledger: nobody who finds them there comes back for it."""
        page = page_of([entry.record for entry in chunk], url)
        self.objects.put(page_key(page), write_page(page))

    def send(self, entries: Sequence[AcceptedRecord], url: str, *, spread_s: float = 0.0) -> None:
        """Send the messages of calls that were entered.

        Args:
            entries: The calls.
            url: S3 URL of the capture object that they came in.
            spread_s: Each is delayed by its own share of that time.

        Raises:
            StoreError: If it must be tried again.
        """
        if not entries:
            return
        messages: list[OutMessage] = []
        for entry in entries:
            body = write_message(ReplayMessage(record=entry.record, object=url))
            delay_s = min(MAX_DELAY_S, int(self.draw() * spread_s))
            group = entry.record.target.name
            messages.append(OutMessage(body=body, group=group, delay_s=delay_s))
        self.replay_queue.send(messages)
        sent = Counter(entry.record.target.function for entry in entries)
        for target, count in sent.items():
            self.meter.count(metric.UNPACKED, count, target=target)
        _log.info("sent calls", extra={"object": url, "calls": len(messages)})

    def _is_due(self, row: Row, record: Record) -> bool:
        """Tell whether a call is to be sent whose row is there; note what its capture says of it."""
        is_another_try = record.captured_at != row.captured_at
        if is_another_try and record.outcome.kind is OutcomeKind.UNKNOWN:
            self.ledger.mark_may_have_run(row.id)
        if wants_reply(record):
            # Of one that has ended the replayer tells whoever asked for that.
            return True
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
            if is_taken_back(url):
                self.meter.count(metric.LOST_LINES, target=row.target)
            count_end(self.meter, row, LedgerEvent.DEAD_LETTER, self.clock())
        elif existing.letter_sent:
            self.meter.count(metric.DUPLICATES_SUPPRESSED, target=row.target)
            # Another capture of it may want its end elsewhere.
            self.letters.replies.tell(record)
            return
        self.letters.send(record, row, now=self.clock())

    def _row(self, record: Record, url: str) -> Row:
        token_digest = digest_of_token(record, self.keys)
        return new_row(record, url, self.clock(), self.retention_days, token_digest)


def _is_first(existing: Row | None, record: Record) -> bool:
    """Tell whether a line is the first of its call: a live call may have left a row for its own line."""
    if existing is None:
        return True
    is_left = existing.is_live and existing.state is State.WAITING
    return is_left and existing.captured_at == record.captured_at

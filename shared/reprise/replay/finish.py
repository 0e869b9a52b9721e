"""Carry out what an attempt concluded: tell the ledger first, then the queues, and count what it counts as.

In this order a crash in between repeats only the queues' part, which is harmless: a row that has ended
suppresses the message, and a dead letter that was not noted as sent is sent again. And the ledger's word is
what counts: a call has ended when its row says so, and once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, assert_never

import msgspec

from reprise import metric
from reprise.capturing.status import keep_result
from reprise.errors import StoreError
from reprise.events import NULL_PUBLISHER, EventPublisher
from reprise.instant import format_instant, parse_instant
from reprise.ledger import TERMINAL, LedgerEvent, State
from reprise.ports import OutMessage
from reprise.replay.attempt import NOT_ASKED
from reprise.replay.message import (
    LONGEST_DELAY_S,
    Ack,
    Disposition,
    Nack,
    PendingUpdate,
    ReplayMessage,
    with_settlement,
    write_message,
)
from reprise.replies import NULL_REPLIES, Replies
from reprise.retry.decision import DeadLetter, Decision, Done, RetryLater, WaitForGate

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.capturing.record import Record
    from reprise.dead_letter import LetterSender
    from reprise.gate.samples import Sample
    from reprise.ledger import Row
    from reprise.ports import Clock, KeySource, Lease, Ledger, Meter, Objects, Queue, Reply
    from reprise.replay.attempt import Attempt, Concluded
    from reprise.replay.settlements import Settlements

_log = logging.getLogger(__name__)


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


STORE_WAIT_S: Final = 30
"""Wait before a call is looked at again whose store was away."""
GATE_FLOOR_S: Final = 1.0
"""Shortest wait of a throttled call; its gate may know a longer one."""


class LedgerWrite(Enum):
    """Whether the ledger knows of an attempt's end."""

    YES = "yes"
    LEASE_LOST = "lease lost"
    OWED = "owed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finisher:
    """Ends attempts; safe to use from several threads."""

    ledger: Ledger
    settlements: Settlements
    objects: Objects
    replay_queue: Queue
    letters: LetterSender
    keys: KeySource
    """The pipeline's: they sign what the queue is to remember."""
    clock: Clock
    meter: Meter
    publisher: EventPublisher = NULL_PUBLISHER
    replies: Replies = NULL_REPLIES

    def finish(self, ended: Concluded) -> Disposition:
        """Carry out what was decided for a call that we hold.

        Raises:
            StoreError: If neither the ledger nor the queue takes the attempt's end. The lease then
                runs out, and the policy for unknown outcomes decides.
        """
        attempt, row, reply, sample = ended.attempt, ended.attempt.row, ended.reply, ended.sample
        changes = self._changes(row)
        if not row.due_at_ms and row.opened_at == row.captured_at:
            # A call in its backoff waits for no permit: it must not pass for one, and leaves once. What is
            # redriven left before, and nobody told its gate that it waits again.
            sample = replace(sample, has_left=_leaves(ended.decision))
        match ended.decision:
            case Done():
                if reply is not None:
                    changes |= keep_result(self.objects, attempt.record.id, reply)
                told = self._tell(attempt, LedgerEvent.SUCCEED, changes)
                if told is LedgerWrite.YES:
                    count_end(self.meter, row, LedgerEvent.SUCCEED, self.clock())
                    self.publisher.succeeded(attempt.record, row, self.clock())
                    return self.send_reply(attempt.message, sample)
                return _after_telling(told, Ack(sample=sample))
            case RetryLater(after_s=after_s, is_backoff=is_backoff):
                self.meter.count(metric.RETRIED, target=row.target)
                disposition = Nack(wait_s=after_s, sample=sample)
                changes["due_at_ms"] = self._in_ms(after_s) if is_backoff else row.due_at_ms
            case WaitForGate(floor_s=floor_s):
                self.meter.count(metric.WASTED_REPLAYS, target=row.target)
                wait_s = max(GATE_FLOOR_S, floor_s)
                sample = replace(sample, retry_after_s=floor_s)
                disposition = Nack(wait_s=wait_s, sample=sample)
                changes["due_at_ms"] = self._in_ms(floor_s) if floor_s else row.due_at_ms
            case DeadLetter(reason=reason, message=why):
                changes |= {"reason": reason.value, "message": why}
                row = replace(row, reason=reason.value, message=why)
                told = self._tell(attempt, LedgerEvent.DEAD_LETTER, changes)
                if told is not LedgerWrite.YES:
                    return _after_telling(told, Ack(sample=sample))
                count_end(self.meter, row, LedgerEvent.DEAD_LETTER, self.clock())
                return self.send_letter(
                    attempt.message, row, sample, reply.payload if reply else b""
                )
            case _:
                assert_never(ended.decision)
        return _after_telling(self._tell(attempt, LedgerEvent.WAIT, changes), disposition)

    def catch_up(self, message: ReplayMessage, owed: PendingUpdate) -> Disposition:
        """Tell the ledger what it could not be told at the time, then let the call go on.

        The call is queued even if the ledger knew already (only its answer was lost): its own message
        is gone, and one that comes too often is harmless.

        Raises:
            StoreError: If the ledger is still away.
        """
        ours = self.ledger.settle(
            message.record.id, owner=owed.owner, event=owed.event, changes=owed.changes
        )
        if ours:
            count_owed_end(self.meter, message.record, owed.event, owed.changes.get("reason"))
        if owed.event is LedgerEvent.SUCCEED:
            self.replies.tell(message.record)
        if not ours or owed.event is not LedgerEvent.SUCCEED:
            wait_s = owed.changes.get("due_at_ms", 0) / 1000 - self.clock().timestamp()
            delay_s = round(min(LONGEST_DELAY_S, max(0.0, wait_s)))
            self._queue(msgspec.structs.replace(message, settlement=None), delay_s)
        return Ack()

    def send_reply(self, message: ReplayMessage, sample: Sample = NOT_ASKED) -> Disposition:
        """Let a caller that asked for it know of its call's end, which the ledger knows."""
        try:
            self.replies.tell(message.record)
        except StoreError:
            _log.exception("reply could not be sent now", extra=about(message))
            return Nack(wait_s=STORE_WAIT_S, sample=sample)
        return Ack(sample=sample)

    def send_letter(
        self,
        message: ReplayMessage,
        row: Row,
        sample: Sample = NOT_ASKED,
        response: bytes = b"",
    ) -> Disposition:
        """Send the dead letter of a call whose row says that it was given up."""
        try:
            self.letters.send(message.record, row, now=self.clock(), response=response)
        except StoreError:
            _log.exception("dead letter could not be sent now", extra=about(message))
            return Nack(wait_s=STORE_WAIT_S, sample=sample)
        return Ack(sample=sample)

    def _in_ms(self, wait_s: float) -> int:
        return int((self.clock().timestamp() + wait_s) * 1000)

    def _changes(self, row: Row) -> dict[str, Any]:
        return {
            "attempts": row.attempts,
            "refusals": row.refusals,
            "first_refused_at": row.first_refused_at,
            "last_refused_at": row.last_refused_at,
            "history": msgspec.to_builtins(row.history),
            "captured_at": row.captured_at,
            "opened_at": row.opened_at,
            "updated_at": format_instant(self.clock()),
            # What a live call left undecided is decided by now; a settlement takes no attribute away.
            "claimed_by": "" if row.claimed_by else None,
        }

    def _tell(self, attempt: Attempt, event: LedgerEvent, changes: dict[str, Any]) -> LedgerWrite:
        """Write an attempt's end; if the ledger is away, the replay queue remembers it instead."""
        message, owner, call_id = attempt.message, attempt.owner, attempt.record.id
        try:
            ours = self.settlements.settle(call_id, owner=owner, event=event, changes=changes)
        except StoreError:
            _log.exception("ledger is away: the queue remembers", extra=about(message))
            self.meter.count(metric.STORE_FAULTS)
            settlement = PendingUpdate(owner=owner, event=event, changes=changes)
            owed = with_settlement(message, settlement, self.keys.keys())
            self._queue(owed, delay_s=STORE_WAIT_S)
            return LedgerWrite.OWED
        if not ours:
            _log.error("lease was lost before the attempt's end", extra=about(message))
        return LedgerWrite.YES if ours else LedgerWrite.LEASE_LOST

    def _queue(self, message: ReplayMessage, delay_s: int = 0) -> None:
        body = write_message(message)
        group = message.record.target.name
        self.replay_queue.send([OutMessage(body=body, group=group, delay_s=delay_s)])


def _leaves(decision: Decision) -> bool:
    """Tell whether a call waits for no permit of its gate after a decision."""
    match decision:
        case Done() | DeadLetter():
            return True
        case RetryLater(is_backoff=is_backoff):
            return is_backoff
        case WaitForGate(floor_s=floor_s):
            return floor_s > 0
        case _:
            assert_never(decision)


def _after_telling(told: LedgerWrite, disposition: Disposition) -> Disposition:
    """Return what becomes of the message, given what the ledger knows.

    What is owed travels in a message of its own, so this one has served. Where the lease was lost,
    another replayer works on what may be this very message: deleting it could lose the call.
    """
    match told:
        case LedgerWrite.YES:
            return disposition
        case LedgerWrite.OWED:
            return Ack(sample=disposition.sample)
        case LedgerWrite.LEASE_LOST:
            return Nack(wait_s=STORE_WAIT_S, sample=disposition.sample)
        case _:
            assert_never(told)


def about(message: ReplayMessage) -> dict[str, str]:
    """Return what every log line about a call names."""
    return {"call_id": message.record.id, "target": message.record.target.function}

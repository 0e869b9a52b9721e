"""Deliver late results, one message at a time: authentic, allowed, ended, and not delivered already.

At least once: a crash between a delivery and its note delivers again. What cannot be delivered is noted with
its reason, and its message goes to the add-on's dead-letter queue, from where SQS's own redrive brings it
back.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from reprise import metric
from reprise.call.reply_to import ReplyTo
from reprise.call.target import conflict_id
from reprise.capturing.status import read_result
from reprise.capturing.wait import has_ended
from reprise.errors import (
    BadRecordError,
    BadRequestError,
    ObjectMissingError,
    RepriseError,
    StoreError,
)
from reprise.instant import format_instant, parse_instant
from reprise.ledger import identity_of
from reprise.ports import OutMessage
from reprise.replies import read_reply
from reprise.reply_note import ReplyNote, name_of
from reprise_replies.document import end_record
from reprise_replies.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reprise.call.destinations import Destinations
    from reprise.capturing.record import Record
    from reprise.ledger import Row
    from reprise.ports import Clock, Draw, KeySource, Ledger, Meter, Objects, Queue
    from reprise.reply_note import ReplyNotes

_log = logging.getLogger(__name__)
MAX_AGE_S: Final = 6 * 3600
"""How long a delivery is tried, as Lambda tries asynchronous invocations."""
INITIAL_S: Final = 1.0
MAXIMUM_S: Final = 300.0
STORE_WAIT_S: Final = 10.0
"""Wait while ledger, keys or bucket are away."""


class Deliver(Protocol):
    """Delivers once."""

    def deliver(
        self, reply_to: ReplyTo, to: str, document: dict[str, Any], message_id: str
    ) -> None:
        """Deliver, or raise `DeliveryError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replier:
    """Delivers late results."""

    keys: KeySource
    """The pipeline's, which vouches for what it has checked."""
    ledger: Ledger
    objects: Objects
    bucket: str
    notes: ReplyNotes
    destinations: Destinations
    deliverer: Deliver
    dead_letters: Queue
    clock: Clock
    draw: Draw
    meter: Meter

    def run(self, body: str) -> float | None:
        """Deal with one message; return in how many seconds it must come again, None if it has served."""
        try:
            record = read_reply(body, self.keys.keys())
        except BadRecordError as error:
            _log.warning("reply is refused", extra={"reason": error.reason})
            return self._give_up(body, str(error))
        except RepriseError:
            _log.exception("keys cannot be had")
            return STORE_WAIT_S
        if not isinstance(record.reply_to, ReplyTo):
            return None
        try:
            return self._tell(body, record, record.reply_to)
        except StoreError:
            _log.exception("store is away", extra={"call_id": record.id})
            return STORE_WAIT_S
        except Exception as error:  # noqa: BLE001 - raised here it would hold up its whole batch, for days
            _log.exception("reply is not understood", extra={"call_id": record.id})
            return self._give_up(body, f"unforeseen: {type(error).__name__}")

    def _tell(self, body: str, record: Record, reply_to: ReplyTo) -> float | None:
        row = self._row(record)
        if row is None or not has_ended(row):
            # Redriven, or captured again: its next end is told by a message of its own.
            return None
        notes, name, now = self.notes.read(row.id), name_of(reply_to), self.clock()
        before = notes.get(name)
        if before is not None and before.end == row.updated_at and before.state == "delivered":
            return None
        if before is not None and (before.end != row.updated_at or before.state == "failed"):
            # What failed comes again by an operator's redrive, and has its time anew.
            before = None
        note = _note(reply_to, row, before, now)
        try:
            to = self.destinations.resolve(reply_to)
            document = end_record(record, row, self._result(row), self.bucket)
            self.deliverer.deliver(reply_to, to, document, _message_id(row, name))
        except BadRequestError as error:
            return self._failed(body, row, name, note, error.message)
        except DeliveryError as error:
            age_s = (now - parse_instant(note["first_at"])).total_seconds()
            if error.is_final or age_s >= MAX_AGE_S:
                return self._failed(body, row, name, note, error.reason)
            self.notes.write(row.id, name, ReplyNote(state="trying", reason=error.reason, **note))
            _log.warning("reply was not taken", extra={"call_id": row.id, "reason": error.reason})
            return backoff_s(note["tries"], self.draw())
        self._note_end(row, name, ReplyNote(state="delivered", **note))
        self.meter.count(metric.REPLIES_DELIVERED)
        return None

    def _row(self, record: Record) -> Row | None:
        """Return the row of a record's own call: its id may name a call with another payload."""
        row = self.ledger.get(record.id)
        if row is None or row.identity == identity_of(record):
            return row
        if row.original_sha256 == record.payload.sha256:
            return row
        return self.ledger.get(conflict_id(record.id, record.payload.sha256))

    def _result(self, row: Row) -> bytes | None:
        try:
            return read_result(self.objects, self.bucket, row)
        except ObjectMissingError:
            return None

    def _failed(
        self, body: str, row: Row, name: str, note: Mapping[str, Any], reason: str
    ) -> float | None:
        """Give a delivery up: first its letter, so that what is noted as failed can be found."""
        wait_s = self._give_up(body, reason)
        if wait_s is None:
            self._note_end(row, name, ReplyNote(state="failed", reason=reason, **note))
        return wait_s

    def _note_end(self, row: Row, name: str, note: ReplyNote) -> None:
        """Note how a delivery ended; one that were tried again for want of a note would be without end."""
        try:
            self.notes.write(row.id, name, note)
        except StoreError:
            _log.exception("delivery could not be noted", extra={"call_id": row.id})

    def _give_up(self, body: str, reason: str) -> float | None:
        try:
            self.dead_letters.send([OutMessage(body=body, attributes={"reason": reason})])
        except StoreError:
            _log.exception("dead letter could not be sent now")
            return STORE_WAIT_S
        self.meter.count(metric.REPLIES_FAILED)
        return None


def backoff_s(tries: int, draw: float) -> float:
    """Return the wait after a try that failed: `draw * min(maximum, initial * 2^(tries-1))`.

    Source: Full Jitter, AWS Architecture Blog, "Exponential Backoff And Jitter".
    """
    # 2^30 seconds is beyond any maximum, and far from overflow.
    return draw * min(MAXIMUM_S, INITIAL_S * 2.0 ** min(tries - 1, 30))


def _note(reply_to: ReplyTo, row: Row, before: ReplyNote | None, now: datetime) -> dict[str, Any]:
    at = format_instant(now)
    return {
        "to": shown(reply_to),
        "end": row.updated_at,
        "first_at": at if before is None else before.first_at,
        "at": at,
        "tries": 1 if before is None else before.tries + 1,
    }


def shown(reply_to: ReplyTo) -> str:
    """Return where a reply goes as people may see it: no token, and of an address only the host."""
    kind, value = reply_to.said()
    match kind:
        case "queue":
            return str(value)
        case "webhook":
            with suppress(ValueError):
                parts = urlsplit(str(value))
                return f"{parts.scheme}://{parts.hostname}/..."
            return kind
        case _:
            return kind


def _message_id(row: Row, name: str) -> str:
    """Return the name of a delivery: whoever gets it twice knows it by that."""
    text = f"{row.id}\n{row.updated_at}\n{name}"
    return f"msg_{hashlib.sha256(text.encode()).hexdigest()[:32]}"

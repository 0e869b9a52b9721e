"""Unpack capture objects: read, authenticate, enter in the ledger, send one message per call."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.batch.event import EVENTS_PREFIX, read_event
from reprise.errors import BadRecordError
from reprise.instant import format_instant
from reprise.ledger.row import Row
from reprise.ledger.states import TERMINAL, State
from reprise.ports import OutMessage
from reprise.reader import Control, Damage, Event, Foreign, Item, read_events
from reprise.record.line import Trusted, read_line
from reprise.record.record import EVENT_NAME, Record
from reprise.stage.message import ReplayMessage, write_message
from reprise.stage.notification import ObjectRef, write_continuation
from reprise.stage.quarantine import Quarantine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reprise.ports import Clock, KeySource, Ledger, Meter, Objects, Queue

_log = logging.getLogger(__name__)

CHUNK: Final = 100
"""Calls entered and sent together; bounds memory and what a crash makes us repeat."""
LEDGER_THREADS: Final = 16
_RESERVE_MS: Final = 20_000
"""Time kept to finish a chunk and hand the rest over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackStage:
    """Unpacks capture objects."""

    objects: Objects
    keys: KeySource
    ledger: Ledger
    replay_queue: Queue
    capture_queue: Queue
    clock: Clock
    meter: Meter
    targets: tuple[str, ...]
    log_groups: frozenset[str]
    account_id: str
    retention_days: int
    batch_jobs: tuple[str, ...] = ()
    """Job definitions whose failed jobs are submitted again."""

    def run(self, ref: ObjectRef, remaining_ms: Callable[[], int]) -> None:
        """Unpack one object, or as much of it as time allows; a continuation carries the rest.

        Reading an object again is harmless: calls are told apart by their ids.

        Raises:
            ObjectMissingError, ObjectDeniedError, StoreError: If it must be tried again.
            SettingsError: If the MAC secret is malformed.
        """
        trusted = Trusted(
            keys=self.keys.keys(),
            targets=(*self.targets, *self.batch_jobs),
            is_event_object=ref.key.startswith(EVENTS_PREFIX),
        )
        quarantine = Quarantine(ref.url, self.objects, self.meter)
        chunk: list[tuple[int, Record]] = []
        stream = self.objects.stream(ref.bucket, ref.key, ref.version_id)
        for position, item in self._items(stream, ref.skip):
            record = self._accept(position, item, trusted, quarantine)
            if record is not None:
                chunk.append((position, record))
            if len(chunk) >= CHUNK:
                self._enter_and_send(chunk, ref, quarantine)
                chunk.clear()
                if remaining_ms() < _RESERVE_MS:
                    quarantine.flush()
                    rest = write_continuation(replace(ref, skip=position + 1))
                    self.capture_queue.send([OutMessage(body=rest)])
                    return
        self._enter_and_send(chunk, ref, quarantine)
        quarantine.flush()

    @staticmethod
    def _items(stream: Iterator[bytes], skip: int) -> Iterator[tuple[int, Item]]:
        for position, item in enumerate(read_events(stream)):
            if position >= skip:
                yield position, item

    def _accept(
        self, position: int, item: Item, trusted: Trusted, quarantine: Quarantine
    ) -> Record | None:
        """Return the record of an item that may be replayed; put what may not be in quarantine."""
        match item:
            case Control():
                self.meter.count(metric.CONTROL_MESSAGES)
            case Foreign(text=text) if trusted.is_event_object:
                return self._accept_event(position, text, quarantine)
            case Foreign(text=text) if EVENT_NAME in text:
                why = "a capture line without its envelope: turn off Firehose's message extraction"
                quarantine.add(position, "no_envelope", why, text.encode("utf-8", "surrogatepass"))
            case Foreign():
                self.meter.count(metric.FOREIGN_LINES)
            case Damage(offset=offset, reason=reason, data=data):
                # By position, as all else: a part is named by its first entry, and must not meet another.
                quarantine.add(position, "damaged", f"{reason}, at byte {offset}", data)
            case Event(message=message):
                try:
                    self._check_origin(item)
                    record = read_line(message, trusted)
                except BadRecordError as error:
                    data = message.encode("utf-8", "surrogatepass")
                    quarantine.add(position, error.reason, error.message, data)
                    return None
                if record is None:
                    self.meter.count(metric.FOREIGN_LINES)
                return record
        return None

    def _accept_event(self, position: int, text: str, quarantine: Quarantine) -> Record | None:
        """Return the record of a failed batch job; where the object lies vouches for it (ADR 0014)."""
        try:
            record = read_event(text, self.account_id, self.batch_jobs)
        except BadRecordError as error:
            data = text.encode("utf-8", "surrogatepass")
            quarantine.add(position, error.reason, error.message, data)
            return None
        if record is None:
            self.meter.count(metric.FOREIGN_LINES)
        return record

    def _check_origin(self, event: Event) -> None:
        """Accept events of our account's capture log groups only.

        Raises:
            BadRecordError: `account_not_allowed` or `log_group_not_allowed`.
        """
        if event.owner != self.account_id:
            raise BadRecordError("account_not_allowed", f"owner is {event.owner!r}")
        if event.log_group not in self.log_groups:
            raise BadRecordError(
                "log_group_not_allowed",
                f"{event.log_group!r} is no log group of this stack: see ExtraLogGroups",
            )

    def _enter_and_send(
        self, chunk: list[tuple[int, Record]], ref: ObjectRef, quarantine: Quarantine
    ) -> None:
        """Enter calls in the ledger, then send those that have not ended.

        In this order a crash can repeat a message, which the ledger makes harmless; the other way
        round a message could arrive before its row.
        """
        if not chunk:
            return
        with ThreadPoolExecutor(max_workers=min(LEDGER_THREADS, len(chunk))) as pool:
            found = list(
                pool.map(lambda entry: self.ledger.record(self._row(entry[1], ref)), chunk)
            )
        messages: list[OutMessage] = []
        for (position, record), existing in zip(chunk, found, strict=True):
            if existing is not None and _is_other_call(existing, record):
                quarantine.add(
                    position,
                    "id_conflict",
                    f"id {record.id!r} already names another payload or target",
                    write_message(ReplayMessage(record=record, object=ref.url)).encode(),
                )
            elif existing is not None and existing.state in TERMINAL:
                self.meter.count(metric.DUPLICATES_SUPPRESSED)
            else:
                body = write_message(ReplayMessage(record=record, object=ref.url))
                messages.append(OutMessage(body=body, group=record.target.name))
        if messages:
            self.replay_queue.send(messages)
            self.meter.count(metric.UNPACKED, len(messages))
        _log.info(
            "unpacked calls", extra={"object": ref.url, "read": len(chunk), "sent": len(messages)}
        )

    def _row(self, record: Record, ref: ObjectRef) -> Row:
        return new_row(record, ref.url, self.clock, self.retention_days)


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
        capture_object=url,
        expires_at_s=int((now + timedelta(days=retention_days)).timestamp()),
    )


def _is_other_call(existing: Row, record: Record) -> bool:
    return existing.sha256 != record.payload.sha256 or existing.target != record.target.function

"""Take in a batch of the capture queue: unpack, let folded objects wait, keep what cannot be unpacked.

A folded object waits by visibility, which costs least, and so does one whose services are away. Every so
often such a message is sent afresh, so that neither the queue's receive count nor its retention ends a wait.

A message may be a poison pill: one that ends the process that deals with it. Such a process reports nothing:
SQS hands all messages of its batch over again, and their receive counts are the only trace. Every other
message is answered, and sent afresh before its count gets high. So a high count says that a message ends
processes, by time or memory, or was in a batch with one that does; dealt with alone, it shows which.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.errors import (
    BadRecordError,
    ObjectDeniedError,
    ObjectMissingError,
    SettingsError,
    StoreError,
)
from reprise.monitor.reconcile import MARK_S
from reprise.ports import OutMessage
from reprise.quarantine import Quarantine
from reprise.retry.backoff import backoff_s
from reprise.unpack.defer import slot_wait_s
from reprise.unpack.notification import read_notification

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reprise.ports import Clock, Marks, Meter, Objects, Queue
    from reprise.unpack.notification import NoticeReader, ObjectRef
    from reprise.unpack.unpacker import Unpacker

_log = logging.getLogger(__name__)
RENEW_RECEIVES: Final = 20
"""Receives after which a message that waits is sent afresh; the queue allows fifty."""
MAX_POISON_RECEIVES: Final = 30
"""Receives after which a message that was dealt with alone is given up."""
APART_S: Final = 60.0
"""Time between those of one batch that may be poison, so that they do not come together again."""


def find_poison(receive_counts: Sequence[int]) -> int | None:
    """Return the index of the one message of a batch to deal with, or None if all can be.

    Of several that may be poison it is that with the fewest receives: the innocent ones end, and the count
    of the others goes on to grow.
    """
    found = [index for index, count in enumerate(receive_counts) if count > RENEW_RECEIVES]
    return min(found, key=lambda index: receive_counts[index]) if found else None


def waits_behind(receive_counts: Sequence[int], chosen: int) -> dict[int, float]:
    """Return the seconds that the other messages of a batch wait, by index."""
    waits_s: dict[int, float] = {}
    behind = 0
    for index, count in enumerate(receive_counts):
        if index != chosen:
            behind += count > RENEW_RECEIVES
            waits_s[index] = APART_S * behind if count > RENEW_RECEIVES else 0.0
    return waits_s


MAX_RECEIVES: Final = 6
"""Looks at an object that is itself at fault before it is given up: about five minutes.

A service that is away is not the object's fault, and never gives it up. SQS's redrive tells no reason;
ours does.
"""
_INITIAL_S: Final = 10.0
_MAXIMUM_S: Final = 300.0
_AWAY_S: Final = 60.0
"""Longest wait for a service that is away: what was received often for its waits must not wait for that."""
_MIN_START_MS: Final = 60_000
"""Time that a look needs to be worth a beginning: more than is kept to hand over."""
_ENDS_PROCESSES: Final = (
    f"not read in {MAX_POISON_RECEIVES} receives: each ended the unpacker, out of time or memory. Look at it"
    " with `reprise read --stats`; give the unpacker more memory, then redrive its message"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message as SQS handed it over."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    """Times that SQS has handed this message over, this one included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureConsumer:
    """Deals with batches of the capture queue."""

    unpacker: Unpacker
    reader: NoticeReader
    objects: Objects
    queue: Queue
    dead_letters: Queue
    marks: Marks
    clock: Clock
    meter: Meter

    def run(self, notices: Sequence[Notice], remaining_ms: Callable[[], int]) -> list[str]:
        """Unpack the objects of a batch, and return the ids of the messages that must come again.

        Never raises for what is in a batch: one bad object does not hold up the others.
        """
        counts = [notice.receive_count for notice in notices]
        alone = find_poison(counts)
        if alone is None:
            return self._give_back(notices, [self._take(each, remaining_ms) for each in notices])
        # At once: if it ends this process, nobody gives anything back.
        waits_s = waits_behind(counts, alone)
        others = [notices[index] for index in waits_s]
        again = self._give_back(others, list(waits_s.values()))
        one = notices[alone]
        return again + self._give_back([one], [self._take_alone(one, remaining_ms)])

    def _give_back(self, notices: Sequence[Notice], waits_s: Sequence[float | None]) -> list[str]:
        """Let messages come again after their waits; None says that one has served."""
        again = [
            (notice, wait_s)
            for notice, wait_s in zip(notices, waits_s, strict=True)
            if wait_s is not None
        ]
        self.queue.give_back({notice.receipt_handle: wait_s for notice, wait_s in again})
        return [notice.message_id for notice, _ in again]

    def _take_alone(self, notice: Notice, remaining_ms: Callable[[], int]) -> float | None:
        """Deal with a message that may end this process, unless it has done so too often."""
        if notice.receive_count <= MAX_POISON_RECEIVES:
            _log.warning("object is dealt with alone", extra=_about(notice))
            return self._take(notice, remaining_ms)
        self.meter.count(metric.OBJECTS_FAILED)
        return self._give_up(notice, _ENDS_PROCESSES, _MAXIMUM_S)

    def _take(self, notice: Notice, remaining_ms: Callable[[], int]) -> float | None:
        """Return None if a message has served, else when it is to come again."""
        if remaining_ms() < _MIN_START_MS:
            return self._wait(notice, 0.0)
        try:
            return self._unpack(notice, remaining_ms)
        except BadRecordError as error:
            return self._keep(notice, error)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not lose an object
            return self._again_or_give_up(notice, error)

    def _unpack(self, notice: Notice, remaining_ms: Callable[[], int]) -> float | None:
        """Return None if the message has served, else when it is to come again."""
        for ref in self.reader.read(notice.body):
            if ref.fold is None and not ref.skip:
                self._mark(ref)
            wait_s = self.unpacker.run(ref, remaining_ms)
            if wait_s is None:
                continue
            # The message of a folded object names no other object.
            if notice.receive_count < RENEW_RECEIVES:
                return slot_wait_s(wait_s, self.clock().timestamp())
            self.unpacker.deferrer.send(ref, wait_s)
        return None

    def _mark(self, ref: ObjectRef) -> None:
        """Note that an object's notification came: from here on its message answers for it."""
        try:
            self.marks.put(ref.url, self.clock().timestamp() + MARK_S)
        except StoreError:
            # Then the reconciler sends it once more, which is harmless.
            _log.warning("object was not marked", extra={"object": ref.url}, exc_info=True)
            self.meter.count(metric.STORE_FAULTS)

    def _keep(self, notice: Notice, error: BadRecordError) -> float | None:
        """Put a message in quarantine that is no notification, or no authentic one."""
        quarantine = Quarantine(f"capture-queue/{notice.message_id}", self.objects, self.meter)
        try:
            quarantine.add(0, error.reason, error.message, notice.body.encode())
            quarantine.flush()
        except StoreError as away:
            return self._again_or_give_up(notice, away)
        return None

    def _again_or_give_up(self, notice: Notice, error: Exception) -> float | None:
        _log.error("object was not unpacked", extra=_about(notice), exc_info=error)
        self.meter.count(metric.OBJECTS_FAILED)
        looks, is_outage = notice.receive_count, _is_outage(error)
        wait_s = backoff_s(
            min(looks, MAX_RECEIVES),
            initial_interval_s=_INITIAL_S,
            maximum_interval_s=_AWAY_S if is_outage else _MAXIMUM_S,
            backoff_coefficient=2.0,
            draw=1.0,
        )
        if looks < MAX_RECEIVES or is_outage:
            return self._wait(notice, wait_s)
        return self._give_up(notice, f"{type(error).__name__}: {error}"[:1024], wait_s)

    def _wait(self, notice: Notice, wait_s: float) -> float | None:
        """Let a message come again, after many receives as a new one: SQS must not end its wait."""
        if notice.receive_count < RENEW_RECEIVES:
            return wait_s
        try:
            self.queue.send(
                [OutMessage(body=notice.body, group=_group(notice), delay_s=int(wait_s))]
            )
        except StoreError:
            _log.exception("the capture queue is away: the object comes again as it is")
            return wait_s
        return None

    def _give_up(self, notice: Notice, reason: str, wait_s: float) -> float | None:
        try:
            if not self._excuse(notice, wait_s):
                self.dead_letters.send(
                    [OutMessage(body=notice.body, attributes={"reason": reason})]
                )
        except (StoreError, SettingsError):
            _log.exception("a queue or a key is away: the object comes again")
            return wait_s
        return None

    def _excuse(self, notice: Notice, wait_s: float) -> bool:
        """Send a folded object's message afresh: it was received for its waits, not for its faults."""
        try:
            (ref,) = self.reader.read(notice.body)
        except (BadRecordError, ValueError):
            return False
        if ref.fold is None or ref.fold.faults >= MAX_RECEIVES:
            return False
        fold = replace(ref.fold, faults=ref.fold.faults + 1)
        self.unpacker.deferrer.send(replace(ref, fold=fold), wait_s)
        return True


def _group(notice: Notice) -> str | None:
    """Return the group of a message, as it stands there."""
    try:
        (ref,) = read_notification(notice.body)
    except (BadRecordError, ValueError):
        return None
    return ref.group


def _about(notice: Notice) -> dict[str, object]:
    """Return what a log line on a message may name: a body that names no object may be anything."""
    try:
        urls = [ref.url for ref in read_notification(notice.body)]
    except (BadRecordError, ValueError):
        urls = []
    return {"message_id": notice.message_id, "objects": urls}


def _is_outage(error: Exception) -> bool:
    """Tell a service that is away from an object that is gone, forbidden, or breaks us."""
    return isinstance(error, StoreError) and not isinstance(
        error, ObjectMissingError | ObjectDeniedError
    )

"""Take in a batch of S3 notifications, and keep with its reason what cannot be unpacked."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.errors import BadRecordError, ObjectDeniedError, ObjectMissingError, StoreError
from reprise.policy.backoff import backoff_s
from reprise.ports import OutMessage
from reprise.stage.notification import read_notification
from reprise.stage.quarantine import Quarantine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reprise.ports import Meter, Objects, Queue
    from reprise.stage.unpack import UnpackStage

_log = logging.getLogger(__name__)

MAX_RECEIVES: Final = 6
"""Looks at an object that is itself at fault before it is given up: about five minutes.

A service that is away is not the object's fault: then only the queue's own maxReceiveCount, hours
later, gives it up. SQS's redrive tells no reason; ours does.
"""
_INITIAL_S: Final = 10.0
_MAXIMUM_S: Final = 300.0
_MIN_START_MS: Final = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message as SQS handed it over."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    """Times that SQS has handed this message over, this one included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Deals with batches of the capture queue."""

    stage: UnpackStage
    objects: Objects
    queue: Queue
    dead_letters: Queue
    meter: Meter

    def run(self, notices: Sequence[Notice], remaining_ms: Callable[[], int]) -> list[str]:
        """Unpack the objects of a batch, and return the ids of the messages that must come again.

        Never raises for what is in a batch: one bad object does not hold up the others.
        """
        waits_s: dict[str, float] = {}
        handles: dict[str, str] = {}
        for notice in notices:
            handles[notice.message_id] = notice.receipt_handle
            if remaining_ms() < _MIN_START_MS:
                waits_s[notice.message_id] = 0.0
                continue
            try:
                self._unpack(notice, remaining_ms)
            except BadRecordError as error:
                self._keep(notice, error, waits_s)
            except Exception as error:  # noqa: BLE001 - a defect of ours must not lose an object
                self._again_or_give_up(notice, error, waits_s)
        self.queue.give_back({handles[name]: wait_s for name, wait_s in waits_s.items()})
        return list(waits_s)

    def _unpack(self, notice: Notice, remaining_ms: Callable[[], int]) -> None:
        for ref in read_notification(notice.body):
            self.stage.run(ref, remaining_ms)

    def _keep(self, notice: Notice, error: BadRecordError, waits_s: dict[str, float]) -> None:
        """Put a message that is no notification in quarantine."""
        quarantine = Quarantine(f"capture-queue/{notice.message_id}", self.objects, self.meter)
        try:
            quarantine.add(0, error.reason, error.message, notice.body.encode())
            quarantine.flush()
        except StoreError as away:
            self._again_or_give_up(notice, away, waits_s)

    def _again_or_give_up(
        self, notice: Notice, error: Exception, waits_s: dict[str, float]
    ) -> None:
        _log.error("object was not unpacked", extra={"body": notice.body[:1024]}, exc_info=error)
        self.meter.count(metric.OBJECTS_FAILED)
        if notice.receive_count >= MAX_RECEIVES and not _is_outage(error):
            reason = f"{type(error).__name__}: {error}"[:1024]
            letter = OutMessage(body=notice.body, attributes={"reason": reason})
            try:
                self.dead_letters.send([letter])
            except StoreError:
                _log.exception("capture queue's dead-letter queue is away")
            else:
                return
        waits_s[notice.message_id] = backoff_s(
            min(notice.receive_count, MAX_RECEIVES),
            initial_s=_INITIAL_S,
            maximum_s=_MAXIMUM_S,
            coefficient=2.0,
            draw=1.0,
        )


def _is_outage(error: Exception) -> bool:
    """Tell a service that is away from an object that is gone, forbidden, or breaks us."""
    return isinstance(error, StoreError) and not isinstance(
        error, ObjectMissingError | ObjectDeniedError
    )

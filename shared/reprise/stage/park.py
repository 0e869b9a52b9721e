"""Leave records folded: in the object that they came in, or in a parked object of their own."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise import metric
from reprise.backlog.parked import parked_body, parked_key
from reprise.backlog.slot import slot_wait_s
from reprise.instant import format_instant
from reprise.ports import OutMessage
from reprise.stage.enter import MAX_DELAY_S
from reprise.stage.notification import Fold, ObjectRef, write_continuation

if TYPE_CHECKING:
    from reprise.backlog.part import Part
    from reprise.ports import Clock, KeySource, Meter, Objects, Queue

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkStage:
    """Folds parts of objects: one object and one queue message each."""

    objects: Objects
    capture_queue: Queue
    keys: KeySource
    """The pipeline's."""
    clock: Clock
    meter: Meter

    def fold(self, part: Part, ref: ObjectRef, *, delay_s: float, is_counted: bool) -> None:
        """Leave an object as it is, whose records are all of one part.

        Raises:
            StoreError: If the queue does not take the message.
        """
        self.send(
            ObjectRef(
                bucket=ref.bucket,
                key=ref.key,
                version_id=ref.version_id,
                skip=part.start,
                fold=self._fold(part, ref, is_counted=is_counted),
            ),
            delay_s,
        )
        self.meter.count(metric.OBJECTS_FOLDED)

    def park(self, part: Part, ref: ObjectRef, *, delay_s: float, is_counted: bool) -> None:
        """Keep a part as an object of its own, then send the message that names it.

        In this order a crash leaves an object that nobody names, which the next run writes again.
        It is not counted if nobody has asked the target's gate about all of it yet.

        Raises:
            StoreError: If the object is not kept or the queue does not take the message.
        """
        key = parked_key(ref.url, ref.version_id, part)
        kept = self.objects.put(key, parked_body(part))
        self.send(
            ObjectRef(
                bucket=kept.bucket,
                key=kept.key,
                version_id=kept.version_id,
                fold=self._fold(part, ref, is_counted=is_counted),
            ),
            delay_s,
        )
        self.meter.count(metric.OBJECTS_PARKED)
        _log.info(
            "parked records",
            extra={"object": ref.url, "target": part.function, "records": len(part.entries)},
        )

    def send(self, ref: ObjectRef, delay_s: float = 0.0) -> None:
        """Send the message of an object that goes on, to come after a delay of at most 900 seconds.

        Raises:
            StoreError: If the queue does not take it, or the key to sign it with cannot be had.
        """
        body = write_continuation(ref, self.keys.keys())
        wait_s = slot_wait_s(delay_s, self.clock().timestamp(), longest_s=MAX_DELAY_S)
        self.capture_queue.send([OutMessage(body=body, group=ref.group, delay_s=int(wait_s))])

    def _fold(self, part: Part, ref: ObjectRef, *, is_counted: bool) -> Fold:
        return Fold(
            function=part.function,
            records=len(part.entries),
            since=format_instant(self.clock()),
            source=ref.source,
            is_counted=is_counted,
        )

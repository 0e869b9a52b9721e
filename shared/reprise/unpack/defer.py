"""Leave records folded: in the object that they came in, or in a parked object of their own.

A parked object is a part of a capture object, by itself, as CloudWatch Logs would have sent it. It is read
like any capture object, and trusted no more than one: every line keeps its bytes, and so its MAC, and travels
in an envelope of the account and log group that it came from.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from reprise import metric
from reprise.instant import format_instant
from reprise.ports import OutMessage
from reprise.unpack.enqueue import MAX_DELAY_S
from reprise.unpack.notification import Fold, ObjectRef, write_continuation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reprise.ports import Clock, KeySource, Meter, Objects, Queue
    from reprise.unpack.validate import AcceptedRecord, TargetBatch

_log = logging.getLogger(__name__)
SLOTS_S: Final = (120, 60, 15, 5)
"""A wait ends at a multiple of the longest of these that is no more than a quarter of it."""
_SHARE: Final = 0.25


def slot_wait_s(wait_s: float, now_s: float, *, longest_s: float = math.inf) -> float:
    """Return a wait moved to the end of its slot, or to its start if the end is too late.

    Args:
        wait_s: Seconds to wait.
        now_s: The present, in seconds since the epoch.
        longest_s: Longest wait that may be returned.
    """
    slot_s = next((slot_s for slot_s in SLOTS_S if slot_s <= wait_s * _SHARE), None)
    if slot_s is None:
        return min(wait_s, longest_s)
    slots = math.ceil((now_s + wait_s) / slot_s)
    while slots * slot_s - now_s > longest_s:
        slots -= 1
    return max(0.0, slots * slot_s - now_s)


PREFIX: Final = "parked/"
_ENVELOPE_EVENTS: Final = 100
_ENVELOPE_BYTES: Final = 1024 * 1024
"""About what CloudWatch Logs puts in one payload; far below what a reader takes for damage."""
_LEVEL: Final = 6


def parked_key(source: str, version_id: str | None, part: TargetBatch) -> str:
    """Return where a part is parked: the same place whenever the same object is read again.

    Args:
        source: S3 URL of the capture object.
        version_id: Its version; an object that was written again holds other records.
        part: The part.
    """
    name = part.function.rpartition(":")[2]
    identity = json.dumps([source, version_id, part.function])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return f"{PREFIX}{name}/{digest}/{part.start:012d}.gz"


def parked_body(part: TargetBatch) -> bytes:
    """Return a part as one gzip member of envelopes; the same part gives the same bytes."""
    text = "".join(
        _envelope(events)
        for _, run in groupby(part.entries, key=_origin)
        for events in _envelopes(run)
    )
    # No time of writing in the header, so that a part that is parked again is the same object.
    return gzip.compress(text.encode(), _LEVEL, mtime=0)


def _origin(entry: AcceptedRecord) -> tuple[str, str, str]:
    return entry.event.owner, entry.event.log_group, entry.event.log_stream


def _envelopes(run: Iterable[AcceptedRecord]) -> Iterable[list[AcceptedRecord]]:
    """Cut a run of events of one origin into envelopes."""
    events: list[AcceptedRecord] = []
    size_bytes = 0
    for entry in run:
        if events and (len(events) == _ENVELOPE_EVENTS or size_bytes > _ENVELOPE_BYTES):
            yield events
            events, size_bytes = [], 0
        events.append(entry)
        size_bytes += len(entry.event.message)
    yield events


def _envelope(entries: Sequence[AcceptedRecord]) -> str:
    owner, log_group, log_stream = _origin(entries[0])
    document: dict[str, Any] = {
        "messageType": "DATA_MESSAGE",
        "owner": owner,
        "logGroup": log_group,
        "logStream": log_stream,
        "subscriptionFilters": [],
        "logEvents": [
            {
                "id": entry.event.id,
                "timestamp": entry.event.timestamp_ms,
                "message": entry.event.message,
            }
            for entry in entries
        ],
    }
    # ASCII: even a lone surrogate of a foreign tool survives as the escape that it was.
    return json.dumps(document, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferrer:
    """Folds parts of objects: one object and one queue message each."""

    objects: Objects
    capture_queue: Queue
    keys: KeySource
    """The pipeline's."""
    clock: Clock
    meter: Meter

    def fold(self, part: TargetBatch, ref: ObjectRef, *, delay_s: float, is_counted: bool) -> None:
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

    def park(self, part: TargetBatch, ref: ObjectRef, *, delay_s: float, is_counted: bool) -> None:
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

    def _fold(self, part: TargetBatch, ref: ObjectRef, *, is_counted: bool) -> Fold:
        return Fold(
            function=part.function,
            records=len(part.entries),
            since=format_instant(self.clock()),
            source=ref.source,
            is_counted=is_counted,
        )

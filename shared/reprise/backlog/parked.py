"""Write a parked object: a part of a capture object, by itself, as CloudWatch Logs would have sent it.

It is read like any capture object, and trusted no more than one: every line keeps its bytes, and so
its MAC, and travels in an envelope of the account and log group that it came from.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reprise.backlog.part import Entry, Part

PREFIX: Final = "parked/"
_ENVELOPE_EVENTS: Final = 100
_ENVELOPE_BYTES: Final = 1024 * 1024
"""About what CloudWatch Logs puts in one payload; far below what a reader takes for damage."""
_LEVEL: Final = 6


def parked_key(source: str, version_id: str | None, part: Part) -> str:
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


def parked_body(part: Part) -> bytes:
    """Return a part as one gzip member of envelopes; the same part gives the same bytes."""
    text = "".join(
        _envelope(events)
        for _, run in groupby(part.entries, key=_origin)
        for events in _envelopes(run)
    )
    # No time of writing in the header, so that a part that is parked again is the same object.
    return gzip.compress(text.encode(), _LEVEL, mtime=0)


def _origin(entry: Entry) -> tuple[str, str, str]:
    return entry.event.owner, entry.event.log_group, entry.event.log_stream


def _envelopes(run: Iterable[Entry]) -> Iterable[list[Entry]]:
    """Cut a run of events of one origin into envelopes."""
    events: list[Entry] = []
    size_bytes = 0
    for entry in run:
        if events and (len(events) == _ENVELOPE_EVENTS or size_bytes > _ENVELOPE_BYTES):
            yield events
            events, size_bytes = [], 0
        events.append(entry)
        size_bytes += len(entry.event.message)
    yield events


def _envelope(entries: Sequence[Entry]) -> str:
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

"""What a capture object holds, item by item."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False):
    """One log event, with the origin that its envelope states."""

    owner: str
    """Account that the log group belongs to."""
    log_group: str
    log_stream: str
    id: str
    timestamp_ms: int
    message: str


class Control(msgspec.Struct, frozen=True):
    """A health check of CloudWatch Logs; carries nothing."""


class Foreign(msgspec.Struct, frozen=True):
    """A message without its envelope: extracted by Firehose, or a line of somebody else's."""

    text: str


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that could not be read; they belong in quarantine."""

    offset: int
    """Where they start: in the object, or below a gzip layer in what the member inflates to."""
    length: int
    """How many there are; 0 where bytes are missing."""
    reason: str
    data: bytes
    layer: int = 0
    """Gzip layers that are undone above these bytes."""
    member_at: int | None = None
    """Where in the object the gzip member starts that holds them; None in the object itself."""

    @property
    def place(self) -> str:
        """Return where this is, for people."""
        if self.member_at is None:
            return f"at byte {self.offset}"
        return f"at byte {self.offset} of what the gzip member at byte {self.member_at} holds"


Item = Event | Control | Foreign | Damage
Batch = Iterable[Item]
"""What is found at once, such as the events of an envelope: handed on whole, since it is faster."""

"""What a capture object holds, item by item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where the events of one envelope come from, as it states."""

    owner: str = ""
    """Account that the log group belongs to."""
    log_group: str = ""
    log_stream: str = ""


UNKNOWN: Final = Origin()


# "origin" is no key of the JSON: its name has a blank in front, and what stands there is overwritten.
class Event(msgspec.Struct, gc=False, rename={"timestamp_ms": "timestamp", "origin": " origin"}):
    """One log event; decoded from the envelope as it is, its `extractedFields` left alone."""

    message: str
    id: str = ""
    timestamp_ms: int = 0
    origin: Origin = UNKNOWN

    @property
    def owner(self) -> str:
        """Return the account that the log group belongs to."""
        return self.origin.owner

    @property
    def log_group(self) -> str:
        """Return the log group that the envelope names."""
        return self.origin.log_group

    @property
    def log_stream(self) -> str:
        """Return the log stream that the envelope names."""
        return self.origin.log_stream


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
            # Below base64 no member of the object's own holds them.
            return f"at byte {self.offset}" + (f" of layer {self.layer}" if self.layer else "")
        return f"at byte {self.offset} of what the gzip member at byte {self.member_at} holds"


Item = Event | Control | Foreign | Damage
Items = Sequence[Item]
Batch = Iterable[Item]
"""What is found at once, such as the events of an envelope: handed on whole, since it is faster."""

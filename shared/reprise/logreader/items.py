"""What a capture object holds, item by item, and the account of its bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

MAX_TOTAL_BYTES: Final = 1024 * 1024 * 1024
MAX_TOTAL_RATIO: Final = 200
"""An object that inflates beyond both is a bomb of many members; the rest of it is not inflated."""


class LayerAccount(msgspec.Struct):
    """The bytes of one layer: the object's own, or what its members inflate to."""

    bytes_in: int = 0
    member_bytes: int = 0
    """In gzip members that were inflated."""
    text_bytes: int = 0
    """In documents and lines that were read."""
    blank_bytes: int = 0
    """Between them: newlines, zeros, byte-order marks."""
    damaged_bytes: int = 0
    members: int = 0
    wasted_bytes: int = 0
    """Inflated in vain: of members that failed, as often as they were looked at."""

    @property
    def accounted_bytes(self) -> int:
        """Return for how many bytes it is known what they are."""
        return self.member_bytes + self.text_bytes + self.blank_bytes + self.damaged_bytes


class Account(msgspec.Struct):
    """What one reading of an object met; complete once the reading has ended."""

    layers: list[LayerAccount] = []
    documents: int = 0
    """JSON objects, envelopes included."""
    controls: int = 0
    events: int = 0
    foreign: int = 0
    """Messages without an envelope."""
    damages: int = 0

    def layer(self, depth: int) -> LayerAccount:
        """Return the account of a layer; 0 is the object itself."""
        while len(self.layers) <= depth:
            self.layers.append(LayerAccount())
        return self.layers[depth]

    def add_items(self, other: Account) -> None:
        """Add the items of another reading, without its bytes."""
        self.documents += other.documents
        self.controls += other.controls
        self.events += other.events
        self.foreign += other.foreign

    @property
    def members(self) -> int:
        """Return how many gzip members were read, of all layers."""
        return sum(layer.members for layer in self.layers)

    @property
    def gzip_layers(self) -> int:
        """Return how many layers of gzip were undone."""
        return sum(layer.members > 0 for layer in self.layers)

    @property
    def is_complete(self) -> bool:
        """Tell whether every byte of every layer is accounted for."""
        return all(layer.bytes_in == layer.accounted_bytes for layer in self.layers)

    @property
    def is_bomb(self) -> bool:
        """Tell whether the object inflates to more than anybody's logs do."""
        inflated = sum(layer.bytes_in for layer in self.layers) - self.layers[0].bytes_in
        return inflated > MAX_TOTAL_BYTES and inflated > MAX_TOTAL_RATIO * self.layers[0].bytes_in


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where the events of one envelope come from, as it states."""

    owner: str = ""
    """Account that the log group belongs to."""
    log_group: str = ""
    log_stream: str = ""


UNKNOWN: Final = Origin()


class LogEvent(msgspec.Struct, gc=False):
    """One log event, without its `extractedFields`."""

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


class UnknownLine(msgspec.Struct, frozen=True):
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


Item = LogEvent | Control | UnknownLine | Damage
Items = Sequence[Item]
Batch = Iterable[Item]
"""What is found at once, such as the events of an envelope: handed on whole, since it is faster."""


@dataclass(slots=True)
class ByteAccounting:
    """What the readers of one layer share: its account, and where in the object its bytes come from."""

    account: Account
    depth: int
    """Gzip layers above these bytes; 0 for the object itself."""
    read_packed: Callable[[bytes], Iterator[Batch]] | None = None
    """Reads gzip that text carries as base64; None where that is left alone."""
    members: deque[tuple[int, int | None]] = field(default_factory=lambda: deque(maxlen=1024))
    """Where in this layer the contents of the last members start, and where in the object these do."""

    @property
    def layer(self) -> LayerAccount:
        """Return the account of this layer."""
        return self.account.layer(self.depth)

    def damage(self, data: bytes, at: int, reason: str) -> Damage:
        """Count bytes that could not be read, and return them; `at` is where in the layer they start."""
        self.layer.damaged_bytes += len(data)
        self.account.damages += 1
        starts = (member for member in reversed(self.members) if member[0] <= at)
        origin, member_at = next(starts, (0, None))
        return Damage(
            offset=at - origin,
            length=len(data),
            reason=reason,
            data=data,
            layer=self.depth,
            member_at=member_at,
        )

"""Keep what cannot be processed, with its reason, so that nothing is lost.

Whoever can write capture objects can fill them with what nobody can read. So of one reading and one reason
only the first mebibyte is kept here, or ten entries; of the rest the places are told, and it stays where it
came from.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from reprise import metric

if TYPE_CHECKING:
    from reprise.call.payload import ClaimCheck
    from reprise.logreader import Damage
    from reprise.ports import Meter

PREFIX: Final = "quarantine/"
MAX_KEPT_BYTES: Final = 1024 * 1024
"""Kept of one reading and one reason, not counting what is beyond it of the last entry."""
ALWAYS_KEPT: Final = 10
"""Entries of one reading and one reason that are kept whatever their size."""
_FLUSH_BYTES: Final = 4 * 1024 * 1024


class ObjectWriter(Protocol):
    """Keeps bytes: a bucket, or a folder."""

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep bytes under a key.

        Raises:
            StoreError: If they are not kept.
        """


@dataclass(slots=True)
class _Part:
    """Entries of one reason that are not written yet."""

    lines: list[str] = field(default_factory=list)
    start: int = 0
    """Position of the first of them."""
    left_out: int = 0
    first_left_out: int = 0
    last_left_out: int = 0


class Quarantine:
    """Collects the unprocessable of one object and keeps it as JSON lines, a part for each reason.

    The parts' names follow from the object, the position and the reason, so that reading the same object
    twice writes the same parts, and many entries of one reason do not hide those of another.
    """

    __slots__ = (
        "_kept",
        "_meter",
        "_most_bytes",
        "_objects",
        "_parts",
        "_size_bytes",
        "_source",
        "count",
    )

    def __init__(
        self, source: str, objects: ObjectWriter, meter: Meter, most_bytes: float = MAX_KEPT_BYTES
    ) -> None:
        """Collect for one source: an S3 URL or a message id.

        Args:
            source: Where the entries come from, and where what is not kept stays.
            objects: Keeps the parts.
            meter: Counts all entries, kept or not.
            most_bytes: After so many bytes of one reason, and ten entries, no more are kept.
        """
        self._source = source
        self._objects = objects
        self._meter = meter
        self._most_bytes = most_bytes
        self._parts: dict[str, _Part] = {}
        self._kept: dict[str, tuple[int, int]] = {}
        self._size_bytes = 0
        self.count = 0

    def add(self, position: int, reason: str, message: str, data: bytes) -> None:
        """Keep one thing that cannot be processed.

        Args:
            position: Number of the item in its object.
            reason: One word, for counting.
            message: One sentence, for the operator.
            data: The thing itself.

        Raises:
            StoreError: If a full part cannot be written.
        """
        self._keep(position, {"reason": reason, "message": message}, data)

    def add_damage(self, position: int, damage: Damage) -> None:
        """Keep bytes that could not be read, with their place.

        Args:
            position: Number of the item in its object. Parts are named by their first entry's position,
                and must not meet each other.
            damage: The bytes.

        Raises:
            StoreError: If a full part cannot be written.
        """
        fields: dict[str, object] = {
            "reason": "damaged",
            "message": f"{damage.reason}, {damage.place}",
            "offset": damage.offset,
            "length": damage.length,
            "layer": damage.layer,
            "member_at": damage.member_at,
        }
        self._keep(position, fields, damage.data)

    def _keep(self, position: int, fields: dict[str, object], data: bytes) -> None:
        reason = str(fields["reason"])
        part = self._parts.setdefault(reason, _Part())
        self.count += 1
        kept, kept_bytes = self._kept.get(reason, (0, 0))
        if kept >= ALWAYS_KEPT and kept_bytes >= self._most_bytes:
            part.first_left_out = part.first_left_out if part.left_out else position
            part.last_left_out = position
            part.left_out += 1
            return
        part.start = part.start if part.lines else position
        packed = base64.b64encode(data).decode("ascii")
        where = {"source": self._source, "position": position}
        line = json.dumps(where | fields | {"data_base64": packed})
        part.lines.append(line)
        self._kept[reason] = kept + 1, kept_bytes + len(line)
        self._size_bytes += len(line)
        if self._size_bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is collected.

        Raises:
            StoreError: If it cannot be written; it is kept for the next try.
        """
        for reason, part in list(self._parts.items()):
            lines = [*part.lines]
            if part.left_out:
                lines.append(self._left_out(reason, part))
            start = part.start if part.lines else part.first_left_out
            name = f"{self._source.removeprefix('s3://')}/{start:012d}-{reason}.jsonl"
            self._objects.put(PREFIX + name, ("\n".join(lines) + "\n").encode())
            count = len(part.lines) + part.left_out
            self._meter.count(metric.QUARANTINED, count, reason=reason)
            del self._parts[reason]
        self._size_bytes = 0

    def _left_out(self, reason: str, part: _Part) -> str:
        first, last = part.first_left_out, part.last_left_out
        return json.dumps(
            {
                "source": self._source,
                "position": first,
                "reason": reason,
                "message": f"{part.left_out} more from position {first} to {last} are in the source only",
                "left_out": part.left_out,
                "last_position": last,
                "data_base64": "",
            }
        )

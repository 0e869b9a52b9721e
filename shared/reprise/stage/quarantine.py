"""Keep what cannot be processed, with its reason, so that nothing is lost."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from reprise import metric

if TYPE_CHECKING:
    from reprise.call.payload import ClaimCheck
    from reprise.ports import Meter
    from reprise.reader import Damage

PREFIX: Final = "quarantine/"
_FLUSH_BYTES: Final = 4 * 1024 * 1024


class Keeper(Protocol):
    """Keeps bytes: a bucket, or a folder."""

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep bytes under a key.

        Raises:
            StoreError: If they are not kept.
        """


class Quarantine:
    """Collects the unprocessable of one object and keeps it as JSON lines, part by part.

    The parts' names follow from the object and the position, so that reading the same object twice
    writes the same parts.
    """

    __slots__ = (
        "_lines",
        "_meter",
        "_objects",
        "_reasons",
        "_size_bytes",
        "_source",
        "_start",
        "count",
    )

    def __init__(self, source: str, objects: Keeper, meter: Meter) -> None:
        """Collect for one source: an S3 URL or a message id."""
        self._source = source
        self._objects = objects
        self._meter = meter
        self._lines: list[str] = []
        self._reasons: Counter[str] = Counter()
        self._size_bytes = 0
        self._start = 0
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
        if not self._lines:
            self._start = position
        packed = base64.b64encode(data).decode("ascii")
        where = {"source": self._source, "position": position}
        line = json.dumps(where | fields | {"data_base64": packed})
        self._lines.append(line)
        self._reasons[str(fields["reason"])] += 1
        self._size_bytes += len(line)
        self.count += 1
        if self._size_bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is collected.

        Raises:
            StoreError: If it cannot be written; it is kept for the next try.
        """
        if not self._lines:
            return
        name = self._source.removeprefix("s3://")
        self._objects.put(
            f"{PREFIX}{name}/{self._start:012d}.jsonl", ("\n".join(self._lines) + "\n").encode()
        )
        for reason, count in self._reasons.items():
            self._meter.count(metric.QUARANTINED, count, reason=reason)
        self._reasons.clear()
        self._lines.clear()
        self._size_bytes = 0

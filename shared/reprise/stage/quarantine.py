"""Keep what cannot be processed, with its reason, so that nothing is lost."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from reprise import metric

if TYPE_CHECKING:
    from reprise.ports import Meter, Objects

PREFIX: Final = "quarantine/"
_FLUSH_BYTES: Final = 4 * 1024 * 1024


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

    def __init__(self, source: str, objects: Objects, meter: Meter) -> None:
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
            position: Number of the event in its object, or the byte offset of damage.
            reason: One word, for counting.
            message: One sentence, for the operator.
            data: The thing itself.

        Raises:
            StoreError: If a full part cannot be written.
        """
        if not self._lines:
            self._start = position
        line = json.dumps(
            {
                "source": self._source,
                "position": position,
                "reason": reason,
                "message": message,
                "data_base64": base64.b64encode(data).decode("ascii"),
            }
        )
        self._lines.append(line)
        self._reasons[reason] += 1
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

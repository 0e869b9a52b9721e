"""Sort the records of an object by target, into parts of bounded size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.capturing.record import Record
    from reprise.logreader import Event

MAX_RECORDS: Final = 1000
"""Most records of one part: what one decision may send to the replay queue at once."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""Most text of one part; a single longer line gets a part of its own."""
MAX_OPEN_BYTES: Final = 32 * 1024 * 1024
"""Most text of all open parts together: bounds memory, however many targets share an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One authentic record, and the log event that it came in."""

    position: int
    """Number of the event in its object."""
    event: Event
    record: Record
    is_foldable: bool = True
    """False for a failed batch job: where it lies vouches for it, so it cannot be parked elsewhere."""


@dataclass(slots=True, kw_only=True)
class TargetBatch:
    """Records of one target out of one object, in their order."""

    function: str
    """Unqualified ARN of the target."""
    entries: list[Entry] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def start(self) -> int:
        """Return the position of the first record; it names the part."""
        return self.entries[0].position

    def add(self, entry: Entry) -> None:
        """Take one more record."""
        self.entries.append(entry)
        self.size_bytes += len(entry.event.message)

    def after(self, count: int) -> TargetBatch:
        """Return the part without its first `count` records."""
        rest = TargetBatch(function=self.function)
        for entry in self.entries[count:]:
            rest.add(entry)
        return rest


class Partitioner:
    """Sorts records as they are read.

    Where a part ends depends on the object's content and on where reading began, and on nothing
    else: reading the same object again makes the same parts.
    """

    __slots__ = ("_open", "_size_bytes", "closed")

    def __init__(self) -> None:
        """Start with nothing open."""
        self._open: dict[str, TargetBatch] = {}
        self._size_bytes = 0
        self.closed = 0
        """Parts that were full before the object's end."""

    def add(self, entry: Entry) -> Iterator[TargetBatch]:
        """Take a record; yield the parts that it found full, or that memory has no more room for.

        A full part stays open until another record comes, so that an object of just one part is
        known to be one.
        """
        function = entry.record.target.function
        size_bytes = len(entry.event.message)
        part = self._open.get(function)
        if part is not None and (
            len(part.entries) == MAX_RECORDS or part.size_bytes + size_bytes > MAX_BYTES
        ):
            yield self._close(function)
        self._open.setdefault(function, TargetBatch(function=function)).add(entry)
        self._size_bytes += size_bytes
        if self._size_bytes >= MAX_OPEN_BYTES:
            yield self._close(max(self._open, key=lambda name: self._open[name].size_bytes))

    def rest(self) -> list[TargetBatch]:
        """Return the parts that are still open, in the order of their first records, and close them."""
        parts = list(self._open.values())
        self._open.clear()
        self._size_bytes = 0
        return parts

    def _close(self, function: str) -> TargetBatch:
        part = self._open.pop(function)
        self._size_bytes -= part.size_bytes
        self.closed += 1
        return part

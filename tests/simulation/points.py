"""The points at which a process may die: before and after each operation of a store or queue, by who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

BEFORE_OR_AFTER: Final = {"die": "before", "crash": "after"}


@dataclass(slots=True)
class Points:
    """What was asked of stores and queues, and where a process died."""

    asked: set[tuple[str, str]] = field(default_factory=set)
    """By which kind of process, and what."""
    reached: set[tuple[str, str, str]] = field(default_factory=set)
    """The same, and whether it died before it was done or after."""

    def note(self, process: str, what: str, fault: str) -> None:
        kind = process.partition("-")[0]
        self.asked.add((kind, what))
        if fault in BEFORE_OR_AFTER:
            self.reached.add((kind, what, BEFORE_OR_AFTER[fault]))

    def add(self, other: Points) -> None:
        self.asked |= other.asked
        self.reached |= other.reached

    @property
    def all(self) -> set[tuple[str, str, str]]:
        return {(*point, when) for point in self.asked for when in BEFORE_OR_AFTER.values()}

    def missed(self) -> list[str]:
        """Return the points at which nobody died."""
        return sorted(f"{kind}: {when} {what}" for kind, what, when in self.all - self.reached)

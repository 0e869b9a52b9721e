"""What was read, or why it could not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

type Read[T] = T | NotRead
type ReadEach[T] = Mapping[str, Read[T]]


@dataclass(frozen=True, slots=True)
class NotRead:
    """Something that could not be read."""

    why: str
    """In words; names the permission, where one is missing."""


class CannotTellError(Exception):
    """A check needs what could not be read."""

    def __init__(self, unread: NotRead) -> None:
        """Keep what could not be read."""
        super().__init__(unread.why)
        self.unread = unread


def known[T](value: Read[T]) -> T:
    """Return what was read.

    Raises:
        CannotTellError: If it could not be.
    """
    if isinstance(value, NotRead):
        raise CannotTellError(value)
    return value

"""Take an object's bytes in order, so many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Lost:
    """Bytes that could not be undone."""

    data: bytes
    at: int
    """Their offset in the object."""
    reason: str


type Undone = Iterator[bytes | Lost]
"""What an object holds, in order, and what of it is lost."""


class Stream:
    """The bytes of an object."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        """Begin."""
        self._chunks = iter(chunks)
        self._buffer = bytearray()
        self.at = 0
        """Offset in the object of the next byte."""

    def peek(self, size: int) -> bytes:
        """Return the next bytes, fewer only at the end; they are still to be taken."""
        self._fill(size)
        return bytes(self._buffer[:size])

    def take(self, size: int) -> bytes:
        """Return the next bytes, fewer only at the end."""
        self._fill(size)
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        self.at += len(taken)
        return taken

    def rest(self) -> Iterator[bytes]:
        """Yield all that is left."""
        while piece := self.take(PIECE_BYTES):
            yield piece

    def lose(self, reason: str) -> Iterator[Lost]:
        """Yield all that is left as lost."""
        at = self.at
        for piece in self.rest():
            yield Lost(piece, at, reason)
            at = self.at

    def lose_until(self, signature: bytes, reason: str) -> Iterator[Lost]:
        """Yield what is left before the next signature as lost."""
        while self.peek(PIECE_BYTES):
            at = self.at
            found = self._buffer.find(signature)
            kept = len(signature) - 1 if len(self._buffer) >= PIECE_BYTES else 0
            yield Lost(self.take(found if found >= 0 else len(self._buffer) - kept), at, reason)
            if found >= 0:
                return

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                return
            self._buffer += chunk

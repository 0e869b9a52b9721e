"""Find where the next thing begins in a buffer that grows, and what of the gap before it is indentation."""

from __future__ import annotations

from typing import Final

from reprise.reader.grammar import BLANKS

MOST_INDENT_BYTES: Final = 64 * 1024
"""More blanks before a line are a gap."""


class Gap:
    """The gap before what comes next; no byte of it is looked at twice."""

    __slots__ = ("_blank_to", "_indent_at", "is_own_line")

    def __init__(self) -> None:
        """Begin with an empty buffer, where a line begins."""
        self.is_own_line = True
        """Whether a line begins with what comes next."""
        self._blank_to = 0
        self._indent_at = 0

    def skip(self, buffer: bytearray, start: int) -> int:
        """Return where the gap ends that begins at `start`, as far as the buffer goes."""
        seen = max(start, self._blank_to)
        blanks = BLANKS.match(buffer, seen)
        end = blanks.end() if blanks else seen
        rest = buffer[seen:end].rstrip(b" \t")
        if rest or seen == start:
            self._indent_at = seen + len(rest)
        if b"\n" in rest:
            self.is_own_line = True
        self._blank_to = end
        return end

    def line_start(self, end: int) -> int:
        """Return where a line begins that has its first word at the gap's end: with its indentation."""
        is_indent = self.is_own_line and end - self._indent_at <= MOST_INDENT_BYTES
        return self._indent_at if is_indent else end

    def is_all(self, buffer: bytearray) -> bool:
        """Tell whether the buffer holds nothing else."""
        return self._blank_to >= len(buffer)

    def clear(self) -> None:
        """Note that the buffer is empty now; whether a line begins is still so."""
        self._blank_to = self._indent_at = 0

    def drop(self, count: int) -> None:
        """Note that so many bytes at the buffer's beginning are gone."""
        self._blank_to = max(self._blank_to - count, 0)
        self._indent_at = max(self._indent_at - count, 0)

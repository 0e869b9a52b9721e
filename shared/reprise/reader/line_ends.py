"""Find where lines end in a buffer that grows, without looking at any byte twice."""

from __future__ import annotations


class LineEnds:
    """The next newline of a buffer, and how far there is none."""

    __slots__ = ("_newline", "_none_before")

    def __init__(self) -> None:
        """Begin with an empty buffer."""
        self.clear()

    def clear(self) -> None:
        """Note that the buffer is another."""
        self._newline = -1
        self._none_before = 0

    def find(self, buffer: bytearray, start: int) -> int:
        """Return where the line ends that holds `start`; -1 if that is beyond the buffer."""
        if self._newline < start:
            self._newline = buffer.find(b"\n", max(start, self._none_before))
            if self._newline < 0:
                self._none_before = len(buffer)
        return self._newline

    def drop(self, count: int) -> None:
        """Note that so many bytes at the buffer's beginning are gone."""
        self._newline = max(self._newline - count, -1)
        self._none_before = max(self._none_before - count, 0)

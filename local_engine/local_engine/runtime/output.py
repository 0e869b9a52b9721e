"""A function's output pipe: read without waiting, cut into log lines."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Self

#: Lambda cuts longer lines; AWS does not document the length, this one was observed.
#: Source: aws-facts, section 1, "Event size".
MAX_LINE_BYTES = 2**18 - 26

_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as it reached the pipe."""

    timestamp_ms: int
    message: str

    @classmethod
    def now(cls, message: str) -> Self:
        """Return a line of this moment."""
        return cls(time.time_ns() // 1_000_000, message)


class OutputPipe:
    """The read end of a function's stdout and stderr."""

    __slots__ = ("_buffer", "_lines", "descriptor", "is_open")

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor and stop it from blocking."""
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.is_open = True
        self._buffer = bytearray()
        self._lines: list[LogLine] = []

    def drain(self) -> None:
        """Read everything the pipe holds now."""
        while self.is_open:
            try:
                data = os.read(self.descriptor, _READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.is_open = False
                return
            self._add(data)

    def take(self, *, with_rest: bool = True) -> list[LogLine]:
        """Return the lines read so far, with an unfinished last one if asked, and forget them."""
        if self._buffer and with_rest:
            self._append(bytes(self._buffer))
            self._buffer.clear()
        lines, self._lines = self._lines, []
        return lines

    def _add(self, data: bytes) -> None:
        self._buffer += data
        *complete, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        for line in complete:
            self._append(line)

    def _append(self, line: bytes) -> None:
        now_ms = time.time_ns() // 1_000_000
        for start in range(0, max(len(line), 1), MAX_LINE_BYTES):
            text = line[start : start + MAX_LINE_BYTES].decode("utf-8", "replace")
            # awslambdaric joins the lines of one event with carriage returns.
            text = text.rstrip("\r").replace("\r", "\n")
            if text:
                self._lines.append(LogLine(now_ms, text))

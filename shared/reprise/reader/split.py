"""Split a stream of concatenated JSON objects into documents, with nothing between them but blanks.

Firehose writes no delimiter between records by default ("concatenates data without any delimiters",
Firehose developer guide, basic delivery), so the end of a document is found by its braces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
"""Longest document: CloudWatch Logs sends batches of about 1 MB; sixteen times that is damage."""
_OUTSIDE: Final = "bytes outside any JSON object"
_BLANKS: Final = re.compile(rb"\s+")
_STRUCTURE: Final = re.compile(rb'[{}"]')
_STRING_END: Final = re.compile(rb'["\\]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """Bytes that are no part of any document."""

    offset: int
    data: bytes
    reason: str


class Splitter:
    """Finds the documents of a stream, whatever the pieces it comes in."""

    __slots__ = ("_buffer", "_depth", "_in_string", "_offset", "_scan")

    def __init__(self) -> None:
        """Start at the beginning of a stream."""
        self._buffer = bytearray()
        self._offset = 0
        self._reset()

    def _reset(self) -> None:
        self._scan = 0
        self._depth = 0
        self._in_string = False

    @property
    def offset(self) -> int:
        """Return where the stream has been dealt with; a yielded document ends there."""
        return self._offset

    def feed(self, piece: bytes) -> Iterator[bytes | Garbage]:
        """Yield the documents that end within the bytes so far."""
        self._buffer += piece
        while True:
            if self._depth == 0:
                garbage = self._skip_to_document()
                if garbage is not None:
                    yield garbage
                if not self._buffer.startswith(b"{"):
                    return
            end = self._find_end()
            if end is None:
                if len(self._buffer) > MAX_DOCUMENT_BYTES:
                    yield self._discard("document is longer than 16 MiB")
                    continue
                return
            document = bytes(self._buffer[:end])
            self._drop(end)
            yield document

    def close(self) -> Iterator[Garbage]:
        """Yield what is left when the stream ends."""
        if self._buffer:
            yield self._discard("document ends before its end" if self._depth else _OUTSIDE)

    def _skip_to_document(self) -> Garbage | None:
        """Drop blanks before the next document; return anything else that stands there, whole.

        Whole, so that what is yielded does not depend on the pieces: readers resume by counting.
        """
        blanks = _BLANKS.match(self._buffer)
        if blanks is not None:
            self._drop(blanks.end())
        start = self._buffer.find(b"{", self._scan)
        if start < 0:
            self._scan = len(self._buffer)
            return self._discard(_OUTSIDE) if len(self._buffer) > MAX_DOCUMENT_BYTES else None
        if start == 0:
            return None
        garbage = Garbage(offset=self._offset, data=bytes(self._buffer[:start]), reason=_OUTSIDE)
        self._drop(start)
        return garbage

    def _find_end(self) -> int | None:
        """Return where the current document ends, or None if that is not known yet."""
        buffer, position = self._buffer, self._scan
        while True:
            if self._in_string:
                hit = _STRING_END.search(buffer, position)
                if hit is None:
                    self._scan = len(buffer)
                    return None
                position = hit.end()
                if hit[0] == b"\\":
                    if position >= len(buffer):
                        self._scan = hit.start()
                        return None
                    position += 1
                else:
                    self._in_string = False
                continue
            hit = _STRUCTURE.search(buffer, position)
            if hit is None:
                self._scan = len(buffer)
                return None
            position = hit.end()
            if hit[0] == b'"':
                self._in_string = True
            elif hit[0] == b"{":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 0:
                    return position

    def _discard(self, reason: str) -> Garbage:
        garbage = Garbage(offset=self._offset, data=bytes(self._buffer), reason=reason)
        self._drop(len(self._buffer))
        return garbage

    def _drop(self, length: int) -> None:
        del self._buffer[:length]
        self._offset += length
        self._reset()


def split(pieces: Iterable[bytes], splitter: Splitter | None = None) -> Iterator[bytes | Garbage]:
    """Yield every JSON object of a stream as its bytes, and what lies between them as Garbage."""
    splitter = splitter or Splitter()
    for piece in pieces:
        yield from splitter.feed(piece)
    yield from splitter.close()

"""Split text into JSON objects and lines, wherever the pieces end in which it comes.

Accepts envelopes and messages, one after the other or one a line, pretty or not, with stray newlines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.reader.grammar import (
    BLANKS,
    BOUNDARY,
    KNOWN,
    LONGEST_KNOWN_BYTES,
    OURS,
    PARTIAL_BOUNDARY,
    PARTIAL_MARK,
)
from reprise.reader.line_ends import LineEnds
from reprise.reader.parts import MAX_DOCUMENT_BYTES, Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from reprise.reader.account import Account
    from reprise.reader.items import Batch

_BRACE: Final = ord("{")
_WORK: Final = 16
"""Bytes that may be decoded in vain, per byte: members whose ends end no document."""


class Text:
    """The text of one layer; feed it in pieces of any size, what comes out is the same."""

    __slots__ = (
        "_at",
        "_buffer",
        "_enough",
        "_is_broken",
        "_is_cut",
        "_is_first_line",
        "_line_ends",
        "_parts",
        "_scan",
        "_work",
    )

    def __init__(
        self,
        depth: int,
        account: Account,
        unwrapped: Callable[[bytes], Iterator[Batch]] | None = None,
    ) -> None:
        """Begin; the arguments are those of `Parts`."""
        self._parts = Parts(depth, account, unwrapped)
        self._buffer = bytearray()
        self._at = 0
        self._is_cut = False
        # Whether the line goes on that something overlong broke off in.
        self._is_broken = False
        self._line_ends = LineEnds()
        self._work = 0
        self._begin(0)

    def _begin(self, start: int) -> None:
        """Look for the end of what begins here."""
        self._scan = start
        self._is_first_line = True
        # Where the buffer must reach before it is worth another look.
        self._enough = 0

    def enter(self, member_at: int, origin: int) -> None:
        """Note which member of the object what comes is the content of, and where that begins."""
        if not self._buffer:
            self._parts.member_at = member_at
            self._parts.origin = origin

    def quick(self, text: bytes | bytearray) -> Batch | None:
        """Return what a text holds that is one document; None if it must be fed, being anything else."""
        return None if self._buffer else self._parts.quick(text)

    def feed(self, piece: bytes | bytearray, at: int) -> Iterator[Batch]:
        """Yield what ends within the text so far; `at` is the piece's offset in the layer."""
        if not self._buffer:
            self._at = at
        self._buffer += piece
        self._work += _WORK * len(piece)
        yield from self._drain(is_end=False)

    def settle(self) -> Iterator[Batch]:
        """Yield what waits, if it is a whole document: a member has ended, the text may go on."""
        if len(self._buffer) > self._work or not self._buffer.endswith((b"}", b"}\n")):
            return
        waiting, self._buffer = self._buffer, bytearray()
        items = self._parts.quick(waiting)
        if items is None:
            self._buffer = waiting
            self._work -= len(waiting)
            return
        self._line_ends.clear()
        self._begin(0)
        yield items

    def end(self, *, is_cut: bool = False) -> Iterator[Batch]:
        """Yield what waits: the text ends here, or is cut off, so that its last line is not whole."""
        if self._buffer:
            self._is_cut = is_cut
            yield from self._drain(is_end=True)
            self._is_cut = False

    def _drain(self, *, is_end: bool) -> Iterator[Batch]:
        buffer = self._buffer
        start = 0
        while True:
            begin = self._skip_blanks(start)
            if begin > start and self._scan < begin:
                self._begin(begin)
            start = begin
            if start == len(buffer) or (
                not is_end and bytes(buffer[start : start + 3]) in PARTIAL_MARK
            ):
                break
            take = self._take_document if buffer[start] == _BRACE else self._take_line
            end = yield from take(start, is_end=is_end)
            if end == start:
                break
            start = end
            self._begin(start)
        del buffer[:start]
        self._at += start
        self._scan -= start
        self._enough -= start
        self._line_ends.drop(start)

    def _skip_blanks(self, start: int) -> int:
        blanks = BLANKS.match(self._buffer, start)
        end = blanks.end() if blanks else start
        self._parts.books.blank_bytes += end - start
        return end

    def _take_document(self, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read what begins with a brace; return where it ends, or `start` if that is not known yet."""
        buffer = self._buffer
        if len(buffer) < self._enough and not is_end:
            return start
        limit = min(len(buffer), start + MAX_DOCUMENT_BYTES)
        newline = self._line_ends.find(buffer, start) if self._is_first_line else -1
        boundary = BOUNDARY.search(buffer, self._scan, newline + 1 if newline >= 0 else limit)
        if boundary is None and 0 <= newline < limit:
            self._is_first_line = False
            line = self._cut(start, newline).rstrip()
            if line.endswith(b"}"):
                items = self._parts.document(line)
                if items is not None:
                    yield items
                    return start + len(line)
            self._scan = start
            boundary = BOUNDARY.search(buffer, start, limit)
        if boundary is not None:
            end = boundary.start() + 1
        elif len(buffer) - start >= MAX_DOCUMENT_BYTES:
            return (yield from self._mend(self._cut(start, limit), start, is_end=False))
        elif is_end:
            end = len(buffer)
        else:
            last = buffer.rfind(b"}", self._scan)
            is_partial = last >= 0 and PARTIAL_BOUNDARY.match(buffer, last)
            self._scan = last if is_partial else len(buffer)
            if is_partial:
                # The blanks so far are looked at again: not before there are twice as many.
                self._enough = min(2 * len(buffer) - last, start + MAX_DOCUMENT_BYTES)
            return start
        document = self._cut(start, end)
        items = self._parts.document(document)
        if items is None:
            return (yield from self._mend(document, start, is_end=True))
        yield items
        return end

    def _take_line(self, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read what begins like no JSON object; return as `_take_document`."""
        buffer = self._buffer
        limit = min(len(buffer), start + MAX_DOCUMENT_BYTES)
        newline = self._line_ends.find(buffer, start)
        end = newline if 0 <= newline < limit else limit
        known = KNOWN.search(buffer, self._scan, end)
        if known is not None:
            glued = OURS not in known[0]
            yield from self._read_line(self._cut(start, known.start()), start, is_glued=glued)
            return known.start()
        if end == len(buffer) < start + MAX_DOCUMENT_BYTES and not is_end:
            self._scan = max(start, end - LONGEST_KNOWN_BYTES)
            return start
        is_broken = self._is_broken or (
            end != newline and (self._is_cut or end - start >= MAX_DOCUMENT_BYTES)
        )
        self._is_broken = end - start >= MAX_DOCUMENT_BYTES or (self._is_broken and end != newline)
        yield from self._read_line(self._cut(start, end), start, is_glued=is_broken)
        return end

    def _mend(self, stretch: bytes, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read a stretch that is not the one document it should be, part by part."""
        consumed, self._is_broken = yield from self._parts.broken(
            stretch, self._at + start, is_end=is_end
        )
        return start + consumed

    def _read_line(self, line: bytes, start: int, *, is_glued: bool) -> Iterator[Batch]:
        return self._parts.line(line, self._at + start, is_glued=is_glued)

    def _cut(self, start: int, end: int) -> bytes:
        with memoryview(self._buffer) as view:
            return bytes(view[start:end])

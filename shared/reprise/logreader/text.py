"""Split text into JSON objects and lines, wherever the pieces end in which it comes.

Accepts envelopes and messages, one after the other or one a line, pretty or not, with stray newlines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.logreader.grammar import (
    BOUNDARY,
    KNOWN,
    LONGEST_KNOWN_BYTES,
    OBJECT,
    OURS,
    PARTIAL_BOUNDARY,
    PARTIAL_MARK,
    RECORD_END,
    Gap,
    LineEnds,
)
from reprise.logreader.parts import GZIP_BASE64, MAX_DOCUMENT_BYTES, Parts
from reprise.logreader.repair import Kind, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from reprise.logreader.items import Account, Batch

_BRACE: Final = ord("{")
_WORK: Final = 16
"""Bytes that may be decoded in vain, per byte: members whose ends end no document."""


class Text:
    """The text of one layer; feed it in pieces of any size, what comes out is the same."""

    __slots__ = (
        "_at",
        "_buffer",
        "_enough",
        "_gap",
        "_is_broken",
        "_is_cut",
        "_is_document",
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
        self._gap = Gap()
        self._begin(0)

    def _begin(self, start: int) -> None:
        """Look for the end of what begins here."""
        self._scan = start
        # Not known before there is something.
        self._is_document: bool | None = None
        self._is_first_line = True
        # Where the buffer must reach before it is worth another look.
        self._enough = 0

    def _forget(self) -> None:
        """Begin with an empty buffer: all that was in it is read."""
        self._buffer.clear()
        self._line_ends.clear()
        self._gap.clear()
        self._begin(0)

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
        if self._gap.is_all(self._buffer):
            self._parts.books.blank_bytes += len(self._buffer)
            self._forget()
            return
        if len(self._buffer) > self._work or not self._buffer.endswith((b"}", b"}\n")):
            return
        items = self._parts.quick(self._buffer)
        if items is None:
            self._work -= len(self._buffer)
            return
        # What is large is decoded as it is handed on.
        self._buffer = bytearray()
        self._forget()
        self._gap.is_own_line = False
        yield items

    def end(self, *, is_cut: bool = False) -> Iterator[Batch]:
        """Yield what waits: the text ends here, or is cut off, so that its last line is not whole."""
        if self._buffer:
            self._is_cut = is_cut
            yield from self._drain(is_end=True)
            self._is_cut = False

    def _drain(self, *, is_end: bool) -> Iterator[Batch]:
        buffer = self._buffer
        books = self._parts.books
        start = 0
        while True:
            begin = self._gap.skip(buffer, start)
            line = self._gap.line_start(begin)
            if self._is_document is None:
                if self._scan < begin:
                    self._begin(begin)
                self._is_document = self._opens_document(begin, is_end=is_end)
            if self._is_document is None:
                # Blanks may be the indentation of what comes.
                kept = begin if is_end else line
                books.blank_bytes += kept - start
                start = kept
                break
            first = begin if self._is_document else line
            books.blank_bytes += first - start
            start = first
            take = self._take_document if self._is_document else self._take_line
            end = yield from take(start, is_end=is_end)
            if end == start:
                break
            start = end
            self._gap.is_own_line = False
            self._begin(start)
        del buffer[:start]
        self._at += start
        self._scan -= start
        self._enough -= start
        self._gap.drop(start)
        self._line_ends.drop(start)

    def _opens_document(self, begin: int, *, is_end: bool) -> bool | None:
        """Tell whether a JSON object begins here, or a line; None if that, or anything, is yet to come."""
        buffer = self._buffer
        if begin == len(buffer):
            return None
        if buffer[begin] != _BRACE:
            is_partial = not is_end and bytes(buffer[begin : begin + 3]) in PARTIAL_MARK
            return None if is_partial else False
        if len(buffer) < self._enough and not is_end:
            return None
        opening = OBJECT.match(buffer, begin)
        if opening is None or opening[1]:
            return True
        if opening.end() < len(buffer):
            return False
        # The blanks so far are looked at again: not before there are twice as many.
        self._enough = 2 * len(buffer) - begin
        return True if is_end else None

    def _take_document(self, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read what begins with a brace; return where it ends, or `start` if that is not known yet."""
        buffer = self._buffer
        if len(buffer) < self._enough and not is_end:
            return start
        limit = min(len(buffer), start + MAX_DOCUMENT_BYTES)
        newline = self._line_ends.find(buffer, start) if self._is_first_line else -1
        boundary = BOUNDARY.search(buffer, self._scan, newline + 1 if newline >= 0 else limit)
        if is_end and self._is_first_line and newline < 0 and not self._is_cut:
            newline = len(buffer)
        if boundary is None and 0 <= newline <= limit:
            self._is_first_line = False
            end = yield from self._take_first_line(self._cut(start, newline).rstrip(), start)
            if end > start:
                return end
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

    def _take_first_line(self, line: bytes, start: int) -> Generator[Batch, None, int]:
        """Read a line that is all of what begins here; return `start` if the next one may belong to it."""
        items = self._parts.document(line) if line.endswith(b"}") else None
        if items is not None:
            yield items
            return start + len(line)
        kind = judge(line)
        if kind is Kind.LINE:
            # A document, and words behind it.
            yield from self._read_line(line, start, is_glued=False, is_own=self._gap.is_own_line)
            return start + len(line)
        return start if kind is None else (yield from self._mend(line, start, is_end=True))

    def _take_line(self, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read what begins like no JSON object; return as `_take_document`."""
        buffer = self._buffer
        limit = min(len(buffer), start + MAX_DOCUMENT_BYTES)
        newline = self._line_ends.find(buffer, start)
        end = newline if 0 <= newline < limit else limit
        if buffer.startswith(GZIP_BASE64, start):
            record = RECORD_END.search(buffer, self._scan, end)
            end = record.end() if record else end
        known = KNOWN.search(buffer, self._scan, end)
        if known is not None:
            glued = OURS not in known[0]
            yield from self._read_line(self._cut(start, known.start()), start, is_glued=glued)
            return known.start()
        if end == len(buffer) < start + MAX_DOCUMENT_BYTES and not is_end:
            self._scan = max(start, end - LONGEST_KNOWN_BYTES)
            return start
        is_glued = self._is_broken or (
            end != newline and (self._is_cut or end - start >= MAX_DOCUMENT_BYTES)
        )
        self._is_broken = end - start >= MAX_DOCUMENT_BYTES or (self._is_broken and end != newline)
        yield from self._read_line(
            self._cut(start, end), start, is_glued=is_glued, is_own=self._gap.is_own_line
        )
        return end

    def _mend(self, stretch: bytes, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read a stretch that is not the one document it should be, part by part."""
        consumed, self._is_broken = yield from self._parts.broken(
            stretch, self._at + start, is_end=is_end
        )
        return start + consumed

    def _read_line(
        self, line: bytes, start: int, *, is_glued: bool, is_own: bool = False
    ) -> Iterator[Batch]:
        return self._parts.line(line, self._at + start, is_glued=is_glued, is_own=is_own)

    def _cut(self, start: int, end: int) -> bytes:
        with memoryview(self._buffer) as view:
            return bytes(view[start:end])

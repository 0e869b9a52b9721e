"""Cut text into JSON objects and lines: one after the other or one a line, pretty or not, in any pieces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reprise.logreader.parts import GZIP_BASE64, MAX_DOCUMENT_BYTES
from reprise.logreader.repair import KNOWN, LONGEST_KNOWN_BYTES, StretchKind, judge

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from reprise.logreader.items import Batch, ByteAccounting
    from reprise.logreader.parts import Parts

_WORK: Final = 16
"""Bytes that may be decoded in vain, per byte: members whose ends end no document."""
_MOST_INDENT_BYTES: Final = 64 * 1024
"""More blanks before a line are a gap."""
_BLANKS: Final = re.compile(rb"[\s\x00]*+(?:\xef\xbb\xbf[\s\x00]*+)*+")
"""Gaps, and the byte-order marks that some tools begin UTF-8 with."""
_PARTIAL_MARK: Final = (b"\xef", b"\xef\xbb")
_OBJECT: Final = re.compile(rb'\{[\s\x00]*+(?:(["}])|\Z|)')
"""A brace, and in its group what makes it the beginning of a JSON object: lines begin with braces, too."""
_RECORD_END: Final = re.compile(rb"=(?=H4sI)")
"""The end of base64 that other gzip as base64 follows."""
_BOUNDARY: Final = re.compile(rb'\}\s*+(?=\{\s*+"[^,}\]:\s])')
"""The end of a JSON object that another one follows.

Outside strings no JSON text holds `}{`. Inside a string the quote after `}{` would end it, and then only
a comma, a brace, a bracket, a colon or a blank may follow: hence the last character.
"""
_PARTIAL_BOUNDARY: Final = re.compile(rb'\}\s*+(?:\{\s*+"?)?\Z')
"""A boundary as far as it is known at the end of a piece."""


class Text:
    """The text of one layer; feed it in pieces of any size, what comes out is the same."""

    def __init__(self, accounting: ByteAccounting, parts: Parts) -> None:
        """Begin; the parts are read there."""
        self._accounting = accounting
        self._parts = parts
        self._is_cut = False  # Whether what is being read is cut off.
        self._work = 0  # Bytes that may still be decoded in vain.
        self._clear()

    def _clear(self) -> None:
        """Begin with an empty buffer, where a line begins."""
        self._is_own_line = True  # Whether a line begins with what comes next.
        self._at = 0  # The buffer's offset in the layer.
        self.waiting = bytearray()
        """What has not come to its end. Never cleared: a large document is decoded as it is handed on."""
        self._indent_bytes = 0  # Blanks at its beginning, which may be the indentation of a line.
        self._newline = 0  # Between what is being read and this there is no newline.
        self._begin(0)

    def _begin(self, start: int) -> None:
        """Look for the end of what begins here."""
        self._scan = start  # Its end is not before this.
        self._is_document: bool | None = None  # Not known before there is something.
        self._is_first_line = True
        self._enough = 0  # Where the buffer must reach before it is worth another look.

    def feed(self, piece: bytes | bytearray, at: int) -> Iterator[Batch]:
        """Yield what ends within the text so far; `at` is the piece's offset in the layer."""
        if not self.waiting:
            self._at = at
        self.waiting += piece
        self._work += _WORK * len(piece)
        yield from self._drain(is_end=False)

    def settle(self) -> Iterator[Batch]:
        """Yield what waits, if it is a whole document: a member has ended, the text may go on."""
        buffer = self.waiting
        if self._indent_bytes == len(buffer):
            self._accounting.layer.blank_bytes += len(buffer)
            self._clear()
        elif len(buffer) <= self._work and buffer.endswith((b"}", b"}\n")):
            items = self._parts.document(buffer)
            if items is None:
                self._work -= len(buffer)
            else:
                self._clear()
                yield items

    def end(self, *, is_cut: bool = False) -> Iterator[Batch]:
        """Yield what waits: the text ends here, or is cut off, so that its last line is not whole."""
        if self.waiting:
            self._is_cut = is_cut
            yield from self._drain(is_end=True)
            self._is_cut = False
        self._is_own_line = True

    def _drain(self, *, is_end: bool) -> Iterator[Batch]:
        start = 0
        while True:
            if self._is_document is None:
                start, begin = self._skip_blanks(start)
                if self._scan < begin:
                    self._begin(begin)
                self._is_document = self._opens_document(begin, is_end=is_end)
                if self._is_document is None and not is_end:
                    break
                self._indent_bytes = 0
                if self._is_document is not False:
                    self._accounting.layer.blank_bytes += begin - start
                    start = begin
                if self._is_document is None:
                    break
            take = self._take_document if self._is_document else self._take_line
            end = yield from take(start, is_end=is_end)
            if end == start:
                break
            start = end
            self._is_own_line = False
            self._begin(start)
        del self.waiting[:start]
        self._at += start
        self._scan -= start
        self._enough -= start
        self._newline = max(self._newline - start, 0)

    def _skip_blanks(self, start: int) -> tuple[int, int]:
        """Account for the blanks here, each seen once; return where their last line's begin, and all end."""
        seen = start + self._indent_bytes
        blanks = _BLANKS.match(self.waiting, seen)
        found = blanks[0] if blanks else b""
        end = seen + len(found)
        if b"\n" in found:
            self._is_own_line = True
        before_bytes = len(found.rstrip(b" \t"))
        line = seen + before_bytes if before_bytes else start
        if not self._is_own_line or end - line > _MOST_INDENT_BYTES:
            line = end
        self._accounting.layer.blank_bytes += line - start
        self._indent_bytes = end - line
        return line, end

    def _line_end(self, start: int) -> int:
        """Return where the line ends that holds `start`, each byte seen once; -1 if it is yet to come."""
        end = self.waiting.find(b"\n", max(start, self._newline))
        self._newline = end if end >= 0 else len(self.waiting)
        return end

    def _opens_document(self, begin: int, *, is_end: bool) -> bool | None:
        """Tell whether a JSON object begins here, or a line; None if that, or anything, is yet to come."""
        buffer = self.waiting
        if begin == len(buffer):
            return None
        if not buffer.startswith(b"{", begin):
            is_partial = not is_end and bytes(buffer[begin : begin + 3]) in _PARTIAL_MARK
            return None if is_partial else False
        if len(buffer) < self._enough and not is_end:
            return None
        opening = _OBJECT.match(buffer, begin)
        if opening is None or opening[1]:
            return True
        if opening.end() < len(buffer):
            return False
        # The blanks so far are looked at again: not before there are twice as many.
        self._enough = 2 * len(buffer) - begin
        return True if is_end else None

    def _take_document(self, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read what begins with a brace; return where it ends, or `start` if that is not known yet."""
        buffer = self.waiting
        if len(buffer) < self._enough and not is_end:
            return start
        limit = min(len(buffer), start + MAX_DOCUMENT_BYTES)
        newline = self._line_end(start) if self._is_first_line else -1
        boundary = _BOUNDARY.search(buffer, self._scan, newline + 1 if newline >= 0 else limit)
        if is_end and self._is_first_line and newline < 0 and not self._is_cut:
            newline = len(buffer)
        if boundary is None and 0 <= newline <= limit:
            self._is_first_line = False
            end = yield from self._take_first_line(self._cut(start, newline).rstrip(), start)
            if end > start:
                return end
            self._scan = start
            boundary = _BOUNDARY.search(buffer, start, limit)
        if boundary is not None:
            end = boundary.start() + 1
        elif len(buffer) - start >= MAX_DOCUMENT_BYTES:
            stretch = self._cut(start, limit)
            return start + (yield from self._parts.broken(stretch, self._at + start, is_end=False))
        elif is_end:
            end = len(buffer)
        else:
            last = buffer.rfind(b"}", self._scan)
            is_partial = last >= 0 and _PARTIAL_BOUNDARY.match(buffer, last)
            self._scan = last if is_partial else len(buffer)
            if is_partial:
                # The blanks so far are looked at again: not before there are twice as many.
                self._enough = min(2 * len(buffer) - last, start + MAX_DOCUMENT_BYTES)
            return start
        document = self._cut(start, end)
        items = self._parts.document(document)
        if items is None:
            return start + (yield from self._parts.broken(document, self._at + start, is_end=True))
        yield items
        return end

    def _take_first_line(self, line: bytes, start: int) -> Generator[Batch, None, int]:
        """Read a line that is all of what begins here; return `start` if the next one may belong to it."""
        items = self._parts.document(line) if line.endswith(b"}") else None
        if items is not None:
            yield items
            return start + len(line)
        kind, at = judge(line), self._at + start
        if kind is StretchKind.DAMAGE:
            return start + (yield from self._parts.broken(line, at, is_end=True))
        if kind is StretchKind.LINE:
            # A document, and words behind it.
            yield from self._parts.line(line, at, is_glued=False, is_own=self._is_own_line)
            return start + len(line)
        return start

    def _take_line(self, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read what begins like no JSON object; return as `_take_document`."""
        buffer = self.waiting
        limit = min(len(buffer), start + MAX_DOCUMENT_BYTES)
        newline = self._line_end(start)
        end = newline if 0 <= newline < limit else limit
        is_packed = buffer.startswith(GZIP_BASE64, start)
        if is_packed:
            record = _RECORD_END.search(buffer, self._scan, end)
            end = record.end() if record else end
        known = KNOWN.search(buffer, self._scan, end)
        is_own = (self._is_own_line or is_packed) and known is None
        if known is not None:
            end = known.start()
            is_glued = b'"reprise"' not in known[0]
        elif end == len(buffer) < start + MAX_DOCUMENT_BYTES and not is_end:
            self._scan = max(start, end - LONGEST_KNOWN_BYTES)
            return start
        else:
            is_long, is_open = end - start >= MAX_DOCUMENT_BYTES, end != newline
            is_glued = self._parts.is_broken or (is_open and (self._is_cut or is_long))
            self._parts.is_broken = is_long or (self._parts.is_broken and is_open)
        line, at = self._cut(start, end), self._at + start
        yield from self._parts.line(line, at, is_glued=is_glued, is_own=is_own)
        return end

    def _cut(self, start: int, end: int) -> bytes:
        with memoryview(self.waiting) as view:
            return bytes(view[start:end])

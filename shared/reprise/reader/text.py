"""Split text into JSON objects and lines, and read each; what is neither is damage.

Accepts envelopes and messages, one after the other or one a line, pretty or not, with stray newlines.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from reprise.reader.envelope import LARGE_BYTES, BadDocumentError, decode, decode_large
from reprise.reader.grammar import (
    BLANKS,
    BOUNDARY,
    KNOWN,
    LONGEST_KNOWN_BYTES,
    OURS,
    PARTIAL_BOUNDARY,
    PARTIAL_MARK,
    as_text,
)
from reprise.reader.items import Batch, Control, Damage, Event, Foreign, Item, Items
from reprise.reader.mend import Kind, mend
from reprise.reader.salvage import salvage
from reprise.reader.wrapped import unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from reprise.reader.account import Account

MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
"""Longest document or line: CloudWatch Logs sends batches of about 1 MB, at most a few when escaped."""
_BRACE: Final = ord("{")


class Text:
    """The text of one layer; feed it in pieces of any size, what comes out is the same."""

    __slots__ = (
        "_account",
        "_at",
        "_buffer",
        "_depth",
        "_has_envelope",
        "_is_broken",
        "_is_cut",
        "_is_first_line",
        "_last",
        "_layer",
        "_newline",
        "_no_newline_before",
        "_scan",
        "_unwrapped",
        "member_at",
        "origin",
    )

    def __init__(
        self,
        depth: int,
        account: Account,
        unwrapped: Callable[[bytes], Iterator[Batch]] | None = None,
    ) -> None:
        """Begin.

        Args:
            depth: Gzip layers above this text.
            account: Where every byte is accounted for.
            unwrapped: Reads gzip that the text carries as base64; None leaves it as it is.
        """
        self._depth = depth
        self._account = account
        self._layer = account.layer(depth)
        self._unwrapped = unwrapped
        self._buffer = bytearray()
        self._at = 0
        self._has_envelope = False
        self._is_cut = False
        self._last = b""
        # Whether the line goes on that something overlong broke off in.
        self._is_broken = False
        self.member_at: int | None = None
        """Where in the object the member starts that the buffer's beginning stands in."""
        self.origin = 0
        """Offset of this layer at which that member's content starts."""
        self._newline = -1
        self._no_newline_before = 0
        self._begin(0)

    def _begin(self, start: int) -> None:
        """Look for the end of what begins here."""
        self._scan = start
        self._is_first_line = True

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits for its end."""
        return not self._buffer

    def quick(self, text: bytes | bytearray) -> Batch | None:
        """Return what a text holds that is one document; None if it must be fed, being anything else."""
        if self._buffer:
            return None
        if len(text) >= LARGE_BYTES:
            large = decode_large(text)
            if large is not None:
                self._layer.text_bytes += len(text)
                return self._take_large(*large)
        try:
            items = decode(text)
        except BadDocumentError:
            return None
        if items and type(items[0]) is Foreign and self._carried(items[0].text):
            return None
        self._layer.text_bytes += len(text)
        self._count(items)
        return items

    def feed(self, piece: bytes | bytearray, at: int) -> Iterator[Batch]:
        """Yield what ends within the text so far.

        Args:
            piece: The next bytes.
            at: Their offset in the layer.
        """
        if not self._buffer:
            self._at = at
        self._buffer += piece
        yield from self._drain(is_end=False)

    def settle(self) -> Iterator[Batch]:
        """Yield what waits, if it is a whole document: a member has ended, the text may go on."""
        if self._buffer.endswith((b"}", b"}\n")):
            items = self.quick_buffer()
            if items is not None:
                yield items

    def quick_buffer(self) -> Batch | None:
        """Return what the waiting text holds if it is one document, and drop it; else None."""
        waiting, self._buffer = self._buffer, bytearray()
        items = self.quick(waiting)
        if items is None:
            self._buffer = waiting
        else:
            self._newline, self._no_newline_before = -1, 0
            self._begin(0)
        return items

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
        self._newline = max(self._newline - start, -1)
        self._no_newline_before = max(self._no_newline_before - start, 0)

    def _skip_blanks(self, start: int) -> int:
        blanks = BLANKS.match(self._buffer, start)
        end = blanks.end() if blanks else start
        self._layer.blank_bytes += end - start
        return end

    def _find_newline(self, start: int) -> int:
        """Return where the line ends, or where the text so far does; looks at no byte twice."""
        if self._newline < start:
            self._newline = self._buffer.find(b"\n", max(start, self._no_newline_before))
            if self._newline < 0:
                self._no_newline_before = len(self._buffer)
        return self._newline

    def _take_document(self, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read what begins with a brace; return where it ends, or `start` if that is not known yet."""
        buffer = self._buffer
        limit = min(len(buffer), start + MAX_DOCUMENT_BYTES)
        newline = self._find_newline(start) if self._is_first_line else -1
        boundary = BOUNDARY.search(buffer, self._scan, newline + 1 if newline >= 0 else limit)
        if boundary is None and 0 <= newline < limit:
            self._is_first_line = False
            line = self._cut(start, newline).rstrip()
            if line.endswith(b"}"):
                items = self._read(line)
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
            return start
        document = self._cut(start, end)
        items = self._read(document)
        if items is None:
            return (yield from self._mend(document, start, is_end=True))
        yield items
        return end

    def _take_line(self, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read what begins like no JSON object; return as `_take_document`."""
        buffer = self._buffer
        limit = min(len(buffer), start + MAX_DOCUMENT_BYTES)
        newline = self._find_newline(start)
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

    def _mend(self, segment: bytes, start: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Read a stretch that is not the one document it should be, part by part."""
        consumed = 0
        for kind, part, reason in mend(segment, is_end=is_end, before=self._last):
            at = start + consumed
            consumed += len(part)
            match kind:
                case Kind.BLANK:
                    self._layer.blank_bytes += len(part)
                case Kind.DOCUMENT:
                    items = self._read(part)
                    if items is None:
                        yield from self._damaged(part, at, self._why(part))
                    else:
                        yield items
                case Kind.LINE:
                    yield from self._read_line(part, at, is_glued=False)
                case Kind.DAMAGE:
                    yield from self._damaged(part, at, reason)
            self._is_broken = not is_end and kind is Kind.DAMAGE
        return start + consumed

    def _read(self, document: bytes) -> Batch | None:
        """Return what a document holds, or None if it cannot be read."""
        large = decode_large(document)
        if large is not None:
            self._layer.text_bytes += len(document)
            return self._take_large(*large)
        try:
            items = decode(document)
        except BadDocumentError:
            return None
        self._last = document[:LONGEST_KNOWN_BYTES]
        self._layer.text_bytes += len(document)
        if len(items) == 1 and type(items[0]) is Foreign:
            carried = self._carried(items[0].text)
            if carried is not None:
                self._account.documents += 1
                return carried
        else:
            self._has_envelope = True
        self._count(items)
        return items

    def _take_large(self, count: int, events: Iterator[Item]) -> Batch:
        self._has_envelope = True
        self._account.documents += 1
        self._account.events += count
        return events

    def _read_line(self, line: bytes, start: int, *, is_glued: bool) -> Iterator[Batch]:
        text = None if is_glued or self._has_envelope else as_text(line.rstrip())
        if text is None:
            reason = "bytes outside any JSON object"
            if len(line) >= MAX_DOCUMENT_BYTES:
                reason = "line is longer than 16 MiB"
            yield from self._damaged(line, start, reason)
            return
        self._layer.text_bytes += len(line)
        carried = self._carried(text)
        if carried is not None:
            yield carried
        else:
            self._account.foreign += 1
            yield (Foreign(text),)

    def _carried(self, text: str) -> Batch | None:
        """Return the items of the gzip that a text carries; None if it carries none."""
        members = unwrap(text) if self._unwrapped else []
        if not members or self._unwrapped is None:
            return None
        return chain.from_iterable(chain.from_iterable(map(self._unwrapped, members)))

    def _damaged(self, data: bytes, start: int, reason: str) -> Iterator[Batch]:
        """Yield the events that can be saved, then the damage."""
        saved = salvage(data)
        self._account.events += len(saved)
        yield saved
        self._layer.damaged_bytes += len(data)
        self._account.damages += 1
        damage = Damage(
            offset=self._at + start - self.origin,
            length=len(data),
            reason=reason,
            data=data,
            layer=self._depth,
            member_at=self.member_at,
        )
        yield (damage,)

    @staticmethod
    def _why(document: bytes) -> str:
        try:
            decode(document)
        except BadDocumentError as error:
            return error.reason
        return "not JSON"

    def _count(self, items: Items) -> None:
        account = self._account
        account.documents += 1
        if not items:
            return
        kind = type(items[0])
        if kind is Event:
            account.events += len(items)
        elif kind is Control:
            account.controls += 1
        else:
            account.foreign += len(items)

    def _cut(self, start: int, end: int) -> bytes:
        with memoryview(self._buffer) as view:
            return bytes(view[start:end])

"""Read the parts that text is cut into: documents and lines; what is neither is damage.

Find gzip that travels as base64 inside text. Three of AWS's own events carry envelopes so: Lambda's
`awslogs.data`, and the `data` of Kinesis and Firehose records (Lambda developer guide, "Using Lambda with
CloudWatch Logs", "... with Kinesis"). So do the objects below Firehose's error prefix, in `rawData`
(Firehose developer guide, "Handle failure in data transformation"). Anybody else's field of such a name is
left alone.
"""

from __future__ import annotations

import base64
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from reprise.logreader.envelope import JSON, BadDocumentError, decode, decode_large
from reprise.logreader.grammar import LONGEST_KNOWN_BYTES, PUNCTUATION, as_text
from reprise.logreader.items import Batch, Control, Damage, Event, Item, Items, UnknownLine
from reprise.logreader.repair import Kind, mend, salvage

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from reprise.logreader.items import Account

GZIP_BASE64: Final = b"H4sI"
"""How base64 spells gzip's magic bytes."""
_GZIP: Final = GZIP_BASE64.decode()
_LINE: Final = re.compile(r"\s*(H4sI[A-Za-z0-9+/]*={0,2})\s*")


def unwrap(text: str) -> list[bytes]:
    """Return the data that a JSON object of AWS's or a line carries; mostly there is none."""
    if _GZIP not in text and '"rawData"' not in text:
        return []
    try:
        line = _LINE.fullmatch(text)
        packed = [line[1]] if line else _carried(JSON.decode(text))
        return [base64.b64decode(data, validate=True) for data in packed]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # No JSON, of another shape, or no base64.
        return []


def _carried(document: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Return the base64 in a document of a known shape; of other shapes nothing, or an error."""
    if "rawData" in document:
        return [document["rawData"]] if document["rawData"] and "errorCode" in document else []
    if "awslogs" in document:
        packed = [document["awslogs"]["data"]]
    elif "Records" in document:
        packed = [record["kinesis"]["data"] for record in document["Records"]]
    elif "records" in document:
        packed = [record["data"] for record in document["records"]]
    else:
        return []
    # Records that are no gzip are as whoever wrote them meant them, but go with those that are.
    return packed if any(data.startswith(_GZIP) for data in packed) else []


MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
"""Longest document or line: CloudWatch Logs sends batches of about 1 MB, at most a few when escaped."""

_OUTSIDE: Final = "bytes outside any JSON object"
_LINE_END: Final = b"\r\n\x00"
_LONG: Final = "line is longer than 16 MiB"


class Parts:
    """Reads the parts of one layer's text, in order, and keeps its books."""

    __slots__ = (
        "_account",
        "_depth",
        "_has_envelope",
        "_is_after_line",
        "_last",
        "_unwrapped",
        "books",
        "member_at",
        "origin",
    )

    def __init__(
        self,
        depth: int,
        account: Account,
        unwrapped: Callable[[bytes], Iterator[Batch]] | None = None,
    ) -> None:
        """Begin below some gzip layers; `unwrapped` reads gzip that the text carries as base64."""
        self._depth = depth
        self._account = account
        self._unwrapped = unwrapped
        self._has_envelope = False
        self._is_after_line = False
        self._last = b""
        self.books = account.layer(depth)
        self.member_at: int | None = None
        """Where in the object the member starts that holds what comes."""
        self.origin = 0
        """Offset of this layer at which that member's content starts."""

    def quick(self, text: bytes | bytearray) -> Batch | None:
        """Return what a text holds that is one document; None if it is anything else."""
        large = decode_large(text)
        if large is not None:
            return self._take_large(text, large)
        try:
            items = decode(text)
        except BadDocumentError:
            return None
        if items and type(items[0]) is UnknownLine and self._carried(items[0].text):
            return None
        self.books.text_bytes += len(text)
        self._count(items)
        return items

    def document(self, document: bytes) -> Batch | None:
        """Return what a document holds, or None if it cannot be read."""
        large = decode_large(document)
        if large is not None:
            return self._take_large(document, large)
        try:
            items = decode(document)
        except BadDocumentError:
            return None
        self._last = document[:LONGEST_KNOWN_BYTES]
        self._is_after_line = False
        self.books.text_bytes += len(document)
        if len(items) == 1 and type(items[0]) is UnknownLine:
            carried = self._carried(items[0].text)
            if carried is not None:
                self._account.documents += 1
                return carried
        else:
            self._has_envelope = True
        self._count(items)
        return items

    def line(self, line: bytes, at: int, *, is_glued: bool, is_own: bool) -> Iterator[Batch]:
        """Yield a line that is no document.

        Args:
            line: The line, its indentation included.
            at: Its offset in the layer.
            is_glued: Whether it is the rest of something else.
            is_own: Whether it begins where a line does. Beside envelopes only such lines are text, unless
                they are what is left of an envelope.
        """
        is_text = not is_glued and (
            not self._has_envelope
            or (is_own and (self._is_after_line or not PUNCTUATION.fullmatch(line)))
        )
        text = as_text(line.rstrip(_LINE_END)) if is_text else None
        saved = salvage(line)
        if text is None or saved:
            reason = _OUTSIDE if len(line) < MAX_DOCUMENT_BYTES else _LONG
            yield from self._damaged(line, at, reason, saved)
            return
        self.books.text_bytes += len(line)
        self._is_after_line = True
        carried = self._carried(text)
        if carried is not None:
            yield carried
        else:
            self._account.foreign += 1
            yield (UnknownLine(text),)

    def broken(
        self, stretch: bytes, at: int, *, is_end: bool
    ) -> Generator[Batch, None, tuple[int, bool]]:
        """Yield what is in a stretch that is not the one document it should be.

        Returns:
            How many of its bytes are read, and whether its last line goes on beyond them.
        """
        consumed, is_broken = 0, False
        for kind, part, reason in mend(stretch, is_end=is_end, before=self._last):
            start = at + consumed
            consumed += len(part)
            match kind:
                case Kind.BLANK:
                    self.books.blank_bytes += len(part)
                case Kind.DOCUMENT:
                    items = self.document(part)
                    if items is None:
                        yield from self._damaged(part, start, _why(part))
                    else:
                        yield items
                case Kind.LINE | Kind.REST:
                    yield from self.line(part, start, is_glued=False, is_own=kind is Kind.LINE)
                case Kind.DAMAGE:
                    yield from self._damaged(part, start, reason)
            is_broken = not is_end and kind is Kind.DAMAGE
        return consumed, is_broken

    def _take_large(self, document: bytes | bytearray, large: tuple[int, Batch]) -> Batch:
        count, events = large
        self.books.text_bytes += len(document)
        self._has_envelope = True
        self._account.documents += 1
        self._account.events += count
        return events

    def _carried(self, text: str) -> Batch | None:
        """Return the items of the gzip that a text carries; None if it carries none."""
        members = unwrap(text) if self._unwrapped else []
        if not members or self._unwrapped is None:
            return None
        return chain.from_iterable(chain.from_iterable(map(self._unwrapped, members)))

    def _damaged(
        self, data: bytes, at: int, reason: str, saved: list[Item] | None = None
    ) -> Iterator[Batch]:
        """Yield the events that can be saved, then the damage."""
        saved = salvage(data) if saved is None else saved
        self._account.events += len(saved)
        yield saved
        self._is_after_line = False
        self.books.damaged_bytes += len(data)
        self._account.damages += 1
        damage = Damage(
            offset=at - self.origin,
            length=len(data),
            reason=reason,
            data=data,
            layer=self._depth,
            member_at=self.member_at,
        )
        yield (damage,)

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


def _why(document: bytes) -> str:
    try:
        decode(document)
    except BadDocumentError as error:
        return error.reason
    return "not JSON"

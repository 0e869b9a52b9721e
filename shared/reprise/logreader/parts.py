"""Read the parts that text is cut into: documents and lines; what is neither is damage.

Gzip may travel as base64 inside text. Three of AWS's own events carry envelopes so: Lambda's `awslogs.data`,
and the `data` of Kinesis and Firehose records (Lambda developer guide, "Using Lambda with CloudWatch Logs",
"... with Kinesis"). So do the objects below Firehose's error prefix, in `rawData` (Firehose developer guide,
"Handle failure in data transformation"). Anybody else's field of such a name is left alone.
"""

from __future__ import annotations

import base64
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from reprise.logreader.envelope import JSON, BadDocumentError, decode, decode_large
from reprise.logreader.items import Control, LogEvent, UnknownLine
from reprise.logreader.repair import LONGEST_KNOWN_BYTES, StretchKind, mend
from reprise.logreader.salvage import salvage

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from reprise.logreader.items import Batch, ByteAccounting

GZIP_BASE64: Final = b"H4sI"
"""How base64 spells gzip's magic bytes."""
_GZIP: Final = GZIP_BASE64.decode()
_PACKED_LINE: Final = re.compile(r"\s*(H4sI[A-Za-z0-9+/]*={0,2})\s*")
MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
"""Longest document or line: CloudWatch Logs sends batches of about 1 MB, at most a few when escaped."""
_OUTSIDE: Final = "bytes outside any JSON object"
_LONG: Final = "line is longer than 16 MiB"
_LINE_END: Final = b"\r\n\x00"
_PUNCTUATION: Final = re.compile(rb'[\s\[\]{},:"]*')
"""What is left of JSON where its documents are gone."""
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""What people do not write as text."""


def _unpack(text: str) -> list[bytes]:
    """Return the data that a JSON object of AWS's or a line carries; mostly there is none."""
    if _GZIP not in text and '"rawData"' not in text:
        return []
    try:
        line = _PACKED_LINE.fullmatch(text)
        packed = [line[1]] if line else _carried(JSON.decode(text))
        return [base64.b64decode(data, validate=True) for data in packed]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # No JSON, of another shape, or no base64.
        return []


def _carried(document: dict[str, Any]) -> list[str]:
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


class Parts:
    """Reads the parts of one layer's text, in order."""

    def __init__(self, accounting: ByteAccounting) -> None:
        """Begin where no part was read."""
        self._accounting = accounting
        self._has_envelope = False
        self._is_after_line = False
        self._last = b""
        self.is_broken = False
        """Whether the line goes on that something overlong broke off in."""

    def document(self, document: bytes | bytearray) -> Batch | None:
        """Return what one document holds; None if it is anything else, and nothing is noted then."""
        large = decode_large(document)
        try:
            count, items = large or (0, decode(document))
        except BadDocumentError:
            return None
        account = self._accounting.account
        account.documents += 1
        self._accounting.layer.text_bytes += len(document)
        self._last = bytes(document[:LONGEST_KNOWN_BYTES])
        self._is_after_line = False
        match items:
            case [UnknownLine(text)]:
                packed = self._packed(text)
                account.foreign += packed is None
                return items if packed is None else packed
            case [Control()]:
                account.controls += 1
            case list():
                account.events += len(items)
            case _:
                account.events += count
        self._has_envelope = True
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
            or (is_own and (self._is_after_line or not _PUNCTUATION.fullmatch(line)))
        )
        text = _as_text(line.rstrip(_LINE_END)) if is_text else None
        saved = salvage(line)
        if text is None or saved:
            reason = _OUTSIDE if len(line) < MAX_DOCUMENT_BYTES else _LONG
            yield from self._damaged(line, at, reason, saved)
            return
        self._accounting.layer.text_bytes += len(line)
        self._is_after_line = True
        packed = self._packed(text)
        if packed is None:
            self._accounting.account.foreign += 1
            packed = (UnknownLine(text),)
        yield packed

    def broken(self, stretch: bytes, at: int, *, is_end: bool) -> Generator[Batch, None, int]:
        """Yield what is in a stretch that is not the one document it should be.

        Returns:
            How many of its bytes are read.
        """
        consumed, is_damage = 0, False
        for kind, part, reason in mend(stretch, is_end=is_end, before=self._last):
            start = at + consumed
            consumed += len(part)
            match kind:
                case StretchKind.BLANK:
                    self._accounting.layer.blank_bytes += len(part)
                case StretchKind.DOCUMENT:
                    items = self.document(part)
                    if items is None:
                        yield from self._damaged(part, start, _why(part), salvage(part))
                    else:
                        yield items
                case StretchKind.LINE | StretchKind.REST:
                    yield from self.line(
                        part, start, is_glued=False, is_own=kind is StretchKind.LINE
                    )
                case StretchKind.DAMAGE:
                    yield from self._damaged(part, start, reason, salvage(part))
            is_damage = kind is StretchKind.DAMAGE
        self.is_broken = is_damage and not is_end
        return consumed

    def _packed(self, text: str) -> Batch | None:
        """Return the items of the gzip that a text carries; None if it carries none."""
        read = self._accounting.read_packed
        members = _unpack(text) if read else []
        if read is None or not members:
            return None
        return chain.from_iterable(chain.from_iterable(map(read, members)))

    def _damaged(self, data: bytes, at: int, reason: str, saved: list[LogEvent]) -> Iterator[Batch]:
        """Yield the events that were saved, then the damage."""
        self._is_after_line = False
        self._accounting.account.events += len(saved)
        yield saved
        yield (self._accounting.damage(data, at, reason),)


def _as_text(data: bytes) -> str | None:
    """Return what people could have written as text; None for anything else."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROLS.search(text) else text


def _why(document: bytes) -> str:
    try:
        decode(document)
    except BadDocumentError as error:
        return str(error)
    return "not JSON"

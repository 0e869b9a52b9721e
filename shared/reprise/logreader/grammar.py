"""Where one thing ends and the next begins in text that has no delimiters; all linear patterns.

Where one thing ends and the next begins in text that has no delimiters; all linear patterns. Firehose
"concatenates data without any delimiters" (Firehose developer guide, basic delivery), or ends records with
newlines, or extracts messages and ends each with a newline, as it is configured.
"""

from __future__ import annotations

import re
from typing import Final

GAP: Final = b" \t\r\n\x0b\x0c\x00"
"""What may stand between documents, lines and members: blanks, and zeros of block devices."""
BLANKS: Final = re.compile(rb"[\s\x00]*+(?:\xef\xbb\xbf[\s\x00]*+)*+")
"""Gaps, and the byte-order marks that some tools begin UTF-8 with."""
PARTIAL_MARK: Final = (b"\xef", b"\xef\xbb")

OBJECT: Final = re.compile(rb'\{[\s\x00]*+(?:(["}])|\Z|)')
"""A brace, and in its group what makes it the beginning of a JSON object; without it a line has a brace.

Python's reprs, Go's structs, Java's maps and templates begin with a brace, too.
"""
RECORD_END: Final = re.compile(rb"=(?=H4sI)")
"""The end of base64 that other gzip as base64 follows."""
PUNCTUATION: Final = re.compile(rb'[\s\[\]{},:"]*')
"""What is left of JSON where its documents are gone."""

BOUNDARY: Final = re.compile(rb'\}\s*+(?=\{\s*+"[^,}\]:\s])')
"""The end of a JSON object that another one follows.

Outside strings no JSON text holds `}{`. Inside a string the quote after `}{` would end it, and then only
a comma, a brace, a bracket, a colon or a blank may follow: hence the last character.
"""
PARTIAL_BOUNDARY: Final = re.compile(rb'\}\s*+(?:\{\s*+"?)?\Z')
"""A boundary as far as it is known at the end of a piece."""

_KNOWN: Final = (
    r"\{\s{0,8}\"(?:"
    r"(?:messageType\"\s{0,8}:\s{0,8}\"(?:DATA|CONTROL)_MESSAGE\""
    r"|owner\"\s{0,8}:\s{0,8}\"(?:[0-9]{12}|CloudwatchLogs)\")"
    # Applications have fields of these names, but not two of them.
    r"\s{0,8},\s{0,8}\"(?:owner|messageType|log(?:Group|Stream|Events)|subscriptionFilters|policyLevel)\""
    r"|reprise\"\s{0,8}:\s{0,8}[0-9])"
)
KNOWN: Final = re.compile(_KNOWN.encode())
"""How envelopes and capture lines begin: the places to go on after damage."""
LONGEST_KNOWN_BYTES: Final = 128
OURS: Final = b'"reprise"'

FIRST_KEY: Final = re.compile(r'\{\s{0,8}"[^"\\\x00-\x1f]{1,64}"\s{0,8}:')
"""How a document begins; the next one of its kind mostly begins the same."""
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def known_text() -> str:
    """Return the pattern of KNOWN, to be joined with others for text."""
    return _KNOWN


def as_text(data: bytes) -> str | None:
    """Return what people could have written as text; None for anything else."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROLS.search(text) else text


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

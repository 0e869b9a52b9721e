"""Take damaged text or a cut envelope apart: the documents in it, the lines, and what is broken."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from reprise.logreader.salvage import Attempts, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator


class StretchKind(Enum):
    """What a part of a stretch is."""

    BLANK = auto()
    DOCUMENT = auto()
    """A JSON object, whole by its syntax."""
    LINE = auto()
    """A whole line that begins like no document."""
    REST = auto()
    """What else stands on a line before, between and after documents."""
    DAMAGE = auto()


_KNOWN_TEXT: Final = (
    r"\{\s{0,8}\"(?:"
    r"(?:messageType\"\s{0,8}:\s{0,8}\"(?:DATA|CONTROL)_MESSAGE\""
    r"|owner\"\s{0,8}:\s{0,8}\"(?:[0-9]{12}|CloudwatchLogs)\")"
    # Applications have fields of these names, but not two of them.
    r"\s{0,8},\s{0,8}\"(?:owner|messageType|log(?:Group|Stream|Events)|subscriptionFilters|policyLevel)\""
    r"|reprise\"\s{0,8}:\s{0,8}[0-9])"
)
KNOWN: Final = re.compile(_KNOWN_TEXT.encode())
"""How envelopes and capture lines begin: the places to go on after damage."""
LONGEST_KNOWN_BYTES: Final = 128
_FIRST_KEY: Final = re.compile(r'\{\s{0,8}"[^"\\\x00-\x1f]{1,64}"\s{0,8}:')
"""How a document begins; the next one of its kind mostly begins the same."""
_BLANKS: Final = re.compile("[ \t\r\n\x0b\x0c\x00\ufeff]*")
_OBJECT: Final = re.compile(r'\{[\s\x00]*+(?:["}]|\Z)')
_REST_END: Final = re.compile(r'\n|\{\s{0,8}"')
_LINE_END: Final = re.compile(rf"\n|{_KNOWN_TEXT}")
_KNOWN: Final = re.compile(rf"(?<=\n)\{{|{_KNOWN_TEXT}")
_NEXT_LINE: Final = re.compile(r'(?<=\n)[^\s"},\]]')
"""A line that begins as no document's later line does, however it is printed."""
_NEWLINE: Final = re.compile("\n")
_EVENTS: Final = re.compile('"logEvents"')
_WORK: Final = 16
"""Characters that may be looked at in vain, per character."""


def judge(line: bytes) -> StretchKind | None:
    """Return what a line is that begins like a document: a line or broken; None if it may go on."""
    attempts = Attempts(line + b"\n", _WORK)
    text = attempts.text
    if _begins_envelope(text, 0) and not _EVENTS.search(text):
        # Printed over several lines, its events may be saved.
        return None
    tried = attempts.decode(0)
    if isinstance(tried, Failure):
        return StretchKind.DAMAGE if tried.at < len(text) - 1 else None
    # A document and words behind it, unless there is another one.
    rest = text[tried[1] :]
    is_sentence = rest[0] in " \t" and '{"' not in rest and not _LINE_END.match(text)
    return StretchKind.LINE if is_sentence else StretchKind.DAMAGE


def _begins_envelope(text: str, position: int) -> bool:
    known = _LINE_END.match(text, position)
    return known is not None and "reprise" not in known[0]


def mend(  # noqa: C901 - one scan, one loop
    segment: bytes, *, is_end: bool, before: bytes = b""
) -> Iterator[tuple[StretchKind, bytes, str]]:
    """Yield the parts of a stretch in order, each with a reason if it is damage.

    After a broken document it goes on where the next one begins: at a known beginning, at the first key
    of the documents before it, or at a line that cannot be of the same document. Once too much was looked
    at in vain the rest is damage.

    Args:
        segment: Text that begins with a brace.
        is_end: Whether it ends where a document does; else the last part may be left out, since it
            goes on beyond.
        before: The beginning of the document before it.
    """
    attempts = Attempts(segment, _WORK)
    text = attempts.text
    beginnings = _Beginnings(text, before.decode("utf-8", "replace"))
    position = 0
    is_own_line = is_cut = False

    def part(kind: StretchKind, end: int, reason: str = "") -> tuple[StretchKind, bytes, str]:
        return kind, text[position:end].encode("utf-8", "surrogateescape"), reason

    while position < len(text):
        blanks = _BLANKS.match(text, position)
        begin = blanks.end() if blanks else position
        newline = str.rfind(text, "\n", position, begin)
        is_own_line = is_own_line or newline >= 0
        # Its indentation is part of a line.
        end = newline + 1 if newline >= 0 and text[begin : begin + 1] != "{" else begin
        if end > position:
            yield part(StretchKind.BLANK, end)
            position = end
        if begin == len(text):
            if end < begin:
                yield part(StretchKind.BLANK, begin)
            return
        if not _OBJECT.match(text, begin):
            found = (_LINE_END if is_own_line and not is_cut else _REST_END).search(text, begin + 1)
            if found is None and not is_end and position:
                return
            end = found.start() if found else len(text)
            is_line = is_own_line and not is_cut and (found is None or found[0] == "\n")
            yield part(StretchKind.LINE if is_line else StretchKind.REST, end)
            position, is_own_line, is_cut = end, False, False
            continue
        tried = attempts.decode(position)
        if not isinstance(tried, Failure):
            beginnings.learn(text, position)
            yield part(StretchKind.DOCUMENT, tried[1])
            position, is_own_line, is_cut = tried[1], False, False
            continue
        # A newline inside a string: the line was cut, and the next one is another's, or the string's rest.
        is_cut = text[tried.at : tried.at + 1] == "\n"
        if is_cut:
            end = tried.at
        elif attempts.is_exhausted:
            end = len(text)
        else:
            end = beginnings.after(position, tried.at)
            if end == len(text) and not is_end and position:
                return
        reason = tried.reason
        if tried.at >= len(text):
            reason = "ends before its end" if is_end else "longer than 16 MiB"
        yield part(StretchKind.DAMAGE, end, f"not JSON: {reason}")
        position, is_own_line = end, False


class _Next:
    """The next match of a pattern in a text that is gone through in order; no part is searched twice."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        """Begin."""
        self._pattern = pattern
        self._text = text
        self._at = -1

    def after(self, position: int) -> int:
        """Return where the next one begins, or where the text ends."""
        if self._at < position:
            found = self._pattern.search(self._text, position)
            self._at = found.start() if found else len(self._text)
        return self._at


class _Beginnings:
    """Where documents and lines may begin in a stretch."""

    def __init__(self, text: str, before: str) -> None:
        """Begin with the first key of the document before."""
        self._text = text
        self._known = _Next(_KNOWN, text)
        self._line = _Next(_NEXT_LINE, text)
        self._newline = _Next(_NEWLINE, text)
        self._events = _Next(_EVENTS, text)
        self._key = ""
        self.learn(before, 0)

    def learn(self, text: str, position: int) -> None:
        """Take the first key of a document: the next one of its kind mostly begins the same."""
        key = _FIRST_KEY.match(text, position)
        self._key = key[0] if key else ""

    def after(self, position: int, failed_at: int) -> int:
        """Return where to go on after a document that is broken, or where the text ends.

        Args:
            position: Where it begins.
            failed_at: Where it is no JSON any more.
        """
        line_end = self._newline.after(position)
        is_printed = _begins_envelope(self._text, position) and (
            self._events.after(position) > line_end
        )
        # If its first line is none of a document, the next one is another's.
        is_line = failed_at <= line_end and not is_printed
        end = line_end if is_line else self._line.after(failed_at)
        end = min(end, self._known.after(position + 1))
        if not self._key:
            return end
        # A key begins with a brace and has a quote: none begins in the middle of another beginning.
        alike_at = self._text.find(self._key, position + 1, end)
        return alike_at if alike_at >= 0 else end

"""Take a stretch of damaged text apart: the documents in it, the lines, and what is broken."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from reprise.reader.attempt import Attempts, Failure
from reprise.reader.grammar import FIRST_KEY, known_text

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kind(Enum):
    """What a part of a stretch is."""

    BLANK = auto()
    DOCUMENT = auto()
    """A JSON object, whole by its syntax."""
    LINE = auto()
    """Anything up to the end of its line, or up to the next document."""
    DAMAGE = auto()


_BLANKS: Final = re.compile("[ \t\r\n\x0b\x0c\x00\ufeff]*")
_LINE_END: Final = re.compile(r'\n|\{\s{0,8}"')
_KNOWN: Final = re.compile(rf"(?<=\n)\{{|{known_text()}")
_WORK: Final = 16
"""Characters that may be looked at in vain, per character."""


def mend(segment: bytes, *, is_end: bool, before: bytes = b"") -> Iterator[tuple[Kind, bytes, str]]:  # noqa: C901 - one scan, one loop
    """Yield the parts of a stretch in order, each with a reason if it is damage.

    After a broken document it goes on where the next one begins: at a known beginning, at the first key
    of the documents before it, or at a line that begins with a brace. Once too much was looked at in vain
    the rest is damage.

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

    def part(kind: Kind, end: int, reason: str = "") -> tuple[Kind, bytes, str]:
        return kind, text[position:end].encode("utf-8", "surrogateescape"), reason

    while position < len(text):
        blanks = _BLANKS.match(text, position)
        if blanks and blanks.end() > position:
            yield part(Kind.BLANK, blanks.end())
            position = blanks.end()
            continue
        if text[position] != "{":
            found = _LINE_END.search(text, position)
            if found is None and not is_end and position:
                return
            end = found.start() if found else len(text)
            yield part(Kind.LINE, end)
            position = end
            continue
        tried = attempts.decode(position)
        if not isinstance(tried, Failure):
            beginnings.learn(text, position)
            yield part(Kind.DOCUMENT, tried[1])
            position = tried[1]
            continue
        reason = tried.reason
        if text[tried.at : tried.at + 1] == "\n":
            # A newline inside a string: the line was cut, and the next one is another's.
            end = tried.at
        elif attempts.is_exhausted:
            end = len(text)
        else:
            end = beginnings.after(position)
            if end == len(text) and not is_end and position:
                return
        if tried.at >= len(text):
            reason = "ends before its end" if is_end else "longer than 16 MiB"
        yield part(Kind.DAMAGE, end, f"not JSON: {reason}")
        position = end


class _Beginnings:
    """Where documents may begin in a stretch; no part of it is searched twice."""

    __slots__ = ("_key", "_known_at", "_text")

    def __init__(self, text: str, before: str) -> None:
        """Begin with the first key of the document before."""
        self._text = text
        self._known_at = -1
        self._key = ""
        self.learn(before, 0)

    def learn(self, text: str, position: int) -> None:
        """Take the first key of a document: the next one of its kind mostly begins the same."""
        key = FIRST_KEY.match(text, position)
        self._key = key[0] if key else ""

    def after(self, position: int) -> int:
        """Return the next beginning after a position, or where the text ends."""
        if self._known_at <= position:
            known = _KNOWN.search(self._text, position + 1)
            self._known_at = known.start() if known else len(self._text)
        if not self._key:
            return self._known_at
        # A key begins with a brace and has a quote: none begins in the middle of another beginning.
        alike_at = self._text.find(self._key, position + 1, self._known_at)
        return alike_at if alike_at >= 0 else self._known_at

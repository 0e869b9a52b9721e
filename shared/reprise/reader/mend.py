"""Take a stretch of damaged text apart: the documents in it, the lines, and what is broken."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from reprise.reader.envelope import JSON
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
_RESUME: Final = rf"(?<=\n)\{{|{known_text()}"
_WORK: Final = 16
"""Characters that may be looked at in vain, per character: what keeps this linear."""
_TOO_DEEP: Final = 64 * 1024
"""What an attempt is taken to cost that ended in too much depth."""


def mend(segment: bytes, *, is_end: bool, before: bytes = b"") -> Iterator[tuple[Kind, bytes, str]]:  # noqa: C901 - one scan, one loop
    """Yield the parts of a stretch in order, each with a reason if it is damage.

    After a broken document it goes on where the next one begins: at a known beginning, at the first key
    of the documents before it, or at a line that begins with a brace.

    Args:
        segment: Text that begins with a brace.
        is_end: Whether it ends where a document does; else the last part may be left out, since it
            goes on beyond.
        before: The beginning of the document before it.
    """
    text = segment.decode("utf-8", "surrogateescape")
    resume = _resume_after(before.decode("utf-8", "replace"), 0)
    position, work = 0, _WORK * len(text) + 4 * _TOO_DEEP

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
        cost, broken_at, end, reason = 0, position, position, ""
        try:
            _, end = JSON.raw_decode(text, position)
        except RecursionError:
            cost, reason = _TOO_DEEP, "too deep"
        except ValueError as error:
            broken_at = getattr(error, "pos", position)
            cost, reason = broken_at - position + 1, getattr(error, "msg", "no JSON")
        if end > position:
            resume = _resume_after(text, position)
            yield part(Kind.DOCUMENT, end)
            position = end
            continue
        work -= cost
        if text[broken_at : broken_at + 1] == "\n":
            # A newline inside a string: the line was cut, and the next one is another's.
            end = broken_at
        else:
            found = resume.search(text, position + 1) if work > 0 else None
            if found is None and not is_end and position:
                return
            end = found.start() if found else len(text)
        if broken_at >= len(text):
            reason = "ends before its end" if is_end else "longer than 16 MiB"
        yield part(Kind.DAMAGE, end, f"not JSON: {reason}")
        position = end


def _resume_after(text: str, position: int) -> re.Pattern[str]:
    """Return how the next document may begin, after one that begins here."""
    key = FIRST_KEY.match(text, position)
    return re.compile(f"{_RESUME}|{re.escape(key[0])}" if key else _RESUME)

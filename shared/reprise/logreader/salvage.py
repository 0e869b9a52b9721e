"""Decode JSON objects somewhere in damaged text, and say what each try cost; save an envelope's events so.

A stretch is tried at many places, and a hostile one is made so that every try looks at much of it in vain. So
each try tells its cost honestly, and whoever tries has a budget for the whole stretch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from reprise.logreader.envelope import DATA, JSON, to_event
from reprise.logreader.items import LogEvent, Origin

_FREE_CHARACTERS: Final = 4096
_UNTERMINATED: Final = "Unterminated string"
"""How `json` begins to say that a string goes on to the end of the text."""


class Stretch(str):
    """A text without lines.

    For every error `json` counts the lines before it, from the text's beginning: many errors in a long text
    would be quadratic. Nobody asks for the numbers here.
    """

    __slots__ = ()

    def count(self, *_: object) -> int:
        """Return 0."""
        return 0

    def rfind(self, *_: object) -> int:
        """Return -1."""
        return -1


@dataclass(frozen=True, slots=True)
class Failure:
    """A try that gave nothing."""

    at: int
    """Where the text is no JSON any more; where the try began if it is too deep."""
    reason: str


class Attempts:
    """The tries in one stretch, and what is left of their budget."""

    def __init__(self, data: bytes, work: int) -> None:
        """Begin.

        Args:
            data: The stretch.
            work: Characters that may be looked at in vain, per character: what keeps this linear.
        """
        self.text: Final = Stretch(data.decode("utf-8", "surrogateescape"))
        self._budget = work * len(self.text) + _FREE_CHARACTERS

    @property
    def is_exhausted(self) -> bool:
        """Tell whether so much was looked at in vain that no more should be tried."""
        return self._budget <= 0

    def decode(self, start: int) -> tuple[Any, int] | Failure:
        """Return the value that begins at a brace, and where it ends."""
        try:
            return JSON.raw_decode(self.text, start)
        except RecursionError:
            # Nobody says where it stopped.
            failure, end = Failure(start, "too deep"), len(self.text)
        except ValueError as error:
            failure = Failure(getattr(error, "pos", start), getattr(error, "msg", "no JSON"))
            is_open = failure.reason.startswith(_UNTERMINATED)
            end = len(self.text) if is_open else failure.at + 1
        self._budget -= end - start
        return failure


_EVENT: Final = re.compile(r'\{\s{0,8}"(?:id|timestamp|message|extractedFields)"\s{0,8}:')
_FIELD: Final = r'"%s"\s{0,8}:\s{0,8}"([^"\\]{0,512})"'
_ORIGIN: Final = tuple(re.compile(_FIELD % name) for name in ("owner", "logGroup", "logStream"))
_SALVAGE_WORK: Final = 8
"""Characters that may be looked at in vain, per character."""


def salvage(data: bytes) -> list[LogEvent]:
    """Return the events that stand whole in the remains of an envelope.

    An event is whole if its JSON is: in JSON a message's own quotes are escaped, so that nothing
    inside a message passes for an event. What is no envelope's remains gives nothing.
    """
    if b'"message' not in data:
        return []
    attempts = Attempts(data, _SALVAGE_WORK)
    text = attempts.text
    first = _EVENT.search(text)
    if first is None or "CONTROL_MESSAGE" in text[: first.start()]:
        return []
    fields = [pattern.search(text, 0, first.start()) for pattern in _ORIGIN]
    is_envelope = DATA in text[: first.start()] or any(field and field[1] for field in fields)
    if not ("logEvents" in text and is_envelope) and not all(fields):
        # Somebody else's JSON.
        return []
    origin = Origin(*(field[1] if field else "" for field in fields))
    events: list[LogEvent] = []
    end = 0
    for start in (match.start() for match in _EVENT.finditer(text)):
        if start < end:
            continue
        if attempts.is_exhausted:
            break
        tried = attempts.decode(start)
        if isinstance(tried, Failure):
            continue
        fields_of_event, end = tried
        event = to_event(origin, fields_of_event) if _is_utf8(text[start:end]) else None
        if event is not None:
            events.append(event)
    return events


def _is_utf8(text: str) -> bool:
    """Tell whether a text has no bytes in it that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

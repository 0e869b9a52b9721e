"""Get the whole events out of an envelope that is broken or cut."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reprise.reader.attempt import Attempts, Failure
from reprise.reader.envelope import DATA, to_event
from reprise.reader.items import Origin

if TYPE_CHECKING:
    from reprise.reader.items import Item

_EVENT: Final = re.compile(r'\{\s{0,8}"(?:id|timestamp|message|extractedFields)"\s{0,8}:')
_FIELD: Final = r'"%s"\s{0,8}:\s{0,8}"([^"\\]{0,512})"'
_ORIGIN: Final = tuple(re.compile(_FIELD % name) for name in ("owner", "logGroup", "logStream"))
_WORK: Final = 8
"""Characters that may be looked at in vain, per character."""


def salvage(data: bytes) -> list[Item]:
    """Return the events that stand whole in the remains of an envelope.

    An event is whole if its JSON is: in JSON a message's own quotes are escaped, so that nothing
    inside a message passes for an event. What is no envelope's remains gives nothing.
    """
    if b'"message' not in data:
        return []
    attempts = Attempts(data, _WORK)
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
    items: list[Item] = []
    position = 0
    for start in (match.start() for match in _EVENT.finditer(text)):
        if start < position:
            continue
        if attempts.is_exhausted:
            break
        tried = attempts.decode(start)
        if isinstance(tried, Failure):
            continue
        fields_of_event, position = tried
        event = to_event(origin, fields_of_event) if _is_utf8(text[start:position]) else None
        if event is not None:
            items.append(event)
    return items


def _is_utf8(text: str) -> bool:
    """Tell whether a text has no bytes in it that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

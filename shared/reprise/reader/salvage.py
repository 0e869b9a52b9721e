"""Get the whole events out of an envelope that is broken or cut."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reprise.reader.envelope import JSON, to_event
from reprise.reader.items import Origin

if TYPE_CHECKING:
    from reprise.reader.items import Item

_EVENT: Final = re.compile(r'\{\s{0,8}"(?:id|timestamp|message|extractedFields)"\s{0,8}:')
_FIELD: Final = r'"%s"\s{0,8}:\s{0,8}"([^"\\]{0,512})"'
_ORIGIN: Final = tuple(re.compile(_FIELD % name) for name in ("owner", "logGroup", "logStream"))
_WORK: Final = 8
"""Characters that may be looked at in vain, per character: what keeps this linear."""
_TOO_DEEP: Final = 64 * 1024


def salvage(data: bytes) -> list[Item]:  # noqa: C901 - one scan, one loop
    """Return the events that stand whole in the remains of an envelope.

    An event is whole if its JSON is: in JSON a message's own quotes are escaped, so that nothing
    inside a message passes for an event. What is no envelope's remains gives nothing.
    """
    if b'"message' not in data:
        return []
    text = data.decode("utf-8", "surrogateescape")
    first = _EVENT.search(text)
    if first is None or "CONTROL_MESSAGE" in text[: first.start()]:
        return []
    fields = [pattern.search(text, 0, first.start()) for pattern in _ORIGIN]
    if "logEvents" not in text and not all(fields):
        # Somebody else's JSON.
        return []
    origin = Origin(*(field[1] if field else "" for field in fields))
    items: list[Item] = []
    position, work = 0, _WORK * len(text) + _TOO_DEEP
    for start in (match.start() for match in _EVENT.finditer(text)):
        if start < position:
            continue
        try:
            event_fields, end = JSON.raw_decode(text, start)
            text[start:end].encode()
        except RecursionError:
            work -= _TOO_DEEP
        except UnicodeEncodeError:
            work -= 1
        except ValueError as error:
            work -= getattr(error, "pos", start) - start + 1
        else:
            position = end
            event = to_event(origin, event_fields)
            if event is not None:
                items.append(event)
        if work < 0:
            break
    return items

"""Read how people name a captured call: its id, or its status URL: a pure rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SCHEME: Final = "reprise://"
_PATH: Final = "/calls/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRef:
    """A call, and the stack that its URL names."""

    call_id: str
    stack_name: str | None = None


def read_call_ref(text: str) -> CallRef:
    """Return the call that an id or a URL such as `reprise://stack/calls/ID` names.

    An id may hold any printable character, slashes too: all after the first `/calls/` is the id.
    """
    if "://" not in text:
        return CallRef(call_id=text)
    _, _, after = text.partition("://")
    authority, found, call_id = after.partition(_PATH)
    if not found:
        return CallRef(call_id=text)
    return CallRef(call_id=call_id, stack_name=authority if text.startswith(_SCHEME) else None)

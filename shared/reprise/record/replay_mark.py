"""Mark a replay of a call that a decorated target captured itself, so that it is not captured twice.

Only such replays are marked: every other replay carries its caller's client context unaltered.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reprise.record.record import Record

DECORATOR: Final = "decorator"
"""`Record.source.name` of lines that a decorated target wrote."""
_MARK: Final = "reprise_call_id"


def context_for_replay(record: Record) -> str | None:
    """Return the client context that a replay carries."""
    if record.source.name != DECORATOR:
        return record.client_context
    text = json.dumps({"custom": {_MARK: record.id}}, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode("ascii")


def is_marked(context: Any) -> bool:  # noqa: ANN401 - Lambda's own context type, or a test's
    """Tell whether an invocation is a replay of a call that its own target captured."""
    custom = getattr(getattr(context, "client_context", None), "custom", None)
    return isinstance(custom, dict) and _MARK in custom

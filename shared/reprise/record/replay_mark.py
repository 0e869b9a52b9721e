"""Mark a replay of a call that a decorated target captured itself, so that it is not captured twice.

The decorator writes the mark into the record's client context, and every replay carries that unaltered.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from reprise.record.authentic import DECORATOR
from reprise.record.mac import LEGACY, split_key_id

if TYPE_CHECKING:
    from reprise.record.record import Record

_MARK: Final = "reprise_call_id"


def marked_context(request_id: str) -> str:
    """Return the client context of a call that its own target captured.

    Args:
        request_id: Of the invocation that failed.
    """
    text = json.dumps({"custom": {_MARK: request_id}}, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode("ascii")


def is_captured_by_target(record: Record) -> bool:
    """Tell whether a decorated target captured the call itself: its caller was answered with the error."""
    return _is_unmarked(record) or _has_mark(record.client_context)


def context_for_replay(record: Record) -> str | None:
    """Return the client context that a replay carries: its caller's, unaltered.

    Targets that were decorated with 0.1.0 write no mark: theirs is made here.
    """
    return marked_context(record.id) if _is_unmarked(record) else record.client_context


def is_marked(context: Any) -> bool:  # noqa: ANN401 - Lambda's own context type, or a test's
    """Tell whether an invocation is a replay of a call that its own target captured."""
    custom = getattr(getattr(context, "client_context", None), "custom", None)
    return isinstance(custom, dict) and _MARK in custom


def _is_unmarked(record: Record) -> bool:
    source, _ = split_key_id(record.mac.key_id if record.mac is not None else "")
    return source == LEGACY and record.source.name == DECORATOR


def _has_mark(client_context: str | None) -> bool:
    try:
        document = json.loads(base64.b64decode(client_context or "", validate=True))
    except (ValueError, RecursionError):
        return False
    custom = document.get("custom") if isinstance(document, dict) else None
    return isinstance(custom, dict) and _MARK in custom

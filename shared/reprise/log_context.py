"""Name the call and its target on every log line that is written while the call is dealt with."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_call: ContextVar[tuple[str, str] | None] = ContextVar("reprise_call", default=None)


@contextmanager
def about_call(call_id: str, target: str) -> Iterator[None]:
    """Let log lines of this thread name a call inside.

    Args:
        call_id: The call's id.
        target: Its target's ARN.
    """
    token = _call.set((call_id, target))
    try:
        yield
    finally:
        _call.reset(token)


class CallFilter(logging.Filter):
    """Adds `call_id` and `target` to a line that does not name them itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line pass."""
        named = _call.get()
        if named is not None:
            record.__dict__.setdefault("call_id", named[0])
            record.__dict__.setdefault("target", named[1])
        return True

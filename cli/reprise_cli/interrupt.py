"""Turn SIGTERM into an exception, and let nobody interrupt the repair."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType

INTERRUPTED: Final = 130
"""What shells make of Ctrl-C: 128 and the number of SIGINT (POSIX shell, "Exit Status for Commands")."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def interruptible() -> AbstractContextManager[None]:
    """Let SIGTERM end what is inside as Ctrl-C does, so that `finally` runs."""
    return _handled(_interrupt)


def uninterruptible() -> AbstractContextManager[None]:
    """Ignore Ctrl-C and SIGTERM inside: for a repair that is short and must be whole."""
    return _handled(signal.SIG_IGN)


@contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], object] | signal.Handlers,
) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)

"""Keep the happy path cheap: its metrics go out at most once a second from one environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

GAP_S: Final = 1.0
"""What the end of an environment can cost: the calls of its last second are not counted."""


class Pace:
    """Says when it is time again."""

    __slots__ = ("_monotonic", "_next_s")

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Use a clock that only goes forward."""
        self._monotonic = monotonic
        self._next_s = float("-inf")

    def is_due(self) -> bool:
        """Tell whether a second has passed since the last time that this was true."""
        now_s = self._monotonic()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + GAP_S
        return True

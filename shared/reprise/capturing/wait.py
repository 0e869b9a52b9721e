"""Wait for a captured call's end by looking at its row again and again.

Nothing tells a caller that waits: a look is a read of one row, made only by those who asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.ledger import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.ledger import Row

FIRST_LOOK_S: Final = 0.1
"""Until the second look; each further one comes half as late again."""
LOOK_EVERY_S: Final = 1.0
"""The longest between two looks, and so how late an end may be noticed."""
_GROWTH: Final = 1.5


def has_ended(row: Row | None) -> bool:
    """Tell whether a call has come to an end, which only a redrive or another capture undoes."""
    return row is not None and row.state in TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """Looks until something is so, or time is over."""

    pause: Callable[[float], object]
    """Lets so many seconds go by."""
    monotonic: Callable[[], float]

    def until[T](
        self, probe: Callable[[], T], is_over: Callable[[T], bool], *, timeout_s: float
    ) -> T:
        """Return what was seen last: what was waited for, or what there was when time was over.

        Looks once at least, and once more when time is over.

        Raises:
            StoreError: What `probe` raises.
        """
        deadline_s, gap_s = self.monotonic() + timeout_s, FIRST_LOOK_S
        while True:
            seen, left_s = probe(), deadline_s - self.monotonic()
            if is_over(seen) or left_s <= 0:
                return seen
            self.pause(min(gap_s, left_s))
            gap_s = min(LOOK_EVERY_S, gap_s * _GROWTH)

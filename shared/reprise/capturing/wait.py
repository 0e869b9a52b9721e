"""Wait for a captured call's end by looking at its row again and again.

Nothing tells a caller that waits: a look is a read of one row, and costs half a thousandth of a cent a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.errors import BadRequestError
from reprise.ledger import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.ledger import Row

FIRST_LOOK_S: Final = 0.1
"""Until the second look; each further one comes half as late again."""
LOOK_EVERY_S: Final = 1.0
"""The longest between two looks, and so how late an end may be noticed."""
_GROWTH: Final = 1.5
LONGEST_WAIT_S: Final = 50
"""The longest of one request: boto3 gives up after 60 seconds without an answer, and sends again
(botocore, Config, read_timeout)."""


def has_ended(row: Row | None) -> bool:
    """Tell whether a call has come to an end, which only a redrive or another capture undoes."""
    return row is not None and row.state in TERMINAL


def check_wait(value: object, call_timeout_s: int) -> float:
    """Return the seconds that a request asks to wait.

    Args:
        value: What it says; None is not said.
        call_timeout_s: How long a call may take: whoever answers may run a little longer.

    Raises:
        BadRequestError: If it is no number, or out of bounds.
    """
    longest_s = min(LONGEST_WAIT_S, call_timeout_s)
    if value is None:
        return 0.0
    # A bool is an int, and NaN is in no bounds.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= longest_s:
        raise BadRequestError(
            "WaitSeconds", f"must be a number from 0 to {longest_s}", "Ask again for a longer wait"
        )
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """Looks until something is so, or time is over."""

    pause: Callable[[float], object]
    """Lets so many seconds go by."""
    monotonic: Callable[[], float]

    def until[T](
        self, look: Callable[[], T], is_over: Callable[[T], bool], *, timeout_s: float
    ) -> T:
        """Return what was seen last: what was waited for, or what there was when time was over.

        Looks once at least, and once more when time is over.

        Raises:
            StoreError: What `look` raises.
        """
        deadline_s, gap_s = self.monotonic() + timeout_s, FIRST_LOOK_S
        while True:
            seen, left_s = look(), deadline_s - self.monotonic()
            if is_over(seen) or left_s <= 0:
                return seen
            self.pause(min(gap_s, left_s))
            gap_s = min(LOOK_EVERY_S, gap_s * _GROWTH)

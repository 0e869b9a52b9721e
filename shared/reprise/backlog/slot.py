"""Let long waits end together, so that folded objects come back ten a batch."""

from __future__ import annotations

import math
from typing import Final

SLOT_S: Final = 15
"""Long waits end at multiples of this many seconds since the epoch."""
_SHORT_S: Final = 4 * SLOT_S
"""Shorter waits stay as they are: there the delay would show."""


def slot_wait_s(wait_s: float, now_s: float, *, longest_s: float = math.inf) -> float:
    """Return a wait moved to the end of its slot, or to its start if the end is too late.

    Args:
        wait_s: Seconds to wait.
        now_s: The present, in seconds since the epoch.
        longest_s: Longest wait that may be returned.
    """
    if wait_s < _SHORT_S:
        return min(wait_s, longest_s)
    slots = math.ceil((now_s + wait_s) / SLOT_S)
    while slots * SLOT_S - now_s > longest_s:
        slots -= 1
    return max(0.0, slots * SLOT_S - now_s)

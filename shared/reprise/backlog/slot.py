"""Let waits end together, so that folded objects come back ten a batch and not one by one."""

from __future__ import annotations

import math
from typing import Final

SLOTS_S: Final = (120, 60, 15, 5)
"""A wait ends at a multiple of the longest of these that is no more than a quarter of it."""
_SHARE: Final = 0.25


def slot_wait_s(wait_s: float, now_s: float, *, longest_s: float = math.inf) -> float:
    """Return a wait moved to the end of its slot, or to its start if the end is too late.

    Args:
        wait_s: Seconds to wait.
        now_s: The present, in seconds since the epoch.
        longest_s: Longest wait that may be returned.
    """
    slot_s = next((slot_s for slot_s in SLOTS_S if slot_s <= wait_s * _SHARE), None)
    if slot_s is None:
        return min(wait_s, longest_s)
    slots = math.ceil((now_s + wait_s) / slot_s)
    while slots * slot_s - now_s > longest_s:
        slots -= 1
    return max(0.0, slots * slot_s - now_s)

"""Exponential backoff with full jitter."""

from __future__ import annotations

import math
from typing import Final

_NO_WAIT_S: Final = 1e-6
"""Below this an initial wait is none; growth from it would overflow a float."""


def backoff_s(
    attempt: int,
    *,
    initial_s: float,
    maximum_s: float,
    coefficient: float,
    draw: float,
    floor_s: float = 0.0,
) -> float:
    """Return the wait after a failed attempt: draw * min(maximum, initial * coefficient^(attempt-1)).

    Args:
        attempt: Number of the attempt that failed; the first is 1.
        initial_s: Longest wait after the first attempt.
        maximum_s: Longest wait of all, jitter included.
        coefficient: Growth from one attempt to the next, at least 1.
        draw: From [0, 1), made by the caller.
        floor_s: The server's `Retry-After`, which jitter may not undercut.

    Returns:
        Seconds, in [floor_s, max(floor_s, maximum_s)].

    Raises:
        ValueError: If attempt is below 1.

    Source: "Exponential Backoff and Jitter", AWS Architecture Blog (Full Jitter).
    """
    if attempt < 1:
        msg = f"attempt counts from 1, got {attempt}"
        raise ValueError(msg)
    if initial_s < _NO_WAIT_S:
        return floor_s
    # In logarithms, because coefficient**attempt overflows a float long before attempt does.
    growth = math.log(coefficient) * (attempt - 1)
    ceiling_s = (
        maximum_s
        if growth >= math.log(max(maximum_s, initial_s) / initial_s)
        else initial_s * math.exp(growth)
    )
    return max(floor_s, draw * min(maximum_s, ceiling_s))

"""Exponential backoff with full jitter."""

from __future__ import annotations

import math
from typing import Final

_NO_WAIT_S: Final = 1e-6
"""Below this an initial wait is none; growth from it would overflow a float."""


def backoff_s(
    attempt: int,
    *,
    initial_interval_s: float,
    maximum_interval_s: float,
    backoff_coefficient: float,
    draw: float,
    floor_s: float = 0.0,
) -> float:
    """Return the wait after a failed attempt: draw * min(maximum, initial * coefficient^(attempt-1)).

    Args:
        attempt: Number of the attempt that failed; the first is 1.
        initial_interval_s: Longest wait after the first attempt.
        maximum_interval_s: Longest wait of all, jitter included.
        backoff_coefficient: Growth from one attempt to the next, at least 1.
        draw: From [0, 1), made by the caller.
        floor_s: The server's `Retry-After`, which jitter may not undercut.

    Returns:
        Seconds, in [floor_s, max(floor_s, maximum_interval_s)].

    Raises:
        ValueError: If attempt is below 1.

    Source: "Exponential Backoff and Jitter", AWS Architecture Blog (Full Jitter).
    """
    if attempt < 1:
        msg = f"attempt counts from 1, got {attempt}"
        raise ValueError(msg)
    if initial_interval_s < _NO_WAIT_S:
        return floor_s
    # In logarithms, because backoff_coefficient**attempt overflows a float long before attempt does.
    growth = math.log(backoff_coefficient) * (attempt - 1)
    ceiling_s = (
        maximum_interval_s
        if growth >= math.log(max(maximum_interval_s, initial_interval_s) / initial_interval_s)
        else initial_interval_s * math.exp(growth)
    )
    return max(floor_s, draw * min(maximum_interval_s, ceiling_s))

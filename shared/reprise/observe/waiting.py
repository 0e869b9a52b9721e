"""Find the age of the oldest call that a batch gave back, without reading its messages twice.

A call that waits is delivered now and then, and given back: so the oldest of these is the oldest that waits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reprise.instant import parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

_HEAD: Final = 8 * 1024
"""Where both fields stand in a replay message: behind the id only. A name inside a JSON string has its quotes
escaped, so that neither pattern matches there."""
_CAPTURED_AT: Final = re.compile(r'"captured_at":"([^"\\]{1,40})"')
_FUNCTION: Final = re.compile(r'"function":"([^"\\]{1,300})"')


def oldest_ages_s(bodies: Iterable[str], now: datetime) -> dict[str, float]:
    """Return how long ago the oldest call was captured, in seconds, by function ARN.

    Args:
        bodies: Of the replay messages that were given back; one that names no call is passed over.
        now: The present.
    """
    ages_s: dict[str, float] = {}
    for body in bodies:
        captured_at = _CAPTURED_AT.search(body, 0, _HEAD)
        function = _FUNCTION.search(body, 0, _HEAD)
        if captured_at is None or function is None:
            continue
        try:
            age_s = (now - parse_instant(captured_at[1])).total_seconds()
        except ValueError:
            continue
        ages_s[function[1]] = max(age_s, ages_s.get(function[1], 0.0))
    return ages_s

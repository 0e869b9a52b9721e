"""The clock of recurring schedules: the real one, until a test sets another.

``POST /_reprise/schedules {"at": "2026-03-29T00:00:00Z", "rate": 3600, "until": …}`` lets an hour
pass in a second, from an instant, and stop at another; ``DELETE`` goes back to the real clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """How the clock goes."""

    started_s: float = 0.0
    """When it was set, by the real clock."""
    at_s: float = 0.0
    rate: float = 1.0
    until_s: float = float("inf")

    def now_s(self) -> float:
        passed_s = (time.time() - self.started_s) * self.rate
        return min(self.at_s + passed_s, self.until_s)


class ScheduleClock:
    """A clock that can be set."""

    def __init__(self) -> None:
        """Go with the real clock."""
        self._course = _Course()
        self.settings = 0
        """How often it was set: who has seen another number starts anew."""

    def now_s(self) -> float:
        """Return the present, in seconds since the epoch."""
        return self._course.now_s()

    def set_at_s(self) -> float | None:
        """Return the instant it was set to; None on the real clock."""
        return self._course.at_s or None

    def set(self, at: str, rate: float = 1.0, until: str | None = None) -> dict[str, Any]:
        """Go from an instant, so many times faster than real, to another."""
        self._course = _Course(
            started_s=time.time(),
            at_s=datetime.fromisoformat(at).timestamp(),
            rate=rate,
            until_s=datetime.fromisoformat(until).timestamp() if until else float("inf"),
        )
        self.settings += 1
        return self.describe()

    def reset(self) -> dict[str, Any]:
        """Go with the real clock again."""
        self._course = _Course()
        self.settings += 1
        return self.describe()

    def describe(self) -> dict[str, Any]:
        """Return the present, and whether it goes on."""
        return {"now_s": self.now_s(), "is_over": self.now_s() >= self._course.until_s}


CLOCK = ScheduleClock()

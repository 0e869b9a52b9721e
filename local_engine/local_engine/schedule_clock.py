"""The clock of recurring schedules: the real one, until a test sets another.

``POST /_reprise/schedules {"at": "2026-03-29T00:00:00Z", "rate": 3600, "until": …}`` lets an hour
pass in a second, from an instant, and stop at another; ``DELETE`` goes back to the real clock. With
``"group": NAME`` only the schedules of that group follow it: what else runs each minute keeps real time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How the clock goes. Who asks several things of one moment asks one course."""

    number: int = 0
    """How often the clock had been set: who has seen another number starts anew."""
    started_s: float = 0.0
    """When it was set, by the real clock."""
    at_s: float = 0.0
    rate: float = 1.0
    until_s: float = float("inf")
    group: str | None = None
    """Schedule group that follows; None for all."""

    def now_s(self) -> float:
        """Return the present, in seconds since the epoch."""
        passed_s = (time.time() - self.started_s) * self.rate
        return min(self.at_s + passed_s, self.until_s)

    def set_at_s(self) -> float | None:
        """Return the instant it was set to; None on the real clock."""
        return self.at_s or None

    def rules(self, group: str) -> bool:
        """Tell whether the schedules of a group follow, or did until the real clock was back."""
        return self.group in (None, group)


class ScheduleClock:
    """A clock that can be set."""

    def __init__(self) -> None:
        """Go with the real clock."""
        self.course = Course()
        self._served: tuple[int, float] = (0, 0.0)

    def set(
        self, at: str, rate: float = 1.0, until: str | None = None, group: str | None = None
    ) -> dict[str, Any]:
        """Go from an instant, so many times faster than real, to another."""
        self.course = Course(
            number=self.course.number + 1,
            started_s=time.time(),
            at_s=datetime.fromisoformat(at).timestamp(),
            rate=rate,
            until_s=datetime.fromisoformat(until).timestamp() if until else float("inf"),
            group=group,
        )
        return self.describe()

    def reset(self) -> dict[str, Any]:
        """Go with the real clock again."""
        self.course = Course(number=self.course.number + 1, group=self.course.group)
        return self.describe()

    def serve(self, course: Course, now_s: float) -> None:
        """Note that what was due on a course up to an instant has been fired."""
        self._served = (course.number, now_s)

    def describe(self) -> dict[str, Any]:
        """Return the present, and whether all that was due up to the end of the course has been fired."""
        course, (number, served_s) = self.course, self._served
        is_over = number == course.number and served_s >= course.until_s
        return {"now_s": course.now_s(), "is_over": is_over}


CLOCK = ScheduleClock()

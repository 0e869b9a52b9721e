"""A target whose calls share places and CPUs: with few CPUs it slows down before it refuses anything.

Processor sharing: with more calls than CPUs each runs at the same part of full speed. One clock of work done
serves all calls, so that a change of speed costs nothing per call. Without a limit of CPUs it is Lambda's
ordinary concurrency: a place a call, and a refusal beyond.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDING_S: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a target has to give at an instant."""

    places: int
    cpus: float = math.inf
    slowness: float = 1.0
    """How many times as long a call takes."""

    def speed(self, calls: int) -> float:
        """Return how much work a second each of so many calls gets done."""
        return min(1.0, self.cpus / max(1, calls)) / self.slowness


@dataclass(slots=True, eq=False)
class _Run:
    started_at_s: float
    ends: Callable[[bool], None]
    is_over: bool = False


class SharedTarget:
    """Runs calls to their end or to their timeout."""

    def __init__(
        self,
        *,
        now_s: Callable[[], float],
        after: Callable[[float, Callable[[], None]], None],
        capacity: Callable[[], Capacity],
        timeout_s: float,
    ) -> None:
        """Run nothing yet.

        Args:
            now_s: The clock.
            after: Lets something happen after a delay.
            capacity: What there is now; `touch` tells of a change.
            timeout_s: An execution that takes longer fails.
        """
        self._clock, self._after, self._capacity = now_s, after, capacity
        self._timeout_s = timeout_s
        self.running = 0
        self._done_s, self._seen_at_s = 0.0, 0.0
        """Work done for whoever ran all along, as of when."""
        self._speed = 1.0
        self._serial = itertools.count()
        self._by_work: list[tuple[float, int, _Run]] = []
        self._by_age: deque[_Run] = deque()
        self._planned_at_s = math.inf

    def has_room(self) -> bool:
        """Tell whether a call would be taken now."""
        return self.running < self._capacity().places

    def offer(self, work_s: float, ends: Callable[[bool], None]) -> bool:
        """Take a call, or refuse it.

        Args:
            work_s: How long it takes on a CPU of its own.
            ends: Told whether it ended before its timeout.
        """
        if not self.has_room():
            return False
        self._catch_up()
        run = _Run(self._clock(), ends)
        heapq.heappush(self._by_work, (self._done_s + work_s, next(self._serial), run))
        self._by_age.append(run)
        self.running += 1
        self._plan()
        return True

    def touch(self) -> None:
        """Reckon again: the capacity has changed."""
        self._catch_up()
        self._plan()

    def _catch_up(self) -> None:
        now_s = self._clock()
        self._done_s += (now_s - self._seen_at_s) * self._speed
        self._seen_at_s = now_s

    def _plan(self) -> None:
        """Be there at the next end, with the speed that holds from now on."""
        self._speed = self._capacity().speed(self.running)
        while self._by_work and self._by_work[0][2].is_over:
            heapq.heappop(self._by_work)
        while self._by_age and self._by_age[0].is_over:
            self._by_age.popleft()
        if not self._by_work:
            self._planned_at_s = math.inf
            return
        now_s = self._clock()
        left_s = math.inf
        if self._speed:
            left_s = max(0.0, self._by_work[0][0] - self._done_s) / self._speed
        next_at_s = min(now_s + left_s, self._by_age[0].started_at_s + self._timeout_s)
        if next_at_s < self._planned_at_s:
            self._planned_at_s = next_at_s
            self._after(max(0.0, next_at_s - now_s), lambda: self._arrive(next_at_s))

    def _arrive(self, at_s: float) -> None:
        if at_s != self._planned_at_s:
            return
        self._planned_at_s = math.inf
        self._catch_up()
        ended: list[tuple[_Run, bool]] = []
        while self._by_work and self._by_work[0][0] <= self._done_s + ROUNDING_S:
            run = heapq.heappop(self._by_work)[2]
            if not run.is_over:
                run.is_over = True
                ended.append((run, True))
        for run in self._by_age:
            if run.started_at_s + self._timeout_s > at_s + ROUNDING_S:
                break
            if not run.is_over:
                run.is_over = True
                ended.append((run, False))
        self.running -= len(ended)
        self._plan()
        for run, is_in_time in ended:
            run.ends(is_in_time)

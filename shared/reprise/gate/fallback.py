"""What a replayer remembers of a target while the gates cannot be reached: one call at a time, and pauses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from reprise.retry.backoff import backoff_s

INITIAL_S: Final = 4.0
MAXIMUM_S: Final = 60.0
"""Pauses after failures in a row, with full jitter."""
SPREAD_S: Final = 20.0
"""How far calls that found no room are spread."""


@dataclass(slots=True)
class Remembered:
    """One target's standing in this process."""

    failures: int = 0
    pause_until_ms: int = 0


@dataclass(slots=True)
class LocalGate:
    """The gates of last resort; a process handles one batch at a time, so there is one call a target.

    Source: "Exponential Backoff and Jitter", AWS Architecture Blog (Full Jitter).
    """

    targets: dict[str, Remembered] = field(default_factory=dict)

    def may_go(self, function: str, now_ms: int) -> bool:
        """Tell whether a call may be made now."""
        return now_ms >= self._of(function).pause_until_ms

    def wait_s(self, function: str, now_ms: int) -> float:
        """Return the time until one may."""
        return max(1.0, (self._of(function).pause_until_ms - now_ms) / 1000)

    def learn(self, function: str, *, has_room: bool, now_ms: int, draw: float) -> None:
        """Remember how a call ended."""
        target = self._of(function)
        if has_room:
            target.failures = 0
            return
        target.failures += 1
        pause_s = backoff_s(
            target.failures,
            initial_interval_s=INITIAL_S,
            maximum_interval_s=MAXIMUM_S,
            backoff_coefficient=2.0,
            draw=draw,
        )
        target.pause_until_ms = now_ms + round(pause_s * 1000)

    def _of(self, function: str) -> Remembered:
        return self.targets.setdefault(function, Remembered())

"""What can be made to go wrong while the engine runs, besides planned faults of calls: off until asked for.

| Path | Does |
|---|---|
| ``POST log-path`` | subscription filters deliver nothing; what they match waits for ``DELETE`` |
| ``POST log-path {"drop": 0.01, "seed": 7}`` | that share of the lines that they match is lost |
| ``POST deliveries {"again": 0.3, "within_s": 5}`` | that share of the batches of queues comes twice |
| ``POST permissions`` | what IAM decides about roles is noted, anew; ``GET`` tells it by role |
| ``POST clocks {"skew_s": 30}`` | new environments of Python functions have clocks up to so much off |

``GET`` shows, ``DELETE`` switches off.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from local_engine.schedule_clock import CLOCK, ScheduleClock

_PARTS: Final = 2


@dataclass(slots=True)
class LogPath:
    """The way from log group to delivery stream: it flows, stands still, or loses lines.

    What is lost stays in its log group, as on AWS where a filter's destination refuses it.
    Source: CloudWatch Logs User Guide, "Log group-level subscription filters" ("logs are skipped").
    """

    drop: float = 0.0
    """Share of the matching lines that is lost."""
    seed: int = 0
    hits: int = 0
    """Deliveries that waited, in all."""
    passed: int = 0
    """Lines that were not lost since a share was set."""
    dropped: int = 0
    _flows: threading.Event = field(default_factory=threading.Event)
    _chance: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        """Flow."""
        self._flows.set()

    def set(self, drop: float | None = None, seed: int = 0) -> None:
        """Stop; or lose this share of the lines from now on, drawn with the seed, and count anew.

        Raises:
            ValueError: If it is no share.
        """
        if drop is None:
            self._flows.clear()
            return
        if not 0 <= drop <= 1:
            message = f"the share of lines to drop must be from 0 to 1, not {drop}"
            raise ValueError(message)
        self.drop, self.seed, self.passed, self.dropped = drop, seed, 0, 0
        self._chance = random.Random(seed)  # noqa: S311 - a test's plan

    def reset(self) -> None:
        """Flow again, and lose nothing."""
        self.drop = 0.0
        self._flows.set()

    def wait(self) -> None:
        """Return once it flows."""
        self.hits += not self._flows.is_set()
        self._flows.wait()

    def loses(self) -> bool:
        """Tell whether the next line is lost."""
        is_lost = self._chance.random() < self.drop
        self.dropped += is_lost
        self.passed += not is_lost
        return is_lost

    def describe(self) -> dict[str, Any]:
        """Return what is asked for, and what came of it."""
        names = ("drop", "seed", "passed", "dropped", "hits")
        shown = {name: getattr(self, name) for name in names}
        return shown | {"is_stopped": not self._flows.is_set()}


@dataclass(slots=True)
class Copies:
    """Batches that a queue delivers again though their messages are in flight, or gone.

    Source: SQS Developer Guide, "Amazon SQS at-least-once delivery".
    """

    again: float = 0.0
    """Share of the batches."""
    within_s: float = 5.0
    """The copy comes within that time, at any moment of it."""
    hits: int = 0
    """Batches that came again, in all."""
    _chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - a test's plan

    def set(self, again: float, within_s: float = 5.0) -> None:
        """Deliver that share again."""
        self.again, self.within_s = float(again), float(within_s)

    def reset(self) -> None:
        """Deliver once."""
        self.again = 0.0

    def draw_s(self) -> float | None:
        """Return when a batch comes again, in seconds; None if it does not."""
        is_again = self._chance.random() < self.again
        self.hits += is_again
        return self._chance.uniform(0.0, self.within_s) if is_again else None

    def describe(self) -> dict[str, Any]:
        """Return what is asked for."""
        return {"again": self.again, "within_s": self.within_s, "hits": self.hits}


@dataclass(slots=True)
class Skew:
    """Clocks of environments that are off, each by as much of its own."""

    skew_s: float = 0.0
    """Most that one is off, before or after."""
    hits: int = 0
    """Environments whose clock was off, in all."""
    _chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - a test's plan

    def set(self, skew_s: float) -> None:
        """Let the clocks of new environments be off."""
        self.skew_s = float(skew_s)

    def reset(self) -> None:
        """Let them be right."""
        self.skew_s = 0.0

    def draw_s(self) -> float:
        """Return by how much the clock of a new environment is off, in seconds."""
        self.hits += self.skew_s > 0
        return self._chance.uniform(-self.skew_s, self.skew_s) if self.skew_s else 0.0

    def describe(self) -> dict[str, Any]:
        """Return what is asked for."""
        return {"skew_s": self.skew_s, "hits": self.hits}


@dataclass(slots=True)
class UsedPermissions:
    """What roles asked for since somebody wanted to know, and what IAM said."""

    is_on: bool = False
    _counts: Counter[tuple[str, str, str, bool]] = field(default_factory=Counter)

    def set(self) -> None:
        """Note from now on, and forget what was noted."""
        self.is_on = True
        self._counts.clear()

    def reset(self) -> None:
        """Note no more."""
        self.is_on = False

    def note(self, role: str, action: str, resource: str, *, is_allowed: bool) -> None:
        """Note one decision; of a path the first two parts, or each object would be a row."""
        place = "/".join(resource.split("/")[:_PARTS])
        self._counts[role, action, place, is_allowed] += 1

    def describe(self) -> dict[str, Any]:
        """Return how often each was allowed and refused."""
        names = ("role", "action", "resource", "is_allowed")
        counts = sorted(self._counts.items())
        rows = [dict(zip(names, key, strict=True)) | {"count": count} for key, count in counts]
        return {"is_on": self.is_on, "decisions": rows}


LOG_PATH: Final = LogPath()
DELIVERIES: Final = Copies()
CLOCKS: Final = Skew()
PERMISSIONS: Final = UsedPermissions()
SWITCHES: Final[dict[str, LogPath | Copies | Skew | ScheduleClock | UsedPermissions]] = {
    "schedules": CLOCK,
    "log-path": LOG_PATH,
    "deliveries": DELIVERIES,
    "clocks": CLOCKS,
    "permissions": PERMISSIONS,
}
"""By path."""

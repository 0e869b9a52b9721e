"""The worlds that are explored to their ends, with their bounds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from exploration.roles import Cast
from exploration.state import Bounds
from exploration.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One world."""

    name: str
    calls: int
    ticks: int
    bounds: Bounds
    policy: tuple[tuple[str, Any], ...]
    replayers: int = 2

    def world(self, **changes: Any) -> World:
        """Return the world; `changes` are those of `Cast`, for planted faults."""
        policy = json.dumps({"default": dict(self.policy)}, separators=(",", ":"))
        return World(
            cast=Cast(policy=policy, **changes),
            calls=self.calls,
            ticks=self.ticks,
            bounds=self.bounds,
            replayers=self.replayers,
        )

    def said(self) -> str:
        """Return what is bounded, for people."""
        *bounds, total = zip(Bounds._fields, self.bounds, strict=True)
        said = ", ".join(f"{number} {what}" for what, number in bounds)
        return (
            f"{self.calls} calls under one gate, {self.replayers} replayers, one unpacker, "
            f"{self.ticks} ticks; at most {total[1]} (redrives apart) of {said}; "
            f"policy {dict(self.policy)}"
        )


ONE_ATTEMPT: Final = (("maximum_attempts", 1), ("max_age_s", 600))
NARROW: Final = (*ONE_ATTEMPT, ("max_concurrency", 1))
IDEMPOTENT: Final = (("maximum_attempts", 2), ("max_age_s", 900), ("idempotent", True))
ONCE: Final = Bounds(faults=1, failures=1, redrives=1, callers=1, cancels=1, total=1)
TWICE: Final = Bounds(faults=2, failures=2, redrives=1, callers=1, cancels=1, total=2)
SCENES: Final = (
    Scene(name="three-calls", calls=3, ticks=0, bounds=ONCE, policy=NARROW),
    Scene(name="two-calls", calls=2, ticks=1, bounds=ONCE, policy=NARROW),
    Scene(name="one-call", calls=1, ticks=2, bounds=ONCE, policy=ONE_ATTEMPT),
    Scene(name="idempotent", calls=1, ticks=2, bounds=ONCE, policy=IDEMPOTENT),
)
DEEP: Final = (
    Scene(name="three-calls-in-time", calls=3, ticks=1, bounds=ONCE, policy=NARROW),
    Scene(name="one-call-twice-disturbed", calls=1, ticks=1, bounds=TWICE, policy=ONE_ATTEMPT),
    Scene(name="idempotent-twice-disturbed", calls=1, ticks=2, bounds=TWICE, policy=IDEMPOTENT),
)
"""Far larger: explored by name only."""
SMALL: Final = (
    Scene(
        name="one call",
        calls=1,
        ticks=1,
        bounds=ONCE,
        policy=ONE_ATTEMPT,
    ),
    Scene(name="three calls, undisturbed", calls=3, ticks=0, bounds=Bounds(), policy=NARROW),
)
"""For the unit tests: some seconds."""

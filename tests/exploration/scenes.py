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
        return (
            f"{self.calls} calls under one gate, {self.replayers} replayers, one unpacker, "
            f"{self.ticks} ticks; "
            f"at most {total[1]} of {', '.join(f'{number} {what}' for what, number in bounds)}; "
            f"policy {dict(self.policy)}"
        )


ONE_ATTEMPT: Final = (("maximum_attempts", 1), ("max_age_s", 600))
NARROW: Final = (*ONE_ATTEMPT, ("max_concurrency", 1))
IDEMPOTENT: Final = (("maximum_attempts", 2), ("max_age_s", 900), ("idempotent", True))
SCENES: Final = (
    Scene(name="three-calls", calls=3, ticks=1, bounds=Bounds(1, 1, 1, 1, 1, 1), policy=NARROW),
    Scene(name="one-call", calls=1, ticks=1, bounds=Bounds(2, 2, 1, 1, 1, 2), policy=ONE_ATTEMPT),
    Scene(name="idempotent", calls=1, ticks=2, bounds=Bounds(2, 1, 1, 1, 1, 2), policy=IDEMPOTENT),
)
SMALL: Final = (
    Scene(
        name="one call",
        calls=1,
        ticks=1,
        bounds=Bounds(1, 1, 1, 1, 1, 1),
        policy=ONE_ATTEMPT,
    ),
    Scene(name="three calls, undisturbed", calls=3, ticks=0, bounds=Bounds(), policy=NARROW),
)
"""For the unit tests: some seconds."""

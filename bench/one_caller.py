"""Replay a backlog beside one caller's bad calls: how much longer do everybody else's calls take?

The product's own gate and backlog rule, in discrete events. A target of 100 places is throttled to zero, and
calls are captured, about a tenth of them one caller's that fail whenever they run. Each row compares the
recovery of the others with the same seeds without that caller. Checks that every good call succeeded, that no
bad one ran more often than its policy says, and that the others took no longer than 1.2 times as long.

    make bench     or     .tools/bench/bin/python bench/one_caller.py
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "bench")]

from replay_sim.players import Ours
from replay_sim.world import Batch, Call, Scenario, World

LIMIT: Final = 1.2
MAX_ATTEMPTS: Final = 3
FAILS_AFTER_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The calls of one caller, all of which fail."""

    name: str
    calls: int
    from_s: float
    to_s: float
    good: int = 10_000
    """Calls of all the others."""
    outage_s: float = 600.0
    seeds: int = 3
    """A short recovery scatters more."""
    is_redriven: bool = False
    """Whether they are letters that are redriven, and still fail."""


ROWS: Final = (
    Caller(name="all along", calls=1000, from_s=0.0, to_s=600.0),
    Caller(name="in the first half minute", calls=1000, from_s=0.0, to_s=30.0),
    Caller(name="in the last half minute", calls=1000, from_s=570.0, to_s=600.0),
    Caller(name="after the outage, too", calls=1500, from_s=0.0, to_s=900.0),
    Caller(
        name="beside fewer calls",
        calls=200,
        from_s=0.0,
        to_s=120.0,
        good=2000,
        outage_s=120.0,
        seeds=6,
    ),
    Caller(
        name="before all others",
        calls=200,
        from_s=0.0,
        to_s=10.0,
        good=2000,
        outage_s=120.0,
        seeds=6,
    ),
    # Of 130 letters a canary of ten goes first, and the others do not go; or, without one, all at once.
    Caller(
        name="a canary, redriven too soon",
        calls=10,
        from_s=60.0,
        to_s=60.0,
        good=200,
        outage_s=120.0,
        seeds=24,
        is_redriven=True,
    ),
    Caller(
        name="130 letters, redriven after",
        calls=130,
        from_s=125.0,
        to_s=125.0,
        good=200,
        outage_s=120.0,
        seeds=24,
        is_redriven=True,
    ),
)


class CallersWorld(World):
    """A world with one caller more."""

    def __init__(self, scenario: Scenario, caller: Caller, seed: int) -> None:
        """Set the stage."""
        super().__init__(scenario, Ours, seed)
        self.runs: list[int] = []
        self._letters: list[Call] = []
        span_s = (caller.to_s - caller.from_s) / max(1, caller.calls)
        for number in range(caller.calls):
            bad = self._redrive if caller.is_redriven else self._bad_call
            self.after(caller.from_s + number * span_s, bad)

    def _bad_call(self) -> None:
        # During the outage it is refused like all others; after it, it runs and fails.
        self.keep(Call(self.now_s, is_cohort=False, is_poison=True, has_run=not self.is_out()))

    def _redrive(self) -> None:
        # A redrive sends to the replay queue itself; whoever is kept here is no other's namesake.
        letter = Call(self.now_s, is_cohort=False, is_poison=True, is_redriven=True)
        self._letters.append(letter)
        self.backlog += 1
        self.send(letter, 0.0)

    def service_of(self, call: Call) -> float:
        """Return how long a call takes: a bad one fails soon."""
        return FAILS_AFTER_S if call.is_poison else super().service_of(call)

    def start(self, batch: Batch, call: Call) -> None:
        """Invoke the target with a call."""
        if call.is_poison and self.has_room():
            call.runs += 1
            self.runs.append(call.runs)
        super().start(batch, call)


def recovery_s(caller: Caller, seed: int, *, is_alone: bool) -> float:
    """Return the time from the outage's end to the last good call's, in seconds."""
    scenario = Scenario(name=caller.name, records=caller.good, outage_s=caller.outage_s)
    calls = 0 if is_alone else caller.calls
    alone = replace(caller, calls=calls)
    world = CallersWorld(scenario, alone, seed)
    world.run()
    if world.recovered_at_s is None or world.lost:
        sys.exit(f"{caller.name}, seed {seed}: {world.cohort_left} open, {world.lost} lost")
    if world.runs and max(world.runs) > MAX_ATTEMPTS:
        sys.exit(f"{caller.name}, seed {seed}: a bad call ran {max(world.runs)} times")
    return world.recovered_at_s - scenario.outage_s


def main() -> None:
    """Print the table; its last line is one JSON object."""
    logging.disable(logging.CRITICAL)
    print(
        f"{'one caller, bad':26} {'bad':>6} {'good':>7} {'alone s':>8} {'beside s':>9} {'ratio':>6}"
    )
    ratios: dict[str, float] = {}
    for caller in ROWS:
        seeds = range(1, caller.seeds + 1)
        alone = sum(recovery_s(caller, seed, is_alone=True) for seed in seeds) / len(seeds)
        beside = sum(recovery_s(caller, seed, is_alone=False) for seed in seeds) / len(seeds)
        ratios[caller.name] = beside / alone
        print(
            f"{caller.name:26} {caller.calls:6,} {caller.good:7,} {alone:8.0f} {beside:9.0f}"
            f" {beside / alone:6.2f}"
        )
    print(json.dumps({"limit": LIMIT, "ratios": {name: round(x, 3) for name, x in ratios.items()}}))
    if max(ratios.values()) > LIMIT:
        sys.exit(1)


if __name__ == "__main__":
    main()

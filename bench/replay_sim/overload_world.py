"""The world with a trigger: live calls before, during and after it, and what they have of it later.

A metastable failure outlives its trigger, sustained by the work that it left behind (Bronson et al., HotOS
2021; Huang et al., OSDI 2022). Here that work is replays: so live goodput is measured one bound after the
trigger, in a minute, and in the same minute of a target that has the same live calls and no replays.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from replay_sim.shared_target import Capacity, SharedTarget
from replay_sim.world import BUFFER_S, REFUSAL_S, Batch, Call, Scenario, World
from reprise.gate.admit import SHARED_CPUS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay_sim.world import Player

WINDOW_S: Final = 60
CALM_S: Final = 30.0
MOST_BOUNDS: Final = 8.0
PATIENCE_S: Final = 300.0
"""A run ends after so many bounds and this, drained or not."""
MOST_CALLS: Final = 4000
"""Live calls to the trigger's end, so that many runs fit into minutes."""


class Trigger(StrEnum):
    """What goes wrong for a while."""

    DROP = "drop"
    SLOW = "slow"
    ERRORS = "errors"
    STEP = "step"


class Target(StrEnum):
    """What a target has: few places, many, or CPUs that calls share."""

    NARROW = "narrow"
    WIDE = "wide"
    MANAGED = "managed"


UNITS: Final = {Target.NARROW: (10, 30), Target.WIDE: (30, 120), Target.MANAGED: (10, 120)}
"""Places, or CPUs: the least, and the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadScenario(Scenario):
    """A trigger, and the target that it meets. `outage_s` is the trigger's end."""

    trigger: Trigger
    severity: float
    """What is left of the capacity, how many times as slow, the share that fails, or the load's factor."""
    cpus: float = math.inf
    """CPUs of a managed target: calls share them."""

    @property
    def timeout_s(self) -> float:
        """Return after what time an execution fails."""
        return max(3.0, 20 * self.service_s)

    @property
    def rate(self) -> float:
        """Return live calls a second, but for a step of load."""
        return self.live_share * min(self.concurrency, self.cpus) / self.service_s

    def bound_of(self, calls: int) -> float:
        """Return the least time that so many captured calls can take beside the live ones."""
        spare = min(self.concurrency, self.cpus) * (1 - self.live_share)
        return max(BUFFER_S / 2, calls * self.service_s / spare) + self.service_s


def draw(seed: int, trigger: Trigger, target: Target) -> OverloadScenario:
    """Return the scenario of a seed."""
    random = Random(f"{seed}-{trigger}-{target}")
    least, most = UNITS[target]
    is_managed = target is Target.MANAGED
    while True:
        units = round(least * (most / least) ** random.random())
        live_share = random.uniform(0.3, 0.75)
        scenario = OverloadScenario(
            name=f"{trigger}-{target}-{seed}",
            trigger=trigger,
            severity={
                Trigger.DROP: random.choice((0.0, random.uniform(0.05, 0.5))),
                Trigger.SLOW: random.uniform(1.2, 4) / live_share,
                Trigger.ERRORS: random.choice((1.0, random.uniform(0.3, 1))),
                Trigger.STEP: random.uniform(1.2, 3) / live_share,
            }[trigger],
            outage_s=CALM_S + random.uniform(30, 300),
            service_s=0.1 * 20 ** random.random(),
            spread=random.uniform(0, 1.5),
            live_share=live_share,
            concurrency=units * random.randint(4, 40) if is_managed else units,
            cpus=units if is_managed else math.inf,
            most=SHARED_CPUS_AT_ONCE if is_managed else None,
        )
        factor = scenario.severity if trigger is Trigger.STEP else 1.0
        if scenario.rate * factor * scenario.outage_s <= MOST_CALLS:
            return scenario


class OverloadWorld(World):
    """One run of one player through one trigger."""

    scenario: OverloadScenario

    def __init__(
        self, scenario: OverloadScenario, make_player: Callable[[World], Player], seed: int
    ) -> None:
        """Set up the target, and its shadow without replays."""
        super().__init__(scenario, make_player, seed)
        self.target, self.shadow = self._make_target(), self._make_target()
        self.live_done: Counter[int] = Counter()
        self.shadow_done: Counter[int] = Counter()
        """Live calls of each second that succeeded."""
        self.live_ms: Counter[int] = Counter()
        self.shadow_ms: Counter[int] = Counter()
        """Milliseconds that those took."""
        self.wasted = self.kept = self.shadow_left = 0
        """Replays refused or failed; calls captured; live calls that the shadow did not serve by the end."""
        self.bound_s = math.inf

    def _make_target(self) -> SharedTarget:
        return SharedTarget(
            now_s=lambda: self.now_s,
            after=self.after,
            capacity=self._shared,
            timeout_s=self.scenario.timeout_s,
        )

    @property
    def window_at_s(self) -> float:
        """Return when the minute of measurement begins."""
        return self.scenario.outage_s + self.bound_s

    def run(self, limit_s: float = math.inf) -> None:
        """Run until that minute is over and the calls of the trigger have ended, or for a few bounds."""
        self.after(self._next_live_s(), self._live_call)
        self.after(1.0, self._scale)
        self.after(CALM_S, self._touch)
        self.after(self.scenario.outage_s, self._trigger_ends)
        while self._events:
            last_s = self.window_at_s + WINDOW_S + 1 + self.scenario.timeout_s
            if self.recovered_at_s is None:
                last_s = max(
                    last_s, self.scenario.outage_s + MOST_BOUNDS * self.bound_s + PATIENCE_S
                )
            if self._events[0][0] > min(limit_s, last_s):
                return
            self._step()
            if self.recovered_at_s is None and self.cohort_left == 0 and self.bound_s < math.inf:
                self.recovered_at_s = self.now_s

    def _touch(self) -> None:
        self.target.touch()
        self.shadow.touch()

    def _trigger_ends(self) -> None:
        self._touch()
        self.bound_s = self.scenario.bound_of(self.shadow_left)

    def _is_triggered(self) -> bool:
        return CALM_S <= self.now_s < self.scenario.outage_s

    def goodput(self) -> float:
        """Return live goodput in the minute of measurement, in parts of what it is without replays."""
        return self._in_minute(self.live_done) / max(1, self._in_minute(self.shadow_done))

    def slowness(self) -> float:
        """Return how long those live calls take, in parts of what they take without replays."""
        mean_ms = self._in_minute(self.live_ms) / max(1, self._in_minute(self.live_done))
        shadow_ms = self._in_minute(self.shadow_ms) / max(1, self._in_minute(self.shadow_done))
        return mean_ms / max(1.0, shadow_ms)

    def _in_minute(self, done: Counter[int]) -> int:
        first = math.ceil(self.window_at_s)
        return sum(done[second] for second in range(first, first + WINDOW_S))

    # --- target and live callers ------------------------------------------------------------------

    def _while_triggered(self, trigger: Trigger, otherwise: float) -> float:
        is_on = self.scenario.trigger is trigger and self._is_triggered()
        return self.scenario.severity if is_on else otherwise

    def _shared(self) -> Capacity:
        left = self._while_triggered(Trigger.DROP, 1.0)
        cpus = self.scenario.cpus * left if left else 0.0
        slowness = self._while_triggered(Trigger.SLOW, 1.0)
        return Capacity(int(self.scenario.concurrency * left), cpus, slowness)

    def _next_live_s(self) -> float:
        rate = self.scenario.rate * self._while_triggered(Trigger.STEP, 1.0)
        return self.live_random.expovariate(rate)

    def _service_s(self, random: Random) -> float:
        return min(super()._service_s(random), self.scenario.timeout_s / 2)

    def _live_call(self) -> None:
        self.after(self._next_live_s(), self._live_call)
        work_s = self._service_s(self.live_random)
        fails = self.live_random.random() < self._while_triggered(Trigger.ERRORS, 0.0)
        if not self.shadow.offer(work_s, partial(self._shadow_ends_with, self.now_s, fails)):
            self.shadow_left += 1
        if not self.target.offer(work_s, partial(self._live_ends, self.now_s, fails)):
            self._keep(has_run=False)

    def _shadow_ends_with(self, at_s: float, fails: bool, is_in_time: bool) -> None:  # noqa: FBT001 - a callback's
        if is_in_time and not fails:
            self.shadow_done[int(at_s)] += 1
            self.shadow_ms[int(at_s)] += round(1000 * (self.now_s - at_s))
        else:
            self.shadow_left += 1

    def _live_ends(self, at_s: float, fails: bool, is_in_time: bool) -> None:  # noqa: FBT001 - a callback's
        if is_in_time and not fails:
            self.live_done[int(at_s)] += 1
            self.live_ms[int(at_s)] += round(1000 * (self.now_s - at_s))
        else:
            self._keep(has_run=True)

    def _keep(self, *, has_run: bool) -> None:
        self.kept += 1
        self.keep(Call(self.now_s, self.is_out(), is_poison=False, has_run=has_run))

    def start(self, batch: Batch, call: Call) -> None:
        """Invoke the target with a call."""
        batch.running += 1
        call.tries += 1
        started_at_s = self.now_s
        fails = self.random.random() < self._while_triggered(Trigger.ERRORS, 0.0)

        def ends(is_in_time: bool) -> None:  # noqa: FBT001 - a callback's
            is_good = is_in_time and not fails
            self.wasted += not is_good
            self._ends(batch, call, "ok" if is_good else "failed", self.now_s - started_at_s)

        if not self.target.offer(self._service_s(self.random), ends):
            self.wasted += 1
            self.after(REFUSAL_S, lambda: self._ends(batch, call, "throttled", REFUSAL_S))

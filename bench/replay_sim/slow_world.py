"""The same world for a target without live calls, with what SQS counts: receives, requests, messages.

Captured objects arrive while the outage lasts. Folded objects have a queue and a function of their own, as in
the product, so that they are looked at however busy the replayers are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from replay_sim.players import TARGET, Ours
from replay_sim.world import BATCH, OBJECT_RECORDS, Batch, Call, Folded, Scenario, World
from reprise.gate.limit import BINDING_SHARE
from reprise.gate.parameters import DEFAULTS
from reprise.gate.state import GateState
from reprise.unpack.expansion import AHEAD_SHARE, INITIAL_EXPANSION

MAX_RECEIVES: Final = 1000
"""`maxReceiveCount` of the replay queue (infra/replay.yaml)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowScenario(Scenario):
    """A backlog, its target, and what is known of the target's concurrency."""

    replayers: int = 1000
    """Batches at a time, at most."""
    object_records: int = OBJECT_RECORDS


@dataclass(slots=True)
class Counts:
    """What a run cost, and how its calls ended."""

    succeeded: int = 0
    expired: int = 0
    moved: int = 0
    """Messages that SQS moved to the dead-letter queue: these calls never ended."""
    expanded: int = 0
    deepest: int = 0
    """Most calls that were in the replay queue at once, in flight or not."""
    receives: int = 0
    """Messages handed over by the replay queue."""
    most_receives: int = 0
    """The same of one call."""
    looks: int = 0
    requests: float = 0.0
    """To both queues: receive, delete, send, change visibility; ten messages each where they go together."""


class SlowWorld(World):
    """One backlog of a target without live calls."""

    scenario: SlowScenario

    def __init__(self, scenario: SlowScenario, seed: int) -> None:
        """Let the objects arrive evenly while the outage lasts."""
        super().__init__(scenario, Ours, seed)
        assert isinstance(self.player, Ours)  # noqa: S101 - tells the type checker
        self._ours, self._store = self.player, self.player.store
        self.counts = Counts()
        self._widest = 1.0
        self._memory: dict[str, object] = {}
        self.cohort = self.cohort_left = self.backlog = scenario.records
        objects = math.ceil(scenario.records / scenario.object_records)
        left = scenario.records
        for number in range(objects):
            records = min(scenario.object_records, left)
            left -= records
            at_s = scenario.outage_s * number / objects
            self.after(at_s, lambda records=records: self._capture_object(records))  # type: ignore[misc]

    @property
    def writes(self) -> int:
        """Return how often the gate was written to."""
        return self._store.writes

    @property
    def usable(self) -> float:
        """Return how many expanded calls the gate can use.

        They are those in flight, a first offer, and what the target drains in the rule's look-ahead, through
        its cap, or, where nothing is known of its concurrency, through the widest window that the gate came
        to; and through no wider one than the replayers' lanes let grow.
        """
        scenario = self.scenario
        known = scenario.concurrency if scenario.most is None else scenario.most
        window = max(self._widest, known) if scenario.most is None else known
        at_once = min(window, BATCH * scenario.replayers / BINDING_SHARE)
        ahead_s = max(DEFAULTS.lookahead_s, AHEAD_SHARE * scenario.service_s)
        return ahead_s * at_once / scenario.service_s + at_once + INITIAL_EXPANSION

    def _measure(self) -> None:
        counts = self.counts
        depth = counts.expanded - counts.succeeded - counts.expired - counts.moved
        counts.deepest = max(counts.deepest, depth)
        self._widest = max(self._widest, self._store.images.get(TARGET, GateState()).window)

    def _capture_object(self, records: int) -> None:
        calls = [Call(self.now_s, is_cohort=True, is_poison=False) for _ in range(records)]
        # Receive and delete.
        self.counts.requests += 2
        self.player.take_in(calls, self._memory)

    def _next_live_s(self) -> float:
        return math.inf

    # --- queues -----------------------------------------------------------------------------------

    def send(self, item: Call | Folded, delay_s: float) -> None:
        """Count what is expanded, and the requests."""
        if isinstance(item, Folded):
            self.counts.requests += 0.2
        elif item.was_sent:
            self.counts.requests += 0.1
        else:
            item.was_sent = True
            self.counts.requests += 0.1
            self.counts.expanded += 1
            self._measure()
        super().send(item, delay_s)

    def _show(self, item: Call | Folded) -> None:
        if isinstance(item, Call):
            super()._show(item)
            return
        # Looks come together (`unpack/defer.py`), five a batch, say.
        self.depth -= 1
        self.counts.looks += 1
        self.counts.requests += 0.2
        self._ours.look(item, self._memory)

    def _dispatch(self) -> None:
        self._pollers = min(self._pollers, self.scenario.replayers)
        while self._visible and self._active < self._pollers:
            calls = [self._visible.popleft() for _ in range(min(BATCH, len(self._visible)))]
            self.depth -= len(calls)
            self.counts.requests += 1
            batch = Batch(memory=self._idle.pop() if self._idle else {})
            batch.calls = [call for call in calls if isinstance(call, Call) and self._receive(call)]
            self._active += 1
            self.player.receive(batch, batch.calls)
            self._close(batch)

    def _receive(self, call: Call) -> bool:
        counts = self.counts
        call.receives += 1
        counts.receives += 1
        counts.most_receives = max(counts.most_receives, call.receives)
        if call.receives <= MAX_RECEIVES:
            return True
        counts.moved += 1
        self.cohort_left -= 1
        return False

    def end(self, call: Call, *, is_given_up: bool = False) -> None:
        """Count an end, and the delete that follows."""
        if not call.has_ended:
            self.counts.expired += is_given_up
            self.counts.succeeded += not is_given_up
            self.counts.requests += 0.1
        super().end(call, is_given_up=is_given_up)

"""The world that replays live in: a target without a queue of its own, live callers, capture, SQS, pollers.

Simplified from AWS's documentation: Lambda refuses at once what exceeds the concurrency; captured calls
arrive in objects of at most 1,000 after at most 60 s; pollers start at 5 and grow by 5 a second; a batch
holds its poller until its last call has ended. A shadow of the target without replays runs on the same live
calls, so that what replays cost live callers is exact.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BATCH = 10
OBJECT_RECORDS = 1000
BUFFER_S = 60.0
UNPACK_S = 2.0
REFUSAL_S = 0.03
POLLERS = 200
VISIBILITY_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One outage and what follows it."""

    name: str
    records: int = 10_000
    """Calls that are captured while the outage lasts."""
    outage_s: float = 600.0
    concurrency: int = 100
    service_s: float = 1.0
    spread: float = 1.0
    """Coefficient of variation of the service time; 0 for none."""
    live_share: float = 0.5
    """Share of the concurrency that live calls use after the outage."""
    poison_share: float = 0.0
    crash_share: float = 0.0
    """Share of batches whose replayer dies within a second."""
    is_by_errors: bool = False
    """Whether the outage is by errors rather than by throttles."""
    store_away_s: tuple[float, float] = (0.0, 0.0)
    most: int | None = None
    """Cap on the target's replays, as the replayers know it."""
    replayer_s: float = 90.0
    """Timeout of the replayers."""
    max_age_s: float = math.inf

    @property
    def bound_s(self) -> float:
        """The least time that the recovery can take, live calls first."""
        spare = self.concurrency * (1 - self.live_share)
        return max(BUFFER_S / 2, self.records * self.service_s / spare) + self.service_s


@dataclass(slots=True, eq=False)
class Call:
    """One captured call."""

    captured_at_s: float
    is_cohort: bool
    is_poison: bool
    tries: int = 0
    has_ended: bool = False
    was_sent: bool = False
    """Whether it was expanded; its message may have come back since."""
    receives: int = 0
    runs: int = 0
    """Times that it ran in a replay, counted where that matters."""
    has_run: bool = False
    """Whether it ran in its caller's own try, and failed."""
    is_redriven: bool = False
    """Whether an operator opened it again after it had failed in replays."""


@dataclass(slots=True, eq=False)
class Folded:
    """One message that stands for a captured object."""

    calls: list[Call]


@dataclass(slots=True, eq=False)
class Batch:
    """One batch at one replayer."""

    memory: dict[str, object]
    """What the replayer's process remembers."""
    held: deque[Call] = field(default_factory=deque)
    running: int = 0
    is_dead: bool = False
    calls: list[Call] = field(default_factory=list)
    state: object = None
    """The player's own."""


class Player(Protocol):
    """A way to replay."""

    name: str

    def take_in(self, calls: list[Call], memory: dict[str, object]) -> None:
        """Deal with a captured object."""

    def receive(self, batch: Batch, items: Sequence[Call | Folded]) -> None:
        """Deal with a batch: start calls, hold them, or send them back."""

    def ended(self, batch: Batch, call: Call, outcome: str, latency_s: float) -> None:
        """Deal with the end of a call: `ok`, `throttled` or `failed`."""


@dataclass(slots=True)
class Second:
    """What happened in one second."""

    live: int = 0
    live_refused: int = 0
    shadow_refused: int = 0
    refused: int = 0
    done: int = 0


class World:
    """One run of one player through one scenario."""

    def __init__(
        self, scenario: Scenario, make_player: Callable[[World], Player], seed: int
    ) -> None:
        """Set the stage."""
        self.scenario = scenario
        self.random = Random(f"{seed}-world")
        self.live_random = Random(f"{seed}-live")
        self.now_s = 0.0
        self.seconds: dict[int, Second] = {}
        self.probes: list[tuple[float, float, int]] = []
        """Instant, window and backlog, as the player saw them."""
        self.lost = 0
        self.backlog = 0
        self.depth = 0
        """Messages in the queue, due or waiting."""
        self.cohort = self.cohort_left = 0
        self.recovered_at_s: float | None = None
        self._serial = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._busy = self._shadow = 0
        self._buffer: list[Call] = []
        self._visible: deque[Call | Folded] = deque()
        self._pollers, self._active = 5.0, 0
        self._idle: list[dict[str, object]] = []
        self._unpacker: dict[str, object] = {}
        self.player = make_player(self)

    # --- time -------------------------------------------------------------------------------------

    def after(self, delay_s: float, what: Callable[[], None]) -> None:
        """Let something happen later."""
        heapq.heappush(self._events, (self.now_s + delay_s, next(self._serial), what))

    def run(self, limit_s: float = 5_000.0) -> None:
        """Run until every call of the cohort has ended."""
        self.after(self._next_live_s(), self._live_call)
        self.after(1.0, self._scale)
        while self._events and self.now_s < limit_s:
            self._step()
            if self.cohort_left == 0 and self.now_s > self.scenario.outage_s:
                self.recovered_at_s = self.now_s
                return

    def _step(self) -> None:
        self.now_s, _, what = heapq.heappop(self._events)
        what()

    def second(self) -> Second:
        """Return the present second's counts."""
        return self.seconds.setdefault(int(self.now_s), Second())

    # --- target and live callers ------------------------------------------------------------------

    def is_out(self) -> bool:
        """Tell whether the outage lasts."""
        return self.now_s < self.scenario.outage_s

    def _capacity(self) -> int:
        return 0 if self.is_out() and not self.scenario.is_by_errors else self.scenario.concurrency

    def _next_live_s(self) -> float:
        scenario = self.scenario
        before = scenario.records / scenario.outage_s
        after = scenario.live_share * scenario.concurrency / scenario.service_s
        rate = before if self.is_out() else after
        if not rate:
            return math.inf
        return self.live_random.expovariate(rate)

    def _service_s(self, random: Random) -> float:
        scenario = self.scenario
        if not scenario.spread:
            return scenario.service_s
        variance = math.log(1 + scenario.spread**2)
        return scenario.service_s * math.exp(random.gauss(-variance / 2, math.sqrt(variance)))

    def _live_call(self) -> None:
        self.after(self._next_live_s(), self._live_call)
        service_s = self._service_s(self.live_random)
        is_poison = self.live_random.random() < self.scenario.poison_share
        second = self.second()
        second.live += 1
        fails = self.is_out() and self.scenario.is_by_errors
        if self._shadow < self._capacity():
            self._shadow += 1
            self.after(service_s, self._shadow_ends)
        else:
            second.shadow_refused += 1
        if self._busy < self._capacity():
            self._busy += 1
            self.after(service_s, self._slot_ends)
            if fails:
                self._capture(is_poison=is_poison)
        else:
            second.live_refused += 1
            self._capture(is_poison=is_poison)

    def _slot_ends(self) -> None:
        self._busy -= 1

    def _shadow_ends(self) -> None:
        self._shadow -= 1

    def _capture(self, *, is_poison: bool) -> None:
        fails = self.is_out() and self.scenario.is_by_errors
        self.keep(Call(self.now_s, self.is_out(), is_poison and self.is_out(), has_run=fails))

    def keep(self, call: Call) -> None:
        """Capture a call."""
        self.backlog += 1
        if call.is_cohort:
            self.cohort += 1
            self.cohort_left += 1
        self._buffer.append(call)
        if len(self._buffer) == 1:
            self.after(BUFFER_S, lambda: self._flush_of(call))
        if len(self._buffer) >= OBJECT_RECORDS:
            self._flush_of(self._buffer[0])

    def _flush_of(self, first: Call) -> None:
        if self._buffer and self._buffer[0] is first:
            calls, self._buffer = self._buffer, []
            self.after(UNPACK_S, lambda: self.player.take_in(calls, self._unpacker))

    # --- queue and pollers ------------------------------------------------------------------------

    def send(self, item: Call | Folded, delay_s: float) -> None:
        """Let a message become visible after whole seconds."""
        self.depth += 1
        self.after(math.ceil(max(0.0, delay_s)), lambda: self._show(item))

    def _show(self, item: Call | Folded) -> None:
        if isinstance(item, Call) and item.has_ended:
            self.depth -= 1
            return
        self._visible.append(item)
        self.after(0.0, self._dispatch)

    def _scale(self) -> None:
        change = 5.0 if self._visible else -1.0
        self._pollers = min(POLLERS, max(5.0, self._active, self._pollers + change))
        self.after(1.0, self._scale)
        self._dispatch()

    def _dispatch(self) -> None:
        while self._visible and self._active < self._pollers:
            items = [self._visible.popleft() for _ in range(min(BATCH, len(self._visible)))]
            self.depth -= len(items)
            batch = Batch(memory=self._idle.pop() if self._idle else {})
            batch.calls = [item for item in items if isinstance(item, Call)]
            self._active += 1
            self.player.receive(batch, items)
            if self.random.random() < self.scenario.crash_share and batch.running:
                self.after(self.random.random(), lambda batch=batch: self._crash(batch))  # type: ignore[misc]
            self._close(batch)

    def _crash(self, batch: Batch) -> None:
        if batch.is_dead or not batch.running:
            return
        batch.is_dead = True
        self._active -= 1
        self.depth += len(batch.calls)
        for call in [*batch.calls]:
            self.after(VISIBILITY_S, lambda call=call: self._show(call))  # type: ignore[misc]

    def _close(self, batch: Batch) -> None:
        if not batch.running and not batch.is_dead:
            batch.is_dead = True
            self._active -= 1
            self._idle.append(batch.memory)

    def has_room(self) -> bool:
        """Tell whether the target would take a call now."""
        return self._busy < self._capacity()

    def service_of(self, call: Call) -> float:
        """Return how long a replay takes."""
        del call
        return self._service_s(self.random)

    # --- what players do --------------------------------------------------------------------------

    def start(self, batch: Batch, call: Call) -> None:
        """Invoke the target with a call."""
        batch.running += 1
        call.tries += 1
        if not self.has_room():
            self.second().refused += 1
            self.after(REFUSAL_S, lambda: self._ends(batch, call, "throttled", REFUSAL_S))
            return
        self._busy += 1
        service_s = self.service_of(call)
        fails = call.is_poison or (self.is_out() and self.scenario.is_by_errors)
        outcome = "failed" if fails else "ok"

        def ends() -> None:
            self._busy -= 1
            self._ends(batch, call, outcome, service_s)

        self.after(service_s, ends)

    def _ends(self, batch: Batch, call: Call, outcome: str, latency_s: float) -> None:
        batch.running -= 1
        if batch.is_dead:
            return
        if outcome == "ok":
            self.second().done += 1
            self.end(call)
        self.player.ended(batch, call, outcome, latency_s)
        self._close(batch)

    def back(self, batch: Batch, call: Call, delay_s: float) -> None:
        """Send a call of a batch back to the queue."""
        batch.calls.remove(call)
        self.send(call, delay_s)

    def has_expired(self, call: Call) -> bool:
        """Tell whether a call is older than its policy allows."""
        return self.now_s - call.captured_at_s > self.scenario.max_age_s

    def end(self, call: Call, *, is_given_up: bool = False) -> None:
        """End a call: it succeeded, or is given up."""
        if call.has_ended:
            return
        call.has_ended = True
        self.backlog -= 1
        self.cohort_left -= call.is_cohort
        self.lost += is_given_up and not call.is_poison

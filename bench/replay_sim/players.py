"""Three ways to replay: each call on its own, a plain shared window, and the product's own code."""

# ruff: noqa: S101 - assertions tell the type checker what a batch carries

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from replay_sim.world import Folded
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.errors import StoreError
from reprise.gate.fallback import LocalGate
from reprise.gate.samples import Sample
from reprise.gate.session import GateSession, Permit
from reprise.gate.state import Change, GateState, Updated
from reprise.retry.backoff import backoff_s
from reprise.retry.decision import AttemptCounts, DeadLetter, RetryLater, decide, policy_backoff_s
from reprise.retry.policy import Policy
from reprise.unpack.backlog import ExpansionController
from reprise.unpack.expansion import Leave

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay_sim.world import Batch, Call, World

START_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
TARGET: Final = "target"
BELIEVED_S: Final = 0.2
KINDS: Final = {
    "ok": OutcomeKind.SUCCEEDED,
    "throttled": OutcomeKind.THROTTLED,
    "failed": OutcomeKind.FUNCTION_ERROR,
}
POLICY: Final = Policy(max_age_s=14 * 86_400)


def after_failure(failures: int, draw: float) -> float | None:
    """Return after what time the policy tries again, in seconds; None if it gives up."""
    decision = decide(
        Outcome(kind=OutcomeKind.FUNCTION_ERROR),
        AttemptCounts(attempts=failures, refusals=0, expires_at=START_AT + timedelta(days=14)),
        POLICY,
        now=START_AT,
        draw=draw,
    )
    if isinstance(decision, DeadLetter):
        return None
    assert isinstance(decision, RetryLater)
    return decision.after_s


class Store:
    """One conditional item a target, as DynamoDB keeps it."""

    def __init__(self, world: World) -> None:
        """Keep a world's gates."""
        self.world = world
        self.images: dict[str, GateState] = {}
        self.writes = 0

    def check(self) -> None:
        """Fail while the store is away.

        Raises:
            StoreError: If it is.
        """
        start_s, end_s = self.world.scenario.store_away_s
        if start_s <= self.world.now_s < end_s:
            raise StoreError("simulated", "any", "ServiceUnavailable", "away")


class Items:
    """The store as one process sees it: `GateItems`."""

    def __init__(self, store: Store) -> None:
        """Believe nothing yet."""
        self._store = store
        self._known: dict[str, tuple[float, GateState]] = {}

    def read(self, function: str) -> GateState:
        """Return a gate as last known."""
        now_s = self._store.world.now_s
        read_at_s, image = self._known.get(function, (-1e9, GateState()))
        if now_s - read_at_s < BELIEVED_S:
            return image
        self._store.check()
        return self._learn(function, self._store.images.get(function, GateState()))

    def update(self, function: str, change: Change) -> Updated:
        """Make a change if its conditions hold."""
        self._store.check()
        self._store.writes += 1
        image = self._store.images.get(function, GateState())
        if not all(condition.holds(image) for condition in change.when):
            return Updated(applied=False, image=self._learn(function, image))
        after = self._store.images[function] = change.apply(image)
        return Updated(applied=True, image=self._learn(function, after))

    def _learn(self, function: str, image: GateState) -> GateState:
        self._known[function] = (self._store.world.now_s, image)
        return image


@dataclass(slots=True)
class Held:
    """The visit of a batch, and who has which permit."""

    visit: GateSession
    permits: dict[int, Permit] = field(default_factory=dict)


class Ours:
    """The product's gate and backlog rule."""

    name = "reprise"

    def __init__(self, world: World) -> None:
        """Open the gates."""
        self.world = world
        self.store = Store(world)
        self.charged: dict[Call, int] = {}
        """Failures; it keeps the calls, so that none has another's id."""
        self._batches = 0

    def take_in(self, calls: list[Call], memory: dict[str, object]) -> None:
        """Ask the backlog rule what becomes of an object."""
        self._expand(calls, memory, is_folded=False)

    def look(self, folded: Folded, memory: dict[str, object]) -> None:
        """Ask the rule what becomes of a folded object."""
        self._expand(folded.calls, memory, is_folded=True)

    def _expand(self, calls: list[Call], memory: dict[str, object], *, is_folded: bool) -> None:
        world = self.world
        keeper = memory.get("keeper")
        if not isinstance(keeper, ExpansionController):
            keeper = memory["keeper"] = ExpansionController(
                gates=self._items(memory),
                depth=lambda: world.depth,
                clock=lambda: START_AT + timedelta(seconds=world.now_s),
                draw=world.random.random,
            )
        unrun = [] if is_folded else [call for call in calls if not call.has_run]
        decision = keeper.decide(TARGET, records=len(calls), is_folded=is_folded, unrun=len(unrun))
        keeper.confirm(TARGET, decision)
        if isinstance(decision, Leave):
            for call in unrun[: decision.scouts]:
                world.send(call, 0.0)
            world.send(Folded(calls), decision.delay_s)
            return
        for call in calls[: decision.records]:
            world.send(call, decision.spread_s * world.random.random())
        if calls[decision.records :]:
            world.send(Folded(calls[decision.records :]), decision.rest_delay_s)

    def receive(self, batch: Batch, items: Sequence[Call | Folded]) -> None:
        """Visit the gate with the calls, and the rule with the folded objects."""
        for item in items:
            if isinstance(item, Folded):
                self.look(item, batch.memory)
        calls = list(batch.calls)
        if not calls:
            return
        self._batches += 1
        memory = batch.memory.setdefault("gate", LocalGate())
        assert isinstance(memory, LocalGate)
        visit = GateSession(
            gates=self._items(batch.memory),
            memory=memory,
            function=TARGET,
            owner=f"batch {self._batches}",
            now_ms=self._now_ms,
            draw=self.world.random.random,
            lease_ms=round(1000 * self.world.scenario.replayer_s),
            most=self.world.scenario.most,
        )
        batch.state = held = Held(visit)
        calls, wanted = self._candidates(visit, calls)
        entry = visit.enter(wanted)
        first = len(entry.permits)
        batch.held.extend(calls[first : first + entry.room])
        if batch.held:
            self.world.after(visit.parameters.room_s, lambda: self._close_room(batch, visit))
        wait_s = visit.wait_s(self.world.random.random())
        for call in calls[first + entry.room :]:
            self.world.back(batch, call, wait_s)
        for call, permit in zip(calls[:first], entry.permits, strict=True):
            self._begin(batch, held, call, permit)
        image = self.store.images.get(TARGET, GateState())
        self.world.probes.append((self.world.now_s, image.window, self.world.backlog))

    def ended(self, batch: Batch, call: Call, outcome: str, latency_s: float) -> None:
        """Tell the gate, pass the permit on, and do what the policy decides."""
        held = batch.state
        assert isinstance(held, Held)
        visit, draw = held.visit, self.world.random.random
        is_suspect = self.failures(call) > 0
        delay_s, has_ended = self.settle(call, outcome)
        meeting = Sample(
            kind=KINDS[outcome],
            busy_ms=round(latency_s * 1000),
            # Once: at its end, or when its first backoff begins.
            has_left=not is_suspect and (has_ended or delay_s is not None),
            is_suspect=is_suspect,
        )
        permit = visit.leave(held.permits.pop(id(call)), meeting, is_wanted=bool(batch.held))
        if not has_ended:
            self.world.back(batch, call, visit.wait_s(draw()) if delay_s is None else delay_s)
        else:
            batch.calls.remove(call)
        if permit is not None:
            self._begin(batch, held, batch.held.popleft(), permit)
        elif visit.is_over():
            self._close_room(batch, visit)

    def failures(self, call: Call) -> int:
        """Return how often a call failed, as far as its gate is concerned: before a redrive is once."""
        return self.charged.get(call, 0) or int(call.is_redriven)

    def _candidates(self, visit: GateSession, calls: list[Call]) -> tuple[list[Call], int]:
        """Return a batch's calls and how many may go, as the product's replayer chooses its probes."""
        if not visit.is_choosy():
            return calls, len(calls)
        for call in sorted(calls, key=lambda call: (self.failures(call), call.has_run)):
            failures = self.failures(call)
            if visit.may_probe(failures, policy_backoff_s(max(1, failures), POLICY)):
                return [call, *(other for other in calls if other is not call)], len(calls)
        return calls, 0

    def _begin(self, batch: Batch, held: Held, call: Call, permit: Permit) -> None:
        """Start a call, or the next one that has not expired."""
        following: Permit | None = permit
        while following is not None and self.world.has_expired(call):
            batch.calls.remove(call)
            self.world.end(call, is_given_up=True)
            ended = Sample(has_left=not self.charged.get(call, 0))
            following = held.visit.leave(following, ended, is_wanted=bool(batch.held))
            if following is not None:
                call = batch.held.popleft()
        if following is not None:
            held.permits[id(call)] = following
            self.world.start(batch, call)
        elif held.visit.is_over():
            self._close_room(batch, held.visit)

    def _close_room(self, batch: Batch, visit: GateSession) -> None:
        """Send back what waits for a permit of its batch."""
        if batch.held and not batch.is_dead:
            wait_s = visit.wait_s(self.world.random.random())
            while batch.held:
                self.world.back(batch, batch.held.popleft(), wait_s)

    def settle(self, call: Call, outcome: str) -> tuple[float | None, bool]:
        """Return the policy's own wait, if it has one, and whether the call has ended."""
        if outcome == "ok":
            return None, True
        if outcome == "throttled":
            return None, False
        charged = self.charged[call] = self.charged.get(call, 0) + 1
        wait_s = after_failure(charged, self.world.random.random())
        if wait_s is None:
            self.world.end(call, is_given_up=True)
        return wait_s, wait_s is None

    def _items(self, memory: dict[str, object]) -> Items:
        items = memory.setdefault("items", Items(self.store))
        assert isinstance(items, Items)
        return items

    def _now_ms(self) -> int:
        return 1000 * int(START_AT.timestamp()) + round(1000 * self.world.now_s)


class FullJitter:
    """Each call on its own: exponential backoff with full jitter, given up after twelve tries."""

    name = "full jitter"

    def __init__(self, world: World) -> None:
        """Know nothing."""
        self.world = world

    def take_in(self, calls: list[Call], memory: dict[str, object]) -> None:  # noqa: ARG002 - a player's
        """Send every call."""
        for call in calls:
            self.world.send(call, 0.0)

    def receive(self, batch: Batch, items: Sequence[Call | Folded]) -> None:  # noqa: ARG002 - a player's
        """Try every call."""
        for call in list(batch.calls):
            self.world.start(batch, call)

    def ended(self, batch: Batch, call: Call, outcome: str, latency_s: float) -> None:  # noqa: ARG002 - a player's
        """Back off, or give up."""
        if outcome != "ok" and call.tries < 12:  # noqa: PLR2004 - tries
            draw = self.world.random.random()
            self.world.back(
                batch,
                call,
                backoff_s(
                    call.tries,
                    initial_interval_s=2,
                    maximum_interval_s=900,
                    backoff_coefficient=2,
                    draw=draw,
                ),
            )
            return
        batch.calls.remove(call)
        if outcome != "ok":
            self.world.end(call, is_given_up=True)


class PlainAimd(FullJitter):
    """A textbook window shared by all: +1 a window of successes, halved by a throttle, a probe at one."""

    name = "plain AIMD"

    def __init__(self, world: World) -> None:
        """Start with one permit."""
        super().__init__(world)
        self.window, self.in_flight, self.is_slow_start = 1.0, 0, True
        self.no_cut_before_s = self.probe_at_s = 0.0
        self.is_holding = False

    def receive(self, batch: Batch, items: Sequence[Call | Folded]) -> None:  # noqa: ARG002 - a player's
        """Try what the window allows; the others come again within half a minute."""
        world = self.world
        for call in list(batch.calls):
            may_probe = self.is_holding and world.now_s >= self.probe_at_s
            if may_probe or (not self.is_holding and self.in_flight < int(self.window)):
                self.probe_at_s = world.now_s + 30
                self.in_flight += 1
                world.start(batch, call)
            else:
                world.back(batch, call, 1 + 29 * world.random.random())
        world.probes.append((world.now_s, self.window, world.backlog))

    def ended(self, batch: Batch, call: Call, outcome: str, latency_s: float) -> None:
        """Grow by a success; shrink by a throttle, once a second."""
        self.in_flight -= 1
        world = self.world
        if outcome == "ok":
            if self.is_holding:
                self.is_holding, self.is_slow_start, self.window = False, True, 1.0
            elif self.in_flight + 1 >= self.window / 2:
                self.window += 1.0 if self.is_slow_start else 1.0 / self.window
        elif outcome == "throttled":
            call.tries -= 1
            if self.is_holding:
                self.probe_at_s = world.now_s + 15
            elif world.now_s >= self.no_cut_before_s:
                if self.window <= 1:
                    self.is_holding, self.probe_at_s = True, world.now_s + 15
                self.window = max(1.0, self.window / 2)
                self.no_cut_before_s, self.is_slow_start = world.now_s + 1, False
            world.back(batch, call, 1 + 29 * world.random.random())
            return
        super().ended(batch, call, outcome, latency_s)


PLAYERS: Final = (FullJitter, PlainAimd, Ours)

"""What may happen next: every step that a process, a queue, time or an operator may take in a state."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from exploration.effects import QUEUE_OF, Effect, Effects, Process
from exploration.promise import Promise
from exploration.requests import say
from exploration.roles import Cast, Start, request_of
from exploration.state import Bounds, State, Step, spent
from exploration.store import Numbers, Table, process_of, with_items
from harness import ORDERS, THROTTLED, Pipeline
from reprise.capturing.open_calls import OpenCalls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exploration.state import Queued

OBJECT: Final = "captured/2026/11/21/10/0.gz"
NO_CHANGE: Final = frozenset({"get_item", "batch_get_item", "replays"})
"""Names of requests that only read."""


INITIALS: Final = {
    "replayer": "r",
    "unpacker": "u",
    "caller": "c",
    "redriver": "o",
    "canceller": "x",
}
BOUND_OF: Final = {"caller": "callers", "canceller": "cancels", "redriver": "redrives"}


@dataclass(kw_only=True)
class World:
    """The world's rules, and what is known of them already."""

    cast: Cast
    bounds: Bounds = field(default_factory=Bounds)
    calls: int = 3
    replayers: int = 2
    ticks: int = 2
    ids: tuple[str, ...] = ()
    processes: Numbers[Process] = field(default_factory=Numbers)
    _effects: dict[int, tuple[Effect, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Capture the calls, throttled at their callers', and lay their one object into the bucket."""
        pipeline = Pipeline()
        self.ids = tuple(pipeline.capture(*map(request_of, range(self.calls)), reply=THROTTLED))
        OpenCalls(gates=pipeline.gate_items, clock=pipeline.clock).note(ORDERS)
        opened = pipeline.gate_items.read(ORDERS).open_until_ms
        gate = f"gate#{ORDERS}"
        self.table = Table((*self.ids, gate))
        self.effects = Effects(self.table, self.cast.objects)
        image = self.table.number({"id": {"S": gate}, "open_until_ms": {"N": str(opened)}})
        self.promise = Promise(
            self.table, self.ids, is_idempotent='"idempotent":true' in self.cast.policy
        )
        notice = self.effects.capture(OBJECT, pipeline.lines)
        self.first = State(
            tick=0,
            images=(*(0 for _ in self.ids), image),
            replays=(),
            captures=((0, notice),),
            letters=(),
            processes=(),
            seen=self.promise.first,
            left=self.bounds,
        )

    # --- what may begin ---------------------------------------------------------------------------

    def steps(self, state: State) -> Iterator[Step]:
        """Yield every step that may be taken in a state."""
        for number in dict.fromkeys(state.processes):
            yield from self.go_on(state, number)
        for begun, how in self._begun(state):
            # A beginning changes nothing that others see: it is one step with the first request.
            for step in self.go_on(begun, begun.processes[0]):
                yield step._replace(how=f"{how} {step.how}".strip()) if how else step
        if state.tick < self.ticks:
            yield from self._tick(state)

    def _begun(self, state: State) -> Iterator[tuple[State, str]]:
        """Yield the states in which one more process, the first, has begun, and how."""
        roles = [self.processes.values[number].start.role for number in state.processes]
        if roles.count("replayer") < self.replayers:
            for queued in dict.fromkeys(state.replays):
                yield from self._received(state, "replayer", queued)
        if "unpacker" not in roles:
            for queued in dict.fromkeys(state.captures):
                yield from self._received(state, "unpacker", queued)
        for role, bound in BOUND_OF.items():
            if (left := spent(state.left, bound)) and not (role == "redriver" and role in roles):
                for given in self._given_to(state, role):
                    yield self.begin(state, role, given, left), ""

    def _given_to(self, state: State, role: str) -> Sequence[str]:
        """Return what a process of a role, which holds no message, may be given."""
        if role == "redriver":
            return [self.effects.texts.values[letter] for letter in dict.fromkeys(state.letters)]
        return self.ids if role == "canceller" else [str(call) for call in range(self.calls)]

    def _received(
        self, state: State, role: str, queued: tuple[int, int]
    ) -> Iterator[tuple[State, str]]:
        """Yield how a message may be received: when it is due, before that, or with a twin left behind."""
        due, text = queued
        left = spent(state.left, "faults")
        if due <= state.tick:
            yield self.receive(state, role, queued), ""
            if left:
                yield self._holding(state, role, text, left), "twice:"
        elif left:
            yield self.receive(state._replace(left=left), role, queued), "too soon:"

    def receive(self, state: State, role: str, queued: tuple[int, int]) -> State:
        """Return the state in which a process has begun that holds a message."""
        messages = list(state.queue(QUEUE_OF[role]))
        messages.remove(queued)
        after = state.with_queue(QUEUE_OF[role], tuple(messages))
        return self._holding(after, role, queued[1], state.left)

    def _holding(self, state: State, role: str, text: int, left: Bounds) -> State:
        return self.begin(state, role, self.effects.texts.values[text], left, (text,))

    def begin(
        self, state: State, role: str, given: str, left: Bounds, held: tuple[int, ...] = ()
    ) -> State:
        """Return the state in which a process has begun, the first of its processes."""
        alive = self._alive(state.processes, state.replays)
        names = (f"{INITIALS[role]}{i}" for i in range(1, 10))
        name = next(name for name in names if name not in alive)
        start = Start(role, name, state.tick, (given,), held)
        number = self._play(start, (), start, may_crash=False)
        return state._replace(processes=(number, *state.processes), left=left)

    def _play(self, start: Start, answers: Any, key: tuple[Any, ...], *, may_crash: bool) -> int:
        found = self.processes.number(key)
        if found is None:
            request = self.cast.next_request(start, answers)
            found = self.processes.of(Process(start, answers, request, may_crash), key)
            if request.kind != "dynamodb":
                self._effects[found] = self.effects.of(self.processes.values[found])
        return found

    def _tick(self, state: State) -> Iterator[Step]:
        """Let time pass; whoever is at work outlives his own, and what he holds comes again.

        A crash before it spares him that.
        """
        left: Bounds | None = state.left
        after = state._replace(tick=state.tick + 1)
        for number in state.processes:
            process = self.processes.values[number]
            if left and process.start.tick == state.tick:
                left = spent(left, "faults")
                after = self._done(after, self.effects.expired(process))
        if left:
            yield Step("time", "passes", "", after._replace(left=left))

    # --- what a process may do --------------------------------------------------------------------

    def go_on(self, state: State, number: int) -> Iterator[Step]:
        """Yield the steps of one process: its request done, or met by a fault."""
        process = self.processes.values[number]
        request, name = process.request, process.start.name
        what = say(request)
        at = state.processes.index(number)
        others = state.processes[:at] + state.processes[at + 1 :]
        if request.kind == "dynamodb":
            touched, endings = self.table.endings(*request[1:], state.images)
            for how, bound, items, answer in endings:
                if left := spent(state.left, bound) if bound else state.left:
                    images = with_items(state.images, touched, items)
                    seen, broken = self.promise.written(state, images, process, how)
                    after = state._replace(images=images, seen=seen, left=left)
                    yield Step(name, what, how, self._after(after, others, number, answer), broken)
        elif request.kind == "end":
            yield from self._ended(state, process, others, number)
        else:
            for effect in self._effects[number]:
                if left := spent(state.left, effect.bound):
                    seen, broken = self.promise.asked(state, process, effect.how)
                    after = self._done(state._replace(seen=seen, left=left), effect)
                    after = self._after(after, others, number, effect.answer)
                    yield Step(name, what, effect.how, after, broken)
        if process.may_crash and (left := spent(state.left, "faults")):
            after = state._replace(left=left)
            if process.start.tick == state.tick:
                after = self._done(after, self.effects.crashed(process))
            yield Step(name, what, "crash", self._closed(after, others))

    def _ended(
        self, state: State, process: Process, others: tuple[int, ...], number: int
    ) -> Iterator[Step]:
        """Yield how a process ends: what it gives back comes again, what has served is deleted."""
        (effect,) = self._effects[number]
        # What somebody holds beyond his time has come again without him.
        is_in_time = process.start.tick == state.tick
        after = self._done(state, effect) if is_in_time else state
        yield Step(process.start.name, "end", "", self._closed(after, others))
        if effect.taken:
            # A message that was delivered twice is one: deleted once, it is gone. Or not, as SQS may have it.
            name = QUEUE_OF[process.start.role]
            queued = after.queue(name)
            kept = tuple(each for each in queued if each[1] not in effect.taken)
            if kept != queued:
                after = after.with_queue(name, kept)
                yield Step(process.start.name, "end", "deletes twin", self._closed(after, others))

    def _after(self, state: State, others: tuple[int, ...], number: int, answer: int) -> State:
        """Return the state in which a process has its answer."""
        key = (number, answer, state.tick)
        found = self.processes.number(key)
        if found is None:
            process, said = self.processes.values[number], self.table.answers.values[answer]
            is_read = said.kind == "condition" or process.request.name in NO_CHANGE
            may_crash = said.kind == "error" or not is_read or not process.answers
            answers = (*process.answers, (said, state.tick))
            found = self._play(process.start, answers, key, may_crash=may_crash)
        ended = self.processes.values[found]
        if ended.request.kind == "end" and not self._may_end_otherwise(state, ended, others):
            # Nothing depends on when it ends: that is no step of its own.
            return self._closed(self._done(state, self._effects[found][0]), others)
        return state._replace(processes=tuple(sorted((*others, found))))

    def _may_end_otherwise(self, state: State, process: Process, others: tuple[int, ...]) -> bool:
        """Tell whether it matters when a process ends: it may crash before, or has a message with a twin."""
        if process.start.role not in QUEUE_OF:
            return False
        if spent(state.left, "faults") or process.start.tick != state.tick:
            return True
        twins = {text for _, text in state.queue(QUEUE_OF[process.start.role])}
        twins = twins.union(*(self.processes.values[other].start.held for other in others))
        return not twins.isdisjoint(process.start.held)

    def _done(self, state: State, effect: Effect) -> State:
        """Return the state after an effect on the queues."""
        if effect.taken and not effect.queue:
            letters = [each for each in state.letters if each not in effect.taken]
            return state._replace(letters=tuple(letters))
        if not effect.sent:
            return state
        if effect.queue == "letters":
            sent = tuple(text for _, text in effect.sent)
            return state._replace(letters=tuple(sorted((*state.letters, *sent))))
        messages = list(state.queue(effect.queue))
        there = {text for _, text in messages} if effect.is_new else set()
        if effect.is_new:
            held = (self.processes.values[number].start.held for number in state.processes)
            there = there.union(*held)
        for ticks, text in effect.sent:
            messages.append((state.tick + ticks, self.effects.unlike(text, there)))
        return state.with_queue(effect.queue, tuple(sorted(messages)))

    def _closed(self, state: State, others: tuple[int, ...]) -> State:
        """Return the state in which these processes are left, and the names of all others forgotten."""
        images = self.table.forget(state.images, self._alive(others, state.replays))
        return state._replace(processes=others, images=images)

    def _alive(self, processes: tuple[int, ...], replays: Queued) -> frozenset[str]:
        """Return the names of processes that run, and of those whose ends messages still tell of."""
        names = {self.processes.values[number].start.name for number in processes}
        for _, text in replays:
            if owner := _owner_in(self.effects.texts.values[text]):
                names.add(owner)
        return frozenset(names)


@lru_cache(maxsize=1 << 12)
def _owner_in(body: str) -> str:
    """Return the name of the process whose attempt's end a message tells of, if it does."""
    settlement = json.loads(body).get("settlement")
    return process_of(settlement["owner"]) if settlement else ""

"""What may happen next: every step that a process, a queue, time or an operator may take in a state."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exploration.effects import QUEUE_OF, Effect, Effects, Process
from exploration.promise import Promise
from exploration.roles import Cast, Start, request_of
from exploration.store import Numbers, Table, process_of
from harness import ORDERS, THROTTLED, Pipeline
from reprise.capturing.open_calls import OpenCalls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exploration.store import Images

type Queued = tuple[tuple[int, int], ...]
"""Messages of a queue: the tick at which each is due, and the number of its body."""
OBJECT: Final = "captured/2026/11/21/10/0.gz"
NO_CHANGE: Final = frozenset({"get_item", "batch_get_item", "replays"})
"""Names of requests that only read."""


class Bounds(NamedTuple):
    """How much may happen in a run; a state has what is left of it."""

    faults: int = 0
    """Crashes, refused requests, lost answers, requests that the SDK repeats, batches sent in part, second
    deliveries, processes that outlive their time, each at every step."""
    failures: int = 0
    """Executions that fail, and throttles."""
    redrives: int = 0
    callers: int = 0
    """Live calls, each by the key of a captured call."""
    cancels: int = 0


class State(NamedTuple):
    """The whole world, in small numbers."""

    tick: int
    images: Images
    replays: Queued
    captures: Queued
    letters: tuple[int, ...]
    processes: tuple[int, ...]
    """Numbers of their tapes."""
    seen: tuple[int, ...]
    """What the promise must remember: see `Promise`."""
    left: Bounds


class Step(NamedTuple):
    """One step."""

    who: str
    what: str
    how: str
    state: State
    broken: str = ""
    """What of the promise it breaks."""


@dataclass(kw_only=True)
class World:
    """The world's rules, and what is known of them already."""

    cast: Cast
    bounds: Bounds = Bounds()
    calls: int = 3
    replayers: int = 2
    ticks: int = 2
    ids: tuple[str, ...] = ()
    processes: Numbers[Process] = field(default_factory=lambda: Numbers())
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
        if "redriver" not in roles and (left := spent(state.left, "redrives")):
            for letter in dict.fromkeys(state.letters):
                yield self.begin(state, "redriver", self.effects.texts.values[letter], left), ""
        if left := spent(state.left, "callers"):
            for call in range(self.calls):
                yield self.begin(state, "caller", str(call), left), ""
        if left := spent(state.left, "cancels"):
            for call_id in self.ids:
                yield self.begin(state, "canceller", call_id, left), ""

    def _received(
        self, state: State, role: str, queued: tuple[int, int]
    ) -> Iterator[tuple[State, str]]:
        """Yield how a message may be received: when it is due, before that, or with a twin left behind."""
        due, text = queued
        left = spent(state.left, "faults")
        if due <= state.tick:
            yield self.receive(state, role, queued), ""
            if left:
                yield self.begin(state, role, self.effects.texts.values[text], left), "twice:"
        elif left:
            yield self.receive(state._replace(left=left), role, queued), "too soon:"

    def receive(self, state: State, role: str, queued: tuple[int, int]) -> State:
        """Return the state in which a process has begun that holds a message."""
        messages = list(getattr(state, QUEUE_OF[role]))
        messages.remove(queued)
        after = state._replace(**{QUEUE_OF[role]: tuple(messages)})
        return self.begin(after, role, self.effects.texts.values[queued[1]], state.left)

    def begin(self, state: State, role: str, given: str, left: Bounds) -> State:
        """Return the state in which a process has begun, the first of its processes."""
        alive = self._alive(state.processes, state.replays)
        letter = "x" if role == "canceller" else role[0]
        name = next(f"{letter}{i}" for i in range(1, 10) if f"{letter}{i}" not in alive)
        start = Start(role=role, name=name, tick=state.tick, given=(given,))
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
        """Let time pass; whoever is at work has outlived his own, which a crash before it spares him."""
        left: Bounds | None = state.left
        for number in state.processes:
            if left and self.processes.values[number].start.tick == state.tick:
                left = spent(left, "faults")
        if left:
            yield Step("time", "passes", "", state._replace(tick=state.tick + 1, left=left))

    # --- what a process may do --------------------------------------------------------------------

    def go_on(self, state: State, number: int) -> Iterator[Step]:
        """Yield the steps of one process: its request done, or met by a fault."""
        process = self.processes.values[number]
        request, name = process.request, process.start.name
        what = f"{request.kind} {request.name}"
        at = state.processes.index(number)
        others = state.processes[:at] + state.processes[at + 1 :]
        if request.kind == "dynamodb":
            for how, bound, images, answer in self.table.endings(*request[1:], state.images):
                if left := spent(state.left, bound):
                    seen, broken = self.promise.written(state, images, process, how)
                    after = state._replace(images=images, seen=seen, left=left)
                    yield Step(name, what, how, self._after(after, others, number, answer), broken)
        else:
            for effect in self._effects[number]:
                if left := spent(state.left, effect.bound):
                    seen, broken = self.promise.asked(state, process, effect.how)
                    after = self._done(state._replace(seen=seen, left=left), effect)
                    if request.kind == "end":
                        after = self._closed(after, others)
                    else:
                        after = self._after(after, others, number, effect.answer)
                    yield Step(name, what, effect.how, after, broken)
        if process.may_crash and (left := spent(state.left, "faults")):
            after = self._done(state._replace(left=left), self.effects.crashed(process))
            yield Step(name, what, "crash", self._closed(after, others))

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
        if ended.request.kind == "end" and ended.start.role not in QUEUE_OF:
            # It holds no message: its end is no step of its own.
            return self._closed(state, others)
        return state._replace(processes=tuple(sorted((*others, found))))

    @staticmethod
    def _done(state: State, effect: Effect) -> State:
        """Return the state after an effect on the queues."""
        if effect.taken:
            letters = [each for each in state.letters if each not in effect.taken]
            return state._replace(letters=tuple(letters))
        if not effect.sent:
            return state
        if effect.queue == "letters":
            sent = tuple(text for _, text in effect.sent)
            return state._replace(letters=tuple(sorted((*state.letters, *sent))))
        queued = tuple((state.tick + ticks, text) for ticks, text in effect.sent)
        messages = tuple(sorted((*getattr(state, effect.queue), *queued)))
        return state._replace(**{effect.queue: messages})

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
def spent(left: Bounds, bound: str) -> Bounds | None:
    """Return what is left of the bounds once more of one of them is used; None if nothing was."""
    if not bound:
        return left
    number = getattr(left, bound)
    return left._replace(**{bound: number - 1}) if number else None


@lru_cache(maxsize=1 << 12)
def _owner_in(body: str) -> str:
    """Return the name of the process whose attempt's end a message tells of, if it does."""
    settlement = json.loads(body).get("settlement")
    return process_of(settlement["owner"]) if settlement else ""

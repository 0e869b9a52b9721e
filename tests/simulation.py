"""The whole pipeline on doubles under a seeded scheduler that breaks everything it may break.

Messages are duplicated, delayed and reordered; every call of a store may fail, or succeed and lose its
answer; every process may die at any such call; gates hold and flow as they like, so that objects of
several targets are folded, parked, and opened again. Time is simulated, chance comes from the seed alone:
each fault is drawn from the seed, the operation and how often that was asked for that key, so threads
do not change the outcome.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from threading import Lock
from typing import TYPE_CHECKING, Any

from harness import FAILED, MAIL, ORDERS, THROTTLED, TRANSIENT, UNKNOWN, Pipeline, call
from reprise.errors import StoreError
from reprise.gate.image import GateImage, Mode
from reprise.stage.delivery import Delivery, Worker
from reprise.stage.intake import Notice
from reprise.testing import SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reprise.call.target import Target
    from reprise.ports import OutMessage, Reply

VISIBILITY_S = 90.0
FAULTS_END_S = 900.0
GATES_END_S = 400.0
REMAINING_MS = 80_000


class Crash(BaseException):
    """The process dies here: nothing after it runs, nobody is told."""


@dataclass(slots=True)
class Chance:
    """Draws that depend on what is asked, and not on when."""

    seed: int
    clock: Callable[[], float]
    _asked: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def draw(self, *about: object) -> float:
        key = repr(about)
        with self._lock:
            self._asked[key] += 1
            number = self._asked[key]
        digest = hashlib.blake2b(f"{self.seed}/{key}/{number}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64

    def fault(self, operation: str, key: str) -> str:
        """Return what happens to one call of a store."""
        if self.clock() > FAULTS_END_S:
            return "none"
        drawn = self.draw("fault", operation, key)
        for name, share in (
            ("refuse", 0.06),
            ("lose answer", 0.04),
            ("crash", 0.02),
            ("die", 0.02),
        ):
            if drawn < share:
                return name
            drawn -= share
        return "none"


class Breaking:
    """A double whose every call may fail before, or after, it has had its effect."""

    def __init__(self, double: object, chance: Chance, operations: Sequence[str]) -> None:
        self._double = double
        self._chance = chance
        self._operations = operations

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a proxy
        operation = getattr(self._double, name)
        if name not in self._operations:
            return operation

        def broken(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - a proxy
            fault = self._chance.fault(name, _key_of(args))
            if fault == "refuse":
                raise StoreError("simulated", name, "InternalServerError", "refused")
            if fault == "die":
                raise Crash
            answer = operation(*args, **kwargs)
            if fault == "lose answer":
                raise StoreError("simulated", name, "Timeout", "answer lost")
            if fault == "crash":
                raise Crash
            return answer

        return broken


def _key_of(args: tuple[Any, ...]) -> str:
    first = args[0] if args else ""
    return str(getattr(first, "id", first if isinstance(first, str) else "many"))


@dataclass(slots=True)
class SimulatedQueue:
    """A standard queue: at least once, out of order, with visibility timeouts."""

    now_s: Callable[[], float]
    random: Random
    bodies: dict[str, str] = field(default_factory=dict)
    visible_at_s: dict[str, float] = field(default_factory=dict)
    receives: Counter[str] = field(default_factory=Counter)
    _serial: itertools.count[int] = field(default_factory=itertools.count)
    _lock: Lock = field(default_factory=Lock)

    def send(self, messages: Sequence[OutMessage]) -> None:
        for message in messages:
            with self._lock:
                name = f"m{next(self._serial)}"
                self.bodies[name] = message.body
                self.visible_at_s[name] = self.now_s() + message.delay_s

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        for name, wait_s in waits_s.items():
            self.visible_at_s[name] = self.now_s() + wait_s

    def receive(self, most: int) -> list[str]:
        ready = [name for name, at_s in self.visible_at_s.items() if at_s <= self.now_s()]
        chosen = self.random.sample(ready, min(most, len(ready)))
        for name in chosen:
            self.receives[name] += 1
            # Now and then SQS hands a message to two consumers.
            if self.random.random() > 0.05:
                self.visible_at_s[name] = self.now_s() + VISIBILITY_S
        return chosen

    def depth(self) -> int:
        return len(self.bodies)

    def delete(self, name: str) -> None:
        # Now and then a delete is lost, and the message comes again.
        if self.now_s() > FAULTS_END_S or self.random.random() > 0.05:
            self.bodies.pop(name, None)
            self.visible_at_s.pop(name, None)


class Simulation:
    """One run of the pipeline under one seed."""

    def __init__(self, seed: int, *, calls: int = 40, policy: str = "{}") -> None:
        self.random = Random(seed)  # noqa: S311 - a simulation's chance
        self.pipeline = Pipeline(policy=policy)
        self._start_at = self.pipeline.clock.now
        self.chance = Chance(seed, self.now_s)
        self.replays = SimulatedQueue(self.now_s, self.random)
        self.captures = SimulatedQueue(self.now_s, self.random)
        self.executions: Counter[str] = Counter()
        self._lock = Lock()
        self._batches = itertools.count()
        pipeline: Any = self.pipeline
        # One call in ten is too large for a line, and travels by claim check.
        pad = Random(0).randbytes(150_000).hex().encode()  # noqa: S311 - compresses badly
        payloads = [b'{"pad":"%s","n":%d}' % (pad * (n % 10 == 3), n) for n in range(calls)]
        # Two targets, so that most objects are mixed.
        functions = [MAIL if self.random.random() < 0.3 else ORDERS for _ in payloads]
        self.ids = pipeline.capture(
            *[
                call(payload, function=name)
                for payload, name in zip(payloads, functions, strict=True)
            ]
        )
        for number in range(0, calls, 10):
            key = f"captured/{number}.gz"
            body = pipeline.store(key, pipeline.lines[number : number + 10])
            for _ in range(self.random.randint(1, 3)):
                self.captures.send([_message(body)])
        pipeline.functions.answer = self._target
        pipeline.replay_queue = Breaking(self.replays, self.chance, ("send",))
        pipeline.capture_queue = Breaking(self.captures, self.chance, ("send",))
        pipeline.objects = Breaking(pipeline.objects, self.chance, ("put", "get", "stream"))
        pipeline.keys = Breaking(pipeline.keys, self.chance, ("keys",))
        pipeline.ledger = Breaking(
            pipeline.ledger,
            self.chance,
            ("record", "lease", "settle", "mark_letter_sent", "recapture", "mark_may_have_run"),
        )
        self._images = pipeline.gate_items.images
        pipeline.gate_items = Breaking(pipeline.gate_items, self.chance, ("read", "update"))
        pipeline.dead_letters = Breaking(pipeline.dead_letters, self.chance, ("send",))

    def now_s(self) -> float:
        return (self.pipeline.clock.now - self._start_at).total_seconds()

    def _target(self, _target: Target, payload: bytes) -> Reply:
        """Throttle for two minutes; then fail, hang or succeed by the seed."""
        if self.now_s() < 120:
            return THROTTLED
        name = payload[-10:].decode()
        if name.endswith("7}"):
            return FAILED
        drawn = self.chance.draw("target", name)
        if drawn < 0.05:
            return TRANSIENT
        with self._lock:
            self.executions[name] += 1
        return UNKNOWN if drawn < 0.08 else SUCCEEDED

    def run(self, limit_s: float = 40_000.0) -> None:
        """Run until both queues are empty.

        Raises:
            AssertionError: If they are not by the limit.
        """
        while self.replays.bodies or self.captures.bodies:
            self._move_gates()
            self._unpack_some()
            self._replay_some()
            self.pipeline.clock.advance(self.random.choice((0.1, 1.0, 5.0)))
            self._skip_idle_time()
            assert self.now_s() < limit_s, f"{len(self.replays.bodies)} messages never end"

    def _move_gates(self) -> None:
        """Let gates hold and flow, as other replayers would have it."""
        if self.now_s() > GATES_END_S or self.random.random() > 0.1:
            return
        now_ms = int(self.pipeline.clock.now.timestamp() * 1000)
        holding = GateImage(
            mode=Mode.HOLDING,
            holding_since_ms=now_ms,
            probe_at_ms=now_ms + 2000,
            waiting=self.random.randint(0, 5),
            succeeded_at_ms=now_ms,
        )
        image = self.random.choice((holding, GateImage(window=100.0, succeeded_at_ms=now_ms)))
        self._images[self.random.choice((ORDERS, MAIL))] = image

    def _skip_idle_time(self) -> None:
        due_s = [*self.captures.visible_at_s.values(), *self.replays.visible_at_s.values()]
        if due_s and min(due_s) > self.now_s():
            self.pipeline.clock.advance(min(due_s) - self.now_s())

    def _unpack_some(self) -> None:
        names = self.captures.receive(2)
        if not names:
            return
        notices = [
            Notice(
                message_id=name,
                receipt_handle=name,
                body=self.captures.bodies[name],
                receive_count=1,
            )
            for name in names
        ]
        try:
            again = self.pipeline.intake().run(notices, lambda: REMAINING_MS)
        except Crash:
            return
        for name in set(names) - set(again):
            self.captures.delete(name)

    def _replay_some(self) -> None:
        names = self.replays.receive(self.random.randint(1, 10))
        if not names:
            return
        deliveries = [
            Delivery(message_id=name, receipt_handle=name, body=self.replays.bodies[name])
            for name in names
        ]
        worker = Worker(owner=f"batch {next(self._batches)}", remaining_ms=lambda: REMAINING_MS)
        try:
            again = self.pipeline.replayer().run(deliveries, worker)
        except Crash:
            return
        for name in set(names) - set(again):
            self.replays.delete(name)


def _message(body: str) -> OutMessage:
    from reprise.ports import OutMessage  # noqa: PLC0415 - TYPE_CHECKING above keeps one import list

    return OutMessage(body=body)

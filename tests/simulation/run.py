"""One run of the pipeline under one seed."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast

from harness import FAILED, MAIL, ORDERS, THROTTLED, TRANSIENT, UNKNOWN, call
from reprise.call.reply_to import ReplyTo
from reprise.capturing.open_calls import OpenCalls
from reprise.monitor.reconcile import EVERY_S, Reconciler, Sweep
from reprise.replay.message import Delivery, Worker
from reprise.retry.policy import read_policy_document
from reprise.testing import START_AT
from reprise.unpack.consumer import Notice
from simulation.check import Checker
from simulation.faults import Faults
from simulation.history import Batch, History
from simulation.limits import capture_limits, replay_limits
from simulation.log_path import LogPath
from simulation.memory import remembering
from simulation.operator import Operator
from simulation.queue import SimulatedQueue
from simulation.scenario import FAULTS_END_S, Planned, Scenario, scenario_of
from simulation.scheduler import Crash, Scheduler
from simulation.target import SimulatedFunctions
from simulation.world import Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reprise.capturing.invoker import Answer
    from reprise.ports import Reply
    from simulation.history import Held
    from simulation.queue import Received

REPLIES: Final[dict[str, Reply]] = {
    "throttled": THROTTLED,
    "failed": FAILED,
    "transient": TRANSIENT,
    "unknown": UNKNOWN,
}
HOWS: Final = {str(reply.outcome.kind): how for how, reply in REPLIES.items()}
LARGE: Final = Random(0).randbytes(130_000)
"""Too long for a line: such a call travels by claim check."""
TIMEOUTS_S: Final = {"replayer": 48.0, "unpacker": 100.0, "caller": 45.0}
"""Of a replayer: one call, the margin, and a little; of an unpacker: what it wants to begin, and a little; of
the invoker: less than its claims hold."""
RECONCILE_LOOKS: Final = 8
"""Looks of the reconciler, one after the other, after which it has seen every object that is old enough."""
LIMIT_S: Final = 7 * 86_400.0
MAX_BATCH: Final = 10


class Simulation:
    """The pipeline, its queues, its targets, its operator, and time."""

    def __init__(
        self, seed: int, *, is_reconciled: bool = True, kept: frozenset[int] | None = None
    ) -> None:
        """Set the stage.

        Args:
            seed: Decides on everything.
            is_reconciled: Whether somebody looks for objects whose notification was lost.
            kept: Numbers of the faults that are let happen, in the order that they are drawn; None for all.
        """
        self.scenario = scenario = scenario_of(seed)
        self.random = random = Random(f"run {seed}")
        self.scheduler = scheduler = Scheduler(LIMIT_S)
        self.history = History(lambda: scheduler.now_s, self._wake_late_owner)
        self.faults = Faults(
            scheduler=scheduler,
            random=random,
            rates=scenario.rates,
            kept=kept,
            history=self.history,
            look=self._look,
            gate_written=self._gate_written,
        )
        self.world = World(scenario, scheduler, random, self.faults, self.history)
        self.world.book = read_policy_document(json.dumps(scenario.policy))
        self.functions = SimulatedFunctions(
            scenario=scenario,
            scheduler=scheduler,
            random=random,
            faults=self.faults,
            history=self.history,
            check=self._check_execution,
        )
        self.world.pipeline.functions = self.functions  # type: ignore[assignment]
        self.replays, self.captures, self.letters = self._queues()
        self._pollers = (
            _Poller(self, self.replays, scenario.replayers, self._replay),
            _Poller(self, self.captures, scenario.unpackers, self._unpack),
        )
        self._log_path = LogPath(self.world, self.captures)
        self._is_reconciled = is_reconciled
        self._batches = 0
        for planned in scenario.objects:
            self._capture(planned, scenario.log_path_s)
        for plan in scenario.later:
            scheduler.call_at(plan.at_s, partial(self._capture_again, plan))
        for plan in scenario.repeats:
            scheduler.call_at(plan.at_s, partial(self._call_again, plan))
        for at_s, policy in scenario.edits:
            scheduler.call_at(at_s, partial(self._edit, policy))
        for at_s in scenario.restores_s:
            scheduler.call_at(at_s, self._restore)
        self.operator = Operator(self.world, self.replays, self.letters)
        for at_s in scenario.deploys_s:
            scheduler.call_at(at_s, self._deploy)
        for at_s in scenario.cancels_s:
            scheduler.call_at(at_s, self.operator.cancel)
        for at_s in scenario.redrives_s:
            scheduler.call_at(at_s, self.operator.start)
        if scenario.redrives_s:
            scheduler.call_at(FAULTS_END_S + 1000.0, self.operator.finish)

    @property
    def now_s(self) -> float:
        return self.scheduler.now_s

    def run(self) -> list[tuple[str, str]]:
        """Run until nothing is left to do; return what was broken: a kind each, and what it was."""
        with _silence(), remembering():
            try:
                self.scheduler.run()
                if self._is_reconciled and self.faults.met["lose notice"]:
                    self._reconcile()
            except TimeoutError as error:
                self.history.report("end", str(error))
            Checker(self).check()
        return self.history.violations

    def trace(self) -> list[str]:
        """Return what happened, a line each."""
        return [
            f"{at_s:10.3f} {who:12} {what:20} {key} {fault}".rstrip()
            for at_s, who, what, key, fault in self.faults.trace
        ]

    # --- what it is made of -----------------------------------------------------------------------

    def _queues(self) -> tuple[SimulatedQueue, SimulatedQueue, SimulatedQueue]:
        replay, capture = replay_limits(), capture_limits()
        make: Any = partial(
            SimulatedQueue,
            now_s=lambda: self.scheduler.now_s,
            random=self.random,
            is_met=self.faults.is_met,
            overtaken=lambda: self.faults.met.update(overtake=1),
            report=self.history.report,
        )
        replays = make(
            name="r",
            changed=self._replays_changed,
            visibility_s=self.scenario.visibility_s,
            receives_offset=replay.receives_offset,
            max_receives=replay.max_receives,
            age_offset_s=replay.age_offset_s,
            retention_s=replay.retention_s,
            in_flight_limit=self.scenario.in_flight_limit,
        )
        captures = make(
            name="c",
            changed=self._captures_changed,
            visibility_s=60.0,
            max_receives=capture.max_receives,
            retention_s=capture.retention_s,
        )
        return replays, captures, make(name="d")

    def _wake_late_owner(self, owner: Batch) -> None:
        """Let who lost a call go on at the worst moment: while the next one works on it."""
        if self.random.random() < 0.7:
            at_s = self.scheduler.now_s + self.random.random()
            self.scheduler.call_at(at_s, lambda: self.scheduler.go_on(owner))

    def _look(self, call_id: str) -> Held | None:
        return self.world.look(call_id)

    def _gate_written(self, function: str) -> None:
        self.world.note_mode(function)

    def _replays_changed(self, at_s: float) -> None:
        self._pollers[0].request(at_s)

    def _captures_changed(self, at_s: float) -> None:
        self._pollers[1].request(at_s)

    def _capture(self, planned: tuple[Planned, ...], log_path_s: float = 0.0) -> None:
        """Capture calls, and store them as one object, at once or when they have come so far."""
        pipeline: Any = self.world.pipeline
        lines: list[str] = []
        calls: dict[str, str] = {}
        known = OpenCalls(gates=self.world.gates(), clock=pipeline.clock)
        for plan in planned:
            payload = _payload_of(plan)
            place = self.scenario.reply_to(plan)
            request = call(payload, function=plan.function, key=plan.key, reply_to=place)
            if plan.key is not None:
                known.note(plan.function)
            (call_id,) = pipeline.capture(request, reply=REPLIES[plan.captured])
            self.functions.numbers[payload] = plan.number
            self.history.ids[plan.number] = call_id
            self.history.plans.setdefault(call_id, plan)
            if self._log_path.skips(call_id):
                continue
            lines.append(pipeline.lines[-1])
            calls[call_id] = plan.captured
            self.history.captures.append((call_id, self.scheduler.now_s, plan.captured))
            self.history.asked |= {(call_id, place)} if place is not None else set()
        deliver = partial(self._log_path.deliver, lines, calls)
        if log_path_s:
            self.scheduler.call_at(self.scheduler.now_s + log_path_s, deliver)
        else:
            deliver()

    def _call_again(self, plan: Planned) -> None:
        """Let a caller call again, live, by the key of its captured call."""
        if not self.faults.happens("call again"):
            return
        self._batches += 1
        now_s = self.scheduler.now_s
        deadline_s = now_s + TIMEOUTS_S["caller"]
        call_id = self.history.ids[plan.number]
        batch = Batch(
            name=f"caller-{self._batches}", began_at_s=now_s, deadline_s=deadline_s, is_live=True
        )
        batch.ends_at_s = deadline_s
        place = self.scenario.reply_to(plan)
        request = call(_payload_of(plan), function=plan.function, key=plan.key, reply_to=place)
        pipeline = self.world.sandbox(self.replays, self.captures, self.letters)
        pipeline.lines = _Lines(partial(self._log, call_id))

        def run() -> None:
            self.history.repeats[call_id] += 1
            try:
                answer = pipeline.caller().run(request)
                batch.finished_at_s = self.scheduler.now_s
                self.faults.note("answer", call_id, _said(answer))
                Checker(self).check_answer(call_id, answer)
            except Crash:
                for name in batch.holds:
                    self.history.excuse(name, "crash")
                if call_id not in batch.holds:
                    # Over what was given up a caller holds no claim: how its call ended dies with it.
                    for execution in self.history.executions[call_id]:
                        if execution.batch is batch:
                            execution.is_answered = False
                self.scheduler.kill(batch)

        self.scheduler.start(batch, run)

    def _log(self, call_id: str, line: str) -> None:
        """Let a line that was written arrive, whatever becomes of who wrote it."""
        if self._log_path.skips(call_id):
            return
        how = HOWS[json.loads(line)["outcome"]["kind"]]
        self.history.captures.append((call_id, self.scheduler.now_s, how))
        if (place := json.loads(line).get("reply_to")) is not None:
            self.history.asked.add((call_id, ReplyTo(**place)))
        at_s = self.scheduler.now_s + self.random.random() * 60
        self.scheduler.call_at(at_s, lambda: self._log_path.deliver([line], {call_id: how}))

    def _capture_again(self, plan: Planned) -> None:
        if self.faults.happens("capture again"):
            self._capture((plan,))

    def _deploy(self) -> None:
        """Let new code take over, as a deployment does: what runs on old code ends there."""
        if self.faults.happens("deploy"):
            for poller in self._pollers:
                poller.deploy()

    def _edit(self, policy: dict[str, Any]) -> None:
        is_disabled = policy["default"].get("enabled") is False
        self.faults.met["disable" if is_disabled else "flip idempotent"] += 1
        self.faults.note("edit", json.dumps(policy["default"]))
        self.world.book = read_policy_document(json.dumps(policy))

    def _restore(self) -> None:
        """Lose the row of a call that has not ended, of one that the ledger is owed, if there is one."""
        rows = self.world.rows()
        live = [name for name, row in rows.items() if row.state in {"waiting", "leased"}]
        owed = [
            name
            for name in live
            for message in self.replays.messages.values()
            if name in message.body and '"settlement":{' in message.body
        ]
        if live and self.faults.happens("restore"):
            name = self.random.choice(owed or live)
            self.faults.note("restore", name)
            self.history.restored.add(name)
            self.history.excuse(name, "restored")
            self.world.forget(name)

    def _reconcile(self) -> None:
        """Let the reconciler look, with nothing else left to do, until it finds nothing any more."""
        world = self.world
        reconciler = Reconciler(
            bucket=world.bucket.bucket,
            listing=self._log_path.listing,
            marks=world.pipeline.marks,
            queue=cast("Any", self.captures),
            sweeps=_Sweeps(),
            clock=world.pipeline.clock,
            meter=world.pipeline.meter,
        )
        looks = 0
        while looks < RECONCILE_LOOKS:
            self.scheduler.now_s += EVERY_S
            sent = self.captures.sent
            reconciler.check()
            looks += 1
            if self.captures.sent > sent:
                self.scheduler.run()
                looks = 0

    # --- processes --------------------------------------------------------------------------------

    def _start(
        self, name: str, sandbox: Sandbox, poller: _Poller, work: Callable[[Worker], None]
    ) -> None:
        self._batches += 1
        now_s = self.scheduler.now_s
        timeout_s = TIMEOUTS_S[name]
        batch = Batch(
            name=f"{name}-{self._batches}", began_at_s=now_s, deadline_s=now_s + timeout_s
        )
        late_s = self.random.uniform(5, 300) if self.faults.is_met("outlive") else 0.0
        if self.faults.is_met("step clock"):
            most_s = self.random.choice((-200, -20, -1, 1, 20, 200))
            step_s = most_s * self.random.random()
            self.history.clock_step_s = max(self.history.clock_step_s, abs(step_s))
            at_s = now_s + self.random.choice((0, 1, 10)) * self.random.random()
            self.scheduler.call_at(at_s, lambda: setattr(batch, "clock_s", step_s))
        batch.ends_at_s = batch.deadline_s + late_s
        pause_s = timeout_s + self.random.uniform(0, late_s) if late_s else 0.0
        if late_s:
            batch.was_slow = True
            # It stands still at some moment, and finds out only later that its time is over.
            at_s = now_s + self.random.random() * 5
            self.scheduler.call_at(at_s, lambda: setattr(batch, "stands_until_s", at_s + pause_s))

        def remaining_ms() -> int:
            return max(0, int((batch.deadline_s - self.scheduler.now_s) * 1000))

        def run() -> None:
            try:
                work(Worker(owner=batch.name, remaining_ms=remaining_ms))
                batch.finished_at_s = self.scheduler.now_s
            except Crash:
                self.faults.note("crash", batch.name)
                if self.scheduler.now_s >= batch.deadline_s and not batch.was_slow:
                    self.history.report(
                        "time", f"{batch.name} ran out of time, and nothing was slow"
                    )
                for call_id in batch.holds:
                    self.history.excuse(call_id, "crash")
                self.scheduler.kill(batch)
                sandbox.renew()
            finally:
                poller.take_back(sandbox)

        self.scheduler.start(batch, run)

    def _replay(self, sandbox: Sandbox, received: list[Received], poller: _Poller) -> None:
        start_ms = int(START_AT.timestamp() * 1000)
        deliveries = [
            Delivery(
                message_id=message.name,
                receipt_handle=message.handle,
                body=message.body,
                receive_count=message.receive_count,
                sent_at_ms=start_ms + int(message.sent_at_s * 1000),
            )
            for message in received
        ]

        def work(worker: Worker) -> None:
            again = sandbox.replayer.run(deliveries, worker)
            self._delete(self.replays, received, again)

        self._start("replayer", sandbox, poller, work)

    def _unpack(self, sandbox: Sandbox, received: list[Received], poller: _Poller) -> None:
        notices = [
            Notice(
                message_id=message.name,
                receipt_handle=message.handle,
                body=message.body,
                receive_count=message.receive_count,
            )
            for message in received
        ]

        def work(worker: Worker) -> None:
            again = sandbox.intake.run(notices, worker.remaining_ms)
            if not again:
                # All of the batch is dealt with; what it entered holds from now on.
                for call_id in self.world.batch.entered:
                    self.history.unknown_entered_at_s.setdefault(call_id, self.scheduler.now_s)
            self._delete(self.captures, received, again)

        self._start("unpacker", sandbox, poller, work)

    def _delete(self, queue: SimulatedQueue, received: list[Received], again: list[str]) -> None:
        """Delete what need not come again, as Lambda does for its caller."""
        self.scheduler.sleep(self.random.random() * 0.1)
        for message in received:
            if message.name not in again:
                self.faults.note("delete", message.name)
                queue.delete(message.handle)

    def _check_execution(self, function: str, call_id: str, batch: Batch) -> None:
        Checker(self).check_execution(function, call_id, batch)


class _Lines(list[str]):
    """What a process writes to its log."""

    def __init__(self, written: Callable[[str], None]) -> None:
        super().__init__()
        self._written = written

    def append(self, line: str) -> None:
        super().append(line)
        self._written(line)


def _payload_of(plan: Planned) -> bytes:
    return LARGE if plan.is_large else b'{"n":%d}' % plan.number


def _said(answer: Answer) -> str:
    if answer.late is not None:
        return "late result"
    return "202" if answer.captured is not None else str(answer.reply.outcome.kind)


class _Sweeps:
    """Keeps how far the reconciler has come."""

    def __init__(self) -> None:
        self._sweep = Sweep()

    def load(self) -> Sweep:
        return self._sweep

    def save(self, sweep: Sweep) -> None:
        self._sweep = sweep


class _Poller:
    """Hands what is visible in a queue to free sandboxes, as an event source mapping does."""

    def __init__(
        self,
        simulation: Simulation,
        queue: SimulatedQueue,
        sandboxes: int,
        start: Callable[[Sandbox, list[Received], _Poller], None],
    ) -> None:
        self._simulation = simulation
        self._queue = queue
        self._start = start
        self._next_s = float("inf")
        self._sandboxes = sandboxes
        self._busy: list[Sandbox] = []
        self.free = self._new()

    def _new(self) -> list[Sandbox]:
        simulation = self._simulation
        queues = simulation.replays, simulation.captures, simulation.letters
        return [Sandbox(simulation.world, *queues) for _ in range(self._sandboxes)]

    def deploy(self) -> None:
        """Put new sandboxes in the place of all, those at work included, which end what they do."""
        self.free, self._busy = self._new(), []
        self.request(self._simulation.scheduler.now_s)

    def take_back(self, sandbox: Sandbox) -> None:
        """Let the next batch run where one has ended, unless its code is not in force any more."""
        if sandbox in self._busy:
            self._busy.remove(sandbox)
            self.free.append(sandbox)
        self.request(self._simulation.scheduler.now_s)

    def request(self, at_s: float) -> None:
        """Look when something may be there."""
        scheduler = self._simulation.scheduler
        at_s = max(at_s, scheduler.now_s)
        if self.free and at_s < self._next_s:
            self._next_s = at_s
            scheduler.call_at(at_s, partial(self._poll, at_s))

    def _poll(self, at_s: float) -> None:
        if at_s != self._next_s:
            return
        self._next_s = float("inf")
        random = self._simulation.random
        if not self.free:
            return
        received = self._queue.receive(random.choice((1, 2, 5, MAX_BATCH)))
        if received:
            sandbox = self.free.pop(random.randrange(len(self.free)))
            self._busy.append(sandbox)
            self._start(sandbox, received, self)
        due_s = self._queue.next_due_s()
        if due_s < float("inf"):
            self.request(due_s + random.random() * 0.3)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the product's log lines back: there are thousands, and each costs more than a store's call."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


__all__ = ["MAIL", "ORDERS", "Scenario", "Simulation"]

"""Replay a batch of captured calls: gate first, then calls side by side in lanes, one a permit."""

from __future__ import annotations

import logging
import math
from collections import defaultdict, deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.call.payload import digest
from reprise.capturing.open_calls import OpenCalls
from reprise.errors import BadRecordError, PolicyError, StoreError
from reprise.gate.admit import most_at_once
from reprise.gate.paused import hold_paused, paused_wait_s
from reprise.gate.session import GateSession
from reprise.quarantine import Quarantine
from reprise.replay.message import Ack, Disposition, Nack, read_authentic
from reprise.replay.worker import PermitWorker, Returns, Waiting
from reprise.retry.decision import COUNTED, policy_backoff_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

    from reprise.gate.fallback import LocalGate
    from reprise.ports import (
        Clock,
        Concurrency,
        Draw,
        GateItems,
        Keyring,
        Lease,
        Meter,
        Objects,
        PolicySource,
        Queue,
    )
    from reprise.replay.message import Delivery, Entry, Group, ReplayMessage, Worker
    from reprise.replay.runner import AttemptRunner
    from reprise.retry.policy import Policy, PolicyBook

type _Running = Future[dict[str, float]]

_log = logging.getLogger(__name__)

MARGIN_MS: Final = 10_000
"""Time kept after the longest call, to record its end and give messages back."""
STORE_WAIT_S: Final = 20.0
"""Wait, spread as far again, of calls whose store or policy cannot be had."""
PAUSE_SEEN_S: Final = 3.0
"""Oldest policy by which calls are kept waiting: who resumes a target waits for no cache."""
LONG_S: Final = 600.0
"""Wait of a call with a key that is told to whoever may repeat it."""
LOOK_S: Final = 0.5
"""Time between looks at the calls that wait for a permit of their batch: they must not wait for long."""


@contextmanager
def _say_nothing(_call_id: str, _target: str) -> Iterator[None]:
    yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayer:
    """Replays batches."""

    attempts: AttemptRunner
    keys: Keyring
    gates: GateItems
    memory: LocalGate
    concurrency: Concurrency
    policies: PolicySource
    objects: Objects
    queue: Queue
    clock: Clock
    draw: Draw
    meter: Meter
    call_timeout_s: int
    about: Callable[[str, str], AbstractContextManager[None]] = _say_nothing
    """Lets log lines name a call and its target inside."""
    executor: Callable[[int], Executor] = ThreadPoolExecutor
    """Makes what runs so many lanes side by side."""
    wait: Callable[[set[_Running], float | None, str], tuple[set[_Running], set[_Running]]] = wait
    """Waits for the first of them, at most so many seconds."""

    def run(self, deliveries: Sequence[Delivery], worker: Worker) -> list[str]:
        """Replay what may be replayed now, and return the ids of the messages that must come again.

        Calls run side by side in lanes, one a permit, and each target's lanes end on their own: its
        permits go back to its gate whatever the other targets of the batch still do. What gets no
        permit goes back to the queue before the first call is made, or once it waited its time for one
        of the batch's own.

        Never raises for what is in a batch: a message that cannot be dealt with comes again.
        """
        waiting = Waiting()
        groups = self._read(deliveries, waiting.waits_s)
        book = self._book(groups)
        returns = Returns(self.queue, deliveries, groups, now_ms=self._now_ms())
        with self.executor(max(1, len(deliveries))) as pool:
            lanes = [
                pool.submit(lane)
                for function, group in groups.items()
                for lane in self._lanes(function, group, book, worker, waiting)
            ]
            returns.give_back(waiting.waits_s)
            running = set(lanes)
            while running:
                # As each ends, and not after the slowest: a retry waits its own time.
                look_s = LOOK_S if any(lane.room for lane in waiting.rooms) else None
                ended, running = self.wait(running, look_s, FIRST_COMPLETED)
                late = {name: wait_s for lane in ended for name, wait_s in lane.result().items()}
                returns.give_back(late | waiting.leave_rooms())
        return returns.again()

    def _read(self, deliveries: Iterable[Delivery], waits_s: dict[str, float]) -> dict[str, Group]:
        """Group authentic messages by function; quarantine the others."""
        groups: dict[str, Group] = defaultdict(list)
        for delivery in deliveries:
            try:
                message = read_authentic(delivery.body, self.keys)
            except BadRecordError as error:
                if not self._keep(delivery, error):
                    waits_s[delivery.receipt_handle] = STORE_WAIT_S
            except StoreError:
                _log.exception("keys are away", extra={"message_id": delivery.message_id})
                waits_s[delivery.receipt_handle] = STORE_WAIT_S
            else:
                groups[message.record.target.function].append((delivery, message))
        return groups

    def _keep(self, delivery: Delivery, error: BadRecordError) -> bool:
        """Put a message in quarantine; False if that cannot be done now."""
        quarantine = Quarantine(f"replay-queue/{delivery.message_id}", self.objects, self.meter)
        try:
            quarantine.add(0, error.reason, error.message, delivery.body.encode())
            quarantine.flush()
        except StoreError:
            _log.exception("quarantine is away", extra={"message_id": delivery.message_id})
            return False
        return True

    def _book(self, functions: Iterable[str]) -> PolicyBook | None:
        try:
            book = self.policies.policies()
            if all(_policy(book, function).enabled for function in functions):
                return book
            return self.policies.policies(within_s=PAUSE_SEEN_S)
        except (StoreError, PolicyError):
            _log.exception("no policy can be had: every call waits")
            self.meter.count(metric.STORE_FAULTS)
            return None

    def _lanes(
        self,
        function: str,
        group: Group,
        book: PolicyBook | None,
        worker: Worker,
        waiting: Waiting,
    ) -> list[Callable[[], dict[str, float]]]:
        """Return what may be run now for a target; note how long its other calls wait."""
        waits_s = waiting.waits_s
        if book is None:
            self._wait(group, waits_s, STORE_WAIT_S, STORE_WAIT_S)
            return []
        policy = _policy(book, function)
        # What only the ledger is owed asks nothing of the target, and so nothing of the gate.
        owed = [entry for entry in group if entry[1].settlement is not None]
        calls = [entry for entry in group if entry[1].settlement is None]
        lanes: list[Callable[[], dict[str, float]]] = [
            partial(self._catch_up, entry, policy, worker) for entry in owed
        ]
        if any(_has_key(message) for _, message in calls):
            # What was redriven, or waits longer than anyone reckoned with, is still open.
            self._open_calls.note(function)
        if calls and not policy.enabled:
            self._pause(function, calls, waits_s)
        elif calls:
            visit = self._visit(function, policy, worker)
            calls, wanted = self._candidates(visit, calls, policy)
            entry = visit.enter(wanted)
            self.meter.count(metric.STORE_FAULTS, visit.store_faults)
            first = calls[: len(entry.permits)]
            room = deque(calls[len(first) : len(first) + entry.room])
            # One draw for all of them, so that they come back together, as a batch.
            wait_s = visit.wait_s(self.draw())
            refused = calls[len(first) + len(room) :]
            waits_s |= {delivery.receipt_handle: wait_s for delivery, _ in refused}
            self.meter.count(metric.GATE_WAITS, len(refused), target=function)
            lane = PermitWorker(
                attempt=partial(self._attempt, policy, worker, self._lease(first, worker)),
                visit=visit,
                room=room,
                draw=self.draw,
                meter=self.meter,
            )
            waiting.rooms.append(lane)
            lanes += [
                partial(lane.run, permit, call)
                for permit, call in zip(entry.permits, first, strict=True)
            ]
        return lanes

    def _candidates(self, visit: GateSession, calls: Group, policy: Policy) -> tuple[Group, int]:
        """Return a batch's calls, and how many may go.

        In a hold for failures a probe must be chosen: it comes first, and where none may be it none may go.
        """
        if not visit.is_choosy():
            return calls, len(calls)
        fittest: Entry | None = None
        least = math.inf
        for entry in sorted(calls, key=_chance_to_have_failed):
            try:
                failures = self.attempts.failures(entry[1])
                may_probe = visit.may_probe(failures, policy_backoff_s(max(1, failures), policy))
            except Exception:  # noqa: BLE001 - one row that cannot be read must not hold up the batch
                _log.exception("cannot tell who may probe", extra={"target": visit.function})
                self.meter.count(metric.STORE_FAULTS)
                break
            if may_probe and failures < least:
                fittest, least = entry, failures
            if not least:
                break
        if fittest is None:
            return calls, 0
        return [fittest, *(call for call in calls if call is not fittest)], len(calls)

    def _visit(self, function: str, policy: Policy, worker: Worker) -> GateSession:
        return GateSession(
            gates=self.gates,
            memory=self.memory,
            function=function,
            owner=worker.owner,
            now_ms=self._now_ms,
            draw=self.draw,
            lease_ms=worker.remaining_ms(),
            most=most_at_once(
                self.concurrency.limit(function),
                policy,
                # Asked only where the policy does not say.
                shares_cpus=not policy.max_concurrency and self.concurrency.shares_cpus(function),
            ),
        )

    def _catch_up(self, entry: Entry, policy: Policy, worker: Worker) -> dict[str, float]:
        delivery, message = entry
        verdict = self._attempt(policy, worker, {}, delivery, message)
        return {delivery.receipt_handle: verdict.wait_s} if isinstance(verdict, Nack) else {}

    def _pause(self, function: str, group: Group, waits_s: dict[str, float]) -> None:
        """Let the gate of a target whose policy is not enabled hold, and its calls wait."""
        now_ms = self._now_ms()
        try:
            gate = hold_paused(self.gates, function, now_ms)
        except StoreError:
            _log.exception("gate is away", extra={"target": function})
            self.meter.count(metric.STORE_FAULTS)
            self._wait(group, waits_s, STORE_WAIT_S, STORE_WAIT_S)
            return
        wait_s, spread_s = paused_wait_s(gate)
        wait_s += self.draw() * spread_s
        waits_s |= {delivery.receipt_handle: wait_s for delivery, _ in group}

    def _wait(
        self, group: Group, waits_s: dict[str, float], wait_s: float, spread_s: float
    ) -> None:
        for delivery, _ in group:
            waits_s[delivery.receipt_handle] = wait_s + self.draw() * spread_s

    def _lease(self, calls: Group, worker: Worker) -> dict[str, Lease | None]:
        """Take the leases of calls together that begin at once; return by owner those that were granted.

        None stands for one that was asked for, and may be ours all the same. A single call takes its own
        lease, in one request.
        """
        if len(calls) <= 1 or not self._has_time(worker):
            return {}
        by_owner = {_owner(worker, delivery): message for delivery, message in calls}
        granted = self.attempts.lease_all(by_owner, self._lease_until_ms(worker))
        return {owner: granted.get(owner) for owner in by_owner}

    def _has_time(self, worker: Worker) -> bool:
        return worker.remaining_ms() >= self.call_timeout_s * 1000 + MARGIN_MS

    def _lease_until_ms(self, worker: Worker) -> int:
        return self._now_ms() + worker.remaining_ms() + 1000

    def _attempt(
        self,
        policy: Policy,
        worker: Worker,
        leases: Mapping[str, Lease | None],
        delivery: Delivery,
        message: ReplayMessage,
    ) -> Disposition:
        """Make one attempt if there is time for it; whatever goes wrong, the message comes again."""
        owner, may_begin = _owner(worker, delivery), self._has_time(worker)
        if not may_begin and owner not in leases:
            return Nack(wait_s=0.0)
        function = message.record.target.function
        try:
            with self.about(message.record.id, function):
                verdict = self.attempts.run(
                    message,
                    policy,
                    owner=owner,
                    lease_until_ms=self._lease_until_ms(worker),
                    lease=leases.get(owner),
                    may_begin=may_begin,
                )
            if isinstance(verdict, Nack) and verdict.wait_s > LONG_S and _has_key(message):
                self._open_calls.note(function, verdict.wait_s)
        except BadRecordError as error:
            if self._keep(delivery, error):
                return Ack()
        except StoreError:
            _log.exception("store is away", extra={"call_id": message.record.id})
            self.meter.count(metric.STORE_FAULTS)
        except Exception:  # noqa: BLE001 - see below
            # A defect of ours must cost this call a delay, not the batch its other calls.
            _log.exception("attempt failed", extra={"call_id": message.record.id})
        else:
            return verdict
        return Nack(wait_s=STORE_WAIT_S + self.draw() * STORE_WAIT_S)

    @property
    def _open_calls(self) -> OpenCalls:
        return OpenCalls(gates=self.gates, clock=self.clock)

    def _now_ms(self) -> int:
        return int(self.clock().timestamp() * 1000)


def _owner(worker: Worker, delivery: Delivery) -> str:
    """Return who holds a lease: one batch may hold two copies of a call, and only one may have it."""
    return f"{worker.owner}/{digest(delivery.receipt_handle.encode())[:16]}"


def _policy(book: PolicyBook, function: str) -> Policy:
    return book.for_target(function.rpartition(":")[2])


def _has_key(message: ReplayMessage) -> bool:
    return isinstance(message.record.idempotency_key, str)


def _chance_to_have_failed(entry: Entry) -> tuple[bool, int]:
    """Sort key: calls that their caller's own try did not run come first, then those delivered least."""
    delivery, message = entry
    return message.record.outcome.kind in COUNTED, delivery.receive_count

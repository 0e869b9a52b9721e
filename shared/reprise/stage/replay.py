"""Replay a batch of captured calls: gate first, then attempts side by side, then the gate again."""

from __future__ import annotations

import logging
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.errors import BadRecordError, PolicyError, StoreError
from reprise.gate.keeper import GateKeeper, tally_of
from reprise.observe.log_context import about_call
from reprise.stage.message import ReplayMessage, read_message
from reprise.stage.quarantine import Quarantine
from reprise.stage.verdict import GiveBack, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reprise.policy.policy import Policy, PolicyBook
    from reprise.ports import Clock, Draw, Meter, Objects, PolicySource, Queue
    from reprise.stage.attempt import AttemptStage

_log = logging.getLogger(__name__)

MARGIN_MS: Final = 10_000
"""Time kept after the longest call, to record its end and give messages back."""
STORE_WAIT_S: Final = 20.0
"""Wait, spread as far again, of calls whose store or policy cannot be had."""
DISABLED_WAIT_S: Final = 300.0
"""Wait between looks at a target whose policy is not enabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as SQS handed it over."""

    message_id: str
    receipt_handle: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who replays a batch, and how long it has."""

    owner: str
    """Unique per batch, so that leases tell batches apart."""
    remaining_ms: Callable[[], int]
    """Milliseconds until this process is stopped."""


Group = list[tuple[Delivery, ReplayMessage]]
Running = list[tuple[Delivery, "Future[Verdict]"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayStage:
    """Replays batches."""

    attempts: AttemptStage
    gates: GateKeeper
    policies: PolicySource
    objects: Objects
    queue: Queue
    clock: Clock
    draw: Draw
    meter: Meter
    call_timeout_s: int

    def run(self, deliveries: Sequence[Delivery], worker: Worker) -> list[str]:
        """Replay what may be replayed now, and return the ids of the messages that must come again.

        Never raises for what is in a batch: a message that cannot be dealt with comes again.
        """
        waits_s: dict[str, float] = {}
        groups = self._read(deliveries, waits_s)
        book = self._book()
        with ThreadPoolExecutor(max_workers=max(1, len(deliveries))) as pool:
            running: dict[str, Running] = {}
            for function, group in groups.items():
                go = self._admit(function, group, book, worker.owner, waits_s)
                running[function] = [
                    (delivery, pool.submit(self._attempt, delivery, message, policy, worker))
                    for delivery, message, policy in go
                ]
            for function, started in running.items():
                self._finish(function, started, worker.owner, waits_s)
        handles = {delivery.message_id: delivery.receipt_handle for delivery in deliveries}
        self.queue.give_back({handles[name]: wait_s for name, wait_s in waits_s.items()})
        return list(waits_s)

    def _read(self, deliveries: Iterable[Delivery], waits_s: dict[str, float]) -> dict[str, Group]:
        """Group readable messages by function; quarantine the others."""
        groups: dict[str, Group] = defaultdict(list)
        for delivery in deliveries:
            try:
                message = read_message(delivery.body)
            except BadRecordError as error:
                quarantine = Quarantine(
                    f"replay-queue/{delivery.message_id}", self.objects, self.meter
                )
                try:
                    quarantine.add(0, error.reason, error.message, delivery.body.encode())
                    quarantine.flush()
                except StoreError:
                    _log.exception("quarantine is away", extra={"message_id": delivery.message_id})
                    waits_s[delivery.message_id] = STORE_WAIT_S
            else:
                groups[message.record.target.function].append((delivery, message))
        return groups

    def _book(self) -> PolicyBook | None:
        try:
            return self.policies.policies()
        except (StoreError, PolicyError):
            _log.exception("no policy can be had: every call waits")
            self.meter.count(metric.STORE_FAULTS)
            return None

    def _admit(
        self,
        function: str,
        group: Group,
        book: PolicyBook | None,
        owner: str,
        waits_s: dict[str, float],
    ) -> list[tuple[Delivery, ReplayMessage, Policy]]:
        """Return which calls of a target may be tried now; note how long the others wait."""
        if book is None:
            self._wait(group, waits_s, STORE_WAIT_S, STORE_WAIT_S)
            return []
        policy = book.for_target(function.rpartition(":")[2])
        # What only the ledger is owed asks nothing of the target, and so nothing of the gate.
        owed = [entry for entry in group if entry[1].settlement is not None]
        calls = [entry for entry in group if entry[1].settlement is None]
        permits = 0
        if calls and not policy.enabled:
            self._wait(calls, waits_s, DISABLED_WAIT_S, DISABLED_WAIT_S)
        elif calls:
            wanted = min(len(calls), policy.max_concurrency or len(calls))
            try:
                admission = self.gates.admit(function, wanted=wanted, owner=owner)
            except StoreError:
                _log.exception("gate is away: calls wait", extra={"target": function})
                self.meter.count(metric.STORE_FAULTS)
                self._wait(calls, waits_s, STORE_WAIT_S, STORE_WAIT_S)
            else:
                permits = admission.permits
                held = calls[permits:]
                self._wait(held, waits_s, admission.wait_s, max(admission.spread_s, 1.0))
                self.meter.count(metric.GATE_WAITS, len(held), target=function)
        return [(delivery, message, policy) for delivery, message in owed + calls[:permits]]

    def _wait(
        self, group: Group, waits_s: dict[str, float], wait_s: float, spread_s: float
    ) -> None:
        for delivery, _ in group:
            waits_s[delivery.message_id] = wait_s + self.draw() * spread_s

    def _attempt(
        self, delivery: Delivery, message: ReplayMessage, policy: Policy, worker: Worker
    ) -> Verdict:
        """Make one attempt if there is time for it; whatever goes wrong, the message comes again."""
        remaining_ms = worker.remaining_ms()
        if remaining_ms < self.call_timeout_s * 1000 + MARGIN_MS:
            return GiveBack(wait_s=0.0)
        lease_until_ms = int(self.clock().timestamp() * 1000) + remaining_ms + 1000
        try:
            # By message, too: one batch may hold two copies of a call, and only one may have it.
            owner = f"{worker.owner}/{delivery.message_id}"
            with about_call(message.record.id, message.record.target.function):
                return self.attempts.run(
                    message, policy, owner=owner, lease_until_ms=lease_until_ms
                )
        except StoreError:
            _log.exception("store is away", extra={"call_id": message.record.id})
            self.meter.count(metric.STORE_FAULTS)
        except Exception:  # noqa: BLE001 - see below
            # A defect of ours must cost this call a delay, not the batch its other calls.
            _log.exception("attempt failed", extra={"call_id": message.record.id})
        return GiveBack(wait_s=STORE_WAIT_S + self.draw() * STORE_WAIT_S)

    def _finish(
        self, function: str, started: Running, owner: str, waits_s: dict[str, float]
    ) -> None:
        """Gather a target's verdicts, and tell its gate."""
        verdicts = [(delivery, future.result()) for delivery, future in started]
        for delivery, verdict in verdicts:
            if isinstance(verdict, GiveBack):
                waits_s[delivery.message_id] = verdict.wait_s
        if not verdicts:
            return
        try:
            self.gates.settle(function, tally_of(verdict for _, verdict in verdicts), owner=owner)
        except StoreError:
            _log.exception("gate could not be told", extra={"target": function})
            self.meter.count(metric.STORE_FAULTS)

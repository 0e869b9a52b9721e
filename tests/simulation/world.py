"""The pipeline's stages in sandboxes of their own, on stores that all of them share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast

from doubles import FakeClock, InMemoryGateItems, InMemoryLedger, InMemoryObjects
from harness import Pipeline
from reprise.aws.gate_table import GateTable
from reprise.aws.ledger_rows import from_item
from reprise.aws.ledger_table import LedgerTable
from reprise.call.payload import ClaimCheck
from reprise.errors import StoreError
from reprise.gate.fallback import LocalGate
from reprise.gate.state import Mode
from reprise.ledger import LedgerEvent, State
from reprise.retry.policy import read_policy_document
from reprise.testing import START_AT
from simulation.dynamodb import DynamoDB
from simulation.executor import Executor, wait
from simulation.faults import GATE_KEY, Breaking, Faults, store_error
from simulation.history import Batch, Held
from simulation.scheduler import Crash
from simulation.target import CALL_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from threading import Event

    from reprise.gate.state import GateState
    from reprise.ledger import Row
    from reprise.ports import GateItems, Lease, LeaseRequest, Ledger, OutMessage, SettleRequest
    from reprise.replay.batch import Replayer
    from reprise.retry.policy import PolicyBook
    from reprise.unpack.consumer import CaptureConsumer
    from simulation.history import History
    from simulation.queue import SimulatedQueue
    from simulation.scenario import Scenario
    from simulation.scheduler import Scheduler

TABLE: Final = "ledger"


class SimulatedClock(FakeClock):
    """Tells simulated time."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @property
    def now(self) -> datetime:  # type: ignore[override] # it cannot be set
        return START_AT + timedelta(seconds=self._scheduler.now_s)

    def __call__(self) -> datetime:
        return START_AT + timedelta(seconds=self._scheduler.now_s)


class ProcessClock(SimulatedClock):
    """Tells the time as the process that asks takes it to be."""

    _told_s = 0.0
    _told = START_AT

    def __call__(self) -> datetime:
        scheduler = self._scheduler
        batch = scheduler.current.process if scheduler.current is not None else None
        now_s = scheduler.now_s + (batch.clock_s if isinstance(batch, Batch) else 0.0)
        if now_s != self._told_s:
            self._told_s, self._told = now_s, START_AT + timedelta(seconds=now_s)
        return self._told


class SimulatedPipeline(Pipeline):
    """The harness's pipeline, with a new draw every time that one is asked for."""

    random: Random

    @property
    def draw(self) -> float:
        # From the upper half: so the shortest backoff is known.
        return 0.5 + self.random.random() / 2

    @draw.setter
    def draw(self, value: float) -> None:
        pass


class VersionedObjects(InMemoryObjects):
    """A bucket that keeps every version, as the stack's own does."""

    versions: dict[tuple[str, str], bytes]

    def put(self, key: str, data: bytes) -> ClaimCheck:
        number = str(sum(name == key for name, _ in self.versions) + 1)
        self.versions[key, number] = data
        kept = super().put(key, data)
        return ClaimCheck(bucket=kept.bucket, key=key, version_id=number)

    def get(self, claim_check: ClaimCheck) -> bytes:
        return b"".join(self.stream(claim_check.bucket, claim_check.key, claim_check.version_id))

    def stream(self, bucket: str, key: str, version_id: str | None = None) -> Iterator[bytes]:
        data = self.versions.get((key, version_id or ""))
        return super().stream(bucket, key) if data is None else iter((data,))


class WatchedLedger:
    """Notes who holds which call, and passes on."""

    def __init__(self, ledger: Ledger, world: World) -> None:
        self._ledger = ledger
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def record(self, row: Row) -> Row | None:
        batch = self._world.batch
        if batch.is_live:
            self._world.works_on(row.id)
            self._claims(row)
        try:
            existing = self._ledger.record(row)
        except StoreError:
            batch.holds.pop(row.id, None)
            raise
        if batch.is_live:
            if existing is not None and existing.lease_owner != row.lease_owner:
                batch.holds.pop(row.id, None)
                if existing.state == State.DEAD_LETTERED:
                    self._world.history.ran_over_end.add(row.id)
            return existing
        return existing

    def record_all(self, rows: Sequence[Row]) -> dict[str, Row | None]:
        told = self._ledger.record_all(rows)
        self._found(told)
        return told

    def get_all(self, call_ids: Sequence[str]) -> dict[str, Row]:
        found = self._ledger.get_all(call_ids)
        self._found(found)
        return found

    def _found(self, told: Mapping[str, Row | None]) -> None:
        batch = self._world.batch
        for call_id, existing in told.items():
            if existing is not None and call_id in batch.unknown:
                batch.entered.add(call_id)
            if existing is not None and existing.state == State.SUCCEEDED:
                batch.suppressed.add(call_id)

    def _claims(self, row: Row) -> None:
        """Note a claim; from the moment that it is asked for it may be held."""
        batch = self._world.batch
        self._world.history.owners[row.lease_owner or ""] = batch
        batch.holds[row.id] = row.lease_owner or ""

    def release(self, call_id: str, *, owner: str) -> bool:
        try:
            is_done = self._ledger.release(call_id, owner=owner)
        except StoreError:
            # It is not worked on any more, whatever the row says.
            self._world.batch.holds.pop(call_id, None)
            raise
        self._world.batch.holds.pop(call_id, None)
        return is_done

    def lease(self, call_id: str, *, owner: str, **request: Any) -> Lease:
        world, batch = self._world, self._world.batch
        world.history.owners[owner] = batch
        is_first = world.works_on(call_id)
        is_late = batch.deadline_s - world.scheduler.now_s < CALL_TIMEOUT_S
        if is_first and is_late and call_id not in batch.asked:
            world.history.report("time", f"{batch.name} begins with {call_id} too late to end it")
        lease = self._ledger.lease(call_id, owner=owner, **request)
        if lease.granted:
            batch.holds[call_id] = owner
        return lease

    def lease_all(self, wanted: Sequence[LeaseRequest], **request: Any) -> dict[str, Lease]:
        world, batch = self._world, self._world.batch
        is_late = batch.deadline_s - world.scheduler.now_s < CALL_TIMEOUT_S
        for each in wanted:
            world.history.owners[each.owner] = batch
            # From the moment that it is asked for it may be held.
            batch.holds.setdefault(each.call_id, each.owner)
            batch.asked.add(each.call_id)
            if is_late:
                world.history.report(
                    "time", f"{batch.name} begins with {each.call_id} too late to end it"
                )
        try:
            leases: dict[str, Lease] = self._ledger.lease_all(wanted, **request)
        except StoreError:
            leases = {}
        for each in wanted:
            if each.owner not in leases and batch.holds.get(each.call_id) == each.owner:
                del batch.holds[each.call_id]
        return leases

    def settle(self, call_id: str, **request: Any) -> bool:
        self._world.works_on(call_id)
        # From the moment that it is asked the write may be done.
        faults = self._world.faults
        is_end = request["event"] is LedgerEvent.DEAD_LETTER
        if is_end and self._world.random.random() < 4 * faults.rates["arrive late"]:
            # An end that is told late is the worst: an operator may have redriven the call meanwhile.
            faults.forced = "arrive late"
        try:
            return self._ledger.settle(call_id, **request)
        except Crash:
            # Whoever dies at it dies holding the call.
            request["owner"] = ""
            raise
        finally:
            if self._world.batch.holds.get(call_id) == request["owner"]:
                del self._world.batch.holds[call_id]

    def settle_all(self, wanted: Sequence[SettleRequest]) -> frozenset[str]:
        faults, batch = self._world.faults, self._world.batch
        is_end = any(each.event is LedgerEvent.DEAD_LETTER for each in wanted)
        if is_end and self._world.random.random() < 4 * faults.rates["arrive late"]:
            faults.forced = "arrive late"
        # An error says nothing: as with one that is told alone, the write may be done.
        told = frozenset(each.owner for each in wanted)
        try:
            told = self._ledger.settle_all(wanted)
        except Crash:
            told = frozenset()
            raise
        finally:
            for each in wanted:
                if each.owner in told and batch.holds.get(each.call_id) == each.owner:
                    del batch.holds[each.call_id]
        return told


def _wait_for(scheduler: Scheduler, event: Event) -> None:
    """Wait as a lane does, which must not block its thread."""
    while not event.is_set():
        scheduler.sleep(0.002)


class WatchedObjects:
    """Notes of which calls a batch reads that they may have run, and passes on."""

    def __init__(self, objects: Any, world: World) -> None:
        self._objects = objects
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def stream(self, bucket: str, key: str, version_id: str | None = None) -> Iterator[bytes]:
        self._world.batch.unknown |= self._world.history.unknown_in.get(key, set())
        return cast("Iterator[bytes]", self._objects.stream(bucket, key, version_id))


class SimulatedPolicies:
    """The policies in force; now and then they cannot be had."""

    def __init__(self, world: World) -> None:
        self._world = world

    def policies(self, *, within_s: float | None = None) -> PolicyBook:
        del within_s
        world = self._world
        book = cast(
            "PolicyBook",
            world.faults.ask("policies", "", lambda: world.book, store_error, store="policies"),
        )
        for function in world.pipeline.targets:
            name = function.rpartition(":")[2]
            world.batch.is_enabled[function] = book.for_target(name).enabled
        return book


class World:
    """What all processes share."""

    def __init__(
        self,
        scenario: Scenario,
        scheduler: Scheduler,
        random: Random,
        faults: Faults,
        history: History,
    ) -> None:
        self.scenario = scenario
        self.scheduler = scheduler
        self.random = random
        self.faults = faults
        self.history = history
        self.dynamodb = (
            DynamoDB(
                refuses=lambda key: faults.is_hot(key) or faults.is_met("refuse statement"),
                leaves=lambda key: faults.is_hot(key) or faults.is_met("leave keys"),
            )
            if scenario.has_table
            else None
        )
        self.book = read_policy_document("{}")
        self.double = InMemoryLedger()
        self.gate_double = InMemoryGateItems()
        self.bucket = VersionedObjects()
        self.bucket.versions = {}
        self.start_s = START_AT.timestamp()
        # By a chance of its own: what else a seed lets happen is not to depend on it.
        self.cancels = Random(f"cancels {scenario.seed}")
        self._held_since_s: dict[str, float] = {}
        self._sandboxes = 0
        pipeline = SimulatedPipeline(
            clock=SimulatedClock(scheduler),
            call_timeout_s=CALL_TIMEOUT_S,
            objects=self.bucket,
            executor=cast("Any", lambda _: Executor(scheduler, random)),
            wait=lambda lanes, timeout_s, when: wait(scheduler, lanes, timeout_s, when),
            wait_for=lambda event: _wait_for(scheduler, event),
            retention_days=cast("int", scenario.retention_days),
        )
        pipeline.random = random
        self.pipeline = pipeline
        """Of nobody: what captures calls, and has no faults."""

    # --- what nothing breaks ----------------------------------------------------------------------

    @property
    def batch(self) -> Batch:
        return cast("Batch", self.scheduler.process)

    def works_on(self, call_id: str) -> bool:
        """Note which call a task is about; tell whether that is new."""
        task = self.scheduler.current
        assert task is not None
        is_new = self.faults.works_on.get(task) != call_id
        self.faults.works_on[task] = call_id
        return is_new

    def rows(self) -> Mapping[str, Row]:
        if self.dynamodb is None:
            return self.double.rows
        return {
            name: from_item(item) for name, item in self.dynamodb.items.items() if "state" in item
        }

    def look(self, call_id: str) -> Held | None:
        if self.dynamodb is None:
            row = self.double.rows.get(call_id)
            return None if row is None else Held(row.state, row.lease_owner, row.reason)
        item = self.dynamodb.items.get(call_id)
        if item is None:
            return None
        owner, reason = (item.get(name, {}).get("S") for name in ("lease_owner", "reason"))
        return Held(item["state"]["S"], owner, reason)

    def forget(self, call_id: str) -> None:
        """Lose a row, as a restored table does."""
        if self.dynamodb is None:
            self.double.rows.pop(call_id, None)
        else:
            self.dynamodb.items.pop(call_id, None)

    def gates(self) -> GateItems:
        """Return the gates as nobody breaks them, and nobody remembers them."""
        if self.dynamodb is None:
            return self.gate_double
        return GateTable(cast("Any", self.dynamodb), TABLE, lambda: self.scheduler.now_s)

    def gate(self, function: str) -> GateState:
        return self.gates().read(function)

    def _mode(self, function: str) -> str:
        """Return a gate's mode, as `gate` would tell it."""
        if self.dynamodb is None:
            return self.gate(function).mode
        item = self.dynamodb.items.get(f"{GATE_KEY}{function}", {})
        return cast("str", item["mode"]["S"]) if "mode" in item else Mode.FLOWING

    def note_mode(self, function: str) -> None:
        """Note when a gate ceased to flow: it may be written long after it was decided on."""
        if self._mode(function) == Mode.FLOWING:
            self._held_since_s.pop(function, None)
        else:
            self._held_since_s.setdefault(function, self.scheduler.now_s)

    def held_since_s(self, function: str) -> float:
        """Return since when a gate has not flowed."""
        return self._held_since_s.get(function, self.scheduler.now_s)

    # --- what processes get -----------------------------------------------------------------------

    def stores(self) -> tuple[WatchedLedger, GateItems]:
        """Return the ledger and the gates of a new sandbox."""
        if self.dynamodb is None:
            ledger: Any = Breaking(self.faults, self.double, "ledger")
            gates: Any = Breaking(self.faults, self.gate_double, "gates", is_gate=True)
        else:
            client: Any = Breaking(self.faults, self.dynamodb, "table")
            ledger = LedgerTable(client, TABLE, self._wait)
            gates = GateTable(client, TABLE, lambda: self.scheduler.now_s)
        return WatchedLedger(ledger, self), gates

    def _wait(self, round_: int) -> None:
        self.scheduler.sleep(0.1 * 2**round_)

    def sandbox(
        self, replays: SimulatedQueue, captures: SimulatedQueue, letters: SimulatedQueue
    ) -> SimulatedPipeline:
        """Return the pipeline of a new sandbox: its own memory, and stores that break."""
        ledger, gates = self.stores()
        pipeline: Any = replace(
            self.pipeline,
            clock=ProcessClock(self.scheduler),
            memory=LocalGate(),
            ledger=cast("Any", ledger),
            gate_items=cast("Any", gates),
            objects=cast("Any", WatchedObjects(Breaking(self.faults, self.bucket, "bucket"), self)),
            keys=cast("Any", Breaking(self.faults, self.pipeline.keys, "keys")),
            marks=cast("Any", Breaking(self.faults, self.pipeline.marks, "marks")),
            replay_queue=cast("Any", SendingQueue(self, replays)),
            capture_queue=cast("Any", SendingQueue(self, captures)),
            dead_letters=cast("Any", SendingQueue(self, letters)),
        )
        pipeline.random = self.random
        # What its processes draw at random is nobody else's.
        self._sandboxes += 1
        pipeline._serial = self._sandboxes << 64  # noqa: SLF001 - the double's own
        return cast("SimulatedPipeline", pipeline)


class SendingQueue:
    """What a process has of a queue: sends take time and fail, waits that cannot be set are not told of."""

    def __init__(self, world: World, queue: SimulatedQueue) -> None:
        self._world = world
        self._queue = queue
        self._breaking = Breaking(world.faults, queue, f"queue {queue.name}")

    def send(self, messages: Sequence[OutMessage]) -> None:
        world = self._world
        # Of a call that has ended only the replayer tells whoever asked for its late result.
        asked = {call_id for call_id, _ in world.history.asked}
        for call_id in world.batch.suppressed - world.history.restored - asked:
            if any(f'"id":"{call_id}"' in message.body for message in messages):
                world.history.report("suppress", f"{call_id} had succeeded, and was sent again")
        self._breaking.send(messages)

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        if waits_s:
            faults = self._world.faults
            faults.note("give back", " ".join(waits_s))
            fault = faults.dies_at(f"queue {self._queue.name}", "give_back")
            if fault == "die":
                raise Crash
            self._queue.give_back(waits_s)
            if fault == "crash":
                raise Crash

    def depth(self) -> int:
        return cast("int", self._breaking.depth())


class Sandbox:
    """Where one process after the other runs, each on what the last one left in memory."""

    def __init__(
        self,
        world: World,
        replays: SimulatedQueue,
        captures: SimulatedQueue,
        letters: SimulatedQueue,
    ) -> None:
        self._world = world
        self._queues = replays, captures, letters
        self._replayer: Replayer | None = None
        self._intake: CaptureConsumer | None = None

    def renew(self) -> None:
        """Start over, as after a crash."""
        self._replayer = self._intake = None

    @property
    def replayer(self) -> Replayer:
        if self._replayer is None:
            stage = self._world.sandbox(*self._queues).replayer()
            self._replayer = replace(stage, policies=SimulatedPolicies(self._world))
        return self._replayer

    @property
    def intake(self) -> CaptureConsumer:
        if self._intake is None:
            self._intake = self._world.sandbox(*self._queues).intake()
        return self._intake

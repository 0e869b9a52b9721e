"""Let calls of stores take time, fail before or after they have had their effect, and interleave."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from reprise.errors import StoreError
from simulation.dynamodb import read_statement
from simulation.history import Batch
from simulation.points import Points
from simulation.scenario import FAULTS_END_S, STORE_FAULTS
from simulation.scheduler import Crash

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from simulation.history import Held, History
    from simulation.scheduler import Scheduler, Task

GATE_KEY: Final = "gate#"
MANY: Final = "\n"
"""Between the keys of a request that is about several rows."""
LATEST_S: Final = 800.0
"""AWS takes a request up to 15 minutes after it was signed (IAM user guide, "AWS Signature Version 4")."""


def store_error(operation: str, code: str) -> Exception:
    return StoreError("simulated", operation, code, "simulated")


def client_error(operation: str, code: str) -> Exception:
    return ClientError({"Error": {"Code": code, "Message": "simulated"}}, operation)


@dataclass(slots=True, kw_only=True)
class Faults:
    """Draws faults, and lets calls meet them."""

    scheduler: Scheduler
    random: Random
    rates: dict[str, float]
    history: History
    look: Callable[[str], Held | None]
    """Looks at a call's row, past all faults."""
    gate_written: Callable[[str], None]
    """Told of every write to a gate."""
    met: Counter[str] = field(default_factory=Counter)
    trace: list[tuple[float, str, str, str, str]] = field(default_factory=list)
    late: dict[str, list[Callable[[], None]]] = field(default_factory=dict)
    """By row, requests on their way to it."""
    forced: str = ""
    """What the next call of a store meets."""
    works_on: dict[Task, str] = field(default_factory=dict)
    """Which call a task is about."""
    kept: frozenset[int] | None = None
    """The faults that are let happen, by their number in the order that they were drawn; None for all."""
    drawn: int = 0
    points: Points = field(default_factory=Points)
    _hot: dict[str, float] = field(default_factory=dict)
    """Until when items are throttled."""

    def is_met(self, kind: str) -> bool:
        rate = self.rates[kind]
        if not rate or self.scheduler.now_s > FAULTS_END_S or self.random.random() >= rate:
            return False
        return self.happens(kind)

    def happens(self, kind: str) -> bool:
        """Count a fault that was drawn, and tell whether it is let happen."""
        self.drawn += 1
        if self.kept is not None and self.drawn not in self.kept:
            return False
        self.met[kind] += 1
        self.note(kind)
        return True

    def is_hot(self, key: str) -> bool:
        """Tell whether an item is throttled now."""
        return self._hot.get(key, 0.0) > self.scheduler.now_s

    def dies_at(self, store: str, what: str, key: str = "") -> str:
        """Return `die` or `crash` if the process is to die before or after what is no store's."""
        fault = next((kind for kind in ("die", "crash") if self.is_met(kind)), "")
        self.points.note(self.scheduler.process.name, f"{store} {what}", fault)
        if fault:
            self._excuse(key, fault, is_gate=False)
        return fault

    def note(self, what: str, key: str = "", fault: str = "") -> None:
        task = self.scheduler.current
        name = task.process.name if task is not None else "-"
        self.trace.append((self.scheduler.now_s, name, what, key, fault))

    def ask(
        self,
        what: str,
        key: str,
        work: Callable[[], Any],
        error: Callable[[str, str], Exception],
        *,
        store: str,
        is_still: bool = False,
    ) -> Any:
        """Make one call of a store.

        Raises:
            Crash: If the process dies at it.
            Exception: What `error` makes, if it is refused, or its answer lost.
        """
        fault = self._drawn(key)
        self.scheduler.sleep(self._took_s(fault), is_still=is_still)
        self.note(what, key, fault)
        self.points.note(self.scheduler.process.name, f"{store} {what}", fault)
        if fault:
            self._excuse(key, fault, is_gate=is_still)
        if fault == "die":
            raise Crash
        if fault == "refuse":
            raise error(what, "InternalServerError")
        if fault == "hot item":
            raise error(what, "ProvisionedThroughputExceededException")
        if fault == "arrive late":
            self._delay(what, key, work)
            raise error(what, "RequestTimeout")
        answer = self._done(key, work)
        if is_still and what.startswith("update"):
            self._told(key, self.scheduler.process)
        if fault == "crash":
            raise Crash
        if fault == "lose answer":
            raise error(what, "RequestTimeout")
        return self._again(key, work, is_still=is_still) if fault == "repeat" else answer

    def _told(self, key: str, process: object) -> None:
        """Note that a process has written a gate."""
        self.gate_written(key.removeprefix(GATE_KEY))
        if getattr(process, "clock_s", 0.0):
            self.history.is_gate_told_otherwise = True

    def _again(self, key: str, work: Callable[[], Any], *, is_still: bool) -> Any:
        try:
            self.scheduler.sleep(self.random.random() * 2, is_still=is_still)
        except Crash:
            self._excuse(key, "crash", is_gate=is_still)
            raise
        return self._done(key, work)

    def _drawn(self, key: str) -> str:
        now_s = self.scheduler.now_s
        if now_s > FAULTS_END_S:
            return ""
        if self.forced:
            forced, self.forced = self.forced, ""
            return forced if self.happens(forced) else ""
        if self._has_item(key):
            if self.is_hot(key):
                return "hot item"
            if self.is_met("hot item"):
                self._hot[key] = now_s + self.random.choice((0.5, 3, 10))
                return "hot item"
        drawn = self.random.random()
        for kind in STORE_FAULTS:
            drawn -= self.rates[kind]
            if drawn < 0:
                return kind if self.happens(kind) else ""
        return ""

    def _has_item(self, key: str) -> bool:
        return key in self.history.plans or key.startswith(GATE_KEY)

    def _took_s(self, fault: str) -> float:
        took_s = self.random.random() ** 3 * 0.2
        if fault != "slow":
            return took_s
        if isinstance(self.scheduler.process, Batch):
            self.scheduler.process.was_slow = True
        return took_s + self.random.uniform(1, 40)

    def _excuse(self, key: str, fault: str, *, is_gate: bool) -> None:
        if is_gate and fault in {"repeat", "lose answer", "arrive late"}:
            self.history.is_gate_told_twice = True
        if fault in {"", "slow", "repeat"}:
            return
        task, process = self.scheduler.current, self.scheduler.process
        if is_gate and isinstance(process, Batch):
            process.met_gate_fault = True
        call_id = self.works_on.get(task) if task is not None else None
        for name in {*key.split(MANY), call_id, *self._lost_with(process, fault)} - {None, ""}:
            self.history.excuse(str(name), fault)

    @staticmethod
    def _lost_with(process: object, fault: str) -> tuple[str, ...]:
        if fault in {"die", "crash"} and isinstance(process, Batch):
            return tuple(process.holds)
        return ()

    def _delay(self, what: str, key: str, work: Callable[[], Any]) -> None:
        """Let a request arrive later: at any time, or just when an operator has redriven its call."""
        random, batch = self.random, self.scheduler.process
        rows = self._rows(key)
        is_row = bool(rows)
        late_s = random.uniform(1, LATEST_S if is_row and random.random() < 0.8 else 90)
        is_due = True

        def arrive() -> None:
            nonlocal is_due
            if is_due:
                is_due = False
                self._arrive(what, key, work, batch)

        self.scheduler.call_at(self.scheduler.now_s + late_s, arrive)
        for row in rows:
            self.late.setdefault(row, []).append(arrive)

    def hurry(self, key: str) -> None:
        """Let what is on its way to a row arrive now."""
        for arrive in self.late.pop(key, []):
            self.scheduler.call_at(self.scheduler.now_s, arrive)

    def _arrive(self, what: str, key: str, work: Callable[[], Any], batch: object) -> None:
        """Do what its sender gave up long ago; nobody hears the answer."""
        self.note(f"late {what}", key)
        try:
            self._done(key, work, batch)
        except (StoreError, ClientError):
            return
        if key.startswith(GATE_KEY):
            self._told(key, batch)

    def _done(self, key: str, work: Callable[[], Any], batch: object = None) -> Any:
        rows = self._rows(key)
        if not rows:
            return work()
        before = {row: self.look(row) for row in rows}
        try:
            return work()
        finally:
            process = batch if isinstance(batch, Batch) else self.scheduler.current
            by = process if isinstance(process, Batch) else getattr(process, "process", None)
            for row in rows:
                if by is None:
                    break
                self.history.see(row, before[row], self.look(row), by, self.scheduler.now_s)

    def _rows(self, key: str) -> list[str]:
        """Return the calls whose rows a request is about."""
        plans = self.history.plans
        if key in plans:
            return [key]
        return [name for name in key.split(MANY) if name in plans] if MANY in key else []


class Breaking:
    """A store whose every call takes time, and may fail."""

    def __init__(self, faults: Faults, store: object, label: str, *, is_gate: bool = False) -> None:
        self._faults = faults
        self._label = label
        self._store = store
        self._is_gate = is_gate
        self._is_client = hasattr(store, "update_item")

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._store, name)
        if not callable(operation):
            return operation
        faults, label = self._faults, self._label
        error = client_error if self._is_client else store_error

        def asked(*args: Any, **kwargs: Any) -> Any:
            key = _key_of(args, kwargs)
            is_still = self._is_gate or key.startswith(GATE_KEY)
            return faults.ask(
                name,
                key,
                lambda: operation(*args, **kwargs),
                error,
                store="gates" if is_still else label,
                is_still=is_still,
            )

        self.__dict__[name] = asked
        return asked


def _key_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return what a call is about: a call's id, or those of several; a gate's or an object's name."""
    if args:
        if isinstance(args[0], str):
            return args[0]
        return MANY.join(
            _name_of(each) for each in (args[0] if isinstance(args[0], list) else args[:1])
        )
    if statements := kwargs.get("Statements"):
        return MANY.join(found.key for each in statements if (found := read_statement(each)))
    key = kwargs.get("Key") or kwargs.get("Item") or {}
    return str(key.get("id", {}).get("S", ""))


def _name_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(getattr(value, "id", None) or getattr(value, "call_id", ""))

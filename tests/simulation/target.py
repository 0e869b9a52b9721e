"""The functions that are called: they throttle, fail, take their time, and keep their answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness import FAILED, THROTTLED, TRANSIENT, UNKNOWN
from reprise.ports import Reply
from reprise.testing import SUCCEEDED
from simulation.history import Batch, Execution
from simulation.scheduler import Crash

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from reprise.call.target import Target
    from simulation.faults import Faults
    from simulation.history import History
    from simulation.scenario import Scenario
    from simulation.scheduler import Scheduler

CALL_TIMEOUT_S: Final = 20
LONG: Final = Reply(outcome=SUCCEEDED.outcome, payload=b'{"long":"%s"}' % (b"x" * 3000))
"""Too long for a row."""


@dataclass(slots=True, kw_only=True)
class SimulatedFunctions:
    """Answers invocations."""

    scenario: Scenario
    scheduler: Scheduler
    random: Random
    faults: Faults
    history: History
    check: Callable[[str, str, Batch], None]
    """Told of every execution before it begins: function, call, and who asks for it."""
    numbers: dict[bytes, int] = field(default_factory=dict)
    """Of calls, by payload."""
    running: dict[str, list[Execution]] = field(default_factory=dict)

    def invoke(
        self, target: Target, payload: bytes, client_context: str | None, trace: str | None = None
    ) -> Reply:
        """Invoke once; what runs goes on, whether its caller lives or not."""
        del client_context, trace
        scheduler, faults = self.scheduler, self.faults
        batch = scheduler.process
        assert isinstance(batch, Batch)
        scheduler.sleep(self.random.random() * 0.05)
        number = self.numbers[payload]
        fault = faults.dies_at("target", "invoke", self.history.ids[number])
        if fault == "die":
            raise Crash
        reply = self._refused(target.function)
        if reply is not None:
            faults.note("invoke", self.history.ids[number], str(reply.outcome.kind))
            scheduler.sleep(0.01)
            return reply
        execution = self._begin(target.function, number, batch)
        call_id = self.history.ids[number]
        faults.note("invoke", call_id, "ok" if execution.is_ok else "fails")
        took_s = execution.ends_at_s - scheduler.now_s
        if fault == "crash":
            # It runs on, and nobody hears how it ends.
            execution.is_answered = False
            scheduler.sleep(self.random.random() * took_s)
            raise Crash
        if faults.is_met("unknown"):
            if self.random.random() < 0.5:
                # The target takes longer than anyone waits for it.
                execution.ends_at_s += CALL_TIMEOUT_S
                took_s += CALL_TIMEOUT_S
            execution.is_answered = False
            self.history.excuse(call_id, "unknown")
            scheduler.sleep(min(took_s, CALL_TIMEOUT_S))
            return UNKNOWN
        scheduler.sleep(took_s)
        if not execution.is_ok:
            return FAILED
        return LONG if number % 5 == 1 else SUCCEEDED

    def _refused(self, function: str) -> Reply | None:
        now_s = self.scheduler.now_s
        phase = next(
            (name for until_s, name in self.scenario.phases[function] if now_s < until_s), ""
        )
        busy = [run for run in self.running.get(function, []) if run.ends_at_s > now_s]
        self.running[function] = busy
        if phase == "throttle" or len(busy) >= self.scenario.limits[function]:
            return THROTTLED
        return TRANSIENT if self.faults.is_met("transient") else None

    def _begin(self, function: str, number: int, batch: Batch) -> Execution:
        now_s, random = self.scheduler.now_s, self.random
        call_id = self.history.ids[number]
        plan = self.history.plans[call_id]
        runs = self.history.executions[call_id]
        phase = next(
            (name for until_s, name in self.scenario.phases[function] if now_s < until_s), ""
        )
        has_failed = runs or plan.captured == "failed"
        is_ok = phase != "fail" and (
            plan.nature == "good" or (plan.nature == "flaky" and bool(has_failed))
        )
        took_s = self.scenario.service_s * random.uniform(0.3, 2)
        self.check(function, call_id, batch)
        execution = Execution(number, now_s, now_s + took_s, is_ok, batch)
        runs.append(execution)
        self.running.setdefault(function, []).append(execution)
        return execution

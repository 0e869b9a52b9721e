"""Look at the stack from outside, once a minute: what the stages cannot say while they stand still."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from reprise import metric
from reprise.errors import PolicyError, StoreError
from reprise.gate.adjust import after_live_success
from reprise.metric import labels, make_labeler
from reprise.monitor.counters import BacklogCounters, CounterStore
from reprise.monitor.gates import GateLike, gauges, is_holding
from reprise.monitor.incidents import POLICY_INVALID, Alarm, IncidentContext, incidents
from reprise.monitor.snapshot import MonitorState, drifted, remember, time_to_drain_s
from reprise.retry.policy import read_policy_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reprise.aws.event_bus import EventBus
    from reprise.gate.state import GateState
    from reprise.ports import Clock, GateItems, QueueSize
    from reprise.telemetry import EmfMeter

_log = logging.getLogger(__name__)


class MonitorStates(Protocol):
    """Keeps what the observer remembers."""

    def load(self) -> MonitorState:
        """Return it; empty at first."""

    def save(self, memory: MonitorState) -> None:
        """Keep it."""


class Inspector(Protocol):
    """Knows alarms, filters, and how the targets fare."""

    def alarms(self) -> Sequence[Alarm]:
        """Return the states of the stack's alarms."""

    def filters_missing(self) -> int:
        """Return how many log groups lack the filter that captures from them."""

    def has_succeeded(self, function: str, since: datetime, now: datetime) -> bool:
        """Tell whether an invocation of a function, whoever made it, succeeded since then."""

    def quarantined(self) -> int:
        """Return how many objects are in quarantine, or 1,000 if there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where readers of an incident go on."""

    dashboard: str
    runbooks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """Looks."""

    stack: str
    targets: tuple[str, ...]
    counters: CounterStore
    gates: GateItems
    replay_queue: QueueSize
    capture_queue: QueueSize
    dead_letters: QueueSize
    memories: MonitorStates
    inspector: Inspector
    policy: Callable[[], str]
    """Reads the policy document."""
    bus: EventBus
    links: Links
    meter: EmfMeter
    clock: Clock

    def check(self) -> None:
        """Measure, mend the counters, and tell of incidents that are new.

        The memory is saved last: whatever fails before is done again a minute later, and an incident may be
        told twice rather than never.

        Raises:
            StoreError: If something cannot be asked; Lambda counts it as an error, and an alarm watches that.
        """
        at_s = self.clock().timestamp()
        memory = self.memories.load()
        counters = dict(self.counters.read(labels(self.targets)))
        is_idle = self.replay_queue() + self.capture_queue() == 0
        for label in drifted(memory, counters, is_idle=is_idle):
            if self.counters.close(label, counters[label]):
                _log.warning(
                    "book was off", extra={"target": label, "open": counters[label].backlog}
                )
                known = counters[label].known
                counters[label] = BacklogCounters(
                    known=known, ended=known, dead=counters[label].dead
                )
        gates = {
            function: self.gates.read(function)
            for function in self.targets
            if not function.endswith("*")
        }
        self._gauge(memory, counters, at_s)
        self.meter.gauge(metric.QUARANTINE_OBJECTS, self.inspector.quarantined())
        self.meter.gauge(metric.FILTERS_MISSING, self.inspector.filters_missing())
        held_s = self._gauge_gates(gates, at_s)
        self._end_holds(gates)
        scene = IncidentContext(
            stack=self.stack,
            at_s=at_s,
            counters=counters,
            dead_letters=self.dead_letters(),
            held_s=held_s,
            dashboard=self.links.dashboard,
            runbooks=self.links.runbooks,
        )
        after, told = incidents(memory, [*self.inspector.alarms(), self._policy_alarm()], scene)
        if told and self.bus.put(told):
            raise StoreError("events", "PutEvents", "Failed", "an incident was not taken")
        self.memories.save(remember(after, counters, at_s=at_s, is_idle=is_idle))

    def _policy_alarm(self) -> Alarm:
        """Tell whether the policy document is valid: who wrote it past the command was told nothing."""
        try:
            read_policy_document(self.policy())
        except PolicyError as error:
            return Alarm(name=POLICY_INVALID, state="ALARM", reason=str(error))
        except StoreError as error:
            _log.warning("policy cannot be read", exc_info=True)
            is_gone = error.code == "ParameterNotFound"
            state = "ALARM" if is_gone else "INSUFFICIENT_DATA"
            return Alarm(name=POLICY_INVALID, state=state, reason=str(error))
        return Alarm(name=POLICY_INVALID, state="OK")

    def _gauge(
        self, memory: MonitorState, counters: Mapping[str, BacklogCounters], at_s: float
    ) -> None:
        for label, counter in counters.items():
            self.meter.gauge(metric.BACKLOG, counter.backlog, label=label)
            drain_s = time_to_drain_s(memory.looks, counters, at_s=at_s, label=label)
            if drain_s is not None:
                self.meter.gauge(metric.TIME_TO_DRAIN, drain_s, label=label)
        total = sum(counter.backlog for counter in counters.values())
        self.meter.gauge(metric.BACKLOG_TOTAL, total)
        drain_s = time_to_drain_s(memory.looks, counters, at_s=at_s)
        if drain_s is not None:
            self.meter.gauge(metric.TIME_TO_DRAIN, drain_s)
        if not total:
            # The replayer tells the age of what waits. That nothing waits, only we can tell.
            self.meter.gauge(metric.OLDEST_WAITING_AGE, 0)

    def _end_holds(self, gates: Mapping[str, GateState]) -> None:
        """End the holds for failures of targets that answer live calls: those failures are some callers' own.

        Targets that an entry with a star allows are not known by name here; they have their probes.
        """
        now = self.clock()
        for function, gate in gates.items():
            change = after_live_success(gate, int(now.timestamp() * 1000))
            since = datetime.fromtimestamp(gate.holding_since_ms / 1000, UTC)
            if change is not None and self.inspector.has_succeeded(function, since, now):
                applied = self.gates.update(function, change).applied
                _log.warning(
                    "live calls succeed: hold for failures ended",
                    extra={"target": function, "applied": applied},
                )

    def _gauge_gates(self, gates: Mapping[str, GateLike], at_s: float) -> dict[str, float]:
        """Gauge the gates of the targets that are listed by name; return how long some have held."""
        held_s: dict[str, float] = {}
        label = make_labeler(self.targets)
        for function, gate in gates.items():
            for name, value in gauges(gate, int(at_s * 1000)):
                self.meter.gauge(name, value, label=label(function))
            if is_holding(gate):
                held_s[function] = max(0.0, at_s - gate.holding_since_ms / 1000)
        return held_s

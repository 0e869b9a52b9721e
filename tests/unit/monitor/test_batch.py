from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Never

from doubles import FakeClock, InMemoryBus, InMemoryCounters
from harness import ORDERS, Pipeline, call
from reprise import metric
from reprise.aws.event_bus import Outbox
from reprise.events import EventPublisher, GateChanged
from reprise.gate.state import GateState, Mode
from reprise.monitor.counters import BacklogCounters, BatchMonitor, CounterPublisher
from reprise.monitor.gates import TransitionLog
from reprise.telemetry import EmfMeter

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@dataclass
class Rig:
    meter: EmfMeter = field(default_factory=lambda: EmfMeter(stack="shop", targets=(ORDERS,)))
    books: InMemoryCounters = field(default_factory=InMemoryCounters)
    gates: TransitionLog = field(default_factory=TransitionLog)
    bus: InMemoryBus = field(default_factory=InMemoryBus)
    clock: FakeClock = field(default_factory=FakeClock)

    def observer(self) -> BatchMonitor:
        outbox = Outbox(self.bus, meter=self.meter, monotonic=lambda: 0.0, has_successes=False)
        return BatchMonitor(
            meter=self.meter,
            counters=CounterPublisher(counters=self.books, meter=self.meter),
            gates=self.gates,
            publisher=EventPublisher("shop", outbox.add),
            outbox=outbox,
            clock=self.clock,
        )


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the values of each metric, whatever its target."""
    found: dict[str, Any] = {}
    for line in capsys.readouterr().out.splitlines():
        document = json.loads(line)
        found |= {name: value for name, value in document.items() if isinstance(value, list)}
    return found


def test_a_batch_ends_in_gauges_books_and_events(capsys: pytest.CaptureFixture[str]) -> None:
    rig, pipeline = Rig(), Pipeline()
    (message,) = pipeline.captured_messages(call())
    rig.clock.advance(40)
    since_ms = int(rig.clock().timestamp() * 1000) - 5000
    held = GateState(mode=Mode.HOLDING, holding_since_ms=since_ms)
    rig.gates.saw(ORDERS, held, is_ours=True)
    rig.meter.count(metric.RECORDED, 3, target=ORDERS)
    rig.observer().finish([message.body])
    found = written(capsys)
    assert found[metric.OLDEST_WAITING_AGE] == [40]
    assert (found[metric.GATE_STATE], found[metric.GATE_HOLD_AGE]) == ([2], [5])
    assert found[metric.BACKLOG] == [3]
    assert rig.books.kept == {"orders": BacklogCounters(known=3)}
    (event,) = rig.bus.sent
    assert isinstance(event, GateChanged)
    assert (event.state, event.held_s) == ("holding", 5.0)


def test_an_event_that_is_lost_is_counted_in_the_same_batch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rig = Rig()
    rig.bus.faults.fail("put")
    rig.gates.saw(ORDERS, GateState(mode=Mode.HOLDING, holding_since_ms=1), is_ours=True)
    rig.observer().finish([])
    assert written(capsys)[metric.EVENTS_FAILED] == [1]


def test_whatever_goes_wrong_the_batch_is_not_undone_and_the_metrics_go_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken() -> Iterator[Never]:
        yield from ()
        msg = "a defect of ours"
        raise RuntimeError(msg)

    rig = Rig()
    rig.meter.count(metric.SUCCEEDED, target=ORDERS)
    rig.observer().finish(broken())
    assert written(capsys)[metric.SUCCEEDED] == [1]


def test_measurements_that_cannot_be_written_fail_nothing() -> None:
    class Broken(EmfMeter):
        def flush(self) -> Never:
            msg = "standard output is closed"
            raise OSError(msg)

    meter = Broken(targets=(ORDERS,))
    CounterPublisher(counters=InMemoryCounters(), meter=meter).finish()

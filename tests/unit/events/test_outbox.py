from __future__ import annotations

from typing import TYPE_CHECKING

from doubles import FakeMeter, InMemoryBus
from reprise import metric
from reprise.aws.event_bus import PAUSE_S, Outbox
from reprise.events import Event, GateChanged, ReplaySucceeded

if TYPE_CHECKING:
    from collections.abc import Sequence

CHANGE = GateChanged(
    stack="shop", function="f", state="holding", at="t", holding_since="t", held_s=0.0
)
SUCCESS = ReplaySucceeded(
    stack="shop", id="i", function="f", at="t", age_s=1.0, attempts=0, refusals=0
)


class CountingBus(InMemoryBus):
    puts = 0

    def put(self, events: Sequence[Event]) -> int:
        self.puts += 1
        return super().put(events)


class Rig:
    def __init__(self, *, has_successes: bool = False) -> None:
        self.now_s = 0.0
        self.bus, self.meter = CountingBus(), FakeMeter()
        self.outbox = Outbox(
            self.bus,
            meter=self.meter,
            monotonic=lambda: self.now_s,
            has_successes=has_successes,
        )

    def send(self, *events: GateChanged | ReplaySucceeded) -> None:
        for event in events:
            self.outbox.add(event)
        self.outbox.flush()


def test_events_of_a_batch_go_out_together_and_once() -> None:
    rig = Rig()
    rig.send(CHANGE, CHANGE)
    rig.send()
    assert rig.bus.sent == [CHANGE, CHANGE]
    assert rig.bus.puts == 1


def test_a_batch_without_events_asks_no_bus() -> None:
    rig = Rig()
    rig.send()
    assert rig.bus.puts == 0


def test_successes_are_events_only_where_they_are_asked_for() -> None:
    quiet, loud = Rig(), Rig(has_successes=True)
    quiet.send(SUCCESS)
    loud.send(SUCCESS)
    assert (quiet.bus.sent, loud.bus.sent) == ([], [SUCCESS])


def test_a_bus_that_is_away_costs_one_try_and_then_none_for_a_while() -> None:
    rig = Rig()
    rig.bus.faults.fail("put")
    rig.send(CHANGE)
    rig.send(CHANGE)
    assert (rig.bus.puts, rig.bus.sent) == (1, [])
    assert rig.meter.counts[metric.EVENTS_FAILED] == 2
    rig.now_s = PAUSE_S
    rig.send(CHANGE)
    assert rig.bus.sent == [CHANGE]


def test_events_that_are_refused_are_counted() -> None:
    rig = Rig()
    rig.bus.refuses = 1
    rig.send(CHANGE, CHANGE)
    assert rig.meter.counts[metric.EVENTS_FAILED] == 1

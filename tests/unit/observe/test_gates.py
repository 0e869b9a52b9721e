from __future__ import annotations

from dataclasses import replace

from harness import ORDERS
from reprise import metric
from reprise.gate.keeper import GateKeeper
from reprise.gate.state import GateState, Mode, Tally
from reprise.observe.gates import GateLog, WatchedGates, gauges
from reprise.observe.measured import Measured
from reprise.testing import FakeClock, FakeMeter, InMemoryGates


def test_gates_that_were_asked_are_gauged_once_a_report() -> None:
    log, meter = GateLog(), FakeMeter()
    gates = WatchedGates(InMemoryGates(), log)
    gates.read(ORDERS)
    gates.read(ORDERS)
    assert log.report(meter, 1000) == []
    assert meter.values == [
        (Measured(metric.GATE_STATE, ORDERS), 0),
        (Measured(metric.GATE_HOLD_AGE, ORDERS), 0),
    ]
    log.report(meter, 2000)
    assert len(meter.values) == 2


def test_a_hold_begins_and_ends_once_whatever_its_probes_do() -> None:
    clock, log, meter = FakeClock(), GateLog(), FakeMeter()
    gates = WatchedGates(InMemoryGates(), log)
    keeper = GateKeeper(store=gates, clock=clock, probe_lease_s=70)
    told = []

    def report() -> None:
        told.extend(log.report(meter, int(clock().timestamp() * 1000)))

    keeper.admit(ORDERS, wanted=1, owner="a")
    keeper.settle(ORDERS, Tally(throttled=1), owner="a")
    report()
    for tally in (Tally(throttled=1), Tally(throttled=1), Tally(succeeded=1)):
        clock.advance(60)
        keeper.admit(ORDERS, wanted=1, owner="b")
        report()
        keeper.settle(ORDERS, tally, owner="b")
        report()
    assert [change.is_holding for change in told] == [True, False]
    assert told[1].before is not None
    assert told[0].after.holding_since_ms == told[1].before.holding_since_ms


def test_another_process_may_be_faster_and_its_state_is_gauged() -> None:
    store, log, meter = InMemoryGates(), GateLog(), FakeMeter()
    gates = WatchedGates(store, log)
    mine = gates.read(ORDERS)
    store.write(ORDERS, GateState(mode=Mode.HOLDING, holding_since_ms=500))
    assert gates.write(ORDERS, replace(mine, mode=Mode.PROBING)) is not None
    assert log.report(meter, 2500) == []
    assert (Measured(metric.GATE_HOLD_AGE, ORDERS), 2.0) in meter.values


def test_window_is_shown_where_there_is_one() -> None:
    holding = GateState(mode=Mode.HOLDING, holding_since_ms=1)
    assert dict(gauges(holding, 1))[metric.GATE_WINDOW] == 0
    assert dict(gauges(replace(holding, mode=Mode.PROBING), 1))[metric.GATE_WINDOW] == 1
    assert metric.GATE_WINDOW not in dict(gauges(GateState(), 1))

from __future__ import annotations

from dataclasses import replace

from doubles import FakeMeter, InMemoryGateItems
from harness import ORDERS
from reprise import metric
from reprise.gate.session import EVERY_TARGET
from reprise.gate.state import Change, Condition, GateState, Mode
from reprise.metric import MetricKey
from reprise.monitor.gates import RecordingGates, TransitionLog, gauges

HOLD = Change(put={"mode": Mode.HOLDING, "holding_since_ms": 500})
PROBE = Change(put={"mode": Mode.PROBING})
FLOW = Change(put={"mode": Mode.FLOWING, "window": 3.0})


def test_gates_that_were_asked_are_gauged_once_a_report() -> None:
    log, meter = TransitionLog(), FakeMeter()
    gates = RecordingGates(InMemoryGateItems(), log)
    gates.read(ORDERS)
    gates.read(ORDERS)
    assert log.report(meter, 1000) == []
    assert meter.values == [
        (MetricKey(metric.GATE_STATE, ORDERS), 0),
        (MetricKey(metric.GATE_HOLD_AGE, ORDERS), 0),
        (MetricKey(metric.GATE_WINDOW, ORDERS), 2),
    ]
    log.report(meter, 2000)
    assert len(meter.values) == 3


def test_the_item_of_every_target_is_no_target() -> None:
    log, meter = TransitionLog(), FakeMeter()
    RecordingGates(InMemoryGateItems(), log).read(EVERY_TARGET)
    log.report(meter, 1000)
    assert meter.values == []


def test_a_hold_begins_and_ends_once_whatever_its_probes_do() -> None:
    log, meter = TransitionLog(), FakeMeter()
    gates = RecordingGates(InMemoryGateItems(), log)
    told = []
    for change in (HOLD, PROBE, HOLD, PROBE, FLOW, FLOW):
        assert gates.update(ORDERS, change).applied
        told.extend(log.report(meter, 1000))
    assert [change.is_holding for change in told] == [True, False]
    assert told[1].before is not None
    assert told[0].after.holding_since_ms == told[1].before.holding_since_ms


def test_another_process_may_be_faster_and_its_state_is_gauged() -> None:
    store, log, meter = InMemoryGateItems(), TransitionLog(), FakeMeter()
    gates = RecordingGates(store, log)
    mine = gates.read(ORDERS)
    store.images[ORDERS] = GateState(mode=Mode.HOLDING, holding_since_ms=500, turn=1)
    assert not gates.update(
        ORDERS, replace(PROBE, when=(Condition(name="turn", relation="=", value=mine.turn),))
    ).applied
    assert log.report(meter, 2500) == []
    assert (MetricKey(metric.GATE_HOLD_AGE, ORDERS), 2.0) in meter.values


def test_window_is_what_may_run_at_once() -> None:
    holding = GateState(mode=Mode.HOLDING, holding_since_ms=1, window=9.0)
    assert dict(gauges(holding, 1))[metric.GATE_WINDOW] == 0
    assert dict(gauges(replace(holding, mode=Mode.PROBING), 1))[metric.GATE_WINDOW] == 1
    assert dict(gauges(replace(holding, mode=Mode.FLOWING), 1))[metric.GATE_WINDOW] == 9

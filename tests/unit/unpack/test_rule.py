"""When folded objects are looked at while their target holds, and what a gate that slept is offered."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reprise.gate.state import GateState, HeldFor, Mode
from reprise.unpack.expansion import (
    INITIAL_EXPANSION,
    MANY_OBJECTS,
    MAX_DELAY_S,
    MIN_DELAY_S,
    Expand,
    Leave,
    Slice,
    decide_expansion,
)
from strategies import NOW_MS

FOLDED = Slice(records=1000, is_folded=True)


def _look_after_s(hold_age_s: float, *, objects: int, records_each: int = 1000) -> float:
    gate = GateState(
        mode=Mode.HOLDING,
        waiting=25,
        folded_objects=objects,
        folded_records=objects * records_each,
        holding_since_ms=NOW_MS - round(hold_age_s * 1000),
        probe_at_ms=NOW_MS,
    )
    decision = decide_expansion(gate, FOLDED, now_ms=NOW_MS, draw=0.5)
    assert isinstance(decision, Leave)
    return decision.delay_s


def test_objects_are_looked_at_as_often_as_offers_a_thousand_calls_a_second() -> None:
    assert _look_after_s(600, objects=1) == 10
    for objects in (MANY_OBJECTS, 2 * MANY_OBJECTS):
        assert _look_after_s(600, objects=objects) == objects
        assert _look_after_s(600, objects=objects, records_each=200) == objects / 5


def test_small_objects_are_looked_at_no_more_than_ten_times_a_second_together() -> None:
    assert _look_after_s(600, objects=400, records_each=1) == 40


def test_many_objects_are_looked_at_less_often_in_a_long_hold() -> None:
    assert _look_after_s(3600, objects=MANY_OBJECTS) == MANY_OBJECTS
    assert _look_after_s(3600, objects=2 * MANY_OBJECTS) == 4 * MANY_OBJECTS
    assert _look_after_s(3600, objects=10 * MANY_OBJECTS) == MAX_DELAY_S


@given(st.floats(0, 1e6), st.integers(-5, 10_000))
def test_a_look_is_neither_too_soon_nor_too_late(hold_age_s: float, objects: int) -> None:
    assert MIN_DELAY_S <= _look_after_s(hold_age_s, objects=objects) <= MAX_DELAY_S


def test_the_second_object_stays_folded_until_a_call_of_the_first_has_run() -> None:
    untried = GateState(waiting=INITIAL_EXPANSION, changed_at_ms=NOW_MS - 1000)
    assert isinstance(decide_expansion(untried, FOLDED, now_ms=NOW_MS, draw=0.5), Leave)
    tried = replace(untried, succeeded_at_ms=NOW_MS - 500)
    assert isinstance(decide_expansion(tried, FOLDED, now_ms=NOW_MS, draw=0.5), Expand)


def test_only_a_gate_that_was_used_of_late_gets_a_whole_object() -> None:
    for used_s_ago, records in ((10, 1000), (61, INITIAL_EXPANSION)):
        gate = GateState(window=50.0, succeeded_at_ms=NOW_MS - used_s_ago * 1000)
        decision = decide_expansion(gate, FOLDED, now_ms=NOW_MS, draw=0.5)
        assert isinstance(decision, Expand)
        assert decision.records == records
        assert decision.change.add["folded_records"] == -records
        assert decision.change.add["folded_objects"] == (-1 if records == 1000 else 0)


@given(
    gate=st.builds(
        GateState,
        mode=st.sampled_from([mode.value for mode in Mode]),
        held_for=st.sampled_from(list(HeldFor)),
        window=st.floats(1, 2000),
        cap=st.integers(0, 100),
        slow_start=st.integers(0, 1),
        in_flight=st.integers(-5, 2000),
        waiting=st.integers(-5, 10_000),
        folded_objects=st.integers(-5, 2000),
        folded_records=st.integers(-5, 2_000_000),
        succeeded=st.integers(0, 100),
        busy_ms=st.integers(0, 10**8),
        succeeded_at_ms=st.integers(0, NOW_MS),
        probe_at_ms=st.integers(0, 2 * NOW_MS),
        holding_since_ms=st.integers(0, NOW_MS),
    ),
    records=st.integers(1, 1000),
    is_folded=st.booleans(),
    draw=st.floats(0, 1, exclude_max=True),
    later_ms=st.integers(0, 10**7),
)
def test_any_decision_expands_no_more_than_there_is_and_looks_again_in_time(
    gate: GateState,
    records: int,
    is_folded: bool,
    draw: float,
    later_ms: int,
) -> None:
    piece = Slice(records=records, is_folded=is_folded)
    decision = decide_expansion(gate, piece, now_ms=NOW_MS + later_ms, draw=draw)
    if isinstance(decision, Leave):
        assert MIN_DELAY_S <= decision.delay_s <= MAX_DELAY_S
        return
    assert 1 <= decision.records <= records
    assert decision.spread_s >= 1
    if gate.mode == Mode.FLOWING:
        assert all(condition.holds(gate) for condition in decision.change.when)

"""What is expanded for slow and capped targets, and when a count of waiting calls is overruled."""

from __future__ import annotations

from dataclasses import replace

from reprise.gate.lease import EPOCH_MS, SLOTS, slot_name
from reprise.gate.state import Change, GateState
from reprise.unpack.expansion import (
    INITIAL_EXPANSION,
    MAX_STARVED_S,
    Expand,
    Leave,
    Slice,
    decide_expansion,
)
from strategies import NOW_MS

FOLDED = Slice(records=1000, is_folded=True)
NOW_EPOCH = NOW_MS // EPOCH_MS


def _slow(service_s: float, **fields: object) -> GateState:
    """Return the gate of a target of slow calls, with both permits of its window out."""
    gate = GateState(
        window=2.0,
        slow_start=0,
        in_flight=2,
        epoch=NOW_EPOCH,
        succeeded=10,
        busy_ms=round(10_000 * service_s),
        succeeded_at_ms=NOW_MS,
        expanded_at_ms=NOW_MS,
        changed_at_ms=NOW_MS - 10**7,
        waiting=25,
        folded_objects=50,
        folded_records=50_000,
    )
    slot = slot_name(NOW_EPOCH + SLOTS - 1)
    return replace(gate, **{slot: 2}, **fields)  # type: ignore[arg-type]


def test_a_slow_target_is_not_taken_for_silent() -> None:
    """Both calls end every five minutes, and two more begin, for two hours: it works as it should."""
    gate = _slow(300.0)
    for second in range(0, 7200, 5):
        now_ms = NOW_MS + 1000 * second
        if second and second % 300 == 0:
            added = {"waiting": -2, "succeeded": 2, "busy_ms": 600_000}
            gate = Change(put={"succeeded_at_ms": now_ms}, add=added).apply(gate)
            gate = replace(gate, epoch=now_ms // EPOCH_MS)
        decision = decide_expansion(gate, FOLDED, now_ms=now_ms, draw=0.5)
        if isinstance(decision, Expand):
            gate = decision.change.apply(gate)
    assert gate.waiting <= 2 * (INITIAL_EXPANSION + 2)


def test_a_target_whose_first_calls_run_for_half_an_hour_is_offered_no_second_object() -> None:
    gate = replace(
        _slow(1.0), succeeded=0, busy_ms=0, succeeded_at_ms=0, slow_start=1, changed_at_ms=0
    )
    for second in range(10, 1700, 10):
        now_ms = NOW_MS + 1000 * second
        assert isinstance(decide_expansion(gate, FOLDED, now_ms=now_ms, draw=0.5), Leave)


def test_what_is_expanded_at_once_is_twice_what_is_drained_ahead() -> None:
    gate = replace(_slow(1.0), waiting=0, window=10.0, in_flight=10)
    decision = decide_expansion(gate, FOLDED, now_ms=NOW_MS, draw=0.5)
    assert isinstance(decision, Expand)
    assert decision.records == 2 * (20 * 10 + 10)


def test_a_slow_target_keeps_half_a_service_time_expanded() -> None:
    gate = replace(_slow(400.0), window=100.0, in_flight=100)
    for waiting, kind in ((150, Expand), (151, Leave)):
        decision = decide_expansion(replace(gate, waiting=waiting), FOLDED, now_ms=NOW_MS, draw=0.5)
        assert isinstance(decision, kind)


def test_an_unused_window_shows_that_calls_ended_unseen_and_they_are_counted_anew() -> None:
    gate = replace(_slow(1.0), window=10.0, in_flight=4, waiting=5000)
    soon = decide_expansion(gate, FOLDED, now_ms=NOW_MS + 5000, draw=0.5)
    assert isinstance(soon, Leave)
    decision = decide_expansion(gate, FOLDED, now_ms=NOW_MS + 5001, draw=0.5)
    assert isinstance(decision, Expand)
    assert decision.change.apply(gate).waiting == 4 + decision.records


def test_a_window_used_by_less_than_half_while_calls_end_is_not_starved() -> None:
    """Few replayers, and a window that slow start took too far: more calls would only wait elsewhere."""
    gate = replace(_slow(1.0), window=200.0, in_flight=50, waiting=9000, expanded_at_ms=0)
    for second in range(3600):
        gate = replace(gate, succeeded_at_ms=NOW_MS + 1000 * second)
        now_ms = NOW_MS + 1000 * second + 900
        assert isinstance(decide_expansion(gate, FOLDED, now_ms=now_ms, draw=0.5), Leave)


def test_a_gate_that_no_replayer_has_time_for_is_offered_little() -> None:
    gate, expanded = GateState(), 0
    for second in range(0, 7200, 5):
        decision = decide_expansion(gate, FOLDED, now_ms=NOW_MS + 1000 * second, draw=0.5)
        if isinstance(decision, Expand):
            gate, expanded = decision.change.apply(gate), expanded + decision.records
    assert INITIAL_EXPANSION <= expanded <= (7200 / MAX_STARVED_S + 6) * INITIAL_EXPANSION


def test_a_first_offer_that_was_lost_on_its_way_is_followed_soon_by_another() -> None:
    """The gate was told of it, and then the queue was away; before, nobody had used the gate for a week."""
    gate = GateState(succeeded_at_ms=NOW_MS - 7 * 86_400_000)
    first = decide_expansion(gate, FOLDED, now_ms=NOW_MS, draw=0.5)
    assert isinstance(first, Expand)
    gate = first.change.apply(gate)
    second = decide_expansion(gate, FOLDED, now_ms=NOW_MS + 5001, draw=0.5)
    assert isinstance(second, Expand)
    third = decide_expansion(second.change.apply(gate), FOLDED, now_ms=NOW_MS + 10_010, draw=0.5)
    assert isinstance(third, Expand)


def test_a_dead_gate_is_found_again_when_the_leases_of_the_dead_are_over() -> None:
    gate = _slow(1.0, waiting=5000)
    decision = decide_expansion(gate, FOLDED, now_ms=NOW_MS + 60_001, draw=0.5)
    assert isinstance(decision, Leave)
    over_ms = (NOW_EPOCH + SLOTS) * EPOCH_MS
    decision = decide_expansion(gate, FOLDED, now_ms=over_ms, draw=0.5)
    assert isinstance(decision, Expand)

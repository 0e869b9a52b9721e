"""When folded objects are looked at while their target holds, and what a gate that slept is offered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reprise.backlog.rule import (
    FIRST_OFFER,
    MAX_DELAY_S,
    MIN_DELAY_S,
    Expand,
    Leave,
    Piece,
    decide_expansion,
)
from reprise.gate.image import GateImage, Mode
from strategies import NOW_MS

FOLDED = Piece(records=1000, is_folded=True)


def _look_after_s(hold_age_s: float, *, objects: int = 200) -> float:
    gate = GateImage(
        mode=Mode.HOLDING,
        waiting=25,
        folded_objects=objects,
        holding_since_ms=NOW_MS - round(hold_age_s * 1000),
        probe_at_ms=NOW_MS,
    )
    decision = decide_expansion(gate, FOLDED, now_ms=NOW_MS, draw=0.5)
    assert isinstance(decision, Leave)
    return decision.delay_s


def test_objects_are_looked_at_less_often_once_their_target_has_held_for_an_hour() -> None:
    assert _look_after_s(60) == _look_after_s(3600) == 200
    assert _look_after_s(3 * 3600) == 600
    assert _look_after_s(86_400) == MAX_DELAY_S


@given(st.floats(0, 1e6), st.integers(-5, 10_000))
def test_a_look_is_neither_too_soon_nor_too_late(hold_age_s: float, objects: int) -> None:
    assert MIN_DELAY_S <= _look_after_s(hold_age_s, objects=objects) <= MAX_DELAY_S


def test_only_a_gate_that_was_used_of_late_gets_a_whole_object() -> None:
    for used_s_ago, records in ((10, 1000), (61, FIRST_OFFER)):
        gate = GateImage(window=50.0, succeeded_at_ms=NOW_MS - used_s_ago * 1000)
        decision = decide_expansion(gate, FOLDED, now_ms=NOW_MS, draw=0.5)
        assert isinstance(decision, Expand)
        assert decision.records == records
        assert decision.change.add["folded_records"] == -records
        assert decision.change.add["folded_objects"] == (-1 if records == 1000 else 0)

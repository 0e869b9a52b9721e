"""Folded objects of a paused target: looked at within seconds, and one call expanded to find out."""

from __future__ import annotations

from dataclasses import replace

from reprise.gate.state import GateState, HeldFor, Mode
from reprise.unpack.expansion import FORGOTTEN_S, Expand, Leave, Slice, decide_expansion
from strategies import NOW_MS

FOLDED = Slice(records=1000, is_folded=True)
PAUSED_GATE = GateState(
    mode=Mode.HOLDING,
    held_for=HeldFor.PAUSED,
    holding_since_ms=NOW_MS,
    probe_at_ms=NOW_MS + 60_000,
    expanded_at_ms=NOW_MS,
    waiting=1,
    folded_objects=10,
)


def test_objects_of_a_paused_target_are_looked_at_within_seconds() -> None:
    for objects, delay_s in ((10, 5), (50, 5), (1000, 100)):
        gate = replace(PAUSED_GATE, folded_objects=objects)
        decision = decide_expansion(gate, FOLDED, now_ms=NOW_MS, draw=0.5)
        assert isinstance(decision, Leave)
        assert decision.delay_s == delay_s


def test_a_paused_target_has_one_call_expanded() -> None:
    gate = replace(PAUSED_GATE, waiting=0)
    decision = decide_expansion(gate, FOLDED, now_ms=NOW_MS, draw=0.5)
    assert isinstance(decision, Expand)
    assert decision.records == 1
    after = decision.change.apply(gate)
    assert isinstance(decide_expansion(after, FOLDED, now_ms=NOW_MS, draw=0.5), Leave)


def test_a_paused_gate_that_nobody_asks_counts_calls_that_have_ended() -> None:
    gate = replace(PAUSED_GATE, waiting=7)
    forgotten_ms = gate.probe_at_ms + round(1000 * FORGOTTEN_S)
    assert isinstance(decide_expansion(gate, FOLDED, now_ms=forgotten_ms, draw=0.5), Leave)
    decision = decide_expansion(gate, FOLDED, now_ms=forgotten_ms + 1, draw=0.5)
    assert isinstance(decision, Expand)
    assert decision.change.apply(gate).waiting == 1

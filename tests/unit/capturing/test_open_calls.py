"""Whether a target may have captured calls that are repeated: what is counted, and what is noted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.capturing.open_calls import KNOWN_FOR_MS, keep_open, may_have_open
from reprise.gate.state import GateState
from strategies import NOW_MS

instants = st.integers(min_value=0, max_value=2 * NOW_MS)


def test_a_target_of_which_nothing_was_ever_captured_has_none() -> None:
    assert not may_have_open(GateState(), NOW_MS)


@pytest.mark.parametrize(
    "gate",
    [
        GateState(waiting=1),
        GateState(folded_objects=1),
        GateState(folded_records=1),
        GateState(open_until_ms=NOW_MS + 1),
        GateState(succeeded_at_ms=NOW_MS - KNOWN_FOR_MS + 1),
        GateState(ended_at_ms=NOW_MS - KNOWN_FOR_MS + 1),
    ],
)
def test_whatever_waits_or_ended_of_late_may_be_repeated(gate: GateState) -> None:
    assert may_have_open(gate, NOW_MS)


def test_an_hour_after_the_last_sign_keys_are_not_asked_for_any_more() -> None:
    past_ms = NOW_MS - KNOWN_FOR_MS
    gate = GateState(open_until_ms=NOW_MS, succeeded_at_ms=past_ms, ended_at_ms=past_ms)
    assert not may_have_open(gate, NOW_MS)


@given(known_ms=instants, until_ms=instants)
def test_a_note_holds_for_half_an_hour_at_least_and_never_shortens(
    known_ms: int, until_ms: int
) -> None:
    gate = GateState(open_until_ms=known_ms)
    change = keep_open(gate, until_ms)
    after = gate if change is None else change.apply(gate)
    assert after.open_until_ms >= until_ms + KNOWN_FOR_MS // 2
    assert after.open_until_ms >= known_ms


@given(first_ms=instants, second_ms=instants)
def test_a_note_that_was_read_late_does_not_undo_a_longer_one(
    first_ms: int, second_ms: int
) -> None:
    change = keep_open(GateState(), first_ms)
    assert change is not None
    longer = replace(GateState(), open_until_ms=second_ms)
    (condition,) = change.when
    if second_ms > first_ms + KNOWN_FOR_MS:
        assert not condition.holds(longer)

"""What becomes of folded objects whose gate nobody can ask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reprise.gate.state import GateState
from reprise.unpack.backlog import ENOUGH, MAX_DELAY_S, MIN_DELAY_S, decide_unasked
from reprise.unpack.expansion import INITIAL_EXPANSION, Expand, Leave, Slice
from strategies import NOW_MS

draws = st.floats(0, 1, exclude_max=True)
pieces = st.builds(Slice, records=st.integers(1, 1000), is_folded=st.booleans())


@given(piece=pieces, depth=st.integers(ENOUGH), draw=draws)
def test_nothing_is_expanded_while_a_hundred_messages_wait(
    piece: Slice, depth: int, draw: float
) -> None:
    assert isinstance(decide_unasked(piece, depth=depth, now_ms=NOW_MS, draw=draw), Leave)


@given(piece=pieces, depth=st.integers(0, ENOUGH - 1), draw=draws)
def test_a_queue_that_runs_dry_gets_a_folded_object_and_of_a_new_one_no_more_than_a_first_offer(
    piece: Slice, depth: int, draw: float
) -> None:
    decision = decide_unasked(piece, depth=depth, now_ms=NOW_MS, draw=draw)
    assert isinstance(decision, Expand)
    most = piece.records if piece.is_folded else INITIAL_EXPANSION
    assert decision.records == min(piece.records, most)
    assert decision.change.when == ()


@given(piece=pieces, depth=st.integers(0, 2 * ENOUGH), draw=draws)
def test_looks_are_ten_to_thirty_seconds_apart_and_the_gate_is_told_of_every_call_later(
    piece: Slice, depth: int, draw: float
) -> None:
    decision = decide_unasked(piece, depth=depth, now_ms=NOW_MS, draw=draw)
    assert not decision.is_told
    delay_s = decision.delay_s if isinstance(decision, Leave) else decision.rest_delay_s
    assert MIN_DELAY_S <= delay_s <= MAX_DELAY_S
    before = GateState()
    if piece.is_folded:
        before = GateState(folded_objects=1, folded_records=piece.records)
    after = decision.change.apply(before) if decision.change else before
    assert after.waiting + after.folded_records == piece.records
    assert after.folded_objects == (after.folded_records > 0)

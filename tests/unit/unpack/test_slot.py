"""Waits end together; short ones stay, and none gets longer than allowed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reprise.unpack.defer import SLOTS_S, slot_wait_s

waits = st.floats(min_value=0, max_value=43_200)
instants = st.integers(min_value=0, max_value=4_000_000_000)


@given(waits, instants)
def test_a_wait_ends_with_its_slot_at_most_a_quarter_later(wait_s: float, now_s: int) -> None:
    moved_s = slot_wait_s(wait_s, now_s)
    assert wait_s <= moved_s <= wait_s * 1.25 + 1e-6
    if wait_s < 4 * min(SLOTS_S):
        assert moved_s == wait_s
    else:
        assert (now_s + moved_s) % min(SLOTS_S) == 0
    if wait_s >= 4 * max(SLOTS_S):
        assert (now_s + moved_s) % max(SLOTS_S) == 0


@given(waits, instants, st.integers(min_value=60, max_value=900))
def test_no_wait_is_longer_than_allowed(wait_s: float, now_s: int, longest_s: int) -> None:
    moved_s = slot_wait_s(wait_s, now_s, longest_s=longest_s)
    assert 0 <= moved_s <= longest_s
    assert moved_s > min(wait_s, longest_s) - max(SLOTS_S)

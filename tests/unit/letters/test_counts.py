"""How many letters came to what, counted as outcomes come."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from reprise_letters.counts import OutcomeCounts, counts_of
from reprise_letters.job import LetterOutcome, last_outcomes
from reprise_letters.redrive import Action

OUTCOMES = st.lists(
    st.builds(
        LetterOutcome,
        id=st.just("call"),
        message_id=st.sampled_from("abc"),
        action=st.sampled_from(Action),
        at=st.just("2026-11-21T10:00:00Z"),
    ),
    max_size=12,
)


@given(outcomes=OUTCOMES, looks=st.lists(st.integers(0, 12), max_size=5))
def test_each_letter_counts_once_by_what_became_of_it_last_however_often_it_is_asked(
    outcomes: list[LetterOutcome], looks: list[int]
) -> None:
    counts = OutcomeCounts()
    for look in [*sorted(looks), len(outcomes)]:
        so_far = outcomes[:look]
        wanted = Counter(one.action.value for one in last_outcomes(so_far).values())
        assert counts.of(so_far) == counts_of(so_far) == dict(sorted(wanted.items()))

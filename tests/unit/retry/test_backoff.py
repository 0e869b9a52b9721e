from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reprise.retry.backoff import backoff_s

waits = st.floats(0, 43_200)
coefficients = st.floats(1, 10)
draws = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("attempt", "expected_s"),
    [
        (1, 30.0),  # 0.5 * 60
        (2, 60.0),  # 0.5 * 60 * 2
        (3, 120.0),  # 0.5 * 60 * 4
        (4, 150.0),  # 0.5 * min(300, 480)
        (1_000_000, 150.0),
    ],
)
def test_the_wait_doubles_up_to_the_maximum(attempt: int, expected_s: float) -> None:
    wait_s = backoff_s(
        attempt, initial_interval_s=60, maximum_interval_s=300, backoff_coefficient=2, draw=0.5
    )
    assert wait_s == pytest.approx(expected_s)


@given(
    attempt=st.integers(1, 30),
    initial_interval_s=st.floats(1e-6, 43_200),
    maximum_interval_s=waits,
    backoff_coefficient=coefficients,
    draw=draws,
)
@example(attempt=6, initial_interval_s=0.5, maximum_interval_s=60, backoff_coefficient=2, draw=0.5)
@example(attempt=1, initial_interval_s=1e-6, maximum_interval_s=60, backoff_coefficient=2, draw=0.5)
def test_the_wait_is_the_formulas_wherever_that_can_be_computed(
    attempt: int,
    initial_interval_s: float,
    maximum_interval_s: float,
    backoff_coefficient: float,
    draw: float,
) -> None:
    ceiling_s = min(maximum_interval_s, initial_interval_s * backoff_coefficient ** (attempt - 1))
    assert backoff_s(
        attempt,
        initial_interval_s=initial_interval_s,
        maximum_interval_s=maximum_interval_s,
        backoff_coefficient=backoff_coefficient,
        draw=draw,
    ) == pytest.approx(draw * ceiling_s, rel=1e-9, abs=0)


@given(
    attempt=st.integers(1, 1_000_000),
    initial_interval_s=waits,
    maximum_interval_s=waits,
    backoff_coefficient=coefficients,
    draw=draws,
    floor_s=waits,
)
@example(
    attempt=1_000_000,
    initial_interval_s=5e-324,
    maximum_interval_s=43_200,
    backoff_coefficient=10,
    draw=0.9,
    floor_s=0,
)
@example(
    attempt=700,
    initial_interval_s=1e-310,
    maximum_interval_s=43_200,
    backoff_coefficient=10,
    draw=0.9,
    floor_s=0,
)
def test_the_wait_stays_within_its_bounds_at_any_attempt(
    attempt: int,
    initial_interval_s: float,
    maximum_interval_s: float,
    backoff_coefficient: float,
    draw: float,
    floor_s: float,
) -> None:
    wait_s = backoff_s(
        attempt,
        initial_interval_s=initial_interval_s,
        maximum_interval_s=maximum_interval_s,
        backoff_coefficient=backoff_coefficient,
        draw=draw,
        floor_s=floor_s,
    )
    assert floor_s <= wait_s <= max(floor_s, maximum_interval_s)


@given(
    attempt=st.integers(1, 1_000_000),
    initial_interval_s=waits,
    backoff_coefficient=coefficients,
    draw=draws,
)
def test_the_wait_never_shrinks_from_one_attempt_to_the_next(
    attempt: int, initial_interval_s: float, backoff_coefficient: float, draw: float
) -> None:
    def wait_s(number: int) -> float:
        return backoff_s(
            number,
            initial_interval_s=initial_interval_s,
            maximum_interval_s=43_200,
            backoff_coefficient=backoff_coefficient,
            draw=draw,
        )

    assert wait_s(attempt) <= wait_s(attempt + 1) * (1 + 1e-9)


@pytest.mark.parametrize("draw", [0.0, 0.25, 0.999])
def test_jitter_is_full_and_lies_inside_the_maximum(draw: float) -> None:
    assert (
        backoff_s(50, initial_interval_s=1, maximum_interval_s=40, backoff_coefficient=2, draw=draw)
        == 40 * draw
    )


def test_jitter_does_not_undercut_the_servers_own_word() -> None:
    assert (
        backoff_s(
            1,
            initial_interval_s=60,
            maximum_interval_s=300,
            backoff_coefficient=2,
            draw=0.0,
            floor_s=7,
        )
        == 7
    )


def test_no_initial_wait_is_no_wait_at_all() -> None:
    assert (
        backoff_s(9, initial_interval_s=0, maximum_interval_s=300, backoff_coefficient=2, draw=0.9)
        == 0
    )


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_count_from_one(attempt: int) -> None:
    with pytest.raises(ValueError, match="from 1"):
        backoff_s(
            attempt, initial_interval_s=1, maximum_interval_s=1, backoff_coefficient=1, draw=0
        )

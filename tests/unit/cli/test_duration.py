from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20s", 20),
        ("1.5s", 1.5),
        ("90", 90),
        ("5m", 300),
        ("1m30s", 90),
        ("2h", 7200),
        ("1d", 86_400),
        ("1d2h3m4s", 93_784),
        (" 20S ", 20),
    ],
)
def test_a_duration_is_its_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "20 s", "-5s", "5s1m", "1.5m", "soon", "1e9", "٣s", "9" * 40]
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="write 20s, 5m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.126, "0.13s"), (12.34, "12.3s"), (95, "1m35s"), (3_660, "1h1m"), (90_000, "1d1h")],
)
def test_a_duration_is_shown_in_at_most_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(60, 10_000_000))
def test_what_is_shown_can_be_read_again(seconds: int) -> None:
    shown = parse_duration(format_duration(seconds))
    assert abs(shown - seconds) < 3_600

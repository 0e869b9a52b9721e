from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.instant import format_instant, from_ms
from reprise_cli.dashboard.periods import RANGES_S
from reprise_cli.exits import UsageError
from reprise_cli.page.pages import asked_range

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW_S = 1_700_000_000
DAY_S = 86_400


def at(seconds_ago: int) -> str:
    return format_instant(from_ms((NOW_S - seconds_ago) * 1000))


@pytest.mark.parametrize("name", RANGES_S)
def test_a_named_range_ends_now(name: str) -> None:
    assert asked_range({"range": name}, NOW_S) == (name, NOW_S, RANGES_S[name])


def test_without_a_name_an_hour_is_shown() -> None:
    assert asked_range({}, NOW_S) == ("1h", NOW_S, 3_600)


@given(start=st.integers(1, 455 * DAY_S), length=st.integers(1, 455 * DAY_S))
def test_two_instants_are_a_range_that_ends_now_at_the_latest(start: int, length: int) -> None:
    asked = {"from": at(start), "to": at(start - length), "range": "nonsense"}
    name, end_s, range_s = asked_range(asked, NOW_S)
    assert (name, end_s - range_s) == ("between", NOW_S - start)
    assert end_s == min(NOW_S, NOW_S - start + length)


def test_without_an_end_a_range_goes_on_until_now() -> None:
    assert asked_range({"from": at(600), "to": ""}, NOW_S) == ("between", NOW_S, 600)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"range": "7y"}, "range"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2023-11-14T00:00"}, "from"),
        ({"from": at(600), "to": "soon"}, "to"),
        ({"from": at(600), "to": at(600)}, "from"),
        ({"from": at(600), "to": at(700)}, "from"),
        ({"from": at(-60)}, "from"),
        ({"from": at(456 * DAY_S)}, "from"),
    ],
    ids=str,
)
def test_what_is_no_range_is_named(asked: Mapping[str, str], field: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked_range(asked, NOW_S)
    assert caught.value.field == field

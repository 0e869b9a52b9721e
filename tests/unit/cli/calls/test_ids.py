"""Short ids, keys and near misses; and what an id says of when it was made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.target import Target, id_of, new_call_id
from reprise.monitor.read_back import ReadBack
from reprise_cli.calls.ids import Matches, bare, made_at, unknown, window
from strategies import ORDERS

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
MS = int(NOW.timestamp() * 1000)


def keyed(key: str, source: str = "invoker") -> str:
    return id_of(Target(function=ORDERS), source=source, scope=None, key=key)


@given(ms=st.integers(0, 4_000_000_000_000), cut=st.integers(8, 36))
def test_a_beginning_of_an_id_bounds_when_it_was_made(ms: int, cut: int) -> None:
    call_id = new_call_id(ms, bytes(10))
    made, bounds = made_at(call_id), window(call_id[:cut])
    assert made is not None
    assert made == datetime.fromtimestamp(ms // 1000, UTC) + timedelta(milliseconds=ms % 1000)
    assert bounds is not None
    assert bounds[0] <= made <= bounds[1]


@given(text=st.text(max_size=40))
def test_any_text_has_a_window_or_none(text: str) -> None:
    bounds = window(text)
    assert bounds is None or bounds[0] < bounds[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orders:order-2", [keyed("order-2")]),
        ("order-2", [keyed("order-2")]),
        ("orders:order-2~", [keyed("order-2")]),
        ("orders:ord", [keyed("order-2"), keyed("order-21"), keyed("order-7")]),
        ("ord", []),
        ("order-3", []),
    ],
)
def test_a_call_is_meant_by_key_by_name_and_by_a_beginning(text: str, expected: list[str]) -> None:
    ids = [keyed("order-2"), keyed("order-21"), keyed("order-7")]
    assert Matches(text).look(ids).best == expected


def test_one_key_of_two_callers_names_both() -> None:
    ids = [keyed("order-2"), keyed("order-2", source="web")]
    assert Matches("order-2").look(ids).best == ids


def test_a_near_miss_is_told_as_people_type_it() -> None:
    matches = Matches("oders:order-2").look([keyed("order-2"), keyed("x")])
    assert matches.best == []
    assert matches.near[0] == "orders:order-2"
    assert bare(keyed("order-2")) == "orders:order-2"


@pytest.mark.parametrize(
    ("age_s", "is_young", "said"),
    [(12, True, "has not arrived yet"), (7200, False, "2h0m ago"), (-900, False, "lies ahead")],
)
def test_unknown_and_not_arrived_yet_are_two_answers(age_s: int, is_young: bool, said: str) -> None:
    message, step, may_come = unknown(new_call_id(MS - age_s * 1000, bytes(10)), NOW, ReadBack())
    assert may_come is is_young
    assert said in message
    assert ("reprise calls wait" in step) is is_young

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.dead_letter import dead_letter
from reprise_cli.exits import UsageError
from reprise_cli.page.forms import read_plea, read_selection, said_filters
from reprise_cli.page.letters import error_filter, tries_of
from reprise_letters.job import signature
from reprise_letters.letter import Selection, error_pattern, read_letter
from strategies import NOW, signed
from unit.cli.test_letter import dead_row, received


def test_a_request_chooses_as_the_command_does() -> None:
    asked = {"target": " orders ", "reason": "exhausted", "error": "/e+/", "older_than": "1h"}
    found = read_selection(asked | {"newer_than": "", "max": "5", "ids": ["a"]})
    assert found == Selection(
        target="orders",
        reason="exhausted",
        error=re.compile("e+", re.IGNORECASE),
        older_than_s=3600.0,
        max_count=5,
        ids=frozenset({"a"}),
    )
    assert said_filters(asked)["target"] == "orders"


def test_nothing_chosen_means_no_letter_unless_all_are_said() -> None:
    with pytest.raises(UsageError, match="letters"):
        read_plea({"max": 5})
    assert read_plea({"all": True}).selection.is_all
    assert read_selection({}, is_all=True).is_all
    assert read_plea({"all": True, "canary": "0"}).canary == 0
    assert read_plea({"all": True, "canary": ""}).canary is None


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"reason": "exhaused"}, "reason"),
        ({"error": "/[/"}, "error"),
        ({"older_than": "soon"}, "older_than"),
        ({"newer_than": "soon"}, "newer_than"),
        ({"max": 0}, "max"),
        ({"max": -1}, "max"),
        ({"max": True}, "max"),
        ({"max": 1.5}, "max"),
        ({"max": "9" * 40}, "max"),
        ({"target": ["orders"]}, "target"),
        ({"target": "x" * 2000}, "target"),
        ({"ids": "orders"}, "ids"),
        ({"ids": [1]}, "ids"),
        ({"all": True, "rate": "fast"}, "rate"),
        ({"all": True, "canary": "some"}, "canary"),
        ({"all": True, "agreed": "x"}, "agreed"),
    ],
    ids=str,
)
def test_what_cannot_be_understood_is_named(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_plea(asked)
    assert caught.value.field == field


@given(
    asked=st.dictionaries(
        st.sampled_from(["target", "reason", "error", "older_than", "max", "ids", "all", "canary"]),
        st.one_of(st.text(), st.integers(), st.none(), st.booleans(), st.lists(st.text())),
    )
)
def test_whatever_is_said_is_understood_or_refused(asked: dict[str, Any]) -> None:
    try:
        plea = read_plea(asked)
    except UsageError:
        return
    assert not plea.selection.is_empty


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=300))
def test_the_filter_of_a_group_finds_every_error_of_it(text: str) -> None:
    found = error_filter(signature(text))
    if found:
        assert error_pattern(found).search(text)


def test_the_tries_of_a_letter_are_told_without_its_payload() -> None:
    letter = read_letter(received(dead_letter(signed(), dead_row(), now=NOW)))
    tries = tries_of(letter)
    assert all(set(one) == {"at", "kind", "error"} for one in tries)
    assert len(tries) == len(dead_row().history)
    for body in ("?", "[]", '{"reprise": 1}', '{"reprise": {"history": [1]}}'):
        assert tries_of(read_letter(received(body))) == []

"""The table of transitions, and the page that draws it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.state import TRANSITIONS, Condition, GateState, Mode, diagram

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "replay-control.md"


def test_every_mode_is_reached_and_left() -> None:
    assert {source for source, _ in TRANSITIONS} == set(Mode)
    assert set(TRANSITIONS.values()) == set(Mode)


def test_the_page_draws_the_table() -> None:
    assert f"```mermaid\n{diagram()}\n```" in PAGE.read_text()


def test_the_page_names_every_parameter_and_its_default() -> None:
    page = PAGE.read_text()
    names = [field.name for field in fields(GateParameters)]
    assert len(names) <= 10
    for name in names:
        assert f"| `{name}` | {getattr(DEFAULTS, name):g} |" in page


@pytest.mark.parametrize(
    ("present", "equals", "is_at_most"), [(4, False, True), (5, True, True), (6, False, False)]
)
def test_a_condition_holds_by_its_relation(present: int, *, equals: bool, is_at_most: bool) -> None:
    image = GateState(in_flight=present)
    assert Condition(name="in_flight", relation="=", value=5).holds(image) is equals
    assert Condition(name="in_flight", relation="<=", value=5).holds(image) is is_at_most

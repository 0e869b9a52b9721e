from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.options import hoist


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["chaos", "--calls", "5", "--json"], ["--json", "chaos", "--calls", "5"]),
        (
            ["status", "x", "--stack-name", "s", "--region=r"],
            ["--stack-name", "s", "--region=r", "status", "x"],
        ),
        (
            ["schedule", "list", "--schedules-stack", "s"],
            ["--schedules-stack", "s", "schedule", "list"],
        ),
        (["invoke", "f", "--", "--json"], ["invoke", "f", "--", "--json"]),
        (["status", "--profile"], ["--profile", "status"]),
        (["--json", "local", "up"], ["--json", "local", "up"]),
    ],
    ids=["flag last", "values", "add-on", "after a double dash", "value missing", "first already"],
)
def test_global_options_stand_anywhere(arguments: list[str], expected: list[str]) -> None:
    assert hoist(arguments) == expected


@given(
    st.lists(st.sampled_from(["chaos", "--json", "--region", "--calls", "x", "--", "--region=a"]))
)
def test_no_argument_is_lost_or_made_up(arguments: list[str]) -> None:
    assert sorted(hoist(arguments)) == sorted(arguments)

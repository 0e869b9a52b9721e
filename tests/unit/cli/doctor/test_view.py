"""What people see: problems first, in the columns that there are, and commands that a shell takes."""

from __future__ import annotations

import shlex
from io import StringIO
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.doctor.check import diagnose
from reprise_cli.doctor.checks import CHECKS
from reprise_cli.doctor.mend import aws
from reprise_cli.doctor.read import NotRead
from reprise_cli.doctor.view import folded, show
from reprise_cli.output import Output
from unit.cli.doctor.healthy import GROUP, STREAM, facts

if TYPE_CHECKING:
    import pytest

words = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=30)


def shown(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[str]:
    monkeypatch.setenv("COLUMNS", "80")
    found, stdout = facts(**changes), StringIO()
    out = Output(is_json=False, stdout=stdout)
    for thing in show(found, diagnose(CHECKS, found), 80):
        out.show(thing)
    return stdout.getvalue().splitlines()


def test_a_stack_that_is_well_takes_three_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in shown(monkeypatch) if line]
    assert lines[0] == "reprise in eu-west-1, account 111122223333: no problem found"
    assert lines[1].startswith(f"well: {len(CHECKS)} checks (deployment ")
    assert lines[2].startswith("not decided by looking: ")


def test_problems_come_before_what_nobody_can_tell_and_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(
        monkeypatch, filters={GROUP: ()}, limits=NotRead("lambda:GetAccountSettings is not allowed")
    )
    # One word is longer than a line; what is copied is not broken.
    assert [line for line in lines if len(line) > 80] == [f"    --destination-arn {STREAM} \\"]
    heads = [line for line in lines if line.startswith(("PROBLEM", "CANNOT TELL"))]
    assert heads == [
        "PROBLEM  capture path: filter-there",
        "CANNOT TELL  account-room",
    ]
    at = lines.index("  do:")
    assert lines[at + 1].startswith("  aws logs put-subscription-filter ")
    assert not any(line.endswith(" ") for line in lines)


def test_many_checks_that_cannot_be_told_for_one_reason_are_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = shown(monkeypatch, is_up=False)
    at = lines.index(f"CANNOT TELL  version, drift and {len(CHECKS) - 4} more, which --json names")
    assert lines[at + 1] == "  the stack is not up"
    assert sum(line.startswith("CANNOT TELL") for line in lines) == 1


@given(st.lists(words, min_size=1, max_size=8), st.integers(20, 90))
def test_a_command_in_lines_is_the_same_command(names: list[str], width: int) -> None:
    command = aws("logs put", **{f"option_{at}": name for at, name in enumerate(names)})
    text = "\n".join(folded(command, width))
    # A shell takes a backslash and the end of its line for nothing.
    assert shlex.split(text.replace("\\\n", "")) == shlex.split(command)


def test_a_name_cannot_become_a_command() -> None:
    assert aws("logs put", name="$(reboot)") == "aws logs put --name '$(reboot)'"

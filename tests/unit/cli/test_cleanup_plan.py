"""What of a stack's remains may be deleted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.cleanup.plan import NEVER_CAME_UP, Found, check_status, kept_of, plan
from reprise_cli.exits import CommandError, ExitCode

KNOWN = kept_of("reprise", "111122223333", "eu-west-1")
contents = st.lists(st.sampled_from([None, "", "1 row"]), min_size=len(KNOWN), max_size=len(KNOWN))
names = st.sets(st.sampled_from([thing.name for thing in KNOWN]))


@given(contents, names)
def test_what_holds_something_is_deleted_only_if_it_is_named(
    contents: list[str | None], named: set[str]
) -> None:
    pairs = zip(KNOWN, contents, strict=True)
    found = [Found(thing=thing, content=text) for thing, text in pairs if text is not None]
    planned = plan(found, named, KNOWN)
    assert {*planned.delete} | {*planned.keep} == {*found}
    for one in planned.delete:
        assert not one.content or one.thing.name in named
    for one in planned.keep:
        assert one.content
        assert one.thing.name not in named


@pytest.mark.parametrize("name", ["orders", "reprise-replay", "reprise-two-ledger", ""])
def test_a_name_that_the_stack_keeps_nothing_under_is_refused_before_anything_is_deleted(
    name: str,
) -> None:
    with pytest.raises(CommandError, match="is nothing that this stack keeps") as caught:
        plan((), ["reprise-ledger", name], KNOWN)
    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize("status", [None, *sorted(NEVER_CAME_UP)])
def test_a_stack_that_is_gone_or_never_came_up_is_cleaned_up(status: str | None) -> None:
    check_status("reprise", status)


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("CREATE_COMPLETE", "sam delete --stack-name reprise"),
        ("UPDATE_COMPLETE", "sam delete --stack-name reprise"),
        ("UPDATE_ROLLBACK_COMPLETE", "sam delete --stack-name reprise"),
        ("UPDATE_ROLLBACK_FAILED", "sam delete --stack-name reprise"),
        ("IMPORT_COMPLETE", "sam delete --stack-name reprise"),
        ("CREATE_IN_PROGRESS", "Wait"),
        ("DELETE_IN_PROGRESS", "Wait"),
        ("ROLLBACK_IN_PROGRESS", "Wait"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "Wait"),
    ],
)
def test_a_stack_that_is_in_use_or_worked_on_is_left_alone(status: str, step: str) -> None:
    with pytest.raises(CommandError, match=f"is {status}.*{step}"):
        check_status("reprise", status)

"""Changes of the policy document: what they do to the policies that hold, whatever stood there before."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.exits import CommandError, UsageError
from reprise_cli.policy.document import (
    DEFAULT,
    MAX_CHARACTERS,
    assignment,
    changed,
    check,
    differences,
    switched,
    target_named,
    unknown_targets,
)

if TYPE_CHECKING:
    from reprise.retry.policy import PolicyBook

NAMES = ("orders", "mail", "other")
ALLOWED = [
    f"arn:aws:lambda:eu-west-1:123456789012:function:{name}" for name in ("orders", "team-*")
]

fields = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "idempotent": st.booleans(),
        "max_attempts": st.integers(1, 9),
    },
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "default": fields,
        "targets": st.dictionaries(st.sampled_from(NAMES), fields),
    },
)


def _book(document: dict[str, Any]) -> PolicyBook:
    return check(json.dumps(document)).book


def _enabled(document: dict[str, Any]) -> dict[str, bool]:
    return {name: _book(document).for_target(name).enabled for name in NAMES}


def _others(document: dict[str, Any]) -> list[tuple[bool, int]]:
    policies = [_book(document).for_target(name) for name in NAMES]
    return [(policy.idempotent, policy.maximum_attempts) for policy in policies]


@given(document=documents, is_on=st.booleans())
def test_one_switch_is_everybodys_and_touches_nothing_else(
    document: dict[str, Any], *, is_on: bool
) -> None:
    after = switched(document, None, is_on=is_on)
    assert set(_enabled(after).values()) == {is_on}
    assert _others(after) == _others(document)


@given(document=documents, name=st.sampled_from(NAMES), is_on=st.booleans())
def test_a_switch_of_one_target_is_nobody_elses(
    document: dict[str, Any], name: str, *, is_on: bool
) -> None:
    after = switched(document, name, is_on=is_on)
    assert _enabled(after) == _enabled(document) | {name: is_on}
    assert _others(after) == _others(document)
    assert differences(after, switched(after, name, is_on=is_on)) == []


@given(document=documents, name=st.sampled_from([*NAMES, DEFAULT]))
def test_what_is_set_holds_and_is_left_out_again(document: dict[str, Any], name: str) -> None:
    after = changed(document, name, {"headroom": 0.5})
    assert _book(after).for_target("*" if name == DEFAULT else name).headroom == 0.5
    left = changed(after, name, {}, ["headroom"])
    assert _others(left) == _others(document)
    assert _enabled(left) == _enabled(document)


@given(
    text=st.one_of(
        st.text(), documents.map(json.dumps), st.sampled_from(["[]", "1", '{"default":1}'])
    )
)
def test_any_text_is_a_document_or_an_error_for_people(text: str) -> None:
    with suppress(CommandError):
        check(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("enabled=false", ("enabled", False)),
        ("max_attempts=3", ("maximum_attempts", 3)),
        ("max_concurrency=null", ("max_concurrency", None)),
        ("capture_on=throttled, transient", ("capture_on", ["throttled", "transient"])),
        ('replay_on=["throttled"]', ("replay_on", ["throttled"])),
        ("non_retryable_error_types=KeyError", ("non_retryable_error_types", ["KeyError"])),
        ("enabled=no", ("enabled", "no")),
    ],
)
def test_a_value_is_json_or_words(text: str, expected: tuple[str, object]) -> None:
    assert assignment(text) == expected


def test_no_field_of_a_policy_is_set_that_there_is_not() -> None:
    with pytest.raises(UsageError, match="Did you mean maximum_attempts"):
        assignment("maximum_attemps=3")


def test_targets_are_known_by_name_arn_pattern_or_because_the_document_has_them() -> None:
    assert target_named("orders", ALLOWED, {}) == "orders"
    assert target_named(ALLOWED[0], ALLOWED, {}) == "orders"
    assert target_named("team-a", ALLOWED, {}) == "team-a"
    assert target_named("gone", ALLOWED, {"targets": {"gone": {}}}) == "gone"
    with pytest.raises(CommandError, match="Did you mean orders"):
        target_named("order", ALLOWED, {})
    assert unknown_targets({"targets": {"ordrs": {}, "team-a": {}}}, ALLOWED) == ["ordrs"]


def test_a_document_is_for_people_as_long_as_a_parameter_has_room() -> None:
    assert check('{"default":{}}').text() == '{\n  "default": {}\n}'
    long = {"targets": {f"job-{number:03}": {"max_age_s": 60} for number in range(110)}}
    assert "\n" not in check(json.dumps(long)).text()
    longer = {"targets": {f"job-{number:03}": {"max_age_s": 60} for number in range(200)}}
    with pytest.raises(CommandError, match=f"may have {MAX_CHARACTERS:,}"):
        check(json.dumps(longer)).text()

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.capturing.signature import STACK_SOURCES, MacKeys
from reprise.errors import SettingsError
from reprise_cli.exits import CommandError
from reprise_cli.sources.document import (
    check_name,
    check_targets,
    new_document,
    rotated,
    statements,
)
from reprise_cli.stack import from_outputs
from strategies import ARN_PREFIX, KEY, ORDERS
from unit.cli.test_stack import OUTPUTS

NIGHTLY = "arn:aws:batch:eu-west-1:123456789012:job-definition/nightly"
ALLOWED = (ORDERS, f"{ARN_PREFIX}team-*", NIGHTLY)
STACK = from_outputs(
    "reprise", OUTPUTS | {"CallersParameter": "/reprise/callers"}, "CREATE_COMPLETE"
)
SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:reprise/source/web-a1b2c3"


@pytest.mark.parametrize("name", ["web", "orders_2", "9", "a" * 64])
def test_a_name_may_be_a_functions(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a b", "ü", "a" * 65, "..", *STACK_SOURCES])
def test_a_name_that_is_none_or_the_stacks_own_is_refused(name: str) -> None:
    with pytest.raises(CommandError) as caught:
        check_name(name)
    assert caught.value.field == "NAME"


@pytest.mark.parametrize(
    ("target", "arn"),
    [
        ("orders", ORDERS),
        (ORDERS, ORDERS),
        (f"{ORDERS}:live", ORDERS),
        ("team-web", f"{ARN_PREFIX}team-web"),
        (f"{ARN_PREFIX}team-web", f"{ARN_PREFIX}team-web"),
        (f"{ARN_PREFIX}team-*", f"{ARN_PREFIX}team-*"),
        (f"{ARN_PREFIX}team-web-*", f"{ARN_PREFIX}team-web-*"),
        (f"{ARN_PREFIX}*", f"{ARN_PREFIX}*"),
        ("*", "*"),
        (NIGHTLY, NIGHTLY),
        ("arn:aws:batch:*", "arn:aws:batch:*"),
    ],
)
def test_targets_are_completed_from_what_the_stack_allows(target: str, arn: str) -> None:
    assert check_targets([target], ALLOWED) == (arn,)


@pytest.mark.parametrize(
    "target",
    [
        "payments",
        f"{ARN_PREFIX}payments",
        f"{ARN_PREFIX}pay*",
        NIGHTLY + "2",
        "",
        "arn:x",
        "order*",
    ],
)
def test_a_target_that_the_stack_never_calls_is_refused(target: str) -> None:
    with pytest.raises(CommandError) as caught:
        check_targets([target], ALLOWED)
    assert caught.value.field == "--targets"


def test_a_source_for_nothing_is_refused() -> None:
    with pytest.raises(CommandError, match="names none"):
        check_targets([], ALLOWED)


def test_a_new_document_is_one_that_is_accepted() -> None:
    keys = MacKeys.from_secret(new_document((ORDERS,), KEY), "web")
    assert keys.targets == (ORDERS,)
    assert keys.sign({}).key_id == "web/k1"


def test_a_rotation_keeps_the_key_before_and_drops_older_ones() -> None:
    first = new_document((ORDERS,), KEY)
    second, name = rotated(first, "web", f"{KEY}2")
    third, third_name = rotated(second, "web", f"{KEY}3")
    assert (name, third_name) == ("k2", "k3")
    old, newer, newest = (MacKeys.from_secret(text, "web") for text in (first, second, third))
    newer.verify({}, old.sign({}))
    newest.verify({}, newer.sign({}))
    assert not newest.holds("web/k1")
    assert newest.targets == (ORDERS,)


@given(
    names=st.sets(st.from_regex(r"[a-z0-9.]{1,6}", fullmatch=True), min_size=1, max_size=5),
    data=st.data(),
)
def test_any_document_that_is_accepted_can_be_rotated(names: set[str], data: st.DataObject) -> None:
    current = data.draw(st.sampled_from(sorted(names)))
    text = json.dumps(dict.fromkeys(names, KEY) | {"current": current, "targets": ["*"]})
    after, name = rotated(text, "web", f"{KEY}2")
    keys = MacKeys.from_secret(after, "web")
    assert keys.sign({}).key_id == f"web/{name}"
    assert name not in names or name == current
    keys.verify({}, MacKeys.from_secret(text, "web").sign({}))


def test_a_broken_document_is_not_rotated() -> None:
    with pytest.raises(SettingsError, match="source 'web'"):
        rotated(json.dumps({"current": "k1", "k1": ""}), "web", KEY)


def test_a_role_needs_its_own_secret_a_place_for_long_payloads_and_one_for_lines() -> None:
    read, keep, ask, write = statements(SECRET_ARN, STACK, None)
    assert (read["Action"], read["Resource"]) == ("secretsmanager:GetSecretValue", SECRET_ARN)
    assert (keep["Action"], keep["Resource"]) == ("s3:PutObject", "arn:aws:s3:::bucket/payloads/*")
    assert ask["Action"] == "ssm:GetParameter"
    parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter"
    assert ask["Resource"] == [
        f"{parameter}/reprise/callers",
        f"{parameter}/reprise/reprise/policy",
    ]
    assert write["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    group = "arn:aws:logs:eu-west-1:123456789012:log-group:/reprise/reprise/capture"
    assert write["Resource"] == [group, f"{group}:*"]


def test_a_stack_that_says_nothing_to_callers_yet_is_not_to_be_asked() -> None:
    (ask,) = [
        each
        for each in statements(SECRET_ARN, replace(STACK, callers_parameter=None), None)
        if each["Action"] == "ssm:GetParameter"
    ]
    assert [arn.rpartition("parameter")[2] for arn in ask["Resource"]] == [
        "/reprise/reprise/policy"
    ]


def test_keys_of_callers_are_claimed_in_the_ledger_and_their_results_kept() -> None:
    without = statements(SECRET_ARN, STACK, None)
    more = [
        each for each in statements(SECRET_ARN, STACK, None, has_keys=True) if each not in without
    ]
    assert [each["Resource"] for each in more] == [
        "arn:aws:dynamodb:eu-west-1:123456789012:table/reprise-ledger",
        "arn:aws:s3:::bucket/results/*",
        "arn:aws:s3:::bucket",
    ]
    assert more[-1]["Condition"] == {"StringLikeIfExists": {"s3:prefix": "results/*"}}


def test_a_customer_key_is_allowed_too() -> None:
    (*_, use) = statements(SECRET_ARN, STACK, "arn:aws:kms:eu-west-1:123456789012:key/abc")
    assert use["Resource"].endswith(":key/abc")

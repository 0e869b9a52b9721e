from __future__ import annotations

import json

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
from strategies import ARN_PREFIX, KEY, ORDERS

NIGHTLY = "arn:aws:batch:eu-west-1:123456789012:job-definition/nightly"
ALLOWED = (ORDERS, f"{ARN_PREFIX}team-*", NIGHTLY)
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
    read, keep, write = statements(SECRET_ARN, "bucket", "/reprise/shop/capture", None)
    assert (read["Action"], read["Resource"]) == ("secretsmanager:GetSecretValue", SECRET_ARN)
    assert (keep["Action"], keep["Resource"]) == ("s3:PutObject", "arn:aws:s3:::bucket/payloads/*")
    assert write["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    group = "arn:aws:logs:eu-west-1:123456789012:log-group:/reprise/shop/capture:*"
    assert write["Resource"] == group


def test_a_customer_key_is_allowed_too() -> None:
    (*_, use) = statements(SECRET_ARN, "bucket", "/g", "arn:aws:kms:eu-west-1:123456789012:key/abc")
    assert use["Resource"].endswith(":key/abc")

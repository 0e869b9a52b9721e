from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import OutcomeKind
from reprise.errors import PolicyError
from reprise.retry.policy import Policy, read_policy_document
from strategies import json_values, policies, texts

FIELDS = [field.name for field in msgspec.structs.fields(Policy)]


def _error(document: object) -> str:
    with pytest.raises(PolicyError) as caught:
        read_policy_document(json.dumps(document))
    return str(caught.value)


def test_the_defaults_are_lambdas_own_numbers() -> None:
    policy = Policy()
    assert (policy.max_attempts, policy.max_age_s) == (3, 6 * 3600)
    assert (policy.initial_s, policy.maximum_s, policy.coefficient) == (60, 300, 2)
    assert policy.replay_on == {
        OutcomeKind.THROTTLED,
        OutcomeKind.TRANSIENT,
        OutcomeKind.FUNCTION_ERROR,
    }
    assert not policy.idempotent
    assert policy.enabled


@pytest.mark.parametrize("text", ["{}", '{"default":{}}', '{"targets":{}}'])
def test_an_empty_document_leaves_every_default(text: str) -> None:
    assert read_policy_document(text).for_target("orders") == Policy()


def test_a_target_changes_the_default_and_inherits_the_rest() -> None:
    document = {
        "default": {"max_attempts": 5, "idempotent": True},
        "targets": {"orders": {"max_attempts": 1, "replay_on": ["throttled"]}},
    }
    book = read_policy_document(json.dumps(document))
    assert book.for_target("other") == Policy(max_attempts=5, idempotent=True)
    assert book.for_target("orders") == Policy(
        max_attempts=1, idempotent=True, replay_on=frozenset({OutcomeKind.THROTTLED})
    )


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("max_attempts", 1, 100),
        ("max_age_s", 60, 1_209_600),
        ("coefficient", 1, 10),
        ("max_concurrency", 1, 10_000),
        ("headroom", 0, 0.9),
    ],
)
def test_a_number_keeps_its_bounds(name: str, least: float, most: float) -> None:
    for value in (least, most):
        policy = read_policy_document(json.dumps({"default": {name: value}})).for_target("x")
        assert getattr(policy, name) == value
    for value in (least - 1, most + 1):
        assert f"$.{name}" in _error({"default": {name: value}})


@pytest.mark.parametrize("name", ["initial_s", "maximum_s"])
@pytest.mark.parametrize("value", [-1, 43_201, "60", None, True, float("nan"), float("inf")])
def test_a_wait_keeps_its_bounds(name: str, value: object) -> None:
    assert f"$.{name}" in _error({"default": {name: value}})


def test_waits_must_be_in_order() -> None:
    assert _error({"targets": {"orders": {"initial_s": 400}}}).startswith("targets.orders: maximum")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must be an object"),
        ({"defaults": {}}, "must be an object"),
        ({"default": []}, "default: "),
        ({"targets": []}, "targets: "),
        ({"targets": {"orders": []}}, "targets.orders: "),
        ({"default": {"max_attempt": 3}}, "max_attempt"),
        ({"default": {"replay_on": ["throtled"]}}, "throtled"),
        ({"targets": {"orders": {"enabled": "yes"}}}, "targets.orders: "),
    ],
)
def test_an_invalid_document_names_the_field(document: object, message: str) -> None:
    assert message in _error(document)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a":' * 100_000, "1" * 5000])
def test_text_that_is_no_json_is_a_policy_error(text: str) -> None:
    with pytest.raises(PolicyError):
        read_policy_document(text)


policy_like = st.dictionaries(st.sampled_from([*FIELDS, "other"]), json_values, max_size=4)


@given(
    document=json_values
    | st.fixed_dictionaries(
        {},
        optional={
            "default": policy_like | json_values,
            "targets": st.dictionaries(texts, policy_like) | json_values,
        },
    )
)
def test_any_json_is_a_policy_document_or_a_policy_error(document: object) -> None:
    try:
        book = read_policy_document(json.dumps(document))
    except PolicyError:
        return
    policy = book.for_target("orders")
    assert 1 <= policy.max_attempts <= 100
    assert 0 <= policy.initial_s <= policy.maximum_s <= 43_200


@given(policy=policies)
def test_a_policy_survives_its_document(policy: Policy) -> None:
    fields: dict[str, Any] = msgspec.to_builtins(policy)
    document = json.dumps({"targets": {"orders": fields}})
    assert read_policy_document(document).for_target("orders") == policy

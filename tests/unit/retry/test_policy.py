from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import OutcomeKind
from reprise.errors import PolicyError
from reprise.retry.policy import NEW_NAMES, Policy, captures, read_policy_document
from strategies import json_values, policies, texts

ONLY_TWO = 'policy document must be an object with "default" and "targets" only'
FIELDS = [field.name for field in msgspec.structs.fields(Policy)]


def _error(document: object) -> str:
    with pytest.raises(PolicyError) as caught:
        read_policy_document(json.dumps(document))
    return str(caught.value)


def test_the_defaults_are_lambdas_own_numbers() -> None:
    policy = Policy()
    assert (policy.maximum_attempts, policy.max_age_s) == (3, 6 * 3600)
    assert (policy.initial_interval_s, policy.maximum_interval_s, policy.backoff_coefficient) == (
        60,
        300,
        2,
    )
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
        "default": {"maximum_attempts": 5, "idempotent": True},
        "targets": {"orders": {"maximum_attempts": 1, "replay_on": ["throttled"]}},
    }
    book = read_policy_document(json.dumps(document))
    assert book.for_target("other") == Policy(maximum_attempts=5, idempotent=True)
    assert book.for_target("orders") == Policy(
        maximum_attempts=1, idempotent=True, replay_on=frozenset({OutcomeKind.THROTTLED})
    )


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("maximum_attempts", 1, 100),
        ("max_age_s", 60, 1_209_600),
        ("backoff_coefficient", 1, 10),
        ("max_concurrency", 1, 10_000),
        ("headroom", 0, 0.9),
        ("memory_cap_mib", 4, 33_554_432),
        ("fallback_after", 1, 100),
    ],
)
def test_a_number_keeps_its_bounds(name: str, least: float, most: float) -> None:
    for value in (least, most):
        policy = read_policy_document(json.dumps({"default": {name: value}})).for_target("x")
        assert getattr(policy, name) == value
    for value in (least - 1, most + 1):
        assert f"$.{name}" in _error({"default": {name: value}})


@pytest.mark.parametrize("name", ["initial_interval_s", "maximum_interval_s"])
@pytest.mark.parametrize("value", [-1, 43_201, "60", None, True, float("nan"), float("inf")])
def test_a_wait_keeps_its_bounds(name: str, value: object) -> None:
    assert f"$.{name}" in _error({"default": {name: value}})


def test_waits_must_be_in_order() -> None:
    assert _error({"targets": {"orders": {"initial_interval_s": 400}}}).startswith(
        "targets.orders: maximum"
    )


def test_growth_of_memory_needs_a_cap_which_may_be_that_of_default() -> None:
    said = _error({"targets": {"orders": {"memory_factor": 2}}})
    assert said.startswith("targets.orders: memory_factor needs memory_cap_mib")
    document = {
        "default": {"memory_cap_mib": 8192},
        "targets": {"orders": {"memory_factor": 2}},
    }
    policy = read_policy_document(json.dumps(document)).for_target("orders")
    assert (policy.memory_factor, policy.memory_cap_mib) == (2.0, 8192)


@pytest.mark.parametrize(
    ("queue", "is_one"),
    [
        ("on-demand", True),
        ("arn:aws:batch:eu-west-1:111122223333:job-queue/on-demand", True),
        ("arn:aws:sqs:eu-west-1:111122223333:on-demand", False),
        ("on demand", False),
        ("on-demand\n", False),
        ("", False),
    ],
)
def test_a_fallback_queue_is_a_job_queue(queue: str, *, is_one: bool) -> None:
    document = {"default": {"fallback_queue": queue}}
    if is_one:
        assert read_policy_document(json.dumps(document)).for_target("x").fallback_queue == queue
    else:
        assert _error(document).startswith("default: fallback_queue must be the name or the ARN of")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], ONLY_TWO),
        ({"defaults": {}}, ONLY_TWO),
        ({"default": []}, "default: must be an object of policy fields"),
        ({"targets": []}, "targets: must be an object of policies by function name"),
        ({"targets": {"orders": []}}, "targets.orders: must be an object of policy fields"),
        ({"default": {"max_attempt": 3}}, "default: Object contains unknown field `max_attempt`"),
        ({"default": {"replay_on": ["throtled"]}}, "throtled"),
        ({"default": {"capture_on": ["throtled"]}}, "throtled"),
        ({"targets": {"orders": {"capture_on": ["succeeded"]}}}, "targets.orders: "),
        ({"default": {"capture_on": "throttled"}}, "capture_on"),
        ({"targets": {"orders": {"enabled": "yes"}}}, "targets.orders: "),
    ],
)
def test_an_invalid_document_names_the_field(document: object, message: str) -> None:
    said = _error(document)
    assert message in said
    assert said.startswith((message, "default: ", "targets.orders: "))
    assert said.endswith((message, ". Correct the SSM parameter"))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a":' * 100_000, "1" * 5000])
def test_text_that_is_no_json_is_a_policy_error(text: str) -> None:
    with pytest.raises(PolicyError, match=r"^policy document is not JSON: .+\. Correct the SSM"):
        read_policy_document(text)


def test_a_field_may_have_its_old_name_and_a_warning_names_the_new_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    document = {
        "default": {"max_attempts": 5, "coefficient": 3},
        "targets": {"orders": {"maximum_attempts": 1}, "old": {"max_attempts": 2}},
    }
    book = read_policy_document(json.dumps(document))
    assert book.for_target("x") == Policy(maximum_attempts=5, backoff_coefficient=3)
    assert book.for_target("orders") == Policy(maximum_attempts=1, backoff_coefficient=3)
    assert book.for_target("old") == Policy(maximum_attempts=2, backoff_coefficient=3)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"policy: {text}: rename it")
        for text in (
            "default: max_attempts is now called maximum_attempts",
            "default: coefficient is now called backoff_coefficient",
            "targets.old: max_attempts is now called maximum_attempts",
        )
    ]


def test_a_document_of_new_names_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    read_policy_document(json.dumps({"default": msgspec.to_builtins(Policy())}))
    assert caplog.records == []


@pytest.mark.parametrize(("old", "new"), NEW_NAMES.items())
def test_a_field_by_both_its_names_is_an_error(old: str, new: str) -> None:
    fields = msgspec.to_builtins(Policy())
    error = _error({"targets": {"orders": {old: fields[new], new: fields[new]}}})
    assert error == (
        f"targets.orders: {old} is the old name of {new}, and both are given. Remove {old}"
    )


def test_new_names_are_those_of_fields_and_old_ones_are_none() -> None:
    assert set(NEW_NAMES.values()) <= set(FIELDS)
    assert not set(NEW_NAMES) & set(FIELDS)


OLD_NAMES = {new: old for old, new in NEW_NAMES.items()}


@given(default=policies, policy=policies, old=st.sets(st.sampled_from(FIELDS)))
def test_a_document_of_old_names_reads_to_the_same_policies(
    default: Policy, policy: Policy, old: set[str]
) -> None:
    """Any mixture of the two vocabularies, of which the default and the target choose differently."""

    def renamed(fields: dict[str, Any], names: set[str]) -> dict[str, Any]:
        return {
            OLD_NAMES.get(name, name) if name in names else name: value
            for name, value in fields.items()
        }

    base, changes = msgspec.to_builtins(default), msgspec.to_builtins(policy)
    mixed = {
        "default": renamed(base, old),
        "targets": {"orders": renamed(changes, set(FIELDS) - old)},
    }
    new = read_policy_document(json.dumps({"default": base, "targets": {"orders": changes}}))
    book = read_policy_document(json.dumps(mixed))
    for name in ("orders", "other"):
        assert book.for_target(name) == new.for_target(name)


policy_like = st.dictionaries(
    st.sampled_from([*FIELDS, *NEW_NAMES, "other"]), json_values, max_size=4
)


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
    assert 1 <= policy.maximum_attempts <= 100
    assert 0 <= policy.initial_interval_s <= policy.maximum_interval_s <= 43_200


@given(policy=policies)
def test_a_policy_survives_its_document(policy: Policy) -> None:
    fields: dict[str, Any] = msgspec.to_builtins(policy)
    document = json.dumps({"targets": {"orders": fields}})
    assert read_policy_document(document).for_target("orders") == policy


_KINDS = st.frozensets(st.sampled_from(OutcomeKind))
_CAPTURED = st.frozensets(st.sampled_from([*OutcomeKind][1:]))


@given(kind=st.sampled_from(OutcomeKind), default=_KINDS)
def test_what_a_policy_does_not_say_is_captured_by_default(
    kind: OutcomeKind, default: frozenset[OutcomeKind]
) -> None:
    book = read_policy_document('{"default": {"idempotent": true}}')
    captured = captures(book.for_target("orders"), kind, default)
    assert captured == (kind in default - {OutcomeKind.SUCCEEDED})


@given(kind=st.sampled_from(OutcomeKind), default=_KINDS, wanted=_CAPTURED, general=_CAPTURED)
def test_what_a_policy_says_is_captured_whatever_the_default(
    kind: OutcomeKind,
    default: frozenset[OutcomeKind],
    wanted: frozenset[OutcomeKind],
    general: frozenset[OutcomeKind],
) -> None:
    document = {
        "default": {"capture_on": sorted(general)},
        "targets": {"orders": {"capture_on": sorted(wanted)}, "old": {"capture_on": None}},
    }
    book = read_policy_document(json.dumps(document))
    assert captures(book.for_target("orders"), kind, default) == (kind in wanted)
    assert captures(book.for_target("basket"), kind, default) == (kind in general)
    left_to_default = kind in default - {OutcomeKind.SUCCEEDED}
    assert captures(book.for_target("old"), kind, default) == left_to_default


@given(policy=policies, default=_KINDS)
def test_a_success_is_never_captured(policy: Policy, default: frozenset[OutcomeKind]) -> None:
    assert not captures(policy, OutcomeKind.SUCCEEDED, default)

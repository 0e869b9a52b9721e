"""The policy document's public contract says what the stack does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reprise.errors import PolicyError
from reprise.retry.policy import NEW_NAMES, Policy, read_policy_document
from reprise_cli.policy.document import FIELDS
from reprise_cli.policy.model import PolicyDocument, TargetPolicy, schema_text, table

REFERENCE = Path(__file__).parents[4] / "docs" / "reference"

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 50_000),
    st.integers(60, 2_000_000),
    st.floats(0, 50_000).map(lambda value: round(value, 1)),
    st.floats(0.0, 11.0).map(lambda value: round(value, 1)),
    st.text(max_size=3),
    st.sampled_from(
        ["on-demand", "on-demand\n", "-", "arn:aws:batch:eu-west-1:111122223333:job-queue/q"]
    ),
    st.lists(
        st.sampled_from(
            ["throttled", "transient", "succeeded", "function_error", "permanent", "unknown", "x"]
        ),
        max_size=3,
    ),
)
policies = st.dictionaries(
    st.sampled_from([*FIELDS, *FIELDS, *NEW_NAMES, "enbaled"]), values, max_size=3
)
good_waits = st.fixed_dictionaries(
    {},
    optional={
        "initial_interval_s": st.integers(0, 600),
        "maximum_interval_s": st.integers(0, 600),
        "headroom": st.floats(0, 1).map(lambda value: round(value, 2)),
    },
)
jobs = st.fixed_dictionaries(
    {},
    optional={
        "memory_factor": st.sampled_from([1, 1.5, 2]),
        "memory_cap_mib": st.sampled_from([None, 3, 4, 8192]),
        "fallback_queue": values,
    },
)
sections = st.one_of(policies, good_waits, jobs)
documents = st.fixed_dictionaries(
    {}, optional={"default": sections, "targets": st.dictionaries(st.text(max_size=2), sections)}
)


def _is_read(text: str) -> bool:
    try:
        read_policy_document(text)
    except PolicyError:
        return False
    return True


def _is_valid(text: str) -> bool:
    try:
        PolicyDocument.model_validate_json(text)
    except ValidationError:
        return False
    return True


@settings(max_examples=400)
@given(document=documents)
def test_both_readers_come_to_the_same_verdict(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    assert _is_read(text) == _is_valid(text)


def test_the_model_has_the_fields_defaults_and_bounds_of_the_stack() -> None:
    ours = msgspec.json.schema(Policy)["$defs"]["Policy"]["properties"]
    theirs = TargetPolicy.model_json_schema()["properties"]
    assert list(ours) == list(theirs)
    for name, field in ours.items():
        for key in ("minimum", "maximum", "type"):
            assert field.get(key) == theirs[name].get(key), (name, key)
    plain = msgspec.to_builtins(Policy())
    assert {name: _sorted(value) for name, value in plain.items()} == {
        name: _sorted(value) for name, value in TargetPolicy().model_dump().items()
    }


def _sorted(value: object) -> object:
    return sorted(value) if isinstance(value, list | frozenset) else value


def test_the_schemas_file_is_current() -> None:
    """If not: python -m reprise_cli.policy.model > docs/reference/policy.schema.json ."""
    assert (REFERENCE / "policy.schema.json").read_text() == schema_text()


def test_the_reference_has_the_current_table() -> None:
    """If not: python -m reprise_cli.policy.model table, into docs/reference/policy.md ."""
    assert table() in (REFERENCE / "policy.md").read_text()

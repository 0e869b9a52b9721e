from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reprise.capturing.line import write_line
from reprise.capturing.record import Record
from reprise.capturing.wire import decode_record
from reprise.errors import BadRecordError
from reprise_cli.capture_schema import CaptureLine, schema_text
from strategies import KEYS, json_values, make_record, records, texts

SCHEMA_FILE = Path(__file__).parents[3] / "docs" / "reference" / "capture-line.schema.json"


def _is_a_record(document: dict[str, Any]) -> bool:
    try:
        decode_record(document)
    except BadRecordError:
        return False
    return True


def _is_a_line(document: dict[str, Any]) -> bool:
    try:
        CaptureLine.model_validate(document)
    except ValidationError:
        return False
    return True


def _paths(value: object, here: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [here]
    return [here, *(path for key, inner in value.items() for path in _paths(inner, (*here, key)))]


FULL = json.loads(
    write_line(
        make_record(not_after="2026-11-22T00:00:00Z", trace="Root=1-0-0", client_context="e30="),
        KEYS,
    )
)
FULL["reply_to"] = {"webhook": "https://example.com/"}
FULL["payload"]["claim_check"] = {"bucket": "b", "key": "k", "version_id": "v"}
PATHS = [path for path in _paths(FULL) if path]
replacements = st.one_of(
    json_values,
    texts,
    st.sampled_from(
        [
            None,
            True,
            0,
            1,
            1.0,
            -1,
            10**30,
            10**400,
            float("nan"),
            "1",
            "",
            "ERROR",
            "throttled",
            "invocation.captured",
            "2026-11-21T10:00:00Z",
            "2026-11-21T10:00:00",
            "0001-01-01T00:00:00+23:59",
            {},
            [],
            {"bucket": "b", "key": "k"},
            {"key_id": "k1", "value": "v"},
            {"queue": "q", "event": None},
            {"queue": "q", "event": True},
            {"event": False},
        ]
    ),
)
mutations = st.lists(
    st.tuples(st.sampled_from(PATHS), st.sampled_from(["set", "drop", "add"]), replacements),
    max_size=3,
)


def _mutate(document: dict[str, Any], path: tuple[str, ...], how: str, value: object) -> None:
    parent: Any = document
    for step in path[:-1]:
        parent = parent.get(step)
        if not isinstance(parent, dict):
            return
    match how:
        case "set":
            parent[path[-1]] = value
        case "drop":
            parent.pop(path[-1], None)
        case _:
            parent["new"] = value


@settings(max_examples=200)
@given(changes=mutations, way=st.sampled_from(["inline", "claim_check"]))
def test_both_readers_come_to_the_same_verdict(
    changes: list[tuple[tuple[str, ...], str, object]], way: str
) -> None:
    document = json.loads(json.dumps(FULL))
    del document["payload"]["claim_check" if way == "inline" else "inline"]
    for path, how, value in changes:
        _mutate(document, path, how, value)
    assert _is_a_record(document) == _is_a_line(document)


@given(record=records)
def test_the_model_reads_what_is_written(record: Record) -> None:
    document = json.loads(write_line(record, KEYS))
    line = CaptureLine.model_validate(document)
    assert line.model_dump(exclude_unset=True) == document
    assert line.id == record.id


def test_the_model_has_the_records_fields_in_their_order() -> None:
    fields = [field.name for field in msgspec.structs.fields(Record)]
    assert list(CaptureLine.model_fields) == fields


def test_the_schemas_file_is_current() -> None:
    """If not: python -m reprise_cli.capture_schema > docs/reference/capture-line.schema.json ."""
    assert SCHEMA_FILE.read_text() == schema_text()


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        ({}, 0),
        ({"inline": None}, 0),
        ({"inline": "x"}, 1),
        ({"inline": "x", "gzip_base64": None}, 1),
        ({"inline": "x", "gzip_base64": "y"}, 2),
    ],
)
def test_the_schema_counts_the_ways_a_payload_travels(ways: dict[str, Any], expected: int) -> None:
    """Read as JSON Schema's oneOf: the payload is valid where exactly one holds."""
    one_of = json.loads(schema_text())["$defs"]["LinePayload"]["oneOf"]
    holding = [
        rule
        for rule in one_of
        if all(ways.get(name) is not None for name in rule["required"])
        and rule["properties"] == {rule["required"][0]: {"not": {"type": "null"}}}
    ]
    assert len(holding) == expected

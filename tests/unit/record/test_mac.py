from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.errors import BadRecordError, SettingsError
from reprise.record.mac import MacKeys, canonical
from strategies import KEYS, json_values, texts

documents = st.dictionaries(texts.filter(lambda name: name != "mac"), json_values, max_size=5)


def _reason(keys: MacKeys, document: dict[str, Any]) -> str:
    with pytest.raises(BadRecordError) as caught:
        keys.verify(document)
    return caught.value.reason


@given(document=documents)
def test_what_is_signed_is_authentic(document: dict[str, Any]) -> None:
    KEYS.verify(KEYS.sign(document))


@given(document=documents)
def test_a_log_tool_may_reorder_and_respell(document: dict[str, Any]) -> None:
    signed = KEYS.sign(document)
    turned = dict(reversed(list(signed.items())))
    KEYS.verify(json.loads(json.dumps(turned, indent=2, ensure_ascii=False)))


@given(document=documents, name=texts, value=json_values)
def test_any_changed_field_is_detected(document: dict[str, Any], name: str, value: object) -> None:
    signed = KEYS.sign(document)
    altered = {**signed, name: value}
    if name != "mac" and canonical(altered) != canonical(signed):
        assert _reason(KEYS, altered) == "bad_mac"


@given(document=documents)
def test_another_key_signs_otherwise(document: dict[str, Any]) -> None:
    other = MacKeys("k1", {"k1": "another key"})
    assert _reason(other, KEYS.sign(document)) == "bad_mac"


def test_a_key_under_another_name_does_not_verify() -> None:
    both = MacKeys("k1", {"k1": "a key for tests", "k2": "a key for tests"})
    signed = both.sign({"a": 1})
    signed["mac"]["key_id"] = "k2"
    assert _reason(both, signed) == "bad_mac"


def test_two_keys_are_valid_during_a_rotation() -> None:
    rotated = MacKeys("k2", {"k1": "a key for tests", "k2": "new"})
    rotated.verify(KEYS.sign({"a": 1}))
    rotated.verify(rotated.sign({"a": 1}))
    assert rotated.sign({})["mac"]["key_id"] == "k2"


@pytest.mark.parametrize(
    "mac",
    [
        None,
        "k1",
        [],
        {},
        {"key_id": "k1"},
        {"key_id": "k2", "value": ""},
        {"key_id": ["k1"], "value": ""},
        {"key_id": "current", "value": ""},
        {"key_id": "k1", "value": 5},
        {"key_id": "k1", "value": ""},
        {"key_id": "k1", "value": "\ud800é"},
    ],
)
def test_a_malformed_mac_is_a_bad_mac(mac: object) -> None:
    assert _reason(KEYS, {"a": 1, "mac": mac}) == "bad_mac"


def test_an_unsigned_record_is_a_bad_mac() -> None:
    assert _reason(KEYS, {"a": 1}) == "bad_mac"


def test_hex_in_capitals_is_another_value() -> None:
    signed = KEYS.sign({"a": 1})
    signed["mac"]["value"] = signed["mac"]["value"].upper()
    assert _reason(KEYS, signed) == "bad_mac"


def test_a_record_too_deep_to_be_signed_is_a_bad_mac() -> None:
    """A line that anybody can log must not raise what the reader of a whole object does not expect."""
    deep: Any = []
    for _ in range(200_000):
        deep = [deep]
    try:
        assert _reason(KEYS, {"x": deep, "mac": {"key_id": "k1", "value": ""}}) == "bad_mac"
    finally:
        while deep:  # freed level by level: the interpreter's own way recurses
            deep = deep[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "5",
        "null",
        "{}",
        '{"k1": "x"}',
        '{"current": "k1"}',
        '{"current": "k2", "k1": "x"}',
        '{"current": "k1", "k1": ""}',
        '{"current": ["k1"], "k1": "x"}',
        # A key that is no text would be signed with its Python spelling, which anybody can guess.
        '{"current": "k1", "k1": null}',
        '{"current": "k1", "k1": 5}',
        '{"current": "k1", "k1": "x", "k2": {}}',
        '{"current": "k1", "k1": "\\ud800"}',
    ],
)
def test_a_malformed_secret_is_the_deployers_error(text: str) -> None:
    with pytest.raises(SettingsError, match="MAC secret"):
        MacKeys.from_secret(text)


def test_a_secret_names_its_signing_key() -> None:
    keys = MacKeys.from_secret('{"current": "k1", "k1": "a key for tests", "k0": "old"}')
    assert keys.sign({"a": 1}) == KEYS.sign({"a": 1})


@given(text=texts | json_values.map(json.dumps))
def test_any_secret_gives_keys_or_a_settings_error(text: str) -> None:
    try:
        keys = MacKeys.from_secret(text)
    except SettingsError:
        return
    keys.verify(keys.sign({}))

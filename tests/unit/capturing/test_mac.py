from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeKeys
from reprise.capturing.record import Mac
from reprise.capturing.signature import (
    MIN_KEY_LENGTH,
    MacKeys,
    authenticate,
    canonical,
    split_key_id,
)
from reprise.errors import BadRecordError, SettingsError
from strategies import KEY, KEYS, json_values, texts

documents = st.dictionaries(texts.filter(lambda name: name != "mac"), json_values, max_size=5)
OTHER = "another key of enough characters"


def _reason(content: dict[str, Any], mac: Mac | None, keys: MacKeys = KEYS) -> str:
    with pytest.raises(BadRecordError) as caught:
        authenticate(content, mac, FakeKeys(keys))
    return caught.value.reason


@given(content=documents, domain=texts)
def test_what_is_signed_is_authentic(content: dict[str, Any], domain: str) -> None:
    mac = KEYS.sign(content, domain)
    assert authenticate(content, mac, FakeKeys(KEYS), domain) is KEYS


@given(content=documents)
def test_a_log_tool_may_reorder_and_respell(content: dict[str, Any]) -> None:
    turned = dict(reversed(list(content.items())))
    spelt = json.loads(json.dumps(turned, indent=2, ensure_ascii=False))
    KEYS.verify(spelt, KEYS.sign(content))


@given(content=documents, name=texts, value=json_values)
def test_any_changed_field_is_detected(content: dict[str, Any], name: str, value: object) -> None:
    altered = {**content, name: value}
    if name != "mac" and canonical(altered) != canonical(content):
        assert _reason(altered, KEYS.sign(content)) == "bad_mac"


@given(content=documents)
def test_another_key_signs_otherwise(content: dict[str, Any]) -> None:
    other = MacKeys("invoker", "k1", {"k1": OTHER})
    assert _reason(content, KEYS.sign(content), other) == "bad_mac"


@given(content=documents, domain=texts.filter(bool))
def test_what_is_signed_as_one_thing_is_no_other(content: dict[str, Any], domain: str) -> None:
    with pytest.raises(BadRecordError, match="bad_mac"):
        KEYS.verify(content, KEYS.sign(content, domain))


def test_a_key_under_another_name_does_not_verify() -> None:
    both = MacKeys("invoker", "k1", {"k1": KEY, "k2": KEY})
    mac = both.sign({"a": 1})
    assert _reason({"a": 1}, Mac(key_id="invoker/k2", value=mac.value), both) == "bad_mac"


def test_the_same_key_of_another_source_does_not_verify() -> None:
    mac = MacKeys("orders", "k1", {"k1": KEY}).sign({"a": 1})
    assert _reason({"a": 1}, Mac(key_id="invoker/k1", value=mac.value)) == "bad_mac"
    assert _reason({"a": 1}, mac) == "bad_mac"


def test_two_keys_are_valid_during_a_rotation() -> None:
    rotated = MacKeys("invoker", "k2", {"k1": KEY, "k2": OTHER})
    rotated.verify({"a": 1}, KEYS.sign({"a": 1}))
    rotated.verify({"a": 1}, rotated.sign({"a": 1}))
    assert rotated.sign({}).key_id == "invoker/k2"


@pytest.mark.parametrize(
    "mac",
    [
        None,
        Mac(key_id="invoker/k2", value=""),
        Mac(key_id="invoker/current", value=""),
        Mac(key_id="invoker/targets", value=""),
        Mac(key_id="k1", value=""),
        Mac(key_id="", value=""),
        Mac(key_id="/", value=""),
        Mac(key_id="/k1", value=""),
        Mac(key_id="invoker/", value=""),
        Mac(key_id="a/invoker/k1", value=""),
        Mac(key_id="invoker/k1", value=""),
        Mac(key_id="invoker/k1", value="\ud800é"),
    ],
)
def test_a_mac_that_is_none_is_a_bad_mac(mac: Mac | None) -> None:
    assert _reason({"a": 1}, mac) == "bad_mac"


def test_hex_in_capitals_is_another_value() -> None:
    mac = KEYS.sign({"a": 1})
    assert _reason({"a": 1}, Mac(key_id=mac.key_id, value=mac.value.upper())) == "bad_mac"


@pytest.mark.parametrize(
    ("key_id", "parts"),
    [
        ("invoker/k1", ("invoker", "k1")),
        ("k1", ("", "k1")),
        ("a/b/c", ("a/b", "c")),
        ("", ("", "")),
    ],
)
def test_a_key_id_names_its_source(key_id: str, parts: tuple[str, str]) -> None:
    assert split_key_id(key_id) == parts


LONG = "x" * MIN_KEY_LENGTH


@pytest.mark.parametrize(
    "document",
    [
        [],
        5,
        None,
        {},
        {"k1": LONG},
        {"current": "k1"},
        {"current": "k2", "k1": LONG},
        {"current": ["k1"], "k1": LONG},
        # A key that is no text would be signed with its Python spelling, which anybody can guess.
        {"current": "k1", "k1": None},
        {"current": "k1", "k1": 5},
        {"current": "k1", "k1": LONG, "k2": {}},
        {"current": "k1", "k1": "\ud800" * MIN_KEY_LENGTH},
        {"current": "a/b", "a/b": LONG},
        {"current": "k1", "k1": LONG, "": LONG},
        {"current": "k1", "k1": LONG, "targets": "*"},
        {"current": "k1", "k1": LONG, "targets": None},
        {"current": "k1", "k1": LONG, "targets": [5]},
    ],
)
def test_a_malformed_document_is_refused_and_names_its_source(document: object) -> None:
    with pytest.raises(SettingsError, match="source 'orders'"):
        MacKeys.from_secret(json.dumps(document), "orders")


@pytest.mark.parametrize("text", ["", "not json", "{", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="must be JSON"):
        MacKeys.from_secret(text, "orders")


@pytest.mark.parametrize("key", ["", "x" * (MIN_KEY_LENGTH - 1)])
@pytest.mark.parametrize("name", ["k1", "k0"])
def test_an_emptied_or_short_key_signs_and_verifies_nothing(name: str, key: str) -> None:
    """Not even beside a good one: whoever blanked it meant it to be gone."""
    document = {"current": "k1", "k1": LONG} | {name: key}
    with pytest.raises(SettingsError, match=f"'{name}' has {len(key)} characters"):
        MacKeys.from_secret(json.dumps(document), "orders")


def test_a_document_names_its_signing_key_and_its_targets() -> None:
    text = json.dumps({"current": "k1", "k1": KEY, "k0": OTHER, "targets": ["arn:a", "arn:b*"]})
    keys = MacKeys.from_secret(text, "invoker")
    assert keys.sign({"a": 1}) == KEYS.sign({"a": 1})
    assert keys.targets == ("arn:a", "arn:b*")


def test_a_document_without_targets_signs_for_none() -> None:
    assert MacKeys.from_secret(json.dumps({"current": "k1", "k1": KEY}), "orders").targets == ()


def test_the_one_secret_of_0_1_0_signs_for_all() -> None:
    keys = MacKeys.from_secret(json.dumps({"current": "k1", "k1": KEY}), "")
    assert keys.targets == ("arn:*",)
    assert keys.sign({}).key_id == "k1"


@given(text=texts | json_values.map(json.dumps))
def test_any_secret_gives_keys_or_a_settings_error(text: str) -> None:
    try:
        keys = MacKeys.from_secret(text, "orders")
    except SettingsError:
        return
    keys.verify({}, keys.sign({}))

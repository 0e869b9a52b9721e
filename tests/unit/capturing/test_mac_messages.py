"""What is said of a MAC or a key document that is refused, and whose word the pipeline takes for its own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from doubles import FakeKeys
from reprise.capturing.record import Mac
from reprise.capturing.signature import (
    PIPELINE,
    MacKeys,
    authenticate,
    authenticate_own,
    canonical,
)
from reprise.errors import BadRecordError, SettingsError
from strategies import KEY, KEYS, PIPELINE_KEYS, json_values, texts

KEYRING = FakeKeys(PIPELINE_KEYS, (KEYS,))
CONTENT = {"a": 1}
EXAMPLE = '{"current": "k1", "k1": "<key>", "targets": ["<ARN>"]}'
ORDERS = "key document of source 'orders'"
OLD = "the MAC secret of 0.1.0"


def _refusal(mac: Mac | None, domain: str = "") -> str:
    with pytest.raises(BadRecordError) as caught:
        authenticate(CONTENT, mac, KEYRING, domain)
    assert caught.value.reason == "bad_mac"
    return str(caught.value)


@pytest.mark.parametrize("domain", ["", "message"])
def test_the_pipeline_takes_its_own_word_and_no_other_sources(domain: str) -> None:
    assert PIPELINE_KEYS.source == PIPELINE
    authenticate_own(CONTENT, PIPELINE_KEYS.sign(CONTENT, domain), KEYRING, domain)
    with pytest.raises(BadRecordError) as caught:
        authenticate_own(CONTENT, KEYS.sign(CONTENT, domain), KEYRING, domain)
    assert caught.value.reason == "bad_mac"
    assert str(caught.value) == "bad_mac: signed by source 'invoker', not by the pipeline"


def test_the_pipelines_own_word_is_of_one_kind_and_unaltered() -> None:
    mac = PIPELINE_KEYS.sign(CONTENT, "message")
    for content, domain in [(CONTENT, "letter"), ({"a": 2}, "message")]:
        with pytest.raises(BadRecordError, match=r"^bad_mac: the mac does not match the content$"):
            authenticate_own(content, mac, KEYRING, domain)
    with pytest.raises(BadRecordError, match=r"^bad_mac: there is no mac$"):
        authenticate_own(CONTENT, None, KEYRING, "message")


def test_a_refusal_says_what_is_wrong_with_the_mac() -> None:
    assert _refusal(None) == "bad_mac: there is no mac"
    assert _refusal(KEYS.sign({})) == "bad_mac: the mac does not match the content"
    with pytest.raises(BadRecordError) as caught:
        KEYS.verify(CONTENT, Mac(key_id="invoker/k9", value=""))
    assert str(caught.value) == (
        "bad_mac: signed by 'invoker/k9', and key document of source 'invoker' holds no such key"
    )


@pytest.mark.parametrize(("source", "about"), [("orders", ORDERS), ("", OLD)])
@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"k2": KEY}, " names 'k1' as current key, but holds no such key"),
        ({"k1": KEY, "a/b": KEY}, ": key name 'a/b' is not 1 to 64 characters without a slash"),
        (
            {"k1": "short"},
            ": key 'k1' has 5 characters, and needs 32: remove it, or make a longer one",
        ),
    ],
)
def test_keys_that_are_none_name_their_source_and_the_next_step(
    source: str, about: str, keys: dict[str, str], what: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        MacKeys(source, "k1", keys)
    assert str(caught.value) == about + what


@pytest.mark.parametrize(("source", "about"), [("orders", ORDERS), ("", OLD)])
def test_a_document_that_is_none_names_its_source_and_shows_one(source: str, about: str) -> None:
    with pytest.raises(SettingsError) as caught:
        MacKeys.from_secret("[]", source)
    assert str(caught.value) == f"{about} must be JSON like {EXAMPLE}"


@given(value=json_values, name=texts)
def test_the_canonical_form_is_the_json_of_sorted_names_without_blanks_in_ascii(
    value: object, name: str
) -> None:
    content = {"z": value, name: value}
    text = canonical(content).decode("ascii")
    assert json.loads(text) == content
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))

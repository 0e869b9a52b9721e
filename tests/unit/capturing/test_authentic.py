"""Which records are believed: every field of theirs is covered, and nothing that a log tool adds."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeKeys
from reprise.call.target_type import FUNCTION
from reprise.capturing.line import (
    Verifier,
    check_record,
    may_sign,
    read_line,
    sign_record,
    write_line,
)
from reprise.capturing.record import Mac, Record, Source
from reprise.capturing.signature import MacKeys
from reprise.errors import BadRecordError
from reprise_batch.target_type import BATCH
from strategies import (
    ARN_PREFIX,
    KEY,
    KEYRING,
    KEYS,
    ORDERS,
    PIPELINE_KEYS,
    TRUSTED,
    json_values,
    make_record,
    records,
    signed,
    texts,
)

NIGHTLY = "arn:aws:batch:eu-west-1:123456789012:job-definition/nightly"
OLD_LINES = (
    (Path(__file__).parents[2] / "events" / "capture-lines-0.1.0.jsonl").read_text().splitlines()
)
OLD_KEY = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01"
OLD = Verifier(
    keys=FakeKeys(MacKeys("", "k1", {"k1": OLD_KEY}, ("arn:*",))),
    targets=(ORDERS, NIGHTLY),
    types=(FUNCTION, BATCH),
)
FULL = write_line(
    make_record(
        not_after="2026-11-22T00:00:00Z",
        client_context="e30=",
        trace="Root=1",
        edits="0" * 64,
    ),
    KEYS,
)


def _reason(record: Record, keyring: FakeKeys = KEYRING) -> str | None:
    try:
        check_record(record, keyring)
    except BadRecordError as error:
        return error.reason
    return None


def _leaves(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [path]
    return [leaf for name, inner in value.items() for leaf in _leaves(inner, (*path, name))]


@given(record=records)
def test_what_a_source_signs_is_authentic_whatever_mac_the_record_bore(record: Record) -> None:
    bore = msgspec.structs.replace(record, mac=Mac(key_id="k9", value="old"))
    assert sign_record(bore, KEYS) == sign_record(record, KEYS)
    assert _reason(sign_record(bore, KEYS)) is None


@pytest.mark.parametrize("line", OLD_LINES, ids=[json.loads(line)["id"] for line in OLD_LINES])
def test_a_line_of_0_1_0_is_still_authentic(line: str) -> None:
    record = read_line(line, OLD)
    assert record is not None
    assert json.loads(line) == msgspec.to_builtins(record)
    altered = line.replace('"size_bytes":', '"size_bytes":1')
    with pytest.raises(BadRecordError, match="bad_mac"):
        read_line(altered, OLD)


@pytest.mark.parametrize("name", ["pipeline", "operator", "orders"])
def test_the_key_of_0_1_0_signs_in_no_name_that_0_1_0_did_not_have(name: str) -> None:
    old = MacKeys("", "k1", {"k1": OLD_KEY}, ("arn:*",))
    record = make_record(source=Source(name=name, version="1"))
    assert _reason(signed(record, old), FakeKeys(old)) == "bad_mac"


@given(
    added=st.dictionaries(
        texts.filter(lambda name: name not in {*Record.__struct_fields__}), json_values, max_size=3
    )
)
def test_what_a_log_tool_adds_to_a_line_changes_nothing(added: dict[str, Any]) -> None:
    """Timestamps, hosts, regions: services that forward logs add them at will."""
    line = json.dumps({**added, **json.loads(FULL), **added})
    assert read_line(line, TRUSTED) == read_line(FULL, TRUSTED)


@given(leaf=st.sampled_from(_leaves(json.loads(FULL))), value=json_values | texts)
def test_any_changed_field_however_deep_is_refused(leaf: tuple[str, ...], value: object) -> None:
    document = json.loads(FULL)
    parent = document
    for name in leaf[:-1]:
        parent = parent[name]
    before = parent[leaf[-1]]
    parent[leaf[-1]] = value
    if before == value and type(before) is type(value):
        return
    with suppress(BadRecordError):
        assert read_line(json.dumps(document), TRUSTED) is None, "no event of ours any more"


def test_a_left_out_null_is_the_same_record() -> None:
    document = json.loads(write_line(make_record(), KEYS))
    assert document["trace"] is None
    del document["trace"]
    assert read_line(json.dumps(document), TRUSTED) == signed()


@pytest.mark.parametrize(
    "tail",
    [
        f',"target":{{"function":"{ORDERS}s","qualifier":null,"tenant_id":null}}}}',
        f',"\\u0074arget":{{"function":"{ORDERS}s","qualifier":null,"tenant_id":null}}}}',
        ',"mac":{"key_id":"invoker/k1","value":"0"}}',
        ',"mac":null}',
    ],
)
def test_a_key_that_stands_there_twice_is_refused(tail: str) -> None:
    with pytest.raises(BadRecordError, match="bad_mac"):
        read_line(FULL[:-1] + tail, TRUSTED)


def test_a_source_signs_in_its_own_name_only() -> None:
    library = MacKeys("shop-library", "k1", {"k1": KEY}, ("*",))
    keyring = FakeKeys(library, (KEYS, PIPELINE_KEYS))
    for name in ("invoker", "pipeline", "operator", "decorator", ""):
        forged = signed(make_record(source=Source(name=name, version="1")), library)
        assert _reason(forged, keyring) == "bad_mac"
    own = make_record(source=Source(name="shop-library", version="1"))
    assert _reason(signed(own, library), keyring) is None


@pytest.mark.parametrize(
    ("targets", "target", "is_allowed"),
    [
        (("*",), ORDERS, True),
        (("*",), NIGHTLY, False),
        ((ORDERS,), ORDERS, True),
        ((ORDERS,), f"{ORDERS}2", False),
        ((f"{ORDERS}*",), f"{ORDERS}2", True),
        ((f"{ARN_PREFIX}mail",), ORDERS, False),
        (("arn:aws:batch:*",), NIGHTLY, True),
        (("arn:aws:batch:*",), ORDERS, False),
        (("*", NIGHTLY), NIGHTLY, True),
        ((), ORDERS, False),
        (("",), ORDERS, False),
    ],
)
def test_a_source_signs_for_its_own_targets_only(
    targets: tuple[str, ...],
    target: str,
    is_allowed: bool,
) -> None:
    keys = MacKeys("invoker", "k1", {"k1": KEY}, targets)
    assert may_sign(keys, target) is is_allowed


def test_a_record_for_another_target_than_its_source_may_sign_for_is_refused() -> None:
    mail = MacKeys("invoker", "k1", {"k1": KEY}, (f"{ARN_PREFIX}mail",))
    assert _reason(signed(make_record(), mail), FakeKeys(mail)) == "target_not_allowed"


def test_no_line_is_believed_whose_source_is_not_known() -> None:
    stranger = MacKeys("stranger", "k1", {"k1": KEY}, ("*",))
    record = make_record(source=Source(name="stranger", version="1"))
    assert _reason(signed(record, stranger)) == "bad_mac"
    assert _reason(make_record()) == "bad_mac"

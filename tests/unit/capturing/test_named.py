from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeKeys
from reprise.call.target import Target, id_of
from reprise.capturing.line import Verifier, check_id, read_line, write_line
from reprise.capturing.record import Record, Source
from reprise.capturing.signature import MacKeys
from reprise.errors import BadRecordError
from strategies import (
    ARN_PREFIX,
    KEY,
    ORDERS,
    PIPELINE_KEYS,
    TRUSTED,
    keyed,
    keys,
    make_record,
    records,
)

KEYED = keyed(make_record(), "order-1", "shop")
UUID = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(record=records)
def test_what_our_writers_write_is_named_right(record: Record) -> None:
    check_id(record)


def test_a_line_that_names_another_sources_call_is_refused() -> None:
    """A library user or a decorated target signs lines too, and knows how ids are made."""
    theirs = msgspec.structs.replace(KEYED, source=Source(name="library", version="0.1.0"))
    library = MacKeys("library", "k1", {"k1": KEY}, ("*",))
    trusted = Verifier(keys=FakeKeys(PIPELINE_KEYS, (library,)), targets=TRUSTED.targets)
    with pytest.raises(BadRecordError) as caught:
        read_line(write_line(theirs, library), trusted)
    assert caught.value.reason == "id_mismatch"


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "orders:order-1"},
        {"id": UUID},
        {"idempotency_key": "order-2"},
        {"idempotency_key": None},
        {"idempotency_key": None, "scope": None},
        {"scope": "other"},
        {"scope": None},
        {"target": Target(function=f"{ARN_PREFIX}mail")},
        {"target": Target(function=ORDERS, qualifier="live")},
        {"target": Target(function=ORDERS, tenant_id="a")},
        {"source": Source(name="runner", version="0.1.0")},
    ],
    ids=str,
)
def test_an_id_that_is_not_made_of_its_record_is_a_mismatch(changes: dict[str, Any]) -> None:
    check_id(KEYED)
    with pytest.raises(BadRecordError) as caught:
        check_id(msgspec.structs.replace(KEYED, **changes))
    assert caught.value.reason == "id_mismatch"


@pytest.mark.parametrize("name", ["", "a b", "\x1b]52;", "é", "k" * 257])
@pytest.mark.parametrize("field", ["key", "scope"])
def test_a_name_that_no_request_could_have_is_a_mismatch(field: str, name: str) -> None:
    names = {"key": "order-1", "scope": "shop"} | {field: name}
    with pytest.raises(BadRecordError, match="id_mismatch"):
        check_id(keyed(make_record(), **names))


def test_a_line_without_key_may_spell_no_id_of_a_call_with_one() -> None:
    target = Target(function=ORDERS)
    taken = id_of(target, source="invoker", scope=None, key="order-1")
    with pytest.raises(BadRecordError, match="id_mismatch"):
        check_id(make_record(id=taken))


def test_a_line_of_the_first_version_keeps_its_id() -> None:
    check_id(make_record(id="orders:order-1"))
    check_id(make_record(id=UUID))
    with pytest.raises(BadRecordError, match="id_mismatch"):
        check_id(make_record(id="mail:order-1"))


@given(record=records, key=keys, scope=st.none() | keys)
def test_a_record_has_one_id_for_a_key(record: Record, key: str, scope: str | None) -> None:
    named = keyed(record, key, scope)
    assert keyed(named, key, scope) == named
    check_id(named)

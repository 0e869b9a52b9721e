from __future__ import annotations

import hashlib
import uuid

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reprise.call.target import (
    RANDOM_BYTES,
    Target,
    check_name,
    conflict_id,
    id_of,
    is_id_without_key,
    new_call_id,
)
from reprise.errors import BadRequestError
from strategies import ORDERS, function_names, keys, random_ids, targets

random_bytes = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
instants_ms = st.integers(0, 2**48 - 1)


def test_the_example_of_the_rfc_comes_out() -> None:
    """RFC 9562, appendix A.6: 2022-02-22T19:22:22Z, rand_a CC3, rand_b 18C4DC0C0C07398F."""
    # Our bits: 48 of time, 4 of version (any), 12 of rand_a, 2 of variant (any), 62 of rand_b.
    random = bytes.fromhex("0cc3" + "18c4dc0c0c07398f")
    assert new_call_id(0x017F22E279B0, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(now_ms=instants_ms, random=random_bytes)
def test_an_id_is_a_uuid_of_version_7_that_holds_its_instant(now_ms: int, random: bytes) -> None:
    value = uuid.UUID(new_call_id(now_ms, random))
    assert (value.version, value.variant) == (7, uuid.RFC_4122)
    assert value.int >> 80 == now_ms


@given(now_ms=instants_ms, first=random_bytes, second=random_bytes)
def test_ids_of_one_instant_differ_by_their_random_bits(
    now_ms: int, first: bytes, second: bytes
) -> None:
    mask = ~(0xF << 76 | 0x3 << 62)
    differ = int.from_bytes(first) & mask != int.from_bytes(second) & mask
    assert (new_call_id(now_ms, first) != new_call_id(now_ms, second)) == differ


@given(earlier=instants_ms, later=instants_ms, first=random_bytes, second=random_bytes)
def test_ids_sort_by_time(earlier: int, later: int, first: bytes, second: bytes) -> None:
    if earlier < later:
        assert new_call_id(earlier, first) < new_call_id(later, second)


@pytest.mark.parametrize("now_ms", [-1, 2**48])
def test_an_instant_out_of_range_is_refused(now_ms: int) -> None:
    with pytest.raises(ValueError, match="now_ms"):
        new_call_id(now_ms, bytes(RANDOM_BYTES))


@pytest.mark.parametrize("length", [0, 9, 11])
def test_too_few_or_too_many_random_bytes_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="random_bytes"):
        new_call_id(0, bytes(length))


TARGET = Target(function=ORDERS)
names = st.tuples(
    targets, st.sampled_from(["invoker", "library", "runner"]), st.none() | keys, keys
)
"""Everything that makes a call with a key that call."""


def _id(name: tuple[Target, str, str | None, str]) -> str:
    target, source, scope, key = name
    return id_of(target, source=source, scope=scope, key=key)


def _whole(name: tuple[Target, str, str | None, str]) -> tuple[object, ...]:
    target, *rest = name
    return (target.function, target.qualifier or "$LATEST", target.tenant_id, *rest)


def test_an_id_begins_with_what_people_look_for() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
    text = f'["{arn}", "$LATEST", null, "invoker", null, "order-1"]'
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    call_id = id_of(Target(function=arn), source="invoker", scope=None, key="order-1")
    assert call_id == f"orders:order-1~{digest}"


@given(first=names, second=names)
def test_two_calls_never_share_an_id(
    first: tuple[Target, str, str | None, str], second: tuple[Target, str, str | None, str]
) -> None:
    assert (_id(first) == _id(second)) == (_whole(first) == _whole(second))


@given(
    name=names,
    part=st.sampled_from(["function", "qualifier", "tenant", "source", "scope", "key"]),
    drawn=keys,
)
def test_a_change_of_any_part_is_another_call(
    name: tuple[Target, str, str | None, str], part: str, drawn: str
) -> None:
    target, source, scope, key = name
    changed = {
        "function": (Target(function=f"{ORDERS}{drawn}"), source, scope, key),
        "qualifier": (msgspec.structs.replace(target, qualifier=drawn), source, scope, key),
        "tenant": (msgspec.structs.replace(target, tenant_id=drawn), source, scope, key),
        "source": (target, drawn, scope, key),
        "scope": (target, source, drawn, key),
        "key": (target, source, scope, drawn),
    }[part]
    assume(_whole(changed) != _whole(name))
    assert _id(changed) != _id(name)


def test_no_qualifier_and_latest_are_one_call() -> None:
    latest = Target(function=ORDERS, qualifier="$LATEST")
    assert _id((latest, "invoker", None, "k")) == _id((TARGET, "invoker", None, "k"))


@given(name=names, payload=st.binary(max_size=8))
def test_ids_of_the_three_forms_are_never_taken_for_one_another(
    name: tuple[Target, str, str | None, str], payload: bytes
) -> None:
    call_id, function_name = _id(name), name[0].name
    conflict = conflict_id(call_id, hashlib.sha256(payload).hexdigest())
    for spelled in (call_id, conflict):
        assert not is_id_without_key(spelled, function_name)
        with pytest.raises(ValueError, match="badly formed"):
            uuid.UUID(spelled)
    assert call_id != conflict


@pytest.mark.parametrize("name", ["gate#x", "book#x", "job#x", "observer#x"])
def test_no_id_names_an_item_of_the_ledgers_table_that_is_no_call(name: str) -> None:
    """Gates, books, jobs and the observer live in the ledger's table, under ids with a hash sign first."""
    call_id = id_of(
        Target(function="gate"), source="invoker", scope=None, key=name.partition("#")[2]
    )
    assert not call_id.startswith(name.partition("#")[0] + "#")


def test_no_key_names_a_failed_batch_job() -> None:
    """Those are `batch:<job id>`, and a function may be called batch."""
    job_id = "11111111-1111-1111-1111-111111111111"
    call_id = id_of(Target(function="batch"), source="invoker", scope=None, key=job_id)
    assert call_id != f"batch:{job_id}"


@given(call_id=random_ids, function_name=function_names)
def test_a_random_id_says_nothing_of_a_key(call_id: str, function_name: str) -> None:
    assert is_id_without_key(call_id, function_name)


@pytest.mark.parametrize(
    ("call_id", "is_right"),
    [
        ("orders:order-1", True),
        ("orders:a:b~c", True),
        ("mail:order-1", False),
        ("orders", False),
        ("orders:", False),
        ("orders:a b", False),
        (f"orders:order-1~{'0' * 32}", False),
        (f"orders:order-1~{'0' * 32}!{'0' * 16}", False),
        (f"orders:order-1~{'0' * 32}\n", False),
        ("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", False),
        ("017f22e2-79b0-4cc3-98c4-dc0c0c07398f", False),
        ("", False),
    ],
)
def test_an_id_of_the_first_version_is_taken_as_long_as_it_spells_none_of_todays(
    call_id: str,
    is_right: bool,
) -> None:
    assert is_id_without_key(call_id, "orders") is is_right


@pytest.mark.parametrize("text", ["", " ", "a b", "a\n", "é", "a" * 257, "\ud800", "\x7f"])
def test_a_name_that_is_no_printable_ascii_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        check_name("Scope", text)
    assert caught.value.field == "Scope"

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.id import RANDOM_BYTES, call_id_from_key, new_call_id
from reprise.errors import BadRequestError
from strategies import function_names

random_bytes = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
instants_ms = st.integers(0, 2**48 - 1)
keys = st.from_regex(r"[!-~]{1,256}", fullmatch=True)


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


@given(
    first=st.tuples(function_names, keys),
    second=st.tuples(function_names, keys),
)
def test_two_effects_never_share_an_id(first: tuple[str, str], second: tuple[str, str]) -> None:
    assert (call_id_from_key(*first) == call_id_from_key(*second)) == (first == second)


@pytest.mark.parametrize("key", ["", " ", "a b", "a\n", "é", "a" * 257, "\ud800", "\x7f"])
def test_a_key_that_is_no_printable_ascii_is_refused(key: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        call_id_from_key("orders", key)
    assert caught.value.field == "IdempotencyKey"


def test_no_id_names_a_gate() -> None:
    """Gates live in the ledger's table, under ids that begin with `gate#`."""
    assert not call_id_from_key("gate", "#arn").startswith("gate#")

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.aws.sqs import MAX_BATCH_BYTES, MAX_ENTRIES, batches

MIB = 1024 * 1024


@given(sizes=st.lists(st.integers(0, MIB) | st.integers(MIB, 2 * MIB), max_size=60))
def test_batches_hold_everything_in_order_and_each_fits(sizes: list[int]) -> None:
    found = list(batches(sizes))
    assert [index for batch in found for index in batch] == list(range(len(sizes)))
    for batch in found:
        assert 1 <= len(batch) <= MAX_ENTRIES
        assert len(batch) == 1 or sum(sizes[index] for index in batch) <= MAX_BATCH_BYTES


@given(sizes=st.lists(st.integers(0, MIB), max_size=60))
def test_no_batch_is_cut_early(sizes: list[int]) -> None:
    found = list(batches(sizes))
    for batch, following in pairwise(found):
        total = sum(sizes[index] for index in batch) + sizes[following[0]]
        assert len(batch) == MAX_ENTRIES or total > MAX_BATCH_BYTES


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([1] * 10, [range(10)]),
        ([1] * 11, [range(10), range(10, 11)]),
        ([MIB], [range(1)]),
        ([MIB - 1, 1, 1], [range(2), range(2, 3)]),
        ([2 * MIB, 1], [range(1), range(1, 2)]),
        ([1, 2 * MIB], [range(1), range(1, 2)]),
    ],
)
def test_a_batch_ends_at_ten_or_at_one_mebibyte(sizes: list[int], expected: list[range]) -> None:
    assert list(batches(sizes)) == expected

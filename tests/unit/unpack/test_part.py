"""Sorting by target: nothing is lost, order stays, and parts depend on the content alone."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from backlog_entries import entry
from reprise.unpack.validate import MAX_BYTES, MAX_OPEN_BYTES, MAX_RECORDS, Partitioner, TargetBatch

targets = st.sampled_from(["orders", "mail", "bills"])
lengths = st.integers(min_value=1, max_value=3 * MAX_BYTES // 2)


def sort(content: list[tuple[str, int]]) -> list[TargetBatch]:
    sorter = Partitioner()
    parts: list[TargetBatch] = []
    for position, (name, length) in enumerate(content):
        parts += sorter.add(entry(position, name, length))
    parts += sorter.rest()
    assert sorter.rest() == []
    return parts


@given(st.lists(st.tuples(targets, lengths), max_size=60))
def test_every_record_is_in_one_part_of_its_own_target_in_order(
    content: list[tuple[str, int]],
) -> None:
    parts = sort(content)

    found = sorted(entry.position for part in parts for entry in part.entries)
    assert found == list(range(len(content)))
    for part in parts:
        positions = [entry.position for entry in part.entries]
        assert positions == sorted(positions)
        assert part.start == positions[0]
        assert {entry.record.target.function for entry in part.entries} == {part.function}
        assert part.size_bytes == sum(len(entry.event.message) for entry in part.entries)
        assert part.size_bytes <= MAX_BYTES or len(part.entries) == 1


@given(st.lists(st.tuples(targets, lengths), max_size=40))
def test_same_object_gives_the_same_parts(content: list[tuple[str, int]]) -> None:
    assert sort(content) == sort(content)


def test_a_part_holds_a_thousand_records() -> None:
    parts = sort([("orders", 10)] * (2 * MAX_RECORDS + 1))
    assert [len(part.entries) for part in parts] == [MAX_RECORDS, MAX_RECORDS, 1]


def test_an_object_of_one_full_part_is_known_to_be_just_one() -> None:
    sorter = Partitioner()
    for position in range(MAX_RECORDS):
        assert list(sorter.add(entry(position))) == []
    assert (sorter.closed, len(sorter.rest())) == (0, 1)


def test_many_targets_together_keep_to_the_bound_of_memory() -> None:
    sorter = Partitioner()
    opened = most = 0
    for position in range(200):
        length = 3 * 1024 * 1024 + position
        opened += length
        opened -= sum(
            part.size_bytes for part in sorter.add(entry(position, f"t{position}", length))
        )
        most = max(most, opened)
    assert most < MAX_OPEN_BYTES
    assert most > MAX_OPEN_BYTES / 2


def test_a_part_without_its_first_records_is_named_by_the_next() -> None:
    (part,) = sort([("orders", 5)] * 4)
    rest = part.after(3)
    assert (rest.start, rest.size_bytes, rest.function) == (3, 5, part.function)
    assert part.after(4).entries == []
    assert len(list(groupby(part.entries))) == 4

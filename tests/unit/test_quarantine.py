"""What is kept of what cannot be read: all of it at first, then its places; nothing hides anything."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import FakeMeter, InMemoryObjects
from harness import Pipeline, call
from reprise import metric
from reprise.errors import StoreError
from reprise.quarantine import ALWAYS_KEPT, MAX_KEPT_BYTES, Quarantine

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = "s3://bucket/captured/x"


def entries(objects: InMemoryObjects) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for key in sorted(objects.kept)
        for line in objects.kept[key].decode().splitlines()
    ]


def keep(junk: Sequence[tuple[int, str, bytes]]) -> tuple[InMemoryObjects, FakeMeter]:
    objects, meter = InMemoryObjects(), FakeMeter()
    quarantine = Quarantine(SOURCE, objects, meter)
    for position, reason, data in junk:
        quarantine.add(position, reason, "why", data)
    quarantine.flush()
    assert quarantine.count == len(junk)
    return objects, meter


def test_flood_of_one_reason_is_cut_and_the_places_of_the_rest_are_told() -> None:
    junk = [(position, "bad_mac", b"x" * 50_000) for position in range(500)]
    objects, meter = keep(junk)

    found = entries(objects)
    assert sum(map(len, objects.kept.values())) < 2 * MAX_KEPT_BYTES
    *kept, rest = found
    assert [entry["position"] for entry in kept] == list(range(len(kept)))
    assert all(base64.b64decode(entry["data_base64"]) == b"x" * 50_000 for entry in kept)
    assert (rest["source"], rest["reason"]) == (SOURCE, "bad_mac")
    assert (rest["position"], rest["last_position"]) == (len(kept), 499)
    assert (rest["left_out"], rest["data_base64"]) == (500 - len(kept), "")
    assert meter.counts[metric.QUARANTINED] == 500


def test_flood_of_one_reason_does_not_hide_an_entry_of_another() -> None:
    junk = [(position, "bad_mac", b"x" * 50_000) for position in range(500)]
    objects, _ = keep([*junk[:400], (1000, "truncated", b"genuine"), *junk[400:]])

    (name,) = [key for key in objects.kept if key.endswith("-truncated.jsonl")]
    (entry,) = map(json.loads, objects.kept[name].splitlines())
    assert (entry["position"], base64.b64decode(entry["data_base64"])) == (1000, b"genuine")


def test_the_first_entries_are_kept_whole_whatever_their_size() -> None:
    data = b"x" * MAX_KEPT_BYTES
    objects, _ = keep([(number, "damaged", data) for number in range(ALWAYS_KEPT + 2)])
    *kept, rest = entries(objects)
    assert [entry["position"] for entry in kept] == list(range(ALWAYS_KEPT))
    assert all(base64.b64decode(entry["data_base64"]) == data for entry in kept)
    assert rest["left_out"] == 2


@given(
    st.lists(
        st.tuples(st.sampled_from(["bad_mac", "damaged"]), st.sampled_from([0, 10, 200_000])),
        max_size=40,
    )
)
def test_every_entry_is_kept_or_its_place_told_and_all_are_counted(
    sizes: list[tuple[str, int]],
) -> None:
    junk = [(number, reason, b"x" * size) for number, (reason, size) in enumerate(sizes)]
    objects, meter = keep(junk)

    found = entries(objects)
    told = Counter[str]()
    for entry in found:
        told[entry["reason"]] += entry.get("left_out", 1)
    assert told == Counter(reason for reason, _ in sizes)
    assert meter.counts[metric.QUARANTINED] == len(sizes)
    for entry in found:
        if "left_out" in entry:
            spanned = range(entry["position"], entry["last_position"] + 1)
            inside = [number for number, reason, _ in junk if reason == entry["reason"]]
            assert sum(number in spanned for number in inside) == entry["left_out"]
    assert keep(junk)[0].kept == objects.kept


def test_part_that_cannot_be_written_is_kept_for_the_next_try() -> None:
    objects, meter = InMemoryObjects(), FakeMeter()
    quarantine = Quarantine(SOURCE, objects, meter)
    quarantine.add(1, "bad_mac", "why", b"1")
    quarantine.add(2, "damaged", "why", b"2")
    objects.faults.fail("put")
    with pytest.raises(StoreError):
        quarantine.flush()
    quarantine.flush()
    assert [entry["position"] for entry in entries(objects)] == [1, 2]
    assert meter.counts[metric.QUARANTINED] == 2


def test_object_full_of_junk_still_gives_its_genuine_calls_and_keeps_little_of_the_junk() -> None:
    pipeline = Pipeline()
    pipeline.capture(call(b"1"), call(b"2"))
    forged = pipeline.lines[1].replace('"inline":"2"', '"inline":"' + "y" * 50_000 + '"')
    body = pipeline.store(lines=[*[forged] * 200, *pipeline.lines])

    assert pipeline.take_in(body) == []

    assert len(pipeline.take_sent()) == 2
    kept = {
        key: data for key, data in pipeline.objects.kept.items() if key.startswith("quarantine/")
    }
    assert sum(map(len, kept.values())) < 2 * MAX_KEPT_BYTES
    assert pipeline.meter.counts[metric.QUARANTINED] == 200

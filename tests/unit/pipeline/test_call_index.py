"""Calls are listed in pages of the bucket before the ledger knows them, once, in a hold as ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MAIL, Pipeline, call, hold
from reprise.call_index import PREFIX, IndexEntry, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator


def listed(pipeline: Pipeline) -> Iterator[IndexEntry]:
    for key, data in pipeline.objects.kept.items():
        if key.startswith(PREFIX):
            yield from read_page(data).calls


def test_every_call_of_an_object_is_listed_whatever_its_gate_does() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    ids = pipeline.capture(*(call(b"%d" % n) for n in range(250)), call(function=MAIL, key="k"))
    assert pipeline.take_in(pipeline.store()) == []
    assert sorted(entry.id for entry in listed(pipeline)) == sorted(ids)
    assert set(pipeline.ledger.rows) == set(ids)


def test_an_object_that_comes_twice_is_listed_once() -> None:
    pipeline = Pipeline()
    pipeline.capture(call(), call(b"2"))
    body = pipeline.store()
    pipeline.take_in(body, body)
    assert len(list(listed(pipeline))) == 2


def test_calls_whose_page_cannot_be_written_come_again_and_are_in_no_ledger_before() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    body = pipeline.store()
    pipeline.objects.faults.fail("put")
    assert pipeline.take_in(body) != []
    assert pipeline.ledger.rows == {}
    assert pipeline.take_in(body) == []
    assert len(list(listed(pipeline))) == len(pipeline.ledger.rows) == 1

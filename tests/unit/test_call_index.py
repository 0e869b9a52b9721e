"""Pages that list calls: nothing of a payload, one place for the same calls, and bytes that read back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call_index import (
    MAX_MESSAGE_CHARS,
    PREFIX,
    entry_of,
    key_at,
    page_key,
    page_of,
    read_page,
    write_page,
)
from reprise.errors import BadRecordError
from strategies import make_record

URL = "s3://bucket/captured/2026/11/21/10/object.gz"


@given(messages=st.lists(st.text(), min_size=1, max_size=5))
def test_a_page_reads_back_as_it_was_written(messages: list[str]) -> None:
    records = [
        make_record(
            id=f"call-{n}", outcome=Outcome(kind=OutcomeKind.FUNCTION_ERROR, message=message)
        )
        for n, message in enumerate(messages)
    ]
    page = page_of(records, URL)
    assert read_page(write_page(page)) == page
    assert all(len(entry.message) <= MAX_MESSAGE_CHARS for entry in page.calls)


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_page_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(BadRecordError, match="invalid_page"):
        read_page(data)


def test_the_same_calls_have_the_same_page_and_others_another() -> None:
    first, second = make_record(id="call-1"), make_record(id="call-2")
    assert page_key(page_of([first], URL)) == page_key(page_of([first], URL))
    assert write_page(page_of([first], URL)) == write_page(page_of([first], URL))
    keys = {page_key(page_of([first], URL)), page_key(page_of([second], URL))}
    assert len(keys | {page_key(page_of([first], f"{URL}2"))}) == 3


def test_a_page_s_key_tells_when_its_youngest_call_was_captured() -> None:
    older = make_record(captured_at="2026-11-21T10:00:00.000001Z")
    younger = make_record(captured_at="2026-11-21T11:00:00+00:30")
    key = page_key(page_of([older, younger], URL))
    assert key_at(key) == "2026-11-21T10:30:00.000000Z"
    assert key_at(f"{PREFIX}something else") == ""


def test_an_entry_says_why_and_by_whom_and_nothing_of_the_payload() -> None:
    record = make_record()
    entry = entry_of(record)
    assert entry.why.startswith(record.outcome.kind.value)
    assert entry.source == record.source.name
    assert b"order" not in msgspec.json.encode(msgspec.structs.replace(entry, id="", target=""))

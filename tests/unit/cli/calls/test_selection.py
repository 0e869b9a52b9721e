"""Which calls are meant, and in which order they come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import InMemoryListing, InMemoryObjects
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.target import Target, conflict_id, id_of
from reprise.call_index import IndexEntry, IndexPage, entry_of, page_key, write_page
from reprise.instant import format_instant
from reprise.ledger import PastAttempt, State
from reprise_cli.calls.finder import CallFinder, first
from reprise_cli.calls.pages import CallPages, Listed, newest_first
from reprise_cli.calls.selection import CallSelection, FoundCall, StateChoice, key_of
from reprise_letters.letter import error_pattern
from strategies import ORDERS, make_record, make_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise.ledger import Row

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def entry(call_id: str = "call-1", *, at: datetime = START, **changes: Any) -> IndexEntry:
    made = entry_of(make_record(id=call_id, captured_at=format_instant(at)))
    return msgspec.structs.replace(made, **changes)


class Rows:
    def __init__(self, *rows: Row) -> None:
        self.rows = {row.id: row for row in rows}

    def get_all(self, call_ids: Sequence[str]) -> dict[str, Row]:
        return {call_id: self.rows[call_id] for call_id in call_ids if call_id in self.rows}


@given(
    pages=st.lists(st.lists(st.integers(0, 600), min_size=1, max_size=6), min_size=1, max_size=8)
)
def test_calls_of_pages_that_overlap_come_youngest_first_and_all_of_them(
    pages: list[list[int]],
) -> None:
    made = [
        (
            START + timedelta(seconds=max(page)),
            IndexPage(
                object="o",
                calls=tuple(
                    entry(f"{number}-{place}", at=START + timedelta(seconds=second))
                    for place, second in enumerate(page)
                ),
            ),
        )
        for number, page in enumerate(pages)
    ]
    made.sort(key=lambda page: page[0], reverse=True)
    instants = [listed.at for listed in newest_first(made)]
    assert instants == sorted(instants, reverse=True)
    assert len(instants) == sum(map(len, pages))


@given(key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40))
def test_the_key_is_read_out_of_an_id_whatever_it_is(key: str) -> None:
    call_id = id_of(Target(function=ORDERS), source="invoker", scope=None, key=key)
    assert key_of(call_id) == key
    assert key_of(conflict_id(call_id, "a" * 64)) == key


def test_an_id_without_a_key_has_none() -> None:
    assert key_of("0195d4a5-4ba3-7c39-8b0f-3d9a3f2c1b11") is None


@pytest.mark.parametrize("state", list(StateChoice))
def test_a_state_takes_the_rows_that_it_means(state: StateChoice) -> None:
    wanted = CallSelection(state=state)
    taken = {row for row in State if wanted.takes(FoundCall(row=make_row(state=row)))}
    assert taken == state.states


def test_errors_are_found_in_the_caller_s_own_try_in_replays_and_in_the_end() -> None:
    wanted = CallSelection(state=StateChoice.ALL, error=error_pattern("boom"))
    past = PastAttempt(
        at="2026-11-21T10:00:00Z", outcome=Outcome(kind=OutcomeKind.FUNCTION_ERROR, message="Boom")
    )
    assert wanted.takes(FoundCall(row=make_row(history=(past,))))
    assert wanted.takes(FoundCall(row=make_row(message="last: BOOM")))
    assert wanted.takes(FoundCall(row=make_row(), entry=entry(code="boom")))
    assert not wanted.takes(FoundCall(row=make_row(), entry=entry(code="other")))


def test_a_target_is_meant_by_name_or_arn() -> None:
    for name in ("orders", ORDERS):
        assert CallSelection(target=name).takes(FoundCall(row=make_row()))
    assert not CallSelection(target="order").takes(FoundCall(row=make_row()))


def test_a_call_without_a_row_is_left_out_and_one_of_two_captures_comes_once() -> None:
    listed = [Listed(entry=entry("call-1"), at=START), Listed(entry=entry("call-2"), at=START)]
    finder = CallFinder(rows=Rows(make_row(id="call-1")))
    found = list(finder.find([*listed, *listed], CallSelection()))
    assert [call.row.id for call in found] == ["call-1"]


def test_a_call_whose_key_names_another_payload_is_found_by_its_own_row() -> None:
    other = entry("orders:k", sha256="f" * 16)
    own = make_row(
        id=conflict_id("orders:k", "f" * 64),
        sha256="f" * 64,
        state=State.DEAD_LETTERED,
        reason="key_conflict",
    )
    rows = Rows(make_row(id="orders:k"), own)
    (found,) = CallFinder(rows=rows).find(
        [Listed(entry=other, at=START)], CallSelection(state=StateChoice.ALL)
    )
    assert found.row is own


def test_a_search_ends_when_it_has_enough() -> None:
    listed = (
        Listed(entry=entry(f"call-{n}"), at=START - timedelta(seconds=n)) for n in range(1000)
    )
    rows = Rows(*(make_row(id=f"call-{n}") for n in range(1000)))
    finder = CallFinder(rows=rows, is_enough=lambda count, _: count >= 150)
    assert len(list(finder.find(listed, CallSelection()))) == 200
    assert finder.seen == 200


def test_the_first_few_say_whether_there_are_more() -> None:
    calls = [FoundCall(row=make_row(id=f"call-{n}")) for n in range(3)]
    assert first(iter(calls), 2) == (calls[:2], True)
    assert first(iter(calls), 3) == (calls, False)


def index_of(instants: dict[str, datetime]) -> tuple[CallPages, InMemoryObjects]:
    """Return an index with a page for each call."""
    objects, listing = InMemoryObjects(), InMemoryListing(page_size=3)
    for call_id, at in instants.items():
        page = IndexPage(object="o", calls=(entry(call_id, at=at),))
        objects.put(page_key(page), write_page(page))
        listing.modified_at_s[page_key(page)] = 0.0
    return CallPages(objects=objects, listing=listing, bucket="bucket"), objects


def test_days_and_bounds_are_kept_and_a_page_that_expired_is_passed_over() -> None:
    instants = {f"call-{n}": START + timedelta(hours=7 * n) for n in range(12)}
    pages, objects = index_of(instants)
    objects.kept.pop(next(key for key in objects.kept if "2026-11-22" in key))
    found = [listed.entry.id for listed in pages.calls()]
    assert len(found) == 11
    assert found == sorted(found, key=lambda call_id: instants[call_id], reverse=True)
    since, until = instants["call-5"], instants["call-9"]
    within = [listed.at for listed in pages.calls(since, until)]
    assert within == sorted(within, reverse=True)
    assert all(since <= at <= until for at in within)
    assert {since, until} <= set(within)


def test_a_row_s_capture_is_found_without_reading_the_pages_of_the_next_hour() -> None:
    instants = {f"call-{n}": START + timedelta(seconds=n) for n in range(200)}
    pages, _ = index_of(instants)
    read: list[int] = []
    at = format_instant(START + timedelta(seconds=10))
    row = make_row(id="call-10", captured_at=at)
    found = replace(pages, advance=read.append).entry_of(row)
    assert found is not None
    assert found.id == "call-10"
    assert sum(read) == 0
    assert pages.entry_of(replace(row, id="another")) is None

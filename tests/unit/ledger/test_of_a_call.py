"""What the ledger makes of a call: its first row, what it names, who may lease it, and its ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.instant import format_instant
from reprise.ledger import (
    MAX_ENDS,
    Identity,
    LedgerEvent,
    PastEnd,
    Row,
    State,
    ends_after,
    identity_of,
    is_cancelled,
    may_lease,
    new_row,
)
from reprise.retry.decision import Reason
from strategies import NOW, NOW_MS, make_record, make_row, records, texts

if TYPE_CHECKING:
    from reprise.capturing.record import Record

DEAD = make_row(
    state=State.DEAD_LETTERED,
    opened_at="opened",
    updated_at="ended",
    reason="exhausted",
    message="why",
    attempts=3,
    refusals=7,
    note="somebody",
)


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_a_calls_first_row_holds_what_was_captured_and_when_it_came(kind: OutcomeKind) -> None:
    record = make_record(captured_at="2026-11-20T00:00:00Z", outcome=Outcome(kind=kind))
    at = format_instant(NOW)
    assert new_row(record, "s3://b/k", NOW, 30, "digest") == Row(
        id=record.id,
        state=State.CAPTURED,
        target=record.target.function,
        sha256=record.payload.sha256,
        captured_at=record.captured_at,
        opened_at=record.captured_at,
        may_have_run=kind is OutcomeKind.UNKNOWN,
        updated_at=at,
        unpacked_at=at,
        capture_object="s3://b/k",
        token_digest="digest",
        expires_at_s=int((NOW + timedelta(days=30)).timestamp()),
    )


@given(record=records)
def test_an_id_names_a_target_and_a_payload_in_record_and_row_alike(record: Record) -> None:
    named = Identity(record.target.function, record.payload.sha256)
    assert identity_of(record) == named
    assert new_row(record, None, NOW, 1).identity == named


@pytest.mark.parametrize(
    ("state", "from_now_ms", "may"),
    [
        (State.CAPTURED, 1, False),
        (State.CAPTURED, 0, True),
        (State.WAITING, 1, False),
        (State.WAITING, 0, True),
        (State.LEASED, 0, False),
        (State.LEASED, -1, True),
        (State.SUCCEEDED, -1, False),
        (State.DEAD_LETTERED, -1, False),
    ],
)
def test_a_call_may_be_leased_from_when_it_is_due_and_after_a_lease_has_run_out(
    state: State, from_now_ms: int, *, may: bool
) -> None:
    at_ms = NOW_MS + from_now_ms
    row = make_row(
        state=state,
        due_at_ms=0 if state is State.LEASED else at_ms,
        lease_until_ms=at_ms if state is State.LEASED else 0,
    )
    assert may_lease(row, now_ms=NOW_MS) is may
    assert may_lease(row, now_ms=NOW_MS, of=row.identity) is may
    assert not may_lease(row, now_ms=NOW_MS, of=Identity(row.target, "another payload"))
    assert not may_lease(row, now_ms=NOW_MS, of=Identity("another target", row.sha256))


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("reason", [None, *Reason])
def test_a_call_is_cancelled_if_it_was_given_up_for_that_reason_and_no_other(
    state: State, reason: Reason | None
) -> None:
    row = make_row(state=state, reason=reason)
    expected = state is State.DEAD_LETTERED and reason is Reason.CANCELLED
    assert is_cancelled(row) is expected


@given(message=st.none() | texts | st.text(min_size=301, max_size=400))
def test_an_end_that_is_undone_is_remembered_with_all_that_was_known_of_it(
    message: str | None,
) -> None:
    assert ends_after(replace(DEAD, message=message), LedgerEvent.REDRIVE) == (
        PastEnd(
            opened_at="opened",
            ended_at="ended",
            reason="exhausted",
            message=(message or "")[:300],
            attempts=3,
            refusals=7,
            note="somebody",
            undone_by=LedgerEvent.REDRIVE,
        ),
    )


def test_an_end_without_a_reason_is_remembered_without_one() -> None:
    bare = replace(DEAD, reason=None, message=None)
    (end,) = ends_after(bare, LedgerEvent.RECAPTURE)
    assert (end.reason, end.message, end.undone_by) == ("", "", LedgerEvent.RECAPTURE)


@given(count=st.integers(1, 2 * MAX_ENDS))
def test_the_newest_ends_are_remembered_in_order(count: int) -> None:
    row = DEAD
    for number in range(count):
        row = replace(row, attempts=number)
        row = replace(row, ends=ends_after(row, LedgerEvent.REDRIVE))
    assert [end.attempts for end in row.ends] == list(range(count))[-MAX_ENDS:]

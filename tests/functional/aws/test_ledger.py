"""One contract for the ledger in DynamoDB and for the double that stands in for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from doubles import InMemoryLedger
from reprise.aws.ledger_rows import to_item
from reprise.aws.ledger_table import LedgerTable
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.capturing.reopen import reopened
from reprise.errors import StoreError
from reprise.instant import format_instant
from reprise.ledger import (
    MAX_ENDS,
    Identity,
    LedgerEvent,
    PastAttempt,
    Row,
    State,
    ends_after,
    is_cancelled,
)
from reprise.ports import LeaseRequest, SettleRequest
from strategies import NOW, NOW_MS, make_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.ports import Ledger

CALL = "orders:order-1"
SOON_MS = NOW_MS + 60_000
FAILED = PastAttempt(
    at=format_instant(NOW),
    outcome=Outcome(
        kind=OutcomeKind.FUNCTION_ERROR, code="E", message="é", retry_after_s=1.5, status=200
    ),
)

OPENED_AT = make_row().opened_at
DEAD = make_row(
    state=State.DEAD_LETTERED,
    attempts=3,
    refusals=4,
    history=(FAILED,),
    reason="exhausted",
    message="why",
    letter_sent=True,
    expires_at_s=1_000,
)


@pytest.fixture(params=["double", "table"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    if request.param == "double":
        return InMemoryLedger()
    dynamodb: DynamoDBClient = request.getfixturevalue("dynamodb")
    return LedgerTable(dynamodb, request.getfixturevalue("table"))


def _get(ledger: Ledger) -> Row:
    row = ledger.get(CALL)
    assert row is not None
    return row


def _lease(ledger: Ledger, owner: str = "a", *, seconds: int = 0) -> bool:
    now = NOW + timedelta(seconds=seconds)
    return ledger.lease(CALL, owner=owner, now=now, until_ms=SOON_MS + seconds * 1000).granted


def _settle(ledger: Ledger, event: LedgerEvent, owner: str = "a", **changes: object) -> bool:
    return ledger.settle(CALL, owner=owner, event=event, changes=changes)


def test_rows_of_a_batch_each_have_a_verdict_of_their_own(ledger: Ledger) -> None:
    rows = [make_row(id=f"orders:{n}", history=(FAILED,), expires_at_s=n) for n in range(60)]
    there = replace(rows[7], sha256="other")
    ledger.record(there)

    told = ledger.record_all([*rows, replace(rows[3], sha256="a second line of the same call")])

    assert told == {row.id: None for row in rows} | {there.id: there}
    assert ledger.get_all([row.id for row in rows]) == {
        row.id: there if row is rows[7] else row for row in rows
    }
    assert set(ledger.record_all(rows).values()) == {*rows, there} - {rows[7]}


def test_rows_are_read_a_hundred_at_a_time_and_what_is_no_row_is_left_out(ledger: Ledger) -> None:
    rows = {f"orders:{n}": make_row(id=f"orders:{n}") for n in range(120)}
    ledger.record_all(list(rows.values()))

    found = ledger.get_all([*rows, "orders:unknown", "orders:0"])

    assert found == rows
    assert ledger.get_all([*rows], is_late=True) == rows
    assert ledger.get_all([]) == {}


def _wanted(*owners: str, call: str = CALL) -> list[LeaseRequest]:
    of = make_row().identity
    return [LeaseRequest(call_id=call, owner=owner, of=of) for owner in owners]


def test_of_a_batch_those_leases_are_granted_that_are_due_and_nobody_holds(ledger: Ledger) -> None:
    due = make_row(id="due")
    waits = make_row(id="waits", state=State.WAITING, due_at_ms=SOON_MS)
    ended = make_row(id="ended", state=State.SUCCEEDED)
    held = make_row(id="held", state=State.LEASED, lease_owner="x", lease_until_ms=SOON_MS)
    left = make_row(id="left", state=State.LEASED, lease_owner="x", lease_until_ms=NOW_MS - 1)
    other = make_row(id="other", sha256="of another payload")
    rows = {row.id: row for row in (due, waits, ended, held, left, other)}
    ledger.record_all(list(rows.values()))
    wanted = [each for name in (*rows, "unknown") for each in _wanted(f"me/{name}", call=name)]

    leases = ledger.lease_all(wanted, now=NOW, until_ms=SOON_MS)

    assert {owner: lease.before for owner, lease in leases.items()} == {
        "me/due": due,
        "me/left": left,
    }
    assert all(lease.granted for lease in leases.values())
    taken = ledger.get("left")
    assert taken is not None
    assert (taken.state, taken.lease_from) == (State.LEASED, State.LEASED)
    assert (taken.lease_owner, taken.lease_until_ms) == ("me/left", SOON_MS)
    assert ledger.get("held") == held


def test_second_delivery_of_a_call_is_left_out_of_a_batch_and_then_refused(ledger: Ledger) -> None:
    ledger.record(make_row())

    leases = ledger.lease_all(_wanted("a", "b"), now=NOW, until_ms=SOON_MS)

    assert list(leases) == ["a"]
    assert not _lease(ledger, "b")


def test_lease_of_a_batch_is_settled_like_any_other(ledger: Ledger) -> None:
    ledger.record_all([make_row(), make_row(id="orders:2")])
    ledger.lease_all(_wanted("a"), now=NOW, until_ms=SOON_MS)

    assert not _settle(ledger, LedgerEvent.SUCCEED, "b")
    assert _settle(ledger, LedgerEvent.SUCCEED, "a")
    assert _get(ledger).state is State.SUCCEEDED


def test_of_a_batch_those_leases_end_that_are_held_by_whom_they_are_said_to_be(
    ledger: Ledger,
) -> None:
    held = [make_row(id=f"orders:{n}") for n in range(30)]
    ledger.record_all([*held, make_row()])
    for row in held:
        ledger.lease(row.id, owner=f"me/{row.id}", now=NOW, until_ms=SOON_MS)
    changes = {"attempts": 2, "reason": None, "history": msgspec.to_builtins((FAILED,))}
    wanted = [
        SettleRequest(call_id=row.id, owner=f"me/{row.id}", event=event, changes=changes)
        for row, event in zip(held, [LedgerEvent.SUCCEED, LedgerEvent.WAIT] * 15, strict=True)
    ]
    nobody = SettleRequest(call_id=CALL, owner="me", event=LedgerEvent.SUCCEED, changes=changes)
    other = SettleRequest(
        call_id="orders:0", owner="another", event=LedgerEvent.SUCCEED, changes=changes
    )

    assert ledger.settle_all([nobody, other, *wanted]) == {each.owner for each in wanted}

    rows = ledger.get_all([row.id for row in held])
    assert [rows[row.id].state for row in held] == [State.SUCCEEDED, State.WAITING] * 15
    assert {(row.attempts, row.history) for row in rows.values()} == {(2, (FAILED,))}
    assert _get(ledger).state is State.CAPTURED
    assert ledger.settle_all(wanted) == frozenset()


def test_the_first_record_of_a_call_stays(ledger: Ledger) -> None:
    row = make_row(history=(FAILED,), capture_object="s3://b/k", expires_at_s=5)
    assert ledger.record(row) is None
    assert ledger.record(make_row(sha256="other")) == row
    assert ledger.get(CALL) == row


def test_a_call_that_nobody_recorded_is_not_known(ledger: Ledger) -> None:
    assert ledger.get(CALL) is None
    lease = ledger.lease(CALL, owner="a", now=NOW, until_ms=SOON_MS)
    assert (lease.granted, lease.before) == (False, None)
    assert not _settle(ledger, LedgerEvent.SUCCEED)
    assert not ledger.redrive(DEAD, now=NOW)
    assert ledger.get(CALL) is None


def test_a_letter_of_a_row_that_has_gone_leaves_no_trace(ledger: Ledger) -> None:
    """The row may have reached its end of life; half a row would block the call's id for ever."""
    ledger.mark_letter_sent(CALL, opened_at=make_row().opened_at)
    assert ledger.get(CALL) is None
    assert ledger.record(make_row()) is None


def test_a_lease_gives_the_row_as_it_was_and_marks_it(ledger: Ledger) -> None:
    ledger.record(make_row())
    lease = ledger.lease(CALL, owner="a", now=NOW, until_ms=SOON_MS)
    assert lease.granted
    assert lease.before == make_row()
    assert _get(ledger) == make_row(
        state=State.LEASED, lease_owner="a", lease_until_ms=SOON_MS, lease_from="captured"
    )


def test_a_running_lease_keeps_others_out(ledger: Ledger) -> None:
    ledger.record(make_row())
    assert _lease(ledger, "a")
    held = _get(ledger)
    lease = ledger.lease(CALL, owner="b", now=NOW + timedelta(seconds=60), until_ms=SOON_MS * 2)
    assert not lease.granted
    assert lease.before == held
    assert _get(ledger) == held


def test_a_lease_that_has_run_out_is_taken_over(ledger: Ledger) -> None:
    ledger.record(make_row())
    assert _lease(ledger, "a")
    lease = ledger.lease(CALL, owner="b", now=NOW + timedelta(seconds=61), until_ms=SOON_MS * 2)
    assert lease.granted
    assert lease.before is not None
    assert (lease.before.state, lease.before.lease_owner) == (State.LEASED, "a")
    assert (_get(ledger).lease_owner, _get(ledger).lease_from) == ("b", "leased")
    assert not _settle(ledger, LedgerEvent.SUCCEED, "a")
    assert _settle(ledger, LedgerEvent.SUCCEED, "b")


@pytest.mark.parametrize("before", [State.CAPTURED, State.WAITING])
def test_a_lease_that_is_repeated_is_still_ours(ledger: Ledger, before: State) -> None:
    """The SDK repeats a conditional write whose answer was lost, and meets its own write."""
    ledger.record(make_row(state=before, attempts=1))
    assert _lease(ledger)
    lease = ledger.lease(CALL, owner="a", now=NOW, until_ms=SOON_MS)
    assert lease.granted
    assert lease.before is not None
    assert (lease.before.state, lease.before.attempts) == (before, 1)


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (LedgerEvent.SUCCEED, State.SUCCEEDED),
        (LedgerEvent.WAIT, State.WAITING),
        (LedgerEvent.DEAD_LETTER, State.DEAD_LETTERED),
    ],
)
def test_an_end_is_written_once_and_may_be_told_again(
    ledger: Ledger, event: LedgerEvent, state: State
) -> None:
    ledger.record(make_row())
    assert _lease(ledger)
    changes = {
        "attempts": 2,
        "refusals": 3,
        "history": msgspec.to_builtins((FAILED, FAILED)),
        "updated_at": "2026-11-21T10:00:09.000000Z",
        "result": "ok",
        "reason": None,
    }
    assert _settle(ledger, event, **changes)
    row = _get(ledger)
    assert (row.state, row.attempts, row.refusals, row.result) == (state, 2, 3, "ok")
    assert row.history == (FAILED, FAILED)
    assert _settle(ledger, event, **(changes | {"attempts": 9}))
    assert _get(ledger) == row


@pytest.mark.parametrize("event", [LedgerEvent.SUCCEED, LedgerEvent.WAIT, LedgerEvent.DEAD_LETTER])
@pytest.mark.parametrize("state", list(State))
def test_only_the_holder_ends_an_attempt(ledger: Ledger, state: State, event: LedgerEvent) -> None:
    row = make_row(state=state, lease_owner="a", lease_until_ms=SOON_MS)
    ledger.record(row)
    assert not _settle(ledger, event, "b")
    assert _get(ledger) == row


def test_an_end_changes_what_it_names_and_nothing_else(ledger: Ledger) -> None:
    ledger.record(make_row(history=(FAILED,), reason="old", attempts=4))
    assert _lease(ledger)
    assert _settle(ledger, LedgerEvent.WAIT, reason=None)
    row = _get(ledger)
    assert (row.history, row.reason, row.attempts) == ((FAILED,), "old", 4)


def test_an_end_may_change_nothing_but_the_state(ledger: Ledger) -> None:
    ledger.record(make_row())
    assert _lease(ledger)
    assert _settle(ledger, LedgerEvent.WAIT)
    assert _get(ledger).state is State.WAITING


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.DEAD_LETTERED])
def test_a_call_that_has_ended_is_not_leased_again(ledger: Ledger, state: State) -> None:
    row = make_row(state=state)
    ledger.record(row)
    lease = ledger.lease(CALL, owner="a", now=NOW + timedelta(days=9), until_ms=SOON_MS)
    assert (lease.granted, lease.before) == (False, row)
    assert _get(ledger) == row


def test_a_letter_is_noted_as_sent(ledger: Ledger) -> None:
    ledger.record(make_row(state=State.DEAD_LETTERED))
    ledger.mark_letter_sent(CALL, opened_at=make_row().opened_at)
    ledger.mark_letter_sent(CALL, opened_at=make_row().opened_at)
    assert _get(ledger) == make_row(state=State.DEAD_LETTERED, letter_sent=True)


def test_a_note_of_an_earlier_letter_is_not_taken_for_one_of_the_present_letter(
    ledger: Ledger,
) -> None:
    """It comes late: the call was redriven and given up again, and that letter is still to be sent."""
    row = make_row(state=State.DEAD_LETTERED)
    ledger.record(row)
    ledger.mark_letter_sent(CALL, opened_at="2026-01-01T00:00:00.000000Z")
    assert _get(ledger) == row


@pytest.mark.parametrize("state", [State.CAPTURED, State.SUCCEEDED])
def test_a_letter_is_noted_of_dead_lettered_calls_only(ledger: Ledger, state: State) -> None:
    row = make_row(state=state)
    ledger.record(row)
    ledger.mark_letter_sent(CALL, opened_at=row.opened_at)
    assert _get(ledger) == row


def test_a_call_is_not_leased_before_its_backoff_is_over(ledger: Ledger) -> None:
    due_at_ms = int(NOW.timestamp() * 1000) + 60_000
    row = make_row(state=State.WAITING, due_at_ms=due_at_ms)
    ledger.record(row)
    early = ledger.lease(
        CALL, owner="a", now=NOW + timedelta(seconds=59), until_ms=due_at_ms + 9000
    )
    assert (early.granted, early.before) == (False, row)
    later = NOW + timedelta(seconds=60)
    assert ledger.lease(CALL, owner="a", now=later, until_ms=due_at_ms + 9000).granted


def test_a_redrive_forgets_a_backoff(ledger: Ledger) -> None:
    due_at_ms = int(NOW.timestamp() * 1000) + 60_000
    dead = make_row(state=State.DEAD_LETTERED, due_at_ms=due_at_ms)
    ledger.record(dead)
    assert ledger.redrive(dead, now=NOW)
    assert ledger.lease(CALL, owner="a", now=NOW, until_ms=due_at_ms).granted


def test_a_redrive_opens_a_dead_lettered_call_from_zero(ledger: Ledger) -> None:
    ledger.record(DEAD)
    later = NOW + timedelta(days=1)
    assert ledger.redrive(DEAD, now=later)
    at = format_instant(later)
    assert _get(ledger) == make_row(
        opened_at=at,
        updated_at=at,
        history=(FAILED,),
        ends=ends_after(DEAD, LedgerEvent.REDRIVE),
        expires_at_s=1_000 + 30 * 86_400,
    )
    assert ledger.redrive(DEAD, now=later), "repeated by the SDK"
    assert not ledger.redrive(_get(ledger), now=later + timedelta(seconds=1))


def test_each_death_is_kept_and_of_very_many_the_newest(ledger: Ledger) -> None:
    ledger.record(DEAD)
    for day in range(1, MAX_ENDS + 3):
        assert ledger.redrive(_get(ledger), now=NOW + timedelta(days=day))
        lease = ledger.lease(CALL, owner="me", now=NOW + timedelta(days=day), until_ms=2**50)
        assert lease.granted
        changes = {"reason": "exhausted", "message": f"death {day}"}
        assert ledger.settle(CALL, owner="me", event=LedgerEvent.DEAD_LETTER, changes=changes)
    ends = _get(ledger).ends
    assert [end.message for end in ends] == [f"death {day}" for day in range(2, MAX_ENDS + 2)]


def test_a_redrive_that_arrives_when_the_call_has_ended_once_more_opens_nothing(
    ledger: Ledger,
) -> None:
    ledger.record(DEAD)
    assert ledger.redrive(DEAD, now=NOW + timedelta(days=1))
    _lease(ledger)
    assert _settle(ledger, LedgerEvent.DEAD_LETTER)
    again = _get(ledger)
    assert not ledger.redrive(DEAD, now=NOW + timedelta(days=2))
    assert _get(ledger) == again


def test_a_discard_leaves_a_note_that_a_redrive_takes_away(ledger: Ledger) -> None:
    noted = cast("LedgerTable", ledger)
    ledger.record(DEAD)
    assert noted.discard(CALL, opened_at=OPENED_AT, note="by Ann: test data")
    assert noted.discard(CALL, opened_at=OPENED_AT, note="by Ann: test data"), "repeated by the SDK"
    # Its end stays when it was.
    assert _get(ledger) == replace(DEAD, note="by Ann: test data")
    assert ledger.redrive(_get(ledger), now=NOW)
    assert _get(ledger).note is None


@pytest.mark.parametrize("state", list(State))
def test_only_a_call_that_nobody_works_on_is_cancelled(ledger: Ledger, state: State) -> None:
    table = cast("LedgerTable", ledger)
    assert not table.cancel(CALL, opened_at=OPENED_AT, now=NOW, note="n"), "there is no row"
    row = make_row(state=state)
    ledger.record(row)
    is_done = table.cancel(CALL, opened_at=OPENED_AT, now=NOW, note="n")
    assert is_done is (state in {State.CAPTURED, State.WAITING})
    assert is_cancelled(_get(ledger)) is is_done
    if not is_done:
        assert _get(ledger) == row
        return
    assert table.cancel(CALL, opened_at=OPENED_AT, now=NOW, note="n"), "repeated by the SDK"
    assert not table.cancel(CALL, opened_at=OPENED_AT, now=NOW, note="another")
    assert not _lease(ledger)
    assert ledger.redrive(_get(ledger), now=NOW + timedelta(days=1))
    assert [(end.reason, end.note) for end in _get(ledger).ends] == [("cancelled", "n")]


@pytest.mark.parametrize("state", [State.CAPTURED, State.LEASED, State.WAITING, State.SUCCEEDED])
def test_only_a_dead_lettered_call_is_discarded(ledger: Ledger, state: State) -> None:
    noted = cast("LedgerTable", ledger)
    assert not noted.discard(CALL, opened_at=OPENED_AT, note="n"), "there is no row"
    ledger.record(make_row(state=state))
    assert not noted.discard(CALL, opened_at=OPENED_AT, note="n")
    ledger.record(replace(DEAD, id="another", opened_at=format_instant(NOW + timedelta(seconds=1))))
    assert not noted.discard("another", opened_at=OPENED_AT, note="n"), "it was opened since"
    assert _get(ledger) == make_row(state=state)


@pytest.mark.parametrize("state", [State.CAPTURED, State.LEASED, State.WAITING, State.SUCCEEDED])
def test_only_a_dead_lettered_call_is_redriven(ledger: Ledger, state: State) -> None:
    ledger.record(make_row(state=state))
    assert not ledger.redrive(DEAD, now=NOW + timedelta(seconds=1))
    assert _get(ledger) == make_row(state=state)


@pytest.mark.parametrize("state", [state for state in State if state is not State.SUCCEEDED])
def test_a_call_is_marked_as_one_that_may_have_run(ledger: Ledger, state: State) -> None:
    row = make_row(state=state, lease_owner="a", lease_until_ms=SOON_MS, attempts=1)
    ledger.record(row)
    assert ledger.mark_may_have_run(CALL)
    assert ledger.mark_may_have_run(CALL), "repeated by the SDK"
    assert _get(ledger) == replace(row, may_have_run=True)


def test_a_call_that_succeeded_is_not_marked(ledger: Ledger) -> None:
    ledger.record(make_row(state=State.SUCCEEDED))
    assert not ledger.mark_may_have_run(CALL)
    assert _get(ledger) == make_row(state=State.SUCCEEDED)


def test_a_call_that_nobody_recorded_is_not_marked(ledger: Ledger) -> None:
    assert not ledger.mark_may_have_run(CALL)
    assert ledger.get(CALL) is None


def test_a_claim_is_released_by_its_owner_and_then_never_was(ledger: Ledger) -> None:
    claim = make_row(state=State.LEASED, lease_owner="live/1")
    ledger.record(claim)
    assert not ledger.release(CALL, owner="live/2")
    assert _get(ledger) == claim
    assert ledger.release(CALL, owner="live/1")
    assert ledger.get(CALL) is None
    # The SDK repeats a delete whose answer was lost.
    assert ledger.release(CALL, owner="live/1")


@pytest.mark.parametrize("state", [state for state in State if state is not State.LEASED])
def test_only_a_claim_is_released(ledger: Ledger, state: State) -> None:
    row = make_row(state=state, lease_owner="live/1")
    ledger.record(row)
    assert not ledger.release(CALL, owner="live/1")
    assert _get(ledger) == row


def test_an_attempts_end_keeps_the_mark_and_a_redrive_takes_it_away(ledger: Ledger) -> None:
    ledger.record(make_row())
    assert _lease(ledger)
    assert ledger.mark_may_have_run(CALL)
    assert _settle(ledger, LedgerEvent.DEAD_LETTER, reason="unknown")
    assert _get(ledger).may_have_run
    assert ledger.redrive(_get(ledger), now=NOW + timedelta(days=1))
    assert not _get(ledger).may_have_run


LATER = "2026-11-21T12:00:00.000000Z"
CAPTURE = make_row(captured_at=LATER, opened_at=LATER, capture_object="s3://b/later")


def test_a_later_capture_opens_a_call_that_was_given_up_from_zero(ledger: Ledger) -> None:
    ledger.record(DEAD)
    ledger.mark_letter_sent(CALL, opened_at=DEAD.opened_at)
    after = reopened(DEAD, CAPTURE)
    assert ledger.recapture(DEAD, after)
    ends = ends_after(DEAD, LedgerEvent.RECAPTURE)
    assert _get(ledger) == after == replace(CAPTURE, history=(FAILED,), ends=ends)
    assert ledger.recapture(DEAD, after), "repeated by the SDK"
    assert _lease(ledger)
    assert not ledger.recapture(DEAD, after), "the same line, delivered again"
    assert _get(ledger).state is State.LEASED


@pytest.mark.parametrize(
    "there",
    [
        make_row(),
        make_row(state=State.SUCCEEDED),
        replace(DEAD, updated_at=LATER),
        replace(DEAD, opened_at=LATER),
        replace(DEAD, may_have_run=True),
    ],
    ids=["open", "succeeded", "given up again", "opened again", "marked"],
)
def test_a_row_that_has_changed_since_it_was_seen_is_left_alone(ledger: Ledger, there: Row) -> None:
    ledger.record(there)
    assert not ledger.recapture(DEAD, reopened(DEAD, CAPTURE))
    assert _get(ledger) == there


def test_one_live_call_at_a_time_claims_the_end_of_a_call(ledger: Ledger) -> None:
    ledger.record(DEAD)
    assert ledger.claim(DEAD, owner="live/a", until_ms=SOON_MS)
    assert ledger.claim(DEAD, owner="live/a", until_ms=SOON_MS), "repeated by the SDK"
    assert not ledger.claim(DEAD, owner="live/b", until_ms=SOON_MS)
    assert _get(ledger) == replace(DEAD, claimed_by="live/a", claimed_until_ms=SOON_MS)
    assert not ledger.unclaim(CALL, owner="live/b")
    assert ledger.unclaim(CALL, owner="live/a")
    assert _get(ledger) == DEAD
    assert ledger.claim(DEAD, owner="live/b", until_ms=SOON_MS)


@pytest.mark.parametrize(
    "there",
    [make_row(), replace(DEAD, opened_at=LATER), replace(DEAD, updated_at=LATER)],
    ids=["open", "opened again", "given up again"],
)
def test_a_row_that_has_changed_since_is_not_claimed(ledger: Ledger, there: Row) -> None:
    ledger.record(there)
    assert not ledger.claim(DEAD, owner="live/a", until_ms=SOON_MS)
    assert _get(ledger) == there


def test_what_opens_a_claimed_call_is_not_leased_before_the_claim_has_run_out(
    ledger: Ledger,
) -> None:
    ledger.record(DEAD)
    assert ledger.claim(DEAD, owner="live/a", until_ms=SOON_MS)
    assert not ledger.recapture(DEAD, reopened(DEAD, CAPTURE)), "it has not seen the claim"
    claimed = _get(ledger)
    assert ledger.recapture(claimed, reopened(claimed, CAPTURE))
    row = _get(ledger)
    assert (row.state, row.claimed_by) == (State.CAPTURED, "live/a")
    request = LeaseRequest(call_id=CALL, owner="b", of=row.identity)
    assert ledger.lease_all([request], now=NOW, until_ms=SOON_MS) == {}
    assert not _lease(ledger)
    after = NOW + timedelta(milliseconds=SOON_MS - NOW_MS)
    assert ledger.lease(CALL, owner="b", now=after, until_ms=SOON_MS + 60_000).granted


def test_a_claim_that_was_let_go_of_is_not_opened_with_the_call(ledger: Ledger) -> None:
    ledger.record(DEAD)
    assert ledger.claim(DEAD, owner="live/a", until_ms=SOON_MS)
    claimed = _get(ledger)
    assert ledger.unclaim(CALL, owner="live/a")
    assert not ledger.recapture(claimed, reopened(claimed, CAPTURE))


@pytest.mark.parametrize("is_batch", [False, True], ids=["alone", "in a batch"])
def test_a_redrive_waits_for_a_live_call_and_takes_its_silence_for_none(
    ledger: Ledger, *, is_batch: bool
) -> None:
    ledger.record(DEAD)
    assert ledger.claim(DEAD, owner="live/a", until_ms=SOON_MS)
    if is_batch:
        assert ledger.redrive_all([DEAD], now=NOW) == {CALL}
    else:
        assert ledger.redrive(DEAD, now=NOW)
    assert not _get(ledger).claimed_by
    assert not _lease(ledger)
    after = NOW + timedelta(milliseconds=SOON_MS - NOW_MS)
    assert ledger.lease(CALL, owner="b", now=after, until_ms=SOON_MS + 60_000).granted


def test_an_attempts_end_decides_on_what_a_live_call_left(ledger: Ledger) -> None:
    row = make_row(claimed_by="live/a", claimed_until_ms=NOW_MS)
    ledger.record(row)
    assert _lease(ledger)
    assert _settle(ledger, LedgerEvent.DEAD_LETTER, reason="unknown", claimed_by="")
    dead = _get(ledger)
    assert ledger.claim(dead, owner="live/b", until_ms=SOON_MS)


def test_a_row_of_the_first_version_is_opened_again(dynamodb: DynamoDBClient, table: str) -> None:
    item = to_item(DEAD)
    del item["may_have_run"]
    dynamodb.put_item(TableName=table, Item=item)
    ledger = LedgerTable(dynamodb, table)
    assert ledger.get(CALL) == DEAD
    assert ledger.recapture(DEAD, reopened(DEAD, CAPTURE))


def test_a_row_that_is_gone_is_not_opened_again(ledger: Ledger) -> None:
    assert not ledger.recapture(DEAD, reopened(DEAD, CAPTURE))
    assert ledger.get(CALL) is None


def test_a_lease_of_another_call_of_the_same_id_is_refused_and_shows_the_row(
    ledger: Ledger,
) -> None:
    row = make_row()
    ledger.record(row)
    for other in (Identity(row.target, "other"), Identity("other", row.sha256)):
        lease = ledger.lease(CALL, owner="a", now=NOW, until_ms=SOON_MS, of=other)
        assert (lease.granted, lease.before) == (False, row)
    assert _get(ledger) == row
    assert ledger.lease(CALL, owner="a", now=NOW, until_ms=SOON_MS, of=row.identity).granted


def test_a_lease_that_has_run_out_is_not_taken_over_by_another_call(ledger: Ledger) -> None:
    ledger.record(make_row())
    _lease(ledger)
    before = _get(ledger)
    late = NOW + timedelta(seconds=600)
    other = Identity(before.target, "other")
    lease = ledger.lease(CALL, owner="b", now=late, until_ms=SOON_MS, of=other)
    assert (lease.granted, lease.before) == (False, before)
    assert _get(ledger) == before


def test_a_redrive_may_replace_the_payload_and_keeps_what_was_captured(ledger: Ledger) -> None:
    captured = make_row(state=State.DEAD_LETTERED)
    ledger.record(captured)
    assert ledger.redrive(captured, now=NOW, sha256="first")
    assert (_get(ledger).sha256, _get(ledger).captured_sha256) == ("first", captured.sha256)
    _lease(ledger)
    _settle(ledger, LedgerEvent.DEAD_LETTER)
    later = NOW + timedelta(seconds=1)
    assert ledger.redrive(_get(ledger), now=later, sha256="second")
    assert (_get(ledger).sha256, _get(ledger).captured_sha256) == ("second", captured.sha256)


def test_a_gates_item_is_no_call(dynamodb: DynamoDBClient, table: str) -> None:
    dynamodb.put_item(TableName=table, Item={"id": {"S": "gate#x"}, "mode": {"S": "holding"}})
    assert LedgerTable(dynamodb, table).get("gate#x") is None


def test_a_service_that_refuses_is_a_store_error(dynamodb: DynamoDBClient) -> None:
    ledger = LedgerTable(dynamodb, "no-such-table")
    operations: list[Callable[[], object]] = [
        lambda: ledger.record(make_row()),
        lambda: ledger.get(CALL),
        lambda: ledger.lease(CALL, owner="a", now=NOW, until_ms=0),
        lambda: ledger.settle(CALL, owner="a", event=LedgerEvent.WAIT, changes={}),
        lambda: ledger.mark_letter_sent(CALL, opened_at=make_row().opened_at),
        lambda: ledger.redrive(DEAD, now=NOW),
        lambda: ledger.recapture(DEAD, CAPTURE),
        lambda: ledger.mark_may_have_run(CALL),
        lambda: ledger.release(CALL, owner="a"),
    ]
    for operation in operations:
        with pytest.raises(StoreError) as caught:
            operation()
        assert caught.value.service == "dynamodb"
        assert caught.value.code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "operation",
    [
        *("record", "get", "lease", "settle", "mark_letter_sent", "redrive"),
        *("recapture", "mark_may_have_run", "release", "claim", "unclaim"),
    ],
)
def test_the_double_fails_when_it_is_told_to(operation: str) -> None:
    ledger = InMemoryLedger()
    ledger.record(make_row())
    ledger.faults.fail(operation)
    calls: dict[str, Callable[[], object]] = {
        "record": lambda: ledger.record(make_row()),
        "get": lambda: ledger.get(CALL),
        "lease": lambda: _lease(ledger),
        "settle": lambda: _settle(ledger, LedgerEvent.WAIT),
        "mark_letter_sent": lambda: ledger.mark_letter_sent(CALL, opened_at=make_row().opened_at),
        "redrive": lambda: ledger.redrive(DEAD, now=NOW),
        "recapture": lambda: ledger.recapture(DEAD, CAPTURE),
        "mark_may_have_run": lambda: ledger.mark_may_have_run(CALL),
        "release": lambda: ledger.release(CALL, owner="a"),
        "claim": lambda: ledger.claim(DEAD, owner="a", until_ms=1),
        "unclaim": lambda: ledger.unclaim(CALL, owner="a"),
    }
    with pytest.raises(StoreError):
        calls[operation]()
    calls[operation]()

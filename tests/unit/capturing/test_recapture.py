from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.payload import pack
from reprise.call.target import Target
from reprise.capturing.record import Source
from reprise.capturing.reopen import also_given_up, is_other_call, is_owed_more, reopened, reopens
from reprise.instant import format_instant
from reprise.ledger import LedgerEvent, PastAttempt, Row, State, ends_after
from reprise.retry.decision import Reason
from strategies import NOW, make_record, make_row

MINUTE = timedelta(minutes=1)


def _at(minutes: float) -> str:
    return format_instant(NOW + minutes * MINUTE)


def _dead(reason: Reason = Reason.EXHAUSTED, *, opened: float = 0, ended: float = 60) -> Row:
    return make_row(
        state=State.DEAD_LETTERED,
        captured_at=_at(opened),
        opened_at=_at(opened),
        updated_at=_at(ended),
        reason=reason.value,
        message="why",
        attempts=3,
        letter_sent=True,
    )


@pytest.mark.parametrize(
    ("reason", "minutes", "is_owed"),
    [
        (Reason.EXHAUSTED, 61, True),
        (Reason.EXHAUSTED, 60, True),
        (Reason.EXHAUSTED, 59, False),
        (Reason.UNKNOWN, 61, True),
        (Reason.UNKNOWN, 30, False),
        (Reason.PERMANENT, 30, False),
        (Reason.EXPIRED, 61, True),
        (Reason.EXPIRED, 1, True),
        (Reason.EXPIRED, 0, False),
        (Reason.EXPIRED, -1, False),
        (Reason.KEY_CONFLICT, 61, False),
    ],
)
def test_a_capture_after_the_end_is_owed_another_and_one_before_it_only_where_age_was_the_end(
    reason: Reason,
    minutes: float,
    is_owed: bool,
) -> None:
    """Opened at minute 0, given up at minute 60."""
    assert is_owed_more(_dead(reason), NOW + minutes * MINUTE) is is_owed


@pytest.mark.parametrize("state", [state for state in State if state is not State.DEAD_LETTERED])
def test_a_call_that_is_open_or_succeeded_owes_no_capture_more(state: State) -> None:
    row = replace(_dead(Reason.EXPIRED), state=state)
    assert not is_owed_more(row, NOW + 120 * MINUTE)


def test_a_capture_after_a_redrive_that_failed_is_owed_more_and_one_before_it_is_not() -> None:
    redriven = replace(_dead(Reason.EXPIRED, ended=200), opened_at=_at(100))
    assert not is_owed_more(redriven, NOW + 70 * MINUTE)
    assert is_owed_more(redriven, NOW + 101 * MINUTE)


def test_what_a_decorated_target_captured_opens_nothing() -> None:
    """Nobody was answered 202 for it, and Lambda may try one event again and again."""
    line = make_record(captured_at=_at(61))
    decorated = make_record(captured_at=_at(61), source=Source(name="decorator", version="1"))
    assert reopens(_dead(), line)
    assert not reopens(_dead(), decorated)


@given(reasons=st.lists(st.sampled_from(Reason), max_size=8), minutes=st.floats(0.1, 1e6))
def test_one_capture_opens_a_call_at_most_once(reasons: list[Reason], minutes: float) -> None:
    """However often its line is delivered, and whatever the call comes to each time."""
    record = make_record(captured_at=_at(minutes))
    capture = make_row(captured_at=record.captured_at, opened_at=record.captured_at)
    row, opened = _dead(Reason.EXPIRED, ended=0), 0
    for reason in reasons:
        if reopens(row, record):
            row, opened = reopened(row, capture), opened + 1
            row = replace(row, state=State.DEAD_LETTERED, reason=reason.value)
    assert opened == min(len(reasons), 1)


@pytest.mark.parametrize(
    ("dead", "capture", "may_have_run"),
    [
        (_dead(), make_row(), False),
        (_dead(Reason.UNKNOWN), make_row(), True),
        (replace(_dead(), may_have_run=True), make_row(), True),
        (_dead(), make_row(may_have_run=True), True),
    ],
    ids=["no", "its end said so", "a try before said so", "the capture says so"],
)
def test_a_call_that_may_have_run_is_opened_as_such(
    dead: Row,
    capture: Row,
    may_have_run: bool,
) -> None:
    assert reopened(dead, capture).may_have_run is may_have_run


def test_a_call_is_opened_from_zero_with_its_history_kept() -> None:
    failed = PastAttempt(at=_at(5), outcome=Outcome(kind=OutcomeKind.FUNCTION_ERROR))
    dead = replace(_dead(), history=(failed,), refusals=4, result="x")
    capture = make_row(captured_at=_at(70), opened_at=_at(70), capture_object="s3://b/later")
    ends = ends_after(dead, LedgerEvent.RECAPTURE)
    assert reopened(dead, capture) == replace(capture, history=(failed,), ends=ends)
    assert (ends[0].reason, ends[0].ended_at) == (dead.reason, dead.updated_at)


def test_an_end_that_holds_for_a_later_capture_stays_as_it_is() -> None:
    dead = _dead(Reason.EXPIRED)
    after = also_given_up(dead, make_row(captured_at=_at(30), opened_at=_at(30)))
    assert after == replace(dead, captured_at=_at(30), opened_at=_at(30))
    assert not is_owed_more(after, NOW + 30 * MINUTE)


def test_another_payload_or_another_target_is_another_call() -> None:
    row, record = make_row(), make_record()
    assert not is_other_call(row, record)
    assert is_other_call(row, make_record(payload=pack(b"other", 1000)))
    assert is_other_call(row, make_record(target=Target(function="arn:of:another:account")))

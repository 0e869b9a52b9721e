"""What becomes of a call that is captured again under its id: pure rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reprise.capturing.line import is_captured_by_target
from reprise.instant import parse_instant
from reprise.ledger import TERMINAL, TRANSITIONS, LedgerEvent, State, ends_after, transition
from reprise.retry.decision import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.capturing.record import Record
    from reprise.ledger import Row


def is_other_call(row: Row, record: Record) -> bool:
    """Tell whether a captured record has the id of a call that is another one.

    What counts is the payload that was captured, whatever an operator has replaced it by since.
    """
    other_payload = row.original_sha256 != record.payload.sha256
    return other_payload or row.target != record.target.function


def reopens(row: Row, record: Record) -> bool:
    """Tell whether a captured call opens its row, whose call was given up, again.

    Never what a decorated target captured: its caller was answered with the error and not with 202, and
    Lambda's retries of one event are one call.
    """
    if is_captured_by_target(record):
        return False
    return is_owed_more(row, parse_instant(record.captured_at))


def has_arrived(row: Row | None, record: Record) -> bool:
    """Tell whether a row shows that a captured record has come to the unpacker; it is not another call's.

    One that a live call left does not, nor one that the record would open again.
    """
    if row is None or (row.is_live and row.state not in TERMINAL):
        return False
    return not reopens(row, record)


def is_owed_more(row: Row, captured_at: datetime) -> bool:
    """Tell whether a capture is owed another end than the one that its call has come to.

    So it is if the call was given up before it, or for its age alone: its own age counts from itself. An end
    for any other reason holds for every capture that came before it, or a caller that asks again and again
    during an outage would have a call that always fails run `maximum_attempts` times for each.
    """
    if row.state is not State.DEAD_LETTERED or row.reason == Reason.KEY_CONFLICT:
        return False
    if captured_at <= parse_instant(row.opened_at):
        return False
    return row.reason == Reason.EXPIRED or captured_at >= parse_instant(row.updated_at)


def reopened(dead: Row, capture: Row) -> Row:
    """Return the row of a call that was given up, opened again by a later capture.

    Args:
        dead: The row as it is.
        capture: The row that the capture would have, were it the first of its call.
    """
    may_have_run = dead.may_have_run or dead.reason == Reason.UNKNOWN or capture.may_have_run
    # A live call that runs over its end goes on.
    return replace(
        capture,
        claimed_by=dead.claimed_by,
        claimed_until_ms=dead.claimed_until_ms,
        state=transition(TRANSITIONS, dead.state, LedgerEvent.RECAPTURE),
        history=dead.history,
        ends=ends_after(dead, LedgerEvent.RECAPTURE),
        may_have_run=may_have_run,
    )


def also_given_up(dead: Row, capture: Row) -> Row:
    """Return the row of a call that was given up and stays so, its end holding for a later capture, too."""
    return replace(dead, captured_at=capture.captured_at, opened_at=capture.opened_at)

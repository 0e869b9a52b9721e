"""The ledger: a row per call, and its life as a table from (state, event) to state.

    captured ──lease──▶ leased ──succeed──▶ succeeded
        ▲                │  ▲ └──dead_letter──▶ dead_lettered ──redrive, recapture──▶ captured
        │              wait lease
        └ redrive,       ▼  │
          recapture    waiting

What is not in the table is an error. A lease of a dead owner may be taken over once it has run out: (leased,
take_over) is leased again.

A live call whose key may be that of a captured one begins its row as leased, if there is none; if it does not
succeed the row goes again, as if it had not been. A call that nobody works on is answered by a live call of
its key that succeeds: (captured, waiting or dead_lettered, answer) is succeeded. See
docs/adr/0023-a-key-is-one-effect.md. An operator may end one that nobody works on: (captured or waiting,
cancel) is dead_lettered, and needs no letter. A live call of a key that was given up claims the row, which
stays dead_lettered: whatever opens it meanwhile, nobody leases it before the claim is let go of, or runs out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.errors import IllegalTransitionError
from reprise.instant import format_instant
from reprise.retry.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reprise.capturing.record import Record


class State(StrEnum):
    """Where a call stands."""

    CAPTURED = "captured"
    """Not replayed yet, or opened again by a redrive."""
    LEASED = "leased"
    """It runs now."""
    WAITING = "waiting"
    """A try has ended without success; it waits for the next."""
    SUCCEEDED = "succeeded"
    """Its target answered; it does not run again."""
    DEAD_LETTERED = "dead_lettered"
    """Given up, for a reason, or cancelled; a redrive opens it again."""


class LedgerEvent(StrEnum):
    """What can happen to a call."""

    LEASE = "lease"
    TAKE_OVER = "take_over"
    SUCCEED = "succeed"
    WAIT = "wait"
    DEAD_LETTER = "dead_letter"
    REDRIVE = "redrive"
    RECAPTURE = "recapture"
    ANSWER = "answer"
    CANCEL = "cancel"


FIRST: Final = frozenset({State.CAPTURED, State.LEASED, State.DEAD_LETTERED})
"""In which a row may begin: captured, claimed by a live call, or of a key that names another payload."""
TERMINAL: Final = frozenset({State.SUCCEEDED, State.DEAD_LETTERED})

TRANSITIONS: Final[dict[tuple[State, LedgerEvent], State]] = {
    (State.CAPTURED, LedgerEvent.LEASE): State.LEASED,
    (State.WAITING, LedgerEvent.LEASE): State.LEASED,
    (State.LEASED, LedgerEvent.TAKE_OVER): State.LEASED,
    (State.LEASED, LedgerEvent.SUCCEED): State.SUCCEEDED,
    (State.LEASED, LedgerEvent.WAIT): State.WAITING,
    (State.LEASED, LedgerEvent.DEAD_LETTER): State.DEAD_LETTERED,
    (State.DEAD_LETTERED, LedgerEvent.REDRIVE): State.CAPTURED,
    (State.DEAD_LETTERED, LedgerEvent.RECAPTURE): State.CAPTURED,
    (State.CAPTURED, LedgerEvent.ANSWER): State.SUCCEEDED,
    (State.WAITING, LedgerEvent.ANSWER): State.SUCCEEDED,
    (State.DEAD_LETTERED, LedgerEvent.ANSWER): State.SUCCEEDED,
    (State.CAPTURED, LedgerEvent.CANCEL): State.DEAD_LETTERED,
    (State.WAITING, LedgerEvent.CANCEL): State.DEAD_LETTERED,
}


def transition[S: StrEnum, E: StrEnum](table: Mapping[tuple[S, E], S], state: S, event: E) -> S:
    """Return the state after an event, by a table of states.

    Raises:
        IllegalTransitionError: If the event cannot happen in that state.
    """
    try:
        return table[state, event]
    except KeyError:
        msg = f"what is {state} cannot {event}"
        raise IllegalTransitionError(msg) from None


def sources(event: LedgerEvent) -> tuple[State, ...]:
    """Return the states in which an event can happen, for a store's conditions."""
    return tuple(state for (state, happened) in TRANSITIONS if happened is event)


def may_lease(row: Row, *, now_ms: int, of: Identity | None = None) -> bool:
    """Tell whether a row may be leased: due and not ended, or left by an owner whose lease has run out.

    With `of` only if it is that call's.
    """
    if of is not None and of != row.identity:
        return False
    if row.state in sources(LedgerEvent.LEASE):
        return row.free_at_ms <= now_ms
    return row.state in sources(LedgerEvent.TAKE_OVER) and row.lease_until_ms < now_ms


def result(event: LedgerEvent) -> State:
    """Return the one state that an event leads to, wherever it happens.

    Raises:
        IllegalTransitionError: If the table sends the event to no state, or to several.
    """
    found = {after for (_, happened), after in TRANSITIONS.items() if happened is event}
    if len(found) != 1:
        msg = f"{event} leads to {len(found)} states"
        raise IllegalTransitionError(msg)
    return found.pop()


MAX_HISTORY: Final = 20
"""Attempts kept in a row, the newest; a row stays far below DynamoDB's 400 KB."""


REDRIVE_KEEPS_S: Final = 30 * 86_400
"""By how much a redrive puts off a row's deletion: its call lives again, its row must not go first."""


LIVE_OWNER: Final = "live/"
"""Begins the names of owners that are live calls."""


class PastAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a call's history."""

    at: str
    """When the attempt ended, ISO 8601."""
    began_at: str | None = None
    """When it began; rows of earlier versions do not say."""
    outcome: Outcome


MAX_ENDS: Final = 10
"""Ends that were undone kept in a row, the newest."""
_MAX_END_CHARS: Final = 300


class PastEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One time that a call was given up, before it was opened again."""

    opened_at: str
    """When it was captured, or opened again, before that."""
    ended_at: str
    reason: str
    message: str = ""
    attempts: int = 0
    refusals: int = 0
    note: str | None = None
    """What an operator left with it."""
    undone_by: LedgerEvent


class Identity(NamedTuple):
    """What one id names."""

    target: str
    """Unqualified function ARN."""
    sha256: str
    """Digest of the payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the ledger knows of one call."""

    id: str
    state: State
    target: str
    """Unqualified function ARN."""
    sha256: str
    """Digest of the payload: one id may not name two payloads."""
    captured_sha256: str | None = None
    """Digest of the payload as it was captured, once an operator has replaced it."""
    captured_at: str
    """When the capture was that opened it; a redrive is none."""
    opened_at: str
    """When the call was captured, captured again after its end, or redriven: its age counts from here."""
    updated_at: str
    attempts: int = 0
    """Executions that failed."""
    refusals: int = 0
    """Tries in which the target did not run."""
    first_refused_at: str | None = None
    """When the first of these refusals came."""
    last_refused_at: str | None = None
    history: tuple[PastAttempt, ...] = ()
    """The last attempts, oldest first; throttles are only counted."""
    ends: tuple[PastEnd, ...] = ()
    """The times that it was given up and opened again, oldest first."""
    lease_owner: str | None = None
    lease_until_ms: int = 0
    due_at_ms: int = 0
    """When a waiting call may be leased next, in milliseconds since the epoch: its backoff, whatever brings
    it back sooner (a second copy of its message, a message that was sent afresh). 0 before the first one."""
    lease_from: str = State.CAPTURED.value
    """State that the row was in when the present lease was granted."""
    may_have_run: bool = False
    """Whether a caller's own try ended in an unknown outcome: only an operator's redrive says otherwise."""
    claimed_by: str | None = None
    """Live call that runs over the end of a call that was given up; empty or None once it has said how it
    ended, or its word is not waited for any more."""
    claimed_until_ms: int | None = None
    """Until when it alone may run, whatever opens the row meanwhile."""
    reason: str | None = None
    """Why the call was given up."""
    message: str | None = None
    """The same, for an operator."""
    letter_sent: bool = False
    """Whether the dead letter is known to be in its queue."""
    result: str | None = None
    """The late result, if it is short text: the target's reply, unaltered."""
    result_key: str | None = None
    """The late result otherwise: its key in the stack's bucket."""
    capture_object: str | None = None
    """S3 URL of the capture object that the call came in."""
    unpacked_at: str | None = None
    """When the unpacker entered the call."""
    token_digest: str | None = None
    """Of the token that its caller was given: the invoker has no key of other sources."""
    note: str | None = None
    """What an operator who cancelled it, or discarded its dead letter, left: when, who, and why."""
    expires_at_s: int = 0
    """When DynamoDB may delete the row (TTL)."""

    @property
    def original_sha256(self) -> str:
        """Return the digest of the payload that was captured, whatever an operator has replaced it by."""
        return self.captured_sha256 or self.sha256

    @property
    def is_live(self) -> bool:
        """Tell whether a live call with its key holds the row, or was the last to."""
        return (self.lease_owner or "").startswith(LIVE_OWNER)

    @property
    def free_at_ms(self) -> int:
        """Return from when the call may be leased, if it has not ended: due, and claimed by no live call."""
        if self.state is State.LEASED:
            return self.lease_until_ms
        return max(self.due_at_ms, self.claimed_until_ms or 0)

    @property
    def identity(self) -> Identity:
        """Return what the id names."""
        return Identity(self.target, self.sha256)


def identity_of(record: Record) -> Identity:
    """Return what a record's id names."""
    return Identity(record.target.function, record.payload.sha256)


def extend(history: tuple[PastAttempt, ...], attempt: PastAttempt) -> tuple[PastAttempt, ...]:
    """Return the history with one more attempt, the oldest dropped beyond the limit."""
    return (*history, attempt)[-MAX_HISTORY:]


def ends_after(dead: Row, event: LedgerEvent) -> tuple[PastEnd, ...]:
    """Return what a call remembers of its ends when an event undoes the present one."""
    end = PastEnd(
        opened_at=dead.opened_at,
        ended_at=dead.updated_at,
        reason=dead.reason or "",
        message=(dead.message or "")[:_MAX_END_CHARS],
        attempts=dead.attempts,
        refusals=dead.refusals,
        note=dead.note,
        undone_by=event,
    )
    return (*dead.ends, end)[-MAX_ENDS:]


CANCELLED: Final = "an operator cancelled it"
"""What its caller is told of a cancelled call; who and why is the operators'."""


def is_cancelled(row: Row) -> bool:
    """Tell whether an operator ended a call."""
    return row.state is State.DEAD_LETTERED and row.reason == Reason.CANCELLED


def new_row(
    record: Record,
    url: str | None,
    now: datetime,
    retention_days: int,
    token_digest: str | None = None,
) -> Row:
    """Return the ledger's first row of a captured call."""
    return Row(
        id=record.id,
        state=State.CAPTURED,
        target=record.target.function,
        sha256=record.payload.sha256,
        captured_at=record.captured_at,
        opened_at=record.captured_at,
        may_have_run=record.outcome.kind is OutcomeKind.UNKNOWN,
        updated_at=format_instant(now),
        unpacked_at=format_instant(now),
        capture_object=url,
        token_digest=token_digest,
        expires_at_s=int((now + timedelta(days=retention_days)).timestamp()),
    )

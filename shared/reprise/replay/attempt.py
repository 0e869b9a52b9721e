"""One attempt at a captured call, as a value: what its end means is decided here, and nothing is done.

The call is held by its lease while one of these is about; `replay.runner` makes it, `replay.finish` carries
out what it concluded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.errors import BadRecordError
from reprise.gate.samples import Sample
from reprise.instant import format_instant, parse_instant
from reprise.ledger import PastAttempt, Row, extend, identity_of
from reprise.retry.decision import (
    COUNTED,
    AttemptCounts,
    DeadLetter,
    Decision,
    Reason,
    RetryLater,
    decide,
    expiry,
    say,
)

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.capturing.record import Record
    from reprise.ports import Reply
    from reprise.replay.message import ReplayMessage
    from reprise.retry.policy import Policy

NOT_ASKED: Final = Sample()
"""What a gate learns of an attempt that did not ask the target: nothing."""
_ANOTHER_TRY: Final = Outcome(
    kind=OutcomeKind.UNKNOWN,
    code="CalledAgain",
    message="another try of this call, by the same idempotency key, ended in an unknown outcome",
)
_JOINED_WAIT_S: Final = 300.0
"""Wait of a capture that is of no use any more, while its call is open for another one."""
_REFUSED: Final = frozenset({OutcomeKind.THROTTLED, OutcomeKind.TRANSIENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A captured call while we hold its lease."""

    message: ReplayMessage
    row: Row
    """As it was leased."""
    policy: Policy
    owner: str
    """Who holds the lease; unique per delivery."""

    @property
    def record(self) -> Record:
        """Return what was captured."""
        return self.message.record

    @property
    def failures(self) -> int:
        """Return how many replays of the call failed, as far as its gate is concerned."""
        return failures(self.row, self.record.outcome)

    @property
    def must_not_run_again(self) -> bool:
        """Tell whether the call may have run at its caller's, and a second run would do harm."""
        return self.row.may_have_run and not self.policy.idempotent

    def ended(self, decision: Decision) -> Concluded:
        """Return the attempt's end by a decision that no outcome had to be counted for."""
        row = self.row
        if isinstance(decision, DeadLetter):
            row = _given_up_for(self.record, row)
        return Concluded(attempt=replace(self, row=row), decision=decision)

    def concluded(
        self,
        outcome: Outcome,
        *,
        now: datetime,
        draw: float,
        reply: Reply | None = None,
        busy_ms: int = 0,
    ) -> Concluded:
        """Return the attempt's end by an outcome, which is counted.

        Without a reply the target was not asked, and its gate learns nothing. Every execution that failed
        is charged to its call, whatever the gate thinks of the target: `maximum_attempts` is a hard cap.
        """
        sample = NOT_ASKED
        if reply is not None:
            sample = Sample(
                kind=outcome.kind,
                busy_ms=busy_ms,
                is_suspect=self.failures > 0,
                reason=outcome.reason,
            )
        counted = replace(self, row=count_attempt(self.row, self.record.outcome, outcome, now))
        ended = counted.ended(_decide(counted, outcome, now, draw))
        return replace(ended, reply=reply, sample=sample)

    def tried(self, outcome: Outcome, *, spent: int, now: datetime, draw: float) -> Concluded:
        """Return what a caller's own try would end the call by, as an attempt's end would; it is counted.

        What the policy bars, what it gives one attempt only, and what may have run and must not run twice
        is given up: the target is not asked again. `spent` attempts came before it.
        """
        row = replace(
            self.row,
            attempts=spent + int(outcome.kind in COUNTED),
            refusals=self.row.refusals + int(outcome.kind in _REFUSED),
            history=extend(self.row.history, PastAttempt(at=format_instant(now), outcome=outcome)),
        )
        counted = replace(self, row=row)
        return counted.ended(_decide(counted, outcome, now, draw))

    def undecided(self) -> Outcome | None:
        """Return a caller's own try that nobody has decided on yet, if any; a redrive is a decision."""
        captured, row = self.record.outcome, self.row
        if self.must_not_run_again:
            return captured if captured.kind is OutcomeKind.UNKNOWN else _ANOTHER_TRY
        is_first_look = not row.attempts and row.opened_at == row.captured_at
        return captured if is_first_look else None

    def too_late(self, now: datetime) -> RetryLater | DeadLetter | None:
        """Return what becomes of a call that it is too late to replay; None if it is not.

        One that must not run again never is: whoever redrives it is to know why, and not how old it was.
        """
        if self.must_not_run_again:
            return None
        if now >= self.expires_at():
            why = "older than its policy's max_age_s or its caller's NotAfter allows"
            if self.row.history:
                why = f"{why}; last: {say(self.row.history[-1].outcome)}"
            return DeadLetter(reason=Reason.EXPIRED, message=why)
        not_after = self.record.not_after
        if not_after is not None and now >= parse_instant(not_after):
            # Too late for this capture only: the one that opened the row decides.
            return RetryLater(after_s=_JOINED_WAIT_S, is_backoff=False)
        return None

    def expires_at(self) -> datetime:
        """Return when the call is given up: not before its own capture, or the row, is too old."""
        record, policy, opened_at = self.record, self.policy, parse_instant(self.row.opened_at)
        if not _has_joined(record, self.row):
            return expiry(record, policy, opened_at)
        by_age = expiry(msgspec.structs.replace(record, not_after=None), policy, opened_at)
        return max(by_age, expiry(record, policy, parse_instant(record.captured_at)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """An attempt's end: what is to be done, and what others learn of it."""

    attempt: Attempt
    """Its row with this attempt counted."""
    decision: Decision
    reply: Reply | None = None
    """The target's answer; None if it was not asked."""
    sample: Sample = NOT_ASKED
    """The same for its gate."""


def _decide(attempt: Attempt, outcome: Outcome, now: datetime, draw: float) -> Decision:
    counts = AttemptCounts(
        attempts=attempt.row.attempts,
        refusals=attempt.row.refusals,
        expires_at=attempt.expires_at(),
    )
    return decide(outcome, counts, attempt.policy, now=now, draw=draw)


def is_replaced(row: Row, record: Record) -> bool:
    """Tell whether an operator has replaced a record's payload since.

    Raises:
        BadRecordError: `id_conflict`, if it is another call than the row's, however genuine.
    """
    identity = identity_of(record)
    if identity == row.identity:
        return False
    if identity == (row.target, row.captured_sha256):
        return True
    raise BadRecordError("id_conflict", f"id {row.id!r} names another payload or target")


def own_attempts(row: Row, captured: Outcome) -> int:
    """Return how many attempts a call starts with: the caller's own, if the target ran in it.

    Lambda, too, counts from the first. A redrive starts from zero, by an operator's decision.
    """
    return int(row.opened_at == row.captured_at and captured.kind in COUNTED)


def failures(row: Row, captured: Outcome) -> int:
    """Return how many replays of a call failed, as far as its gate is concerned.

    With a redrive what it is charged with begins anew. That it failed before stays: if it fails again, that
    says nothing new of its target, and however many such letters are redriven, they must not hold it.
    """
    since = max(0, row.attempts - own_attempts(row, captured))
    return since or int(_failed_before_redrive(row))


def _failed_before_redrive(row: Row) -> bool:
    if row.opened_at == row.captured_at:
        return False
    return any(past.outcome.kind in COUNTED and past.at < row.opened_at for past in row.history)


def count_attempt(row: Row, captured: Outcome, outcome: Outcome, now: datetime) -> Row:
    """Return the row with one more try counted; throttles are counted and not kept.

    The try began when the row was leased, which is what its `updated_at` says.
    """
    attempts = row.attempts or own_attempts(row, captured)
    history, ended_at = row.history, format_instant(now)
    if outcome.kind is not OutcomeKind.THROTTLED:
        attempt = PastAttempt(at=ended_at, began_at=row.updated_at, outcome=outcome)
        history = extend(history, attempt)
    if outcome.kind in _REFUSED:
        first_at = row.first_refused_at if row.refusals else ended_at
        row = replace(row, first_refused_at=first_at, last_refused_at=ended_at)
    return replace(
        row,
        attempts=attempts + int(outcome.kind in COUNTED),
        refusals=row.refusals + int(outcome.kind in _REFUSED),
        history=history,
    )


def _has_joined(record: Record, row: Row) -> bool:
    """Tell whether another capture opened the row: then this one's NotAfter does not end the call."""
    return row.opened_at == row.captured_at != record.captured_at


def _given_up_for(record: Record, row: Row) -> Row:
    """Return the row of a call that is given up: its end holds for this capture and all before it."""
    if not _has_joined(record, row):
        return row
    latest = max(row.opened_at, record.captured_at, key=parse_instant)
    return replace(row, captured_at=latest, opened_at=latest)

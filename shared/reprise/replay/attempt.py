"""One attempt at one captured call: lease, payload, invoke, decide."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from reprise import metric
from reprise.call.outcome import Outcome, OutcomeKind, shorten
from reprise.call.payload import unpack
from reprise.call.target import is_allowed
from reprise.call.target_type import FUNCTION, TargetType, type_of
from reprise.capturing.recapture import also_given_up, reopened, reopens
from reprise.capturing.trust import context_for_replay
from reprise.errors import BadRecordError, ObjectMissingError, PayloadError, StoreError
from reprise.gate.samples import Sample
from reprise.instant import format_instant, parse_instant
from reprise.ledger import TERMINAL, Attempt, Row, State, extend, identity_of, new_row
from reprise.replay.counting import count_delivery, count_reply
from reprise.replay.message import Ack, Disposition, Nack
from reprise.replay.settle import NOT_ASKED, STORE_WAIT_S, Finisher, about
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
    from reprise.ports import Clock, Draw, Invoker, Lease, Ledger, Objects, Reply
    from reprise.replay.message import ReplayMessage
    from reprise.retry.policy import Policy

_log = logging.getLogger(__name__)

LEASE_EXPIRED = Outcome(
    kind=OutcomeKind.UNKNOWN,
    code="LeaseExpired",
    message="the replayer that held this call ended without saying how the call ended",
)
_ANOTHER_TRY = Outcome(
    kind=OutcomeKind.UNKNOWN,
    code="CalledAgain",
    message="another try of this call, by the same idempotency key, ended in an unknown outcome",
)
_CLAIM_WAIT_S = 10.0
"""Longest wait of a call whose key a live call has claimed."""
_JOINED_WAIT_S = 300.0
"""Wait of a capture that is of no use any more, while its call is open for another one."""
_REFUSED = frozenset({OutcomeKind.THROTTLED, OutcomeKind.TRANSIENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRunner:
    """Makes attempts; safe to use from several threads."""

    functions: Invoker
    targets: tuple[str, ...]
    """Functions that may be invoked, whoever wrote the message."""
    ledger: Ledger
    objects: Objects
    finisher: Finisher
    clock: Clock
    draw: Draw
    retention_days: int
    types: tuple[TargetType, ...] = (FUNCTION,)

    def run(
        self,
        message: ReplayMessage,
        policy: Policy,
        *,
        owner: str,
        lease_until_ms: int,
    ) -> Disposition:
        """Make one attempt, unless the ledger says that it is not due.

        Args:
            message: The captured call.
            policy: Its target's policy.
            owner: Who we are; unique per delivery, so that one batch may hold the same call twice.
            lease_until_ms: When this process can no longer be running.

        Raises:
            BadRecordError: `id_conflict`, if the ledger knows another call by this id.
            StoreError: If the ledger cannot be asked (nothing was invoked), or neither it nor the
                queue could be told how the attempt ended (see `Finisher.carry_out`).
        """
        if message.settlement is not None:
            return self.finisher.catch_up(message, message.settlement)
        now = self.clock()
        lease = self._lease(message, policy, owner, now, lease_until_ms)
        row = lease.before
        if row is None:
            return Nack(wait_s=STORE_WAIT_S)
        count_delivery(self.finisher.meter, lease, row)
        if not lease.granted:
            return self._refused(message, row, now)
        if row.state is State.LEASED:
            # A live call's was not entered: it counts as a captured one from here on.
            self.finisher.meter.count(metric.RECORDED, int(row.is_live), target=row.target)
            # Who held it may have ended before it decided on the caller's own try.
            ended = self._end_tried(message, row, policy, owner)
            return ended or self._conclude(message, row, policy, owner, LEASE_EXPIRED)
        row = replace(row, updated_at=format_instant(now))
        too_late = _too_late(message, row, policy, now)
        if too_late is not None:
            return self._carry_out(too_late, message, row, owner)
        return self._invoke(message, row, policy, owner)

    def failures(self, message: ReplayMessage) -> int:
        """Return how many replays of a call failed since it was captured or redriven.

        Raises:
            StoreError: If the ledger cannot be asked.
        """
        row = self.ledger.get(message.record.id)
        return 0 if row is None else _failures(row, message.record.outcome)

    def _lease(
        self, message: ReplayMessage, policy: Policy, owner: str, now: datetime, until_ms: int
    ) -> Lease:
        record = message.record
        identity = identity_of(record)
        take = partial(
            self.ledger.lease, record.id, owner=owner, now=now, until_ms=until_ms, of=identity
        )
        lease = take()
        row = lease.before
        if row is None:
            # The row is gone (TTL, a restored table): without one, nothing may be invoked.
            self.ledger.record(self._new_row(message))
        elif not lease.granted and row.identity == identity and reopens(row, record):
            self._capture_again(message, row, policy, now)
        else:
            return lease
        return take()

    def _capture_again(
        self, message: ReplayMessage, dead: Row, policy: Policy, now: datetime
    ) -> None:
        """Open a call again that was given up and captured since, unless that capture is too old, too."""
        record, capture = message.record, self._new_row(message)
        if now >= expiry(record, policy, parse_instant(record.captured_at)):
            self.ledger.recapture(dead, also_given_up(dead, capture))
        elif self.ledger.recapture(dead, reopened(dead, capture)):
            self.finisher.meter.count(metric.RECORDED, target=dead.target)

    def _new_row(self, message: ReplayMessage) -> Row:
        return new_row(message.record, message.object, self.clock(), self.retention_days)

    def _refused(self, message: ReplayMessage, row: Row, now: datetime) -> Disposition:
        """Deal with a call that has ended, is held by another, is not due, or is not the row's."""
        if _is_replaced(row, message.record):
            return Ack()
        if row.state not in TERMINAL:
            free_ms = row.lease_until_ms if row.state is State.LEASED else row.due_at_ms
            wait_s = max(1.0, free_ms / 1000 - now.timestamp())
            if row.state is State.LEASED and row.is_live:
                # By a live call, which ends long before its lease, and then perhaps leaves this one to us.
                wait_s = min(wait_s, _CLAIM_WAIT_S)
            return Nack(wait_s=wait_s)
        if reopens(row, message.record):
            # The row has changed under our hands.
            return Nack(wait_s=STORE_WAIT_S)
        if row.state is State.DEAD_LETTERED and not row.letter_sent:
            return self.finisher.send_letter(message, row)
        return Ack()

    def _invoke(self, message: ReplayMessage, row: Row, policy: Policy, owner: str) -> Disposition:
        record = message.record
        if not is_allowed(record.target.function, self.targets):
            why = "the target is not among the stack's Targets: add it, then redrive"
            barred = DeadLetter(reason=Reason.PERMANENT, message=why)
            return self._carry_out(barred, message, row, owner)
        ended = self._end_tried(message, row, policy, owner)
        if ended is not None:
            return ended
        claim_check = record.payload.claim_check
        try:
            fetched = self.objects.get(claim_check) if claim_check is not None else None
            payload = unpack(record.payload, fetched)
        except (ObjectMissingError, PayloadError) as error:
            gone = DeadLetter(reason=Reason.PERMANENT, message=f"payload: {error}")
            return self._carry_out(gone, message, row, owner)
        except StoreError as error:
            _log.exception("payload could not be read now", extra=about(message))
            unread = Outcome(
                kind=OutcomeKind.TRANSIENT, code=f"Payload{error.code}", message=shorten(str(error))
            )
            return self._conclude(message, row, policy, owner, unread)
        context = context_for_replay(record)
        started_at = self.clock()
        reply = self.functions.invoke(record.target, payload, context, record.trace)
        busy_ms = round((self.clock() - started_at).total_seconds() * 1000)
        return self._conclude(message, row, policy, owner, reply.outcome, reply, busy_ms)

    def _end_tried(
        self, message: ReplayMessage, row: Row, policy: Policy, owner: str
    ) -> Disposition | None:
        """Decide on a caller's own try, if that is still to be done; return None if the call may run."""
        record = message.record
        spent = self._spent_before(record)
        if spent is not None and not row.history:
            # What failed by itself waits for its backoff; a call has waited on its way here.
            decided, counted = self._decide_tried(message, row, policy, record.outcome, spent=spent)
            return self._carry_out(decided, message, counted, owner)
        tried = _undecided(record, row, policy)
        if tried is None:
            return None
        decided, counted = self._decide_tried(message, row, policy, tried, spent=row.attempts)
        if not isinstance(decided, DeadLetter):
            return None
        return self._carry_out(decided, message, counted, owner)

    def _spent_before(self, record: Record) -> int | None:
        """Return the attempts before a target's own failure; None if the record is of a call."""
        found = type_of(record.target.function, self.types)
        if found is None or found.failures is None:
            return None
        return found.failures.attempts(record)

    def _decide_tried(
        self, message: ReplayMessage, row: Row, policy: Policy, outcome: Outcome, *, spent: int
    ) -> tuple[Decision, Row]:
        """Decide on a caller's own try as on an attempt's end; return the row with that counted, too.

        What the policy bars, what it gives one attempt only, and what may have run and must not run twice
        ends here: the target is not asked again. `spent` attempts came before it.
        """
        now = self.clock()
        counted = replace(
            row,
            attempts=spent + int(outcome.kind in COUNTED),
            refusals=row.refusals + int(outcome.kind in _REFUSED),
            history=extend(row.history, Attempt(at=format_instant(now), outcome=outcome)),
        )
        standing = AttemptCounts(
            attempts=counted.attempts,
            refusals=counted.refusals,
            expires_at=_expires_at(message, row, policy),
        )
        return decide(outcome, standing, policy, now=now, draw=self.draw()), counted

    def _conclude(  # noqa: PLR0913, PLR0917 - an attempt, and what is known around it
        self,
        message: ReplayMessage,
        row: Row,
        policy: Policy,
        owner: str,
        outcome: Outcome,
        reply: Reply | None = None,
        busy_ms: int = 0,
    ) -> Disposition:
        """Count a try, decide what its end means, and carry that out.

        Without a reply the target was not asked, and its gate learns nothing. Every execution that failed
        is charged to its call, whatever the gate thinks of the target: `max_attempts` is a hard cap.
        """
        now = self.clock()
        captured = message.record.outcome
        meeting = NOT_ASKED
        if reply is not None:
            meeting = Sample(
                kind=outcome.kind,
                busy_ms=busy_ms,
                is_suspect=_failures(row, captured) > 0,
                reason=outcome.reason,
            )
        counted = count_attempt(row, captured, outcome, now)
        standing = AttemptCounts(
            attempts=counted.attempts,
            refusals=counted.refusals,
            expires_at=_expires_at(message, row, policy),
        )
        decision = decide(outcome, standing, policy, now=now, draw=self.draw())
        count_reply(self.finisher.meter, row, reply)
        return self._carry_out(decision, message, counted, owner, reply, meeting)

    def _carry_out(
        self,
        decision: Decision,
        message: ReplayMessage,
        row: Row,
        owner: str,
        reply: Reply | None = None,
        meeting: Sample = NOT_ASKED,
    ) -> Disposition:
        if isinstance(decision, DeadLetter):
            row = _given_up_for(message.record, row)
        return self.finisher.carry_out(decision, message, row, owner, reply, meeting)


def _undecided(record: Record, row: Row, policy: Policy) -> Outcome | None:
    """Return a caller's own try that nobody has decided on yet, if there is one; a redrive is a decision."""
    if row.may_have_run and not policy.idempotent:
        return record.outcome if record.outcome.kind is OutcomeKind.UNKNOWN else _ANOTHER_TRY
    is_first_look = not row.attempts and row.opened_at == row.captured_at
    return record.outcome if is_first_look else None


def _is_replaced(row: Row, record: Record) -> bool:
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


def _failures(row: Row, captured: Outcome) -> int:
    return max(0, row.attempts - own_attempts(row, captured))


def count_attempt(row: Row, captured: Outcome, outcome: Outcome, now: datetime) -> Row:
    """Return the row with one more try counted; throttles are counted and not kept.

    The try began when the row was leased, which is what its `updated_at` says.
    """
    attempts = row.attempts or own_attempts(row, captured)
    history, ended_at = row.history, format_instant(now)
    if outcome.kind is not OutcomeKind.THROTTLED:
        attempt = Attempt(at=ended_at, began_at=row.updated_at, outcome=outcome)
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


def _too_late(
    message: ReplayMessage, row: Row, policy: Policy, now: datetime
) -> RetryLater | DeadLetter | None:
    """Return what becomes of a call that it is too late to replay; None if it is not."""
    if now >= _expires_at(message, row, policy):
        why = "older than its policy's max_age_s or its caller's NotAfter allows"
        if row.history:
            why = f"{why}; last: {say(row.history[-1].outcome)}"
        return DeadLetter(reason=Reason.EXPIRED, message=why)
    not_after = message.record.not_after
    if not_after is not None and now >= parse_instant(not_after):
        # Too late for this capture only: the one that opened the row decides.
        return RetryLater(after_s=_JOINED_WAIT_S, is_backoff=False)
    return None


def _expires_at(message: ReplayMessage, row: Row, policy: Policy) -> datetime:
    """Return when a message gives its call up: not before its own capture, or the row, is too old."""
    record, opened_at = message.record, parse_instant(row.opened_at)
    if not _has_joined(record, row):
        return expiry(record, policy, opened_at)
    by_age = expiry(msgspec.structs.replace(record, not_after=None), policy, opened_at)
    return max(by_age, expiry(record, policy, parse_instant(record.captured_at)))

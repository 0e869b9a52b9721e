"""Make attempts at captured calls: take the lease, look at the row, fetch the payload, invoke."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from reprise import metric
from reprise.call.outcome import Outcome, OutcomeKind, shorten
from reprise.call.payload import unpack
from reprise.call.target import is_allowed
from reprise.call.target_type import FUNCTION, TargetType, type_of
from reprise.capturing.line import context_for_replay
from reprise.capturing.reopen import also_given_up, reopened, reopens
from reprise.errors import ObjectMissingError, PayloadError, StoreError
from reprise.gate.samples import Sample
from reprise.instant import format_instant, parse_instant
from reprise.ledger import TERMINAL, Row, State, identity_of, is_cancelled, new_row
from reprise.ports import LeaseRequest
from reprise.replay.attempt import NOT_ASKED, Attempt, failures, is_replaced
from reprise.replay.finish import STORE_WAIT_S, Finisher, about, count_delivery, count_reply
from reprise.replay.message import Ack, Disposition, Nack
from reprise.replies import wants_reply
from reprise.retry.decision import DeadLetter, Reason, RetryLater, expiry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reprise.call.target_type import FailureEvents
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
_LEFT = Sample(has_left=True)
_CLAIM_WAIT_S = 10.0
"""Longest wait of a call whose key a live call has claimed."""


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

    def lease_all(
        self, calls: Mapping[str, ReplayMessage], lease_until_ms: int
    ) -> dict[str, Lease]:
        """Take the leases of calls, by their owners, that are run at once; return those that were granted.

        Every other attempt takes its own, and is told why not.
        """
        wanted = [
            LeaseRequest(call_id=message.record.id, owner=owner, of=identity_of(message.record))
            for owner, message in calls.items()
        ]
        try:
            return self.ledger.lease_all(wanted, now=self.clock(), until_ms=lease_until_ms)
        except Exception:  # noqa: BLE001 - a row that cannot be read must delay its own call alone
            _log.warning("leases are taken one by one", exc_info=True)
            return {}

    def run(
        self,
        message: ReplayMessage,
        policy: Policy,
        *,
        owner: str,
        lease_until_ms: int,
        lease: Lease | None = None,
        may_begin: bool = True,
    ) -> Disposition:
        """Make one attempt, unless the ledger says that it is not due.

        Args:
            message: The captured call.
            policy: Its target's policy.
            owner: Who we are; unique per delivery, so that one batch may hold the same call twice.
            lease_until_ms: When this process can no longer be running.
            lease: From `lease_all`, if it was granted there.
            may_begin: Whether there is time for the target; if not, the lease is only given back.

        Raises:
            BadRecordError: `id_conflict`, if the ledger knows another call by this id.
            StoreError: If the ledger cannot be asked (nothing was invoked), or neither it nor the
                queue could be told how the attempt ended (see `Finisher.finish`).
        """
        if message.settlement is not None:
            return self.finisher.catch_up(message, message.settlement)
        now = self.clock()
        take = partial(
            self.ledger.lease,
            message.record.id,
            owner=owner,
            now=now,
            until_ms=lease_until_ms,
            of=identity_of(message.record),
        )
        lease = self._lease(message, policy, now, lease or take(), take)
        row = lease.before
        if row is None:
            return Nack(wait_s=STORE_WAIT_S)
        count_delivery(self.finisher.meter, lease, row)
        if not lease.granted:
            return self._refused(message, row, now)
        if row.state is State.LEASED or row.claimed_by:
            # A live call's was not entered: it counts as a captured one from here on.
            self.finisher.meter.count(metric.RECORDED, int(row.is_live), target=row.target)
            held = Attempt(message=message, row=row, policy=policy, owner=owner)
            return self._end_tried(held, may_have_run=True) or self._conclude(held, LEASE_EXPIRED)
        row = replace(row, updated_at=format_instant(now))
        attempt = Attempt(message=message, row=row, policy=policy, owner=owner)
        too_late = attempt.too_late(now)
        if too_late is None and not may_begin:
            # What is left leased would pass for a call that may have run.
            too_late = RetryLater(after_s=0.0, is_backoff=False)
        if too_late is not None:
            return self.finisher.finish(attempt.ended(too_late))
        return self._invoke(attempt)

    def failures(self, message: ReplayMessage) -> int:
        """Return how many replays of a call failed, as far as its gate is concerned.

        Raises:
            StoreError: If the ledger cannot be asked.
        """
        row = self.ledger.get(message.record.id)
        return 0 if row is None else failures(row, message.record.outcome)

    def _lease(
        self,
        message: ReplayMessage,
        policy: Policy,
        now: datetime,
        lease: Lease,
        take: Callable[[], Lease],
    ) -> Lease:
        """Return the lease, taken again if it was refused for a row that is gone, or captured again since."""
        record, row = message.record, lease.before
        is_ours = row is not None and row.identity == identity_of(record)
        if row is None:
            # The row is gone (TTL, a restored table): without one, nothing may be invoked.
            self.ledger.record(self._new_row(message))
        elif not lease.granted and is_ours and reopens(row, record):
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
        if is_replaced(row, message.record) and not wants_reply(message.record):
            return Ack()
        if row.state not in TERMINAL:
            wait_s = max(1.0, row.free_at_ms / 1000 - now.timestamp())
            if row.claimed_by or (row.state is State.LEASED and row.is_live):
                # By a live call, which ends long before its lease, and then perhaps leaves this one to us.
                wait_s = min(wait_s, _CLAIM_WAIT_S)
            return Nack(wait_s=wait_s)
        if is_replaced(row, message.record):
            # It is not to run, and what runs in its place has ended.
            return self.finisher.send_reply(message)
        if reopens(row, message.record):
            # The row has changed under our hands.
            return Nack(wait_s=STORE_WAIT_S)
        if row.state is State.DEAD_LETTERED and not row.letter_sent:
            return self.finisher.send_letter(message, row)
        # Its reply may not have been sent, or this is another capture of it, with a reply of its own.
        return self.finisher.send_reply(message, _LEFT if _leaves_now(row) else NOT_ASKED)

    def _invoke(self, attempt: Attempt) -> Disposition:
        record = attempt.record
        if not is_allowed(record.target.function, self.targets):
            why = "the target is not among the stack's Targets: add it, then redrive"
            barred = DeadLetter(reason=Reason.PERMANENT, message=why)
            return self.finisher.finish(attempt.ended(barred))
        ended = self._end_tried(attempt)
        if ended is not None:
            return ended
        claim_check = record.payload.claim_check
        try:
            fetched = self.objects.get(claim_check) if claim_check is not None else None
            payload = unpack(record.payload, fetched)
        except (ObjectMissingError, PayloadError) as error:
            gone = DeadLetter(reason=Reason.PERMANENT, message=f"payload: {error}")
            return self.finisher.finish(attempt.ended(gone))
        except StoreError as error:
            _log.exception("payload could not be read now", extra=about(attempt.message))
            unread = Outcome(
                kind=OutcomeKind.TRANSIENT, code=f"Payload{error.code}", message=shorten(str(error))
            )
            return self._conclude(attempt, unread)
        events = self._failure_events(record)
        if events is not None:
            payload = events.instruct(payload, attempt.policy)
        context = context_for_replay(record)
        started_at = self.clock()
        reply = self.functions.invoke(record.target, payload, context, record.trace)
        busy_ms = round((self.clock() - started_at).total_seconds() * 1000)
        return self._conclude(attempt, reply.outcome, reply, busy_ms)

    def _end_tried(self, attempt: Attempt, *, may_have_run: bool = False) -> Disposition | None:
        """Decide on a caller's own try, if that is still to be done; return None if the call may run.

        Whoever held a call and crashed may have run it, or have crashed before it decided on that try.
        Which of both matters only where the target is idempotent: elsewhere it is given up as unknown, and
        not for its age, by which any later capture of its key would run it again.
        """
        events = self._failure_events(attempt.record)
        spent = None if events is None else events.attempts(attempt.record)
        if spent is not None and not attempt.row.history:
            # What failed by itself waits for its backoff; a call has waited on its way here.
            ended = attempt.tried(
                attempt.record.outcome, spent=spent, now=self.clock(), draw=self.draw()
            )
            return self.finisher.finish(ended)
        tried = attempt.undecided()
        if tried is None or (may_have_run and not attempt.policy.idempotent):
            return None
        spent = attempt.row.attempts
        ended = attempt.tried(tried, spent=spent, now=self.clock(), draw=self.draw())
        return self.finisher.finish(ended) if isinstance(ended.decision, DeadLetter) else None

    def _failure_events(self, record: Record) -> FailureEvents | None:
        """Return what reads the failure of its target's own that a record is; None if it is of a call."""
        found = type_of(record.target.function, self.types)
        events = None if found is None else found.failures
        return None if events is None or events.attempts(record) is None else events

    def _conclude(
        self, attempt: Attempt, outcome: Outcome, reply: Reply | None = None, busy_ms: int = 0
    ) -> Disposition:
        ended = attempt.concluded(
            outcome, now=self.clock(), draw=self.draw(), reply=reply, busy_ms=busy_ms
        )
        count_reply(self.finisher.meter, attempt.row, reply)
        return self.finisher.finish(ended)


def _leaves_now(row: Row) -> bool:
    """Tell whether a call that has ended waited for a permit until now: one that an operator cancelled did.

    Not if it was in its backoff, or was opened again: such calls had left before, as in `Finisher.finish`.
    """
    return is_cancelled(row) and not row.due_at_ms and row.opened_at == row.captured_at

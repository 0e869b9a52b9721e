"""Let a key have one effect, whether a live call has it or the replay of a captured one.

Before a live call with a key runs, where its target may have captured calls, its row is claimed: the replayer
finds it leased, and a captured call of that key is told instead of run again. See
docs/adr/0023-a-key-is-one-effect.md.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.payload import digest
from reprise.capturing.status import keep_result, read_result
from reprise.errors import ObjectMissingError, RepriseError, StoreError
from reprise.instant import format_instant
from reprise.ledger import (
    LIVE_OWNER,
    TRANSITIONS,
    LedgerEvent,
    Row,
    State,
    ends_after,
    sources,
    transition,
)
from reprise.ports import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.call.request import CallRequest
    from reprise.capturing.invoker import Captured, Capturer
    from reprise.capturing.open_calls import OpenCalls
    from reprise.ports import Clock, Ledger, Meter

_log = logging.getLogger(__name__)

LEASE_MARGIN_S: Final = 30
"""Kept after the longest call, to say how it ended."""
KEEPS_S: Final = 30 * 86_400
"""How long a live call's row stays: no capture of its key waits longer to be entered."""
ALREADY_CAPTURED: Final = Outcome(
    kind=OutcomeKind.THROTTLED,
    code="AlreadyCaptured",
    message="the call of this key is captured, and was not called again: ask for it by its id",
)
IN_PROGRESS: Final = Outcome(
    kind=OutcomeKind.THROTTLED,
    code="CallInProgress",
    message="another call of this key is under way: it was not called again",
)
CLAIM_EXPIRED: Final = Outcome(
    kind=OutcomeKind.UNKNOWN,
    code="LeaseExpired",
    message="an earlier call of this key ended without saying how: it was not called again",
)
LEDGER_AWAY: Final = Outcome(
    kind=OutcomeKind.TRANSIENT,
    code="LedgerAway",
    message="whether a captured call of this key has run cannot be told now: it was not called again",
)
_TRIES: Final = 3
DONE: Final = Outcome(kind=OutcomeKind.SUCCEEDED, status=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The row of a key that a live call may run by."""

    row: Row
    is_held: bool = True
    """Whether the row is the live call's own; if not, it is that of a call that was given up, which is
    told of a success only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyCaptured:
    """The captured call of the key has an end, or will have one: nothing runs."""

    reply: Reply
    captured: Captured
    has_ended: bool
    """Whether the reply is its late result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """Nothing runs, and the call is to be captured with this outcome."""

    outcome: Outcome

    @property
    def is_beside(self) -> bool:
        """Tell whether another call of the key runs now, whose end may be waited for."""
        return self.outcome is IN_PROGRESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Claims the rows of keys for live calls."""

    open_calls: OpenCalls
    ledger: Ledger
    clock: Clock
    meter: Meter
    bucket: str
    call_timeout_s: int

    def begin(
        self, request: CallRequest, capturer: Capturer
    ) -> Claim | AlreadyCaptured | Owed | None:
        """Return the claim to run under, or what to tell instead; None if the call is to run without one.

        Args:
            request: A call with a key.
            capturer: Names it.

        Raises:
            StoreError, SettingsError: If the source's keys cannot be had, or a kept call's late result.
        """
        function = request.target.function
        if not self.open_calls.may_be(function) or (call_id := capturer.keyed_id(request)) is None:
            return None
        row = self._row(call_id, request, capturer)
        try:
            claim = self._claim(row)
        except StoreError as error:
            if "AccessDenied" in error.code:
                _log.warning("keys are not protected: the ledger may not be written", exc_info=True)
                return None
            _log.exception("ledger is away", extra={"call_id": call_id})
            with suppress(StoreError):
                # The claim may have been written: nobody is to wait for it.
                self.ledger.release(call_id, owner=row.lease_owner or "")
                self.ledger.unclaim(call_id, owner=row.lease_owner or "")
            return Owed(outcome=LEDGER_AWAY)
        if isinstance(claim, Claim):
            return claim
        if claim.original_sha256 != row.sha256 and not _is_same(request, claim):
            return None
        return self._told(claim, capturer)

    def end(self, claim: Claim, reply: Reply, capturer: Capturer) -> None:
        """Say how a live call ended under its claim; an unknown end is said by `wait`, or not at all.

        Where it cannot be said the claim runs out, and the policy for unknown outcomes decides.
        """
        row, kind = claim.row, reply.outcome.kind
        try:
            if kind is OutcomeKind.SUCCEEDED:
                self._succeed(claim, keep_result(capturer.objects, row.id, reply))
            elif kind is not OutcomeKind.UNKNOWN:
                self._let_go(claim)
        except StoreError:
            _log.exception("claim could not be ended now", extra={"call_id": row.id})

    def wait(self, claim: Claim, captured: Captured) -> None:
        """Let the captured call wait that may have run: nobody runs it until its policy has been asked."""
        changes = {
            "captured_at": captured.captured_at,
            "opened_at": captured.captured_at,
            "may_have_run": True,
        }
        try:
            if claim.is_held:
                self._settle(claim.row, LedgerEvent.WAIT, changes)
            else:
                # The capture opens it again, as any later one does.
                self._let_go(claim)
        except StoreError:
            _log.exception("claim could not be ended now", extra={"call_id": claim.row.id})

    def tell(self, request: CallRequest, reply: Reply, capturer: Capturer) -> None:
        """Tell the ledger of a success without a claim, if its key may have been captured meanwhile."""
        if reply.outcome.kind is not OutcomeKind.SUCCEEDED:
            return
        if not self.open_calls.may_be(request.target.function):
            return
        try:
            call_id = capturer.keyed_id(request)
            if call_id is None:
                return
            row = self._row(call_id, request, capturer)
            found = self._claim(row)
            claim = found if isinstance(found, Claim) else Claim(row=found, is_held=False)
            is_open = claim.is_held or claim.row.state in sources(LedgerEvent.ANSWER)
            is_same = claim.row.original_sha256 == row.sha256 or request.key_covers_payload
            if is_open and is_same:
                self._succeed(claim, keep_result(capturer.objects, call_id, reply))
        except RepriseError:
            _log.exception("success could not be told", extra={"target": request.target.function})

    def _row(self, call_id: str, request: CallRequest, capturer: Capturer) -> Row:
        now = self.clock()
        now_ms = int(now.timestamp() * 1000)
        return Row(
            id=call_id,
            state=State.LEASED,
            target=request.target.function,
            sha256=digest(request.payload),
            captured_at=format_instant(now),
            opened_at=format_instant(now),
            updated_at=format_instant(now),
            lease_owner=LIVE_OWNER + capturer.random_bytes(16).hex(),
            lease_until_ms=now_ms + (self.call_timeout_s + LEASE_MARGIN_S) * 1000,
            expires_at_s=now_ms // 1000 + KEEPS_S,
        )

    def _claim(self, row: Row) -> Claim | Row:
        """Return the claim of a row, or the row that stands in the way.

        Raises:
            StoreError: If the ledger is away; the claim may have been written.
        """
        existing = self.ledger.record(row)
        if existing is None or existing.lease_owner == row.lease_owner:
            # Our own row stands in the way when the SDK repeated an answered write.
            return Claim(row=row)
        if existing.original_sha256 != row.sha256 or existing.state is not State.DEAD_LETTERED:
            return existing
        owner, until_ms = row.lease_owner or "", row.lease_until_ms
        if not existing.claimed_by and self.ledger.claim(existing, owner=owner, until_ms=until_ms):
            return Claim(row=replace(existing, claimed_by=owner), is_held=False)
        return self.ledger.get(row.id) or existing

    def _told(self, row: Row, capturer: Capturer) -> AlreadyCaptured | Owed:
        """Return what the caller is told of a call that has a row already."""
        self.meter.count(metric.DUPLICATES_SUPPRESSED, target=row.target)
        if row.state is State.SUCCEEDED:
            return self._late(row, capturer)
        until_ms = claimed_until_ms(row)
        if until_ms is not None:
            # A live call's: whether that is captured, if it fails, nobody knows. So this one is.
            has_expired = until_ms < int(self.clock().timestamp() * 1000)
            return Owed(outcome=CLAIM_EXPIRED if has_expired else IN_PROGRESS)
        return _again(row, capturer)

    def _late(self, row: Row, capturer: Capturer) -> AlreadyCaptured:
        """Return a late result; the 202 again if it was not kept, or cannot be read now."""
        try:
            payload = read_result(capturer.objects, self.bucket, row)
        except (ObjectMissingError, StoreError):
            _log.exception("late result cannot be read", extra={"call_id": row.id})
            return _again(row, capturer)
        if payload is None:
            return _again(row, capturer)
        reply = Reply(outcome=DONE, payload=payload)
        return AlreadyCaptured(reply=reply, captured=capturer.as_captured(row), has_ended=True)

    def _succeed(self, claim: Claim, result: Mapping[str, str]) -> None:
        row = claim.row
        if claim.is_held:
            self._settle(row, LedgerEvent.SUCCEED, result)
            return
        # Meanwhile another try of it may have been entered, or an operator may have redriven it.
        for _ in range(_TRIES):
            is_dead = row.state is State.DEAD_LETTERED
            after = replace(
                row,
                ends=ends_after(row, LedgerEvent.ANSWER) if is_dead else row.ends,
                state=transition(TRANSITIONS, row.state, LedgerEvent.ANSWER),
                updated_at=format_instant(self.clock()),
                claimed_by=None,
                claimed_until_ms=None,
                reason=None,
                message=None,
                result=result.get("result"),
                result_key=result.get("result_key"),
            )
            if self.ledger.recapture(row, after):
                return
            found = self.ledger.get(row.id)
            if found is None or found.state not in sources(LedgerEvent.ANSWER):
                break
            row = found
        _log.warning(
            "call was taken up while another of its key ran live", extra={"call_id": row.id}
        )

    def _let_go(self, claim: Claim) -> None:
        if claim.is_held:
            self.ledger.release(claim.row.id, owner=claim.row.lease_owner or "")
        else:
            self.ledger.unclaim(claim.row.id, owner=claim.row.claimed_by or "")

    def _settle(self, row: Row, event: LedgerEvent, changes: Mapping[str, object]) -> None:
        ours = self.ledger.settle(
            row.id,
            owner=row.lease_owner or "",
            event=event,
            changes={"updated_at": format_instant(self.clock()), **changes},
        )
        if not ours:
            _log.error("claim was lost before the call's end", extra={"call_id": row.id})


def claimed_until_ms(row: Row) -> int | None:
    """Return until when a live call alone may run a key's call, ended or not; None if none has claimed it."""
    if row.state is State.LEASED and row.is_live:
        return row.lease_until_ms
    return row.claimed_until_ms if row.state is State.DEAD_LETTERED and row.claimed_by else None


def _is_same(request: CallRequest, row: Row) -> bool:
    """Tell whether a call with a row's key and another payload is the row's, which is owed an end."""
    return request.key_covers_payload and row.state is not State.DEAD_LETTERED


def _again(row: Row, capturer: Capturer) -> AlreadyCaptured:
    reply = Reply(outcome=ALREADY_CAPTURED)
    return AlreadyCaptured(reply=reply, captured=capturer.as_captured(row), has_ended=False)

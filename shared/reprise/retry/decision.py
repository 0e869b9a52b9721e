"""Decide what becomes of a call after an attempt, and when it is too old for one: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.instant import parse_instant
from reprise.retry.backoff import backoff_s

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.capturing.record import Record
    from reprise.retry.policy import Policy

COUNTED: Final = frozenset({OutcomeKind.FUNCTION_ERROR, OutcomeKind.UNKNOWN})
"""Outcomes that consume an attempt: the target ran, or may have."""


class Reason(StrEnum):
    """Why a call was given up."""

    EXHAUSTED = "exhausted"
    """Every attempt was spent."""
    PERMANENT = "permanent"
    """No replay can succeed."""
    EXPIRED = "expired"
    """Older than its policy or its caller allows."""
    UNKNOWN = "unknown"
    """It may have run, and its policy does not say that a second run is harmless."""
    KEY_CONFLICT = "key_conflict"
    """Its idempotency key named a call with another payload already."""
    UNDELIVERABLE = "undeliverable"
    """SQS moved its message to the dead-letter queue by itself, before the call had ended."""
    CANCELLED = "cancelled"
    """An operator ended it before it had run to success; it has no dead letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The call succeeded; nothing is left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLater:
    """Try again after a wait."""

    after_s: float
    """Seconds, at least 0."""
    is_backoff: bool = True
    """Whether the call itself must wait; false if only this capture of it has to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForGate:
    """Try again when the gate lets it; costs no attempt."""

    floor_s: float = 0.0
    """The server's `Retry-After`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Give the call up, and keep it with its reason."""

    reason: Reason
    message: str
    """What an operator should know and do."""


Decision = Done | RetryLater | WaitForGate | DeadLetter


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptCounts:
    """Where a call stands after an attempt."""

    attempts: int
    """Executions that failed so far, the last included."""
    refusals: int
    """Times the call did not run so far (throttled or transient), the last included."""
    expires_at: datetime
    """When the call is given up, from `expiry`."""


def decide(
    outcome: Outcome, standing: AttemptCounts, policy: Policy, *, now: datetime, draw: float
) -> Decision:
    """Return what becomes of a call after an attempt.

    Args:
        outcome: How the attempt ended.
        standing: Where the call stands, this attempt included.
        policy: The target's policy.
        now: When the attempt ended.
        draw: From [0, 1), made by the caller.
    """
    if outcome.kind is OutcomeKind.SUCCEEDED:
        return Done()
    given_up = _not_worth_a_replay(outcome, policy) or _spent(outcome, standing, policy, now)
    if given_up is not None:
        return given_up
    floor_s = outcome.retry_after_s or 0.0
    if outcome.kind is OutcomeKind.THROTTLED:
        return WaitForGate(floor_s=floor_s)
    tries = standing.attempts if outcome.kind in COUNTED else standing.refusals
    wait_s = policy_backoff_s(max(tries, 1), policy, draw=draw, floor_s=floor_s)
    # Not beyond the end: the last look at the call is the one that gives it up.
    return RetryLater(after_s=min(wait_s, (standing.expires_at - now).total_seconds()))


def policy_backoff_s(
    tries: int, policy: Policy, *, draw: float = 1.0, floor_s: float = 0.0
) -> float:
    """Return a policy's wait after so many tries, at least 1; without a draw the longest one."""
    return backoff_s(
        tries,
        initial_interval_s=policy.initial_interval_s,
        maximum_interval_s=policy.maximum_interval_s,
        backoff_coefficient=policy.backoff_coefficient,
        draw=draw,
        floor_s=floor_s,
    )


def _not_worth_a_replay(outcome: Outcome, policy: Policy) -> DeadLetter | None:
    """Return why a call with this outcome is never replayed, or None."""
    kind = outcome.kind
    if kind is OutcomeKind.UNKNOWN and not policy.idempotent:
        why = (
            f"{say(outcome)}. It may have run: check its effect, then redrive it, or set "
            "`idempotent` in the target's policy"
        )
        return DeadLetter(reason=Reason.UNKNOWN, message=why)
    why = ""
    if kind not in policy.replay_on and kind not in (OutcomeKind.UNKNOWN, OutcomeKind.PERMANENT):
        why = "; not in the policy's `replay_on`"
    elif kind is OutcomeKind.FUNCTION_ERROR and outcome.code in policy.non_retryable_error_types:
        why = "; listed in the policy's `non_retryable_error_types`"
    if why or kind is OutcomeKind.PERMANENT:
        return DeadLetter(reason=Reason.PERMANENT, message=f"{say(outcome)}{why}")
    return None


def _spent(
    outcome: Outcome, standing: AttemptCounts, policy: Policy, now: datetime
) -> DeadLetter | None:
    """Return which of a call's bounds is spent, or None."""
    if outcome.kind in COUNTED and standing.attempts >= policy.maximum_attempts:
        why = f"{standing.attempts} attempts failed; last: {say(outcome)}"
        return DeadLetter(reason=Reason.EXHAUSTED, message=why)
    if now >= standing.expires_at:
        return DeadLetter(reason=Reason.EXPIRED, message=f"too old; last: {say(outcome)}")
    return None


def say(outcome: Outcome) -> str:
    """Return one line on an outcome, for people."""
    parts = [outcome.kind.value, outcome.code, outcome.reason, outcome.message]
    return ": ".join(part for part in parts if part)


def expiry(record: Record, policy: Policy, opened_at: datetime) -> datetime:
    """Return when a call is given up: by its policy's age or by its caller's deadline.

    Args:
        record: The captured call.
        policy: Its target's policy.
        opened_at: When the call was captured, or redriven by an operator.
    """
    by_age = opened_at + timedelta(seconds=policy.max_age_s)
    if record.not_after is None:
        return by_age
    return min(by_age, parse_instant(record.not_after))

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.retry.decision import (
    COUNTED,
    AttemptCounts,
    DeadLetter,
    Decision,
    Done,
    Reason,
    RetryLater,
    WaitForGate,
    decide,
    policy_backoff_s,
)
from reprise.retry.policy import Policy
from strategies import NOW, outcomes, policies

LATER = NOW + timedelta(hours=1)
ALL = frozenset(OutcomeKind)
standings = st.builds(
    AttemptCounts,
    attempts=st.integers(0, 200),
    refusals=st.integers(0, 10**6),
    expires_at=st.integers(-(10**6), 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)
draws = st.floats(0, 1, exclude_max=True)


def _decide(
    kind: OutcomeKind,
    policy: Policy | None = None,
    *,
    attempts: int = 1,
    refusals: int = 1,
    code: str | None = None,
    retry_after_s: float | None = None,
) -> Decision:
    return decide(
        Outcome(kind=kind, code=code, message="why", retry_after_s=retry_after_s),
        AttemptCounts(attempts=attempts, refusals=refusals, expires_at=LATER),
        policy or Policy(),
        now=NOW,
        draw=0.5,
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (OutcomeKind.SUCCEEDED, Done()),
        (OutcomeKind.THROTTLED, WaitForGate()),
        (OutcomeKind.TRANSIENT, RetryLater(after_s=30)),
        (OutcomeKind.FUNCTION_ERROR, RetryLater(after_s=30)),
    ],
)
def test_an_ordinary_outcome_has_its_decision(kind: OutcomeKind, expected: Decision) -> None:
    assert _decide(kind) == expected


@pytest.mark.parametrize("policy", [Policy(), Policy(replay_on=ALL)])
def test_a_call_that_may_have_run_is_given_up_with_what_to_check_and_do(policy: Policy) -> None:
    assert _decide(OutcomeKind.UNKNOWN, policy) == DeadLetter(
        reason=Reason.UNKNOWN,
        message="unknown: why. It may have run: check its effect, then redrive it, or set `idempotent` "
        "in the target's policy",
    )


@pytest.mark.parametrize(
    ("kind", "policy", "code", "message"),
    [
        (OutcomeKind.PERMANENT, Policy(replay_on=ALL), "Gone", "permanent: Gone: why"),
        (
            OutcomeKind.THROTTLED,
            Policy(replay_on=frozenset()),
            None,
            "throttled: why; not in the policy's `replay_on`",
        ),
        (
            OutcomeKind.FUNCTION_ERROR,
            Policy(non_retryable_error_types=frozenset({"BadOrder"})),
            "BadOrder",
            "function_error: BadOrder: why; listed in the policy's `non_retryable_error_types`",
        ),
    ],
)
def test_what_is_not_worth_a_replay_is_given_up_at_once_and_says_by_which_rule(
    kind: OutcomeKind, policy: Policy, code: str | None, message: str
) -> None:
    expected = DeadLetter(reason=Reason.PERMANENT, message=message)
    assert _decide(kind, policy, code=code) == expected


def test_an_error_type_that_is_listed_concerns_function_errors_only() -> None:
    policy = Policy(non_retryable_error_types=frozenset({"TooManyRequestsException"}))
    assert _decide(OutcomeKind.THROTTLED, policy, code="TooManyRequestsException") == WaitForGate()


def test_an_unknown_outcome_is_replayed_where_a_second_run_is_harmless() -> None:
    assert _decide(OutcomeKind.UNKNOWN, Policy(idempotent=True)) == RetryLater(after_s=30)


@pytest.mark.parametrize("kind", sorted(COUNTED))
@pytest.mark.parametrize(("attempts", "is_last"), [(2, False), (3, True), (4, True)])
def test_the_last_attempt_is_the_policys(
    kind: OutcomeKind, attempts: int, *, is_last: bool
) -> None:
    decision = _decide(kind, Policy(idempotent=True), attempts=attempts)
    assert isinstance(decision, DeadLetter) is is_last
    if isinstance(decision, DeadLetter):
        assert decision.reason is Reason.EXHAUSTED
        assert decision.message.startswith(f"{attempts} attempts failed")


@pytest.mark.parametrize("kind", [OutcomeKind.THROTTLED, OutcomeKind.TRANSIENT])
def test_what_did_not_run_spends_no_attempt(kind: OutcomeKind) -> None:
    decision = _decide(kind, attempts=100, refusals=10**6)
    assert not isinstance(decision, DeadLetter)


def test_backoff_counts_the_tries_of_its_own_kind() -> None:
    assert _decide(OutcomeKind.FUNCTION_ERROR, attempts=2, refusals=9) == RetryLater(after_s=60)
    assert _decide(OutcomeKind.TRANSIENT, attempts=0, refusals=3) == RetryLater(after_s=120)


def test_the_servers_own_word_is_a_floor() -> None:
    assert _decide(OutcomeKind.THROTTLED, retry_after_s=9) == WaitForGate(floor_s=9)
    assert _decide(OutcomeKind.TRANSIENT, retry_after_s=99) == RetryLater(after_s=99)


def test_without_a_draw_a_policys_wait_is_the_longest_and_has_no_floor() -> None:
    assert policy_backoff_s(1, Policy()) == 60
    assert policy_backoff_s(1, Policy(initial_interval_s=0)) == 0


def test_no_wait_reaches_beyond_the_end() -> None:
    assert _decide(OutcomeKind.TRANSIENT, retry_after_s=9999) == RetryLater(after_s=3600)


@given(outcome=outcomes, standing=standings, policy=policies, draw=draws)
def test_every_outcome_has_a_decision_that_keeps_the_laws(
    outcome: Outcome, standing: AttemptCounts, policy: Policy, draw: float
) -> None:
    decision = decide(outcome, standing, policy, now=NOW, draw=draw)
    if outcome.kind is OutcomeKind.SUCCEEDED:
        assert decision == Done()
    goes_on = isinstance(decision, RetryLater | WaitForGate)
    if goes_on:
        assert standing.expires_at > NOW
        assert outcome.kind is not OutcomeKind.PERMANENT
        assert outcome.kind is OutcomeKind.UNKNOWN or outcome.kind in policy.replay_on
        assert outcome.kind not in COUNTED or standing.attempts < policy.maximum_attempts
        assert outcome.kind is not OutcomeKind.UNKNOWN or policy.idempotent
    match decision:
        case RetryLater(after_s=after_s):
            assert 0 <= after_s <= (standing.expires_at - NOW).total_seconds()
        case WaitForGate(floor_s=floor_s):
            assert outcome.kind is OutcomeKind.THROTTLED
            assert floor_s >= 0
        case DeadLetter(message=message):
            assert outcome.kind.value in message
        case Done():
            assert outcome.kind is OutcomeKind.SUCCEEDED


@given(outcome=outcomes, policy=policies, draw=draws, age_s=st.integers(0, 10**6))
def test_every_call_ends_by_its_age(
    outcome: Outcome, policy: Policy, draw: float, age_s: int
) -> None:
    standing = AttemptCounts(attempts=0, refusals=0, expires_at=NOW - timedelta(seconds=age_s))
    decision = decide(outcome, standing, policy, now=NOW, draw=draw)
    assert isinstance(decision, Done | DeadLetter)


def test_a_call_that_is_too_old_says_so_and_what_it_met_last() -> None:
    decision = decide(
        Outcome(kind=OutcomeKind.TRANSIENT, message="why"),
        AttemptCounts(attempts=0, refusals=1, expires_at=NOW),
        Policy(),
        now=NOW,
        draw=0.5,
    )
    assert decision == DeadLetter(reason=Reason.EXPIRED, message="too old; last: transient: why")

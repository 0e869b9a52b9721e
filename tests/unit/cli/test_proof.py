from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.chaos.call import AnswerKind, Call, CallAnswer, CallState, Receipt
from reprise_cli.chaos.live import LiveCall, LiveEnd, LiveEvidence
from reprise_cli.chaos.proof import Evidence, prove
from strategies import NOW

RESTORED_AT = NOW
KEYS = [
    "calls",
    "direct",
    "captured",
    "succeeded",
    "dead_lettered",
    "lost",
    "executed_twice",
    "restore_to_success_s",
    "wasted_replays",
]


def good_evidence(calls: int = 6) -> Evidence:
    """Call 1 was answered directly, the last is poison, those between were replayed."""
    numbers = range(1, calls + 1)
    answers = [
        CallAnswer(call=Call(number=1), kind=AnswerKind.DIRECT),
        *(
            CallAnswer(
                call=Call(number=number, is_poison=number == calls),
                kind=AnswerKind.CAPTURED,
                call_id=f"id-{number}",
            )
            for number in numbers[1:]
        ),
    ]
    standings = {
        f"id-{number}": CallState(
            is_succeeded=number < calls,
            is_dead_lettered=number == calls,
            updated_at=RESTORED_AT + timedelta(seconds=number),
            refusals=1,
        )
        for number in numbers[1:]
    }
    return Evidence(
        calls=calls,
        answers=answers,
        standings=standings,
        receipts=[Receipt(call=number, is_ok=number < calls) for number in numbers],
        letters=frozenset({f"id-{calls}"}),
        restored_at=RESTORED_AT,
    )


def test_a_good_test_is_proven() -> None:
    proof = prove(good_evidence())
    assert proof.holds
    assert proof.document() == {
        "calls": 6,
        "direct": 1,
        "captured": 5,
        "succeeded": 4,
        "dead_lettered": 1,
        "lost": 0,
        "executed_twice": 0,
        # Calls 2 to 5, two to five seconds after the restore.
        "restore_to_success_s": {"p50": 3.0, "p95": 5.0, "max": 5.0},
        "wasted_replays": 5,
    }
    assert list(proof.document()) == KEYS


@given(st.integers(2, 40), st.data())
def test_every_missing_piece_of_evidence_is_noticed(calls: int, data: st.DataObject) -> None:
    good = good_evidence(calls)
    victim = data.draw(st.sampled_from(sorted(good.standings)))
    number = int(victim.removeprefix("id-"))
    standing = good.standings[victim]
    still_open = replace(standing, is_succeeded=False, is_dead_lettered=False)
    broken = data.draw(
        st.sampled_from(
            [
                replace(good, standings={k: v for k, v in good.standings.items() if k != victim}),
                replace(good, standings={**good.standings, victim: still_open}),
                replace(good, receipts=[r for r in good.receipts if r.call != number])
                if number < calls
                else replace(good, letters=frozenset()),
            ]
        )
    )
    proof = prove(broken)
    assert proof.lost == 1
    assert not proof.holds


def test_two_successful_receipts_of_one_call_are_an_execution_too_many() -> None:
    good = good_evidence()
    proof = prove(replace(good, receipts=[*good.receipts, Receipt(call=2, is_ok=True)]))
    assert (proof.executed_twice, proof.lost, proof.holds) == (1, 0, False)


def test_a_call_answered_directly_and_replayed_too_was_executed_twice() -> None:
    good = good_evidence()
    proof = prove(replace(good, receipts=[*good.receipts, Receipt(call=1, is_ok=True)]))
    assert proof.executed_twice == 1


def test_failed_executions_may_repeat() -> None:
    good = good_evidence()
    receipts = [*good.receipts, Receipt(call=6, is_ok=False), Receipt(call=2, is_ok=False)]
    assert prove(replace(good, receipts=receipts)).holds


def _poisoned_direct(good: Evidence) -> Evidence:
    succeeded = replace(good.standings["id-6"], is_succeeded=True, is_dead_lettered=False)
    return replace(
        good,
        standings={**good.standings, "id-6": succeeded},
        receipts=[*good.receipts, Receipt(call=6, is_ok=True)],
        letters=frozenset(),
    )


@pytest.mark.parametrize(
    ("evidence", "problem"),
    [
        (replace(good_evidence(), calls=7), "6 of 7 calls were made"),
        (_poisoned_direct(good_evidence()), "1 poison calls are not in the dead-letter queue"),
        (
            replace(
                good_evidence(),
                receipts=[*good_evidence().receipts, Receipt(call=99, is_ok=True)],
            ),
            "1 receipts are of calls that nobody made",
        ),
        (
            replace(
                good_evidence(),
                receipts=[r for r in good_evidence().receipts if r.call != 1],
            ),
            "1 calls were answered, but the target wrote no receipt",
        ),
        (
            replace(
                good_evidence(),
                calls=7,
                answers=[
                    *good_evidence().answers,
                    CallAnswer(call=Call(number=7), kind=AnswerKind.FAILED, problem="timeout"),
                ],
            ),
            "1 calls were neither answered nor captured, the first because: timeout",
        ),
        (
            replace(
                good_evidence(),
                calls=7,
                answers=[
                    *good_evidence().answers,
                    CallAnswer(call=Call(number=7), kind=AnswerKind.CAPTURED, call_id="id-2"),
                ],
                receipts=[*good_evidence().receipts, Receipt(call=7, is_ok=True)],
            ),
            "6 captured calls share 5 ids",
        ),
    ],
    ids=["calls", "poison", "strangers", "silent", "failed", "shared ids"],
)
def test_what_does_not_add_up_is_said(evidence: Evidence, problem: str) -> None:
    proof = prove(evidence)
    assert proof.problems == (problem,)
    assert not proof.holds


def given_up(good: Evidence, *numbers: int) -> Evidence:
    """Let calls that were to succeed be given up."""
    ids = {f"id-{number}" for number in numbers}
    dead = {
        call_id: replace(good.standings[call_id], is_succeeded=False, is_dead_lettered=True)
        for call_id in ids
    }
    return replace(
        good,
        standings={**good.standings, **dead},
        receipts=[receipt for receipt in good.receipts if receipt.call not in numbers],
        letters=good.letters | ids,
    )


def test_a_healthy_call_that_was_given_up_is_named() -> None:
    proof = prove(given_up(good_evidence(), 3, 2))
    assert proof.problems == (
        "2 calls that were not made to fail were given up: id-2, id-3. See `reprise dlq show ID`",
    )
    assert (proof.lost, proof.holds) == (0, False)


def test_a_call_that_ran_well_and_was_given_up_is_named() -> None:
    good = good_evidence()
    proof = prove(replace(given_up(good, 3), receipts=good.receipts))
    assert "1 calls ran well and were given up: id-3" in proof.problems
    assert not proof.holds


def test_a_poison_call_that_ran_well_is_named_too() -> None:
    good = good_evidence()
    proof = prove(replace(good, receipts=[*good.receipts, Receipt(call=6, is_ok=True)]))
    assert proof.problems == ("1 calls ran well and were given up: id-6",)


def test_a_call_that_succeeded_and_has_a_dead_letter_is_named() -> None:
    good = good_evidence()
    proof = prove(replace(good, letters=good.letters | {"id-4"}))
    assert proof.problems == ("1 calls succeeded and have a dead letter, too: id-4",)
    assert not proof.holds


def test_of_many_calls_the_first_are_named() -> None:
    proof = prove(given_up(good_evidence(20), *range(2, 14)))
    (problem,) = proof.problems
    assert problem == (
        "12 calls that were not made to fail were given up: id-2, id-3, id-4, id-5, id-6 and 7 more. "
        "See `reprise dlq show ID`"
    )


def test_programs_get_the_problems_if_there_are_any() -> None:
    assert "problems" not in prove(good_evidence()).document()
    document = prove(given_up(good_evidence(), 3)).document()
    assert document["problems"] == [
        "1 calls that were not made to fail were given up: id-3. See `reprise dlq show ID`"
    ]


def live(*ends: LiveEnd) -> LiveEvidence:
    """Return live calls that ended so, with a receipt for each that was answered."""
    calls = [
        LiveCall(number=number, started_at=NOW, end=end) for number, end in enumerate(ends, start=1)
    ]
    receipts = [
        Receipt(call=call.number, is_ok=True) for call in calls if call.end is LiveEnd.ANSWERED
    ]
    return LiveEvidence(calls=calls, receipts=receipts)


ANSWERED, REFUSED, BROKEN = LiveEnd.ANSWERED, LiveEnd.THROTTLED, LiveEnd.FAILED


def test_live_calls_that_were_answered_or_throttled_are_proven_too() -> None:
    assert prove(replace(good_evidence(), live=live(ANSWERED, REFUSED, ANSWERED))).holds


@pytest.mark.parametrize(
    ("evidence", "problem", "twice"),
    [
        (live(ANSWERED, BROKEN), "1 live calls were neither answered nor throttled: 2", 0),
        (
            replace(live(ANSWERED, ANSWERED), receipts=[Receipt(call=1, is_ok=True)]),
            "1 live calls were answered, but the target wrote no receipt: 2",
            0,
        ),
        (
            replace(
                live(ANSWERED, REFUSED), receipts=[Receipt(call=n, is_ok=True) for n in (1, 2)]
            ),
            "1 live calls were throttled, and ran all the same: 2",
            0,
        ),
        (
            replace(live(ANSWERED), receipts=[Receipt(call=n, is_ok=True) for n in (1, 9)]),
            "1 receipts are of live calls that nobody made: 9",
            0,
        ),
        (replace(live(ANSWERED), receipts=[Receipt(call=1, is_ok=True)] * 2), None, 1),
    ],
    ids=["failed", "no receipt", "ran all the same", "strangers", "twice"],
)
def test_a_live_call_that_does_not_add_up_is_named(
    evidence: LiveEvidence, problem: str | None, twice: int
) -> None:
    proof = prove(replace(good_evidence(), live=evidence))
    assert proof.problems == ((problem,) if problem else ())
    assert (proof.executed_twice, proof.holds) == (twice, False)


def test_a_success_before_the_restore_counts_as_no_time() -> None:
    good = good_evidence(3)
    early = replace(good.standings["id-2"], updated_at=RESTORED_AT - timedelta(seconds=1))
    proof = prove(replace(good, standings={**good.standings, "id-2": early}))
    assert proof.restore_to_success_s.max == 0.0


def test_a_call_that_is_refused_at_the_invoker_is_counted_by_reason_where_it_may_be() -> None:
    good = good_evidence()
    refused = [
        CallAnswer(call=Call(number=7), kind=AnswerKind.REFUSED, problem="AccountFull"),
        CallAnswer(call=Call(number=8), kind=AnswerKind.REFUSED, problem="OwnInUse"),
        CallAnswer(call=Call(number=9), kind=AnswerKind.REFUSED, problem="AccountFull"),
    ]
    evidence = replace(good, calls=9, answers=[*good.answers, *refused])
    proof = prove(replace(evidence, may_refuse=True))
    assert proof.holds
    assert proof.document()["refused_at_the_invoker"] == {"AccountFull": 2, "OwnInUse": 1}
    # Elsewhere the command waits refusals out: one that is left is a call that nobody kept.
    strict = prove(evidence)
    assert not strict.holds
    assert "3 calls were neither answered nor captured" in strict.problems[0]
    assert "refused_at_the_invoker" not in strict.document()


def test_a_refused_call_that_ran_all_the_same_is_a_problem() -> None:
    good = good_evidence()
    refused = CallAnswer(call=Call(number=7), kind=AnswerKind.REFUSED, problem="AccountFull")
    evidence = replace(
        good,
        calls=7,
        answers=[*good.answers, refused],
        receipts=[*good.receipts, Receipt(call=7, is_ok=True)],
        may_refuse=True,
    )
    proof = prove(evidence)
    assert not proof.holds
    assert proof.problems == ("1 calls were refused at the invoker, and ran all the same",)


def test_where_nemeses_strike_a_caller_may_get_no_answer_and_nobody_an_outcome() -> None:
    good = good_evidence()
    unknown = replace(
        good.standings["id-2"], is_succeeded=False, is_dead_lettered=True, reason="unknown"
    )
    failed = CallAnswer(call=Call(number=1), kind=AnswerKind.FAILED, problem="no answer")
    disturbed = replace(
        good,
        answers=[failed, *good.answers[1:]],
        standings={**good.standings, "id-2": unknown},
        letters=good.letters | {"id-2"},
        has_nemeses=True,
    )
    proof = prove(disturbed)
    assert proof.holds
    document = proof.document()
    assert (document["unanswered"], document["unknown"]) == (1, 1)
    assert not prove(replace(disturbed, has_nemeses=False)).holds
    spent = replace(unknown, reason="exhausted")
    assert not prove(replace(disturbed, standings={**good.standings, "id-2": spent})).holds
    assert "unanswered" not in prove(good).document()

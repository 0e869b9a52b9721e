"""Calls with keys: one effect each, whoever else uses the same key, and no capture that comes to nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from doubles import InMemoryLedger
from harness import (
    FAILED,
    GONE,
    MAIL,
    ORDERS,
    THROTTLED,
    UNKNOWN,
    Pipeline,
    call,
)
from reprise import metric
from reprise.call.payload import digest
from reprise.call.target import Target, conflict_id, id_of
from reprise.capturing.answer import write_answer
from reprise.capturing.line import marked_context
from reprise.instant import format_instant
from reprise.ledger import State
from reprise.testing import SUCCEEDED

if TYPE_CHECKING:
    from reprise.call.request import CallRequest
    from reprise.ledger import Row
    from reprise.ports import OutMessage, Reply

KEY = "order-1"
CALL = id_of(Target(function=ORDERS), source="invoker", scope=None, key=KEY)
HOUR_S = 3600


def _take(
    pipeline: Pipeline, *requests: CallRequest, reply: Reply = THROTTLED, name: str = "next"
) -> list[OutMessage]:
    """Capture calls in an object of their own, unpack it, and take what was sent."""
    pipeline.lines.clear()
    pipeline.capture(*requests, reply=reply)
    assert pipeline.take_in(pipeline.store(f"captured/{name}.gz")) == []
    return pipeline.take_sent()


def _row(pipeline: Pipeline, call_id: str = CALL) -> Row:
    row = pipeline.ledger.get(call_id)
    assert row is not None
    return row


def _letters(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [json.loads(letter.body)["reprise"] for letter in pipeline.dead_letters.sent]


def _run(pipeline: Pipeline) -> list[tuple[str | None, str | None, bytes]]:
    """Return what ran: tenant, qualifier and payload of each."""
    return [
        (target.tenant_id, target.qualifier, payload)
        for target, payload, _ in pipeline.functions.invoked
    ]


# --- Whose call it is -----------------------------------------------------------------------------


def test_two_tenants_with_one_key_are_two_calls_and_both_run() -> None:
    pipeline = Pipeline()
    requests = [call(key=KEY, tenant_id=name) for name in ("a", "b")]
    pipeline.replay(*_take(pipeline, *requests))
    assert sorted(_run(pipeline)) == [("a", None, b'{"order":1}'), ("b", None, b'{"order":1}')]
    assert {row.state for row in pipeline.ledger.rows.values()} == {State.SUCCEEDED}
    assert len(pipeline.ledger.rows) == 2


def test_two_qualifiers_with_one_key_are_two_calls_and_latest_is_none() -> None:
    pipeline = Pipeline()
    requests = [call(key=KEY, qualifier=name) for name in ("live", "canary", None, "$LATEST")]
    pipeline.replay(*_take(pipeline, *requests))
    assert len(pipeline.ledger.rows) == 3
    assert len(pipeline.functions.invoked) == 3


def test_one_key_in_two_functions_names_two_calls() -> None:
    pipeline = Pipeline()
    assert len(_take(pipeline, call(key=KEY), call(key=KEY, function=MAIL))) == 2


def test_two_scopes_keep_one_key_apart_and_each_runs_its_own_payload() -> None:
    """Callers who share the invoker, and each of whom has an order 1."""
    pipeline = Pipeline()
    requests = [call(payload, key=KEY, scope=payload.decode()) for payload in (b"shop", b"b2b")]
    pipeline.replay(*_take(pipeline, *requests))
    assert sorted(payload for *_, payload in _run(pipeline)) == [b"b2b", b"shop"]


def test_another_context_is_the_same_call() -> None:
    """A context carries what changes from try to try, such as a trace: it is no part of the effect."""
    pipeline = Pipeline()
    pipeline.replay(*_take(pipeline, call(key=KEY), call(key=KEY, client_context="e30=")))
    assert len(pipeline.functions.invoked) == 1


def test_no_caller_can_take_the_key_of_a_scheduled_run() -> None:
    """A run's key is its job and its time, which anybody can guess."""
    run = "nightly@2026-11-21T10:00:00.000000Z"
    theirs = {
        id_of(Target(function=ORDERS), source=source, scope=scope, key=run)
        for source in ("invoker", "library", "decorator")
        for scope in (None, "runner", run)
    }
    ours = id_of(Target(function=ORDERS), source="runner", scope=None, key=run)
    assert ours not in theirs


# --- One key, another payload ---------------------------------------------------------------------


def test_a_key_that_names_another_payload_is_an_error_at_once() -> None:
    """Whoever took the key first, on purpose or not: the second caller knows that nothing will run."""
    pipeline = Pipeline()
    _take(pipeline, call(b"theirs", key=KEY), reply=FAILED)
    pipeline.lines.clear()
    pipeline.functions.script = [THROTTLED]
    request = call(b"ours", key=KEY)

    answer = write_answer(request, pipeline.caller().run(request), "x")

    assert (answer["StatusCode"], answer["error"]["field"]) == (409, "IdempotencyKey")
    assert answer["reprise"]["captured"] is False
    assert answer["reprise"]["outcome"]["kind"] == "throttled"
    assert pipeline.lines == []
    assert pipeline.meter.counts[metric.CAPTURE_FAILED] == 0


def test_a_key_that_names_another_payload_costs_a_call_that_succeeds_nothing() -> None:
    pipeline = Pipeline()
    _take(pipeline, call(b"theirs", key=KEY))
    pipeline.ledger.faults.fail("get", 9)
    assert pipeline.caller().run(call(b"ours", key=KEY)).is_passed_through


def test_the_same_payload_is_captured_again_and_answered_with_the_same_id() -> None:
    pipeline = Pipeline()
    _take(pipeline, call(key=KEY))
    pipeline.functions.script = [THROTTLED]
    captured = pipeline.caller().run(call(key=KEY)).captured
    assert captured is not None
    assert captured.call_id == CALL


def test_a_ledger_that_cannot_be_asked_captures() -> None:
    pipeline = Pipeline()
    _take(pipeline, call(b"theirs", key=KEY))
    pipeline.functions.script = [THROTTLED]
    pipeline.ledger.faults.fail("get")
    assert pipeline.caller().run(call(b"ours", key=KEY)).captured is not None


def test_a_conflict_that_is_found_late_is_a_dead_letter_of_its_own_and_the_first_call_runs() -> (
    None
):
    pipeline = Pipeline()
    messages = _take(pipeline, call(b"first", key=KEY))
    assert _take(pipeline, call(b"second", key=KEY), name="second") == []

    (letter,) = _letters(pipeline)
    own = conflict_id(CALL, digest(b"second"))
    assert (letter["id"], letter["reason"]) == (own, "key_conflict")
    assert letter["record"]["payload"]["inline"] == "second"
    assert letter["record"]["id"] == CALL, "as it was signed"
    row = _row(pipeline, own)
    assert (row.state, row.reason, row.letter_sent) == (State.DEAD_LETTERED, "key_conflict", True)
    assert [event.detail_type for event in pipeline.events] == ["Replay Dead-Lettered"]
    pipeline.replay(*messages)
    assert _run(pipeline) == [(None, None, b"first")]


def test_a_conflict_is_told_once_however_often_its_line_comes() -> None:
    pipeline = Pipeline()
    _take(pipeline, call(b"first", key=KEY))
    _take(pipeline, call(b"second", key=KEY), name="second")
    assert pipeline.take_in(pipeline.store("captured/second.gz")) == []
    _take(pipeline, call(b"second", key=KEY), name="asked again")
    assert len(pipeline.dead_letters.sent) == 1
    assert pipeline.meter.counts[metric.DEAD_LETTERED] == 1
    assert pipeline.meter.counts[metric.RECORDED] == 2, "and so the backlog is the first call"


@pytest.mark.parametrize("operation", ["send", "mark_letter_sent"])
def test_a_conflict_whose_letter_cannot_be_sent_comes_again(operation: str) -> None:
    pipeline = Pipeline()
    _take(pipeline, call(b"first", key=KEY))
    faults = pipeline.dead_letters.faults if operation == "send" else pipeline.ledger.faults
    faults.fail(operation)
    pipeline.lines.clear()
    pipeline.capture(call(b"second", key=KEY))
    body = pipeline.store("captured/second.gz")
    assert pipeline.take_in(body) == ["n0"]
    assert pipeline.take_in(body) == []
    assert _letters(pipeline)[-1]["reason"] == "key_conflict"
    assert _row(pipeline, conflict_id(CALL, digest(b"second"))).letter_sent


def test_a_message_with_the_id_of_another_payloads_call_runs_nothing_and_ends_nothing() -> None:
    """Such as a dead letter of a conflict that somebody puts in the replay queue."""
    pipeline = Pipeline()
    (first,) = _take(pipeline, call(b"first", key=KEY))
    stranger = Pipeline(clock=pipeline.clock)
    (second,) = _take(stranger, call(b"second", key=KEY))
    before = _row(pipeline)

    assert pipeline.replay(second) == []

    assert pipeline.functions.invoked == []
    assert _row(pipeline) == before
    pipeline.replay(first)
    assert _row(pipeline).state is State.SUCCEEDED


# --- A call that is captured again after its end --------------------------------------------------


def test_a_call_captured_after_its_keys_dead_letter_is_run() -> None:
    """The caller asks again two hours later, is throttled, and is told 202."""
    pipeline = Pipeline(policy='{"default":{"max_age_s":3600}}')
    first = _take(pipeline, call(key=KEY))
    pipeline.clock.advance(2 * HOUR_S)
    pipeline.replay(*first)
    assert (len(pipeline.dead_letters.sent), pipeline.functions.invoked) == (1, [])

    (again,) = _take(pipeline, call(key=KEY), name="later")
    pipeline.replay(again)

    assert len(pipeline.functions.invoked) == 1
    assert _row(pipeline).state is State.SUCCEEDED
    assert pipeline.meter.counts[metric.RECORDED] == 2
    assert pipeline.meter.counts[metric.REDRIVEN] == 0


def test_a_first_callers_short_deadline_does_not_end_a_second_callers_call() -> None:
    pipeline = Pipeline()
    deadline = format_instant(pipeline.clock.now)
    pipeline.clock.advance(-1)
    first = _take(pipeline, call(key=KEY, not_after=deadline))
    pipeline.clock.advance(1)
    second = _take(pipeline, call(key=KEY), name="second")
    pipeline.clock.advance(HOUR_S)

    pipeline.replay(*first)
    assert _row(pipeline).reason == "expired"
    pipeline.replay(*second)

    assert len(pipeline.functions.invoked) == 1
    assert _row(pipeline).state is State.SUCCEEDED


def test_a_second_callers_short_deadline_does_not_end_the_first_callers_call() -> None:
    pipeline = Pipeline()
    first = _take(pipeline, call(key=KEY))
    pipeline.clock.advance(10)
    deadline = format_instant(pipeline.clock.now)
    second = _take(pipeline, call(key=KEY, not_after=deadline), name="second")
    pipeline.clock.advance(10)

    assert pipeline.replay(*second) == ["m0"]
    assert (_row(pipeline).state, pipeline.functions.invoked) == (State.WAITING, [])
    pipeline.replay(*first)

    assert _row(pipeline).state is State.SUCCEEDED
    assert pipeline.replay(*second) == []


def test_a_first_callers_age_does_not_end_a_second_callers_call() -> None:
    """The second capture's message comes first, at an instant when only the first one is too old."""
    pipeline = Pipeline(policy='{"default":{"max_age_s":3600}}')
    _take(pipeline, call(key=KEY))
    pipeline.clock.advance(HOUR_S - 60)
    second = _take(pipeline, call(key=KEY), name="second")
    pipeline.clock.advance(120)
    pipeline.replay(*second)
    assert len(pipeline.functions.invoked) == 1
    assert _row(pipeline).state is State.SUCCEEDED


def test_an_old_captures_message_does_not_end_a_call_that_a_later_one_opened() -> None:
    pipeline = Pipeline()
    deadline = format_instant(pipeline.clock.now)
    (first,) = _take(pipeline, call(key=KEY, not_after=deadline))
    pipeline.clock.advance(HOUR_S)
    pipeline.replay(first)
    (second,) = _take(pipeline, call(key=KEY), name="second")
    pipeline.functions.script = [THROTTLED]
    pipeline.replay(second)

    pipeline.replay(first)

    assert _row(pipeline).state is State.WAITING
    pipeline.clock.advance(60)
    pipeline.replay(second)
    assert _row(pipeline).state is State.SUCCEEDED


def test_the_line_that_opened_a_call_again_opens_it_once() -> None:
    pipeline = Pipeline()
    _end_by_exhaustion(pipeline)
    (again,) = _take(pipeline, call(key=KEY), name="later")
    pipeline.functions.script = [GONE]
    pipeline.replay(again)
    before = _row(pipeline)
    assert (before.state, before.reason) == (State.DEAD_LETTERED, "permanent")

    pipeline.replay(again)
    assert pipeline.take_in(pipeline.store("captured/later.gz")) == []

    assert pipeline.take_sent() == []
    assert _row(pipeline) == before
    assert len(pipeline.dead_letters.sent) == 2


def test_captures_that_came_before_a_call_failed_for_good_do_not_run_it_again() -> None:
    """A caller that asks every minute of an outage: its lines wait in S3, and are unpacked one by one."""
    pipeline = Pipeline()
    pipeline.capture(call(key=KEY))
    lines = [pipeline.lines[0]]
    for _ in range(20):
        pipeline.clock.advance(60)
        pipeline.lines.clear()
        pipeline.capture(call(key=KEY))
        lines.append(pipeline.lines[0])
    pipeline.clock.advance(60)
    pipeline.functions.answer = lambda _target, _payload: FAILED
    for number, line in enumerate(lines):
        assert pipeline.take_in(pipeline.store(f"captured/{number}.gz", [line])) == []
        for message in pipeline.take_sent():
            while pipeline.replay(message):
                pipeline.clock.advance(HOUR_S / 2)
    assert len(pipeline.functions.invoked) == 3
    assert len(pipeline.dead_letters.sent) == 1


def test_captures_that_are_too_old_themselves_send_no_letter_each() -> None:
    """An outage of ten hours: the captures of the last six are still wanted, as one call."""
    pipeline = Pipeline()
    lines = []
    for _ in range(10):
        pipeline.lines.clear()
        pipeline.capture(call(key=KEY))
        lines.append(pipeline.lines[0])
        pipeline.clock.advance(HOUR_S)
    for number, line in enumerate(lines):
        assert pipeline.take_in(pipeline.store(f"captured/{number}.gz", [line])) == []
        pipeline.replay(*pipeline.take_sent())
    assert len(pipeline.dead_letters.sent) == 1
    assert len(pipeline.functions.invoked) == 1
    assert _row(pipeline).state is State.SUCCEEDED


def test_a_call_that_succeeded_is_never_opened_again() -> None:
    pipeline = Pipeline()
    pipeline.replay(*_take(pipeline, call(key=KEY)))
    pipeline.clock.advance(HOUR_S)
    assert _take(pipeline, call(key=KEY), name="later") == []
    assert len(pipeline.functions.invoked) == 1


def test_what_a_decorated_target_captures_again_runs_no_more_than_the_policy_allows() -> None:
    """Lambda tries an asynchronous event again, and each try that fails writes a line of the same call."""
    pipeline = Pipeline()
    decorated = pipeline.capturer()
    pipeline.functions.answer = lambda _target, _payload: FAILED
    for number in range(6):
        pipeline.lines.clear()
        request = replace(call(key="request-id"), client_context=marked_context("request-id"))
        decorated.capture(request, FAILED.outcome)
        assert pipeline.take_in(pipeline.store(f"captured/{number}.gz")) == []
        for message in pipeline.take_sent():
            while pipeline.replay(message):
                pipeline.clock.advance(HOUR_S / 2)
        pipeline.clock.advance(HOUR_S)
    assert len(pipeline.ledger.rows) == 1
    assert len(pipeline.functions.invoked) == 2, "the target's own try was the first of three"
    assert len(pipeline.dead_letters.sent) == 1


def _end_by_exhaustion(pipeline: Pipeline) -> None:
    """Let a call with the key fail as often as its policy allows."""
    (message,) = _take(pipeline, call(key=KEY))
    pipeline.functions.script = [FAILED, FAILED, FAILED]
    while pipeline.replay(message):
        pipeline.clock.advance(HOUR_S / 2)
    assert _row(pipeline).reason == "exhausted"
    pipeline.functions.invoked.clear()
    pipeline.clock.advance(60)


# --- A try that may have run ----------------------------------------------------------------------


def test_an_unknown_outcome_of_the_same_key_stops_the_first_calls_replay() -> None:
    pipeline = Pipeline()
    first = _take(pipeline, call(key=KEY))
    pipeline.clock.advance(5)
    second = _take(pipeline, call(key=KEY), reply=UNKNOWN, name="second")
    pipeline.clock.advance(60)

    pipeline.replay(*first)
    pipeline.replay(*second)

    assert pipeline.functions.invoked == []
    row = _row(pipeline)
    assert (row.state, row.reason) == (State.DEAD_LETTERED, "unknown")
    assert "idempotency key" in (row.message or "")
    assert len(pipeline.dead_letters.sent) == 1


def test_an_unknown_outcome_counts_even_while_the_first_calls_replay_runs() -> None:
    pipeline = Pipeline()
    (first,) = _take(pipeline, call(key=KEY))

    def answer(_target: Target, _payload: bytes) -> Reply:
        _take(pipeline, call(key=KEY), reply=UNKNOWN, name="meanwhile")
        return THROTTLED

    pipeline.functions.answer = answer
    pipeline.clock.advance(5)
    pipeline.replay(first)
    pipeline.functions.answer = None
    pipeline.clock.advance(60)
    pipeline.replay(first)
    assert _row(pipeline).reason == "unknown"
    assert len(pipeline.functions.invoked) == 1


@pytest.mark.parametrize("order", ["first", "second"])
def test_an_idempotent_target_is_replayed_all_the_same(order: str) -> None:
    pipeline = Pipeline(policy='{"default":{"idempotent":true}}')
    first = _take(pipeline, call(key=KEY))
    pipeline.clock.advance(5)
    second = _take(pipeline, call(key=KEY), reply=UNKNOWN, name="second")
    pipeline.replay(*(first if order == "first" else second))
    assert len(pipeline.functions.invoked) == 1
    assert _row(pipeline).state is State.SUCCEEDED


def test_an_operators_redrive_says_that_it_did_not_run() -> None:
    pipeline = Pipeline()
    first = _take(pipeline, call(key=KEY))
    pipeline.clock.advance(5)
    _take(pipeline, call(key=KEY), reply=UNKNOWN, name="second")
    pipeline.replay(*first)
    pipeline.clock.advance(60)
    assert pipeline.ledger.redrive(_row(pipeline), now=pipeline.clock.now)
    pipeline.replay(*first)
    assert _row(pipeline).state is State.SUCCEEDED


@pytest.mark.parametrize("reply", [THROTTLED, UNKNOWN], ids=["throttled", "unknown"])
def test_a_call_that_may_have_run_is_not_run_for_a_later_capture(reply: Reply) -> None:
    """Its end was `unknown`: a caller that asks again proves nothing; the operator is told again."""
    pipeline = Pipeline()
    pipeline.replay(*_take(pipeline, call(key=KEY), reply=UNKNOWN))
    assert _row(pipeline).reason == "unknown"
    pipeline.clock.advance(60)
    pipeline.replay(*_take(pipeline, call(key=KEY), reply=reply, name="later"))
    assert pipeline.functions.invoked == []
    assert _row(pipeline).reason == "unknown"
    assert len(pipeline.dead_letters.sent) == 2


def test_a_try_that_may_have_run_stops_a_later_captures_replay_however_old_it_grew_unseen() -> None:
    pipeline = Pipeline()
    first = _take(pipeline, call(key=KEY), reply=UNKNOWN)
    pipeline.clock.advance(7 * HOUR_S)
    pipeline.replay(*first)
    assert _row(pipeline).reason == "unknown"
    pipeline.replay(*_take(pipeline, call(key=KEY), name="later"))
    assert pipeline.functions.invoked == []
    assert _row(pipeline).reason == "unknown"


def test_a_later_capture_whose_outcome_is_unknown_does_not_run_either() -> None:
    pipeline = Pipeline()
    _end_by_exhaustion(pipeline)
    pipeline.replay(*_take(pipeline, call(key=KEY), reply=UNKNOWN, name="later"))
    assert pipeline.functions.invoked == []
    assert _row(pipeline).reason == "unknown"


def test_an_unknown_outcome_that_is_heard_of_after_the_end_stops_a_later_captures_replay() -> None:
    pipeline = Pipeline()
    (first,) = _take(pipeline, call(key=KEY))
    pipeline.clock.advance(5)
    pipeline.lines.clear()
    pipeline.capture(call(key=KEY), reply=UNKNOWN)
    late = pipeline.store("captured/late.gz")
    pipeline.clock.advance(5)
    pipeline.functions.script = [GONE]
    pipeline.replay(first)
    assert _row(pipeline).reason == "permanent"
    assert pipeline.take_in(late) == []
    assert pipeline.take_sent() == []
    pipeline.clock.advance(60)

    pipeline.replay(*_take(pipeline, call(key=KEY), name="again"))

    assert len(pipeline.functions.invoked) == 1
    assert _row(pipeline).reason == "unknown"


def test_a_capture_whose_row_changes_under_its_hands_comes_again() -> None:
    pipeline = Pipeline()
    _end_by_exhaustion(pipeline)
    (again,) = _take(pipeline, call(key=KEY), name="later")

    class Changing(InMemoryLedger):
        def recapture(self, dead: Row, after: Row) -> bool:
            self.mark_may_have_run(dead.id)
            return super().recapture(dead, after)

    pipeline.ledger = Changing(rows=pipeline.ledger.rows)
    assert pipeline.replay(again) == ["m0"]
    assert pipeline.replay(again) == []
    assert pipeline.functions.invoked == []
    assert _row(pipeline).reason == "unknown"


def test_the_line_of_an_unknown_outcome_that_comes_twice_says_nothing_new() -> None:
    pipeline = Pipeline()
    first = _take(pipeline, call(key=KEY), reply=UNKNOWN)
    pipeline.replay(*first)
    pipeline.clock.advance(60)
    assert pipeline.ledger.redrive(_row(pipeline), now=pipeline.clock.now)
    assert pipeline.take_in(pipeline.store("captured/next.gz")) == []
    pipeline.replay(*pipeline.take_sent())
    assert _row(pipeline).state is State.SUCCEEDED
    assert pipeline.functions.invoked[0][1] == b'{"order":1}'
    assert SUCCEEDED.payload.decode() == _row(pipeline).result

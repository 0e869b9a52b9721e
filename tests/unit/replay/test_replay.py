"""The replayer: what becomes of captured calls, fault by fault."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from doubles import FakePolicies, InMemoryLedger
from harness import (
    FAILED,
    GONE,
    LARGE,
    MAIL,
    ORDERS,
    THROTTLED,
    TRANSIENT,
    UNKNOWN,
    Pipeline,
    call,
    deliveries,
    plenty,
)
from reprise import metric
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.target import Target
from reprise.gate.state import GateState, Mode
from reprise.instant import format_instant
from reprise.ledger import State
from reprise.ports import Lease, OutMessage, Reply
from reprise.replay.batch import PAUSE_SEEN_S
from reprise.replay.message import Delivery, Worker, read_message
from reprise.retry.policy import read_policy_document
from reprise.testing import SUCCEEDED

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.ledger import Identity, Row


def only_row(pipeline: Pipeline) -> Row:
    (row,) = pipeline.ledger.rows.values()
    return row


def test_captured_call_is_replayed_byte_for_byte_and_succeeds() -> None:
    pipeline = Pipeline()
    payload = b'{"n": 123456789012345678901234567890, "x": 1.10e2, "x": 2}'
    messages = pipeline.captured_messages(call(payload))

    assert pipeline.replay(*messages) == []

    assert pipeline.functions.invoked == [(Target(function=ORDERS), payload, None)]
    row = only_row(pipeline)
    assert row.state is State.SUCCEEDED
    assert row.result == '{"ok":true}'
    assert row.attempts == 0


def test_success_with_a_long_reply_keeps_the_late_result_in_s3() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(call())
    pipeline.functions.script = [Reply(outcome=SUCCEEDED.outcome, payload=b"x" * 6_000_000)]

    pipeline.replay(*messages)

    row = only_row(pipeline)
    assert (row.result, row.result_key) == (None, f"results/{row.id}")
    assert len(pipeline.objects.kept[f"results/{row.id}"]) == 6_000_000


def test_success_stands_even_if_its_late_result_cannot_be_kept() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(call())
    pipeline.functions.script = [Reply(outcome=SUCCEEDED.outcome, payload=b"\xff" * 10)]
    pipeline.objects.faults.fail("put")

    assert pipeline.replay(*messages) == []

    assert only_row(pipeline).state is State.SUCCEEDED
    assert only_row(pipeline).result is None
    assert only_row(pipeline).result_key is None


@pytest.mark.parametrize("copies", [1, 2, 5])
def test_message_delivered_several_times_at_once_runs_once(copies: int) -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())

    again = pipeline.replay(*[message] * copies)

    assert len(pipeline.functions.invoked) == 1
    assert only_row(pipeline).state is State.SUCCEEDED
    assert pipeline.replay(*[message] * len(again), owner="second") == []
    assert len(pipeline.functions.invoked) == 1


def gate_of(pipeline: Pipeline, function: str = ORDERS) -> GateState:
    return pipeline.gate_items.images[function]


def test_throttled_replay_waits_costs_no_attempt_and_closes_the_gate() -> None:
    pipeline = Pipeline()
    pipeline.gate_items.images[ORDERS] = GateState(window=1.0, slow_start=0)
    messages = pipeline.captured_messages(call())
    pipeline.functions.script = [THROTTLED]

    assert pipeline.replay(*messages) == ["m0"]

    row = only_row(pipeline)
    assert (row.state, row.attempts, row.refusals) == (State.WAITING, 0, 1)
    assert gate_of(pipeline).mode == Mode.HOLDING
    assert pipeline.meter.counts[metric.WASTED_REPLAYS] == 1


def test_holding_gate_lets_one_probe_through_and_flows_after_it() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(*[call(b'{"n":%d}' % n) for n in range(10)])
    pipeline.functions.answer = lambda _target, _payload: THROTTLED
    assert len(pipeline.replay(*messages)) == 10
    pipeline.clock.advance(1)
    assert len(pipeline.replay(*messages, owner="second")) == 10
    assert len(pipeline.functions.invoked) <= 3
    assert gate_of(pipeline).mode == Mode.HOLDING
    pipeline.functions.invoked.clear()

    assert len(pipeline.replay(*messages, owner="too early")) == 10
    assert pipeline.functions.invoked == []

    pipeline.clock.advance(2.1)
    pipeline.functions.answer = None
    assert len(pipeline.replay(*messages, owner="prober")) == 9
    assert len(pipeline.functions.invoked) == 1

    assert pipeline.replay(*messages, owner="after") == []
    assert len(pipeline.functions.invoked) == 10
    assert {row.state for row in pipeline.ledger.rows.values()} == {State.SUCCEEDED}


def test_gate_of_one_target_does_not_hold_another() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(call(function=ORDERS), call(b"2", function=MAIL))
    pipeline.gate_items.images[ORDERS] = GateState(window=1.0, slow_start=0)
    pipeline.functions.answer = lambda target, _payload: (
        THROTTLED if target.function == ORDERS else SUCCEEDED
    )

    assert len(pipeline.replay(*messages)) == 1

    assert gate_of(pipeline).mode == Mode.HOLDING
    assert gate_of(pipeline, MAIL).mode == Mode.FLOWING


def test_forty_throttled_deliveries_leave_the_call_alive_with_its_attempts() -> None:
    pipeline = Pipeline(policy='{"default":{"max_age_s":86400}}')
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.answer = lambda _target, _payload: THROTTLED
    for hop in range(40):
        assert pipeline.replay(message, owner=f"hop {hop}") == ["m0"]
        pipeline.clock.advance(61)

    row = only_row(pipeline)
    assert (row.state, row.attempts, row.refusals) == (State.WAITING, 0, 40)
    pipeline.functions.answer = None
    assert pipeline.replay(message, owner="at last") == []
    assert only_row(pipeline).state is State.SUCCEEDED


def test_poison_call_does_not_affect_the_nine_others_of_its_batch() -> None:
    pipeline = Pipeline(policy='{"default":{"maximum_attempts":1}}')
    messages = pipeline.captured_messages(*[call(b'{"n":%d}' % n) for n in range(10)])
    pipeline.functions.answer = lambda _target, payload: (
        FAILED if payload == b'{"n":3}' else SUCCEEDED
    )

    assert pipeline.replay(*messages) == []

    states = sorted(row.state for row in pipeline.ledger.rows.values())
    assert states == [State.DEAD_LETTERED, *[State.SUCCEEDED] * 9]
    assert len(pipeline.dead_letters.sent) == 1


def test_function_error_is_retried_with_backoff_and_dead_lettered_when_spent() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.answer = lambda _target, _payload: FAILED
    waits = []
    for owner in ("first", "second", "third"):
        pipeline.replay(message, owner=owner)
        waits.append(pipeline.replay_queue.waits_s.pop("r0", None))
        pipeline.clock.advance(200)

    assert waits == [30.0, 60.0, None]  # draw 0.5 of 60 s, then of 120 s, then given up
    row = only_row(pipeline)
    assert (row.state, row.reason, row.attempts) == (State.DEAD_LETTERED, "exhausted", 3)
    letter = json.loads(pipeline.dead_letters.sent[0].body)
    assert letter["requestContext"]["condition"] == "RetriesExhausted"
    assert letter["requestContext"]["functionArn"] == f"{ORDERS}:$LATEST"
    assert letter["requestPayload"] == {"order": 1}
    assert letter["responsePayload"] == {"errorType": "ValueError"}
    assert letter["reprise"]["id"] == row.id
    assert len(letter["reprise"]["history"]) == 3


def test_callers_own_failed_execution_counts_as_the_first_attempt() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call(), reply=FAILED)
    pipeline.functions.answer = lambda _target, _payload: FAILED

    pipeline.replay(message, owner="second")
    pipeline.clock.advance(300)
    pipeline.replay(message, owner="third")

    assert only_row(pipeline).attempts == 3
    assert len(pipeline.functions.invoked) == 2
    assert only_row(pipeline).state is State.DEAD_LETTERED


def test_transient_fault_is_retried_without_costing_an_attempt() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [TRANSIENT]

    assert pipeline.replay(message) == ["m0"]

    row = only_row(pipeline)
    assert (row.state, row.attempts, row.refusals) == (State.WAITING, 0, 1)
    assert pipeline.replay_queue.waits_s == {"r0": 30.0}


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"replay_on": ["throttled", "transient"]}, "permanent"),
        ({"non_retryable_error_types": ["ValueError"]}, "permanent"),
        ({"maximum_attempts": 1}, "exhausted"),
    ],
    ids=[
        "not in replay_on",
        "in non_retryable_error_types",
        "the caller's own was the only attempt",
    ],
)
def test_captured_failure_that_the_policy_bars_is_given_up_without_asking_the_target(
    policy: dict[str, Any], reason: str
) -> None:
    pipeline = Pipeline(policy=json.dumps({"default": policy}))
    (message,) = pipeline.captured_messages(call(), reply=FAILED)

    assert pipeline.replay(message) == []

    assert pipeline.functions.invoked == []
    row = only_row(pipeline)
    assert (row.state, row.reason, row.attempts) == (State.DEAD_LETTERED, reason, 1)
    assert len(pipeline.dead_letters.sent) == 1


def test_replayer_that_crashed_before_it_decided_on_a_captured_failure_changes_nothing() -> None:
    pipeline = Pipeline(policy='{"default":{"idempotent":true,"replay_on":["throttled"]}}')
    (message,) = pipeline.captured_messages(call(), reply=FAILED)
    call_id = only_row(pipeline).id
    until_ms = int(pipeline.clock().timestamp() * 1000)
    pipeline.ledger.lease(call_id, owner="crashed", now=pipeline.clock(), until_ms=until_ms)
    pipeline.clock.advance(1)

    assert pipeline.replay(message, owner="successor") == []

    assert pipeline.functions.invoked == []
    assert only_row(pipeline).reason == "permanent"


def test_captured_throttle_that_the_policy_does_not_replay_is_given_up() -> None:
    pipeline = Pipeline(policy='{"default":{"replay_on":["function_error"]}}')
    (message,) = pipeline.captured_messages(call())

    assert pipeline.replay(message) == []

    assert pipeline.functions.invoked == []
    assert only_row(pipeline).reason == "permanent"


def test_redriven_call_is_run_whatever_the_policy_made_of_its_capture() -> None:
    """A person has decided."""
    pipeline = Pipeline(policy='{"default":{"maximum_attempts":1}}')
    (message,) = pipeline.captured_messages(call(), reply=FAILED)
    pipeline.replay(message)
    pipeline.clock.advance(1)
    row = only_row(pipeline)
    assert pipeline.ledger.redrive(row, now=pipeline.clock())

    assert pipeline.replay(message, owner="redriven") == []

    assert only_row(pipeline).state is State.SUCCEEDED


def test_copies_of_a_message_are_leased_by_owners_of_their_own() -> None:
    """SQS may hand a message over twice, even in one batch: then its receipt handles differ.

    An equal owner would pass for an SDK that repeats a lease whose answer was lost, and be granted.
    """
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    owners: list[str] = []
    lease = pipeline.ledger.lease

    class Watched(InMemoryLedger):
        def lease(
            self,
            call_id: str,
            *,
            owner: str,
            now: datetime,
            until_ms: int,
            of: Identity | None = None,
        ) -> Lease:
            owners.append(owner)
            return lease(call_id, owner=owner, now=now, until_ms=until_ms, of=of)

    pipeline.ledger = Watched(rows=pipeline.ledger.rows)
    pipeline.gate_items.images[ORDERS] = GateState(window=10.0)
    twice = [
        Delivery(message_id="m0", receipt_handle=f"r{copy}", body=message.body) for copy in range(2)
    ]
    pipeline.replayer().run(twice, Worker(owner="request", remaining_ms=plenty))

    assert len(set(owners)) == len(owners) == 2


def test_permanent_error_is_dead_lettered_at_once_with_a_message_to_act_on() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [GONE]

    assert pipeline.replay(message) == []

    row = only_row(pipeline)
    assert (row.state, row.reason) == (State.DEAD_LETTERED, "permanent")
    assert row.message == "permanent: ResourceNotFoundException: Function not found"
    assert row.letter_sent


def test_unknown_outcome_of_a_target_that_is_not_idempotent_is_not_replayed() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [UNKNOWN]

    assert pipeline.replay(message) == []

    assert only_row(pipeline).reason == "unknown"
    assert len(pipeline.dead_letters.sent) == 1


def test_call_that_was_captured_with_an_unknown_outcome_is_replayed_only_if_idempotent() -> None:
    careful, idempotent = Pipeline(), Pipeline(policy='{"default": {"idempotent": true}}')
    for pipeline in (careful, idempotent):
        assert pipeline.replay(*pipeline.captured_messages(call(), reply=UNKNOWN)) == []
    assert careful.functions.invoked == []
    assert (only_row(careful).reason, only_row(careful).attempts) == ("unknown", 1)
    assert only_row(idempotent).state is State.SUCCEEDED


def test_call_that_may_have_run_is_given_up_as_that_however_old_it_is() -> None:
    """Whoever redrives it is to know."""
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call(), reply=UNKNOWN)
    pipeline.clock.advance(6 * 3600)

    assert pipeline.replay(message) == []

    assert pipeline.functions.invoked == []
    assert only_row(pipeline).reason == "unknown"


def test_unknown_outcome_of_an_idempotent_target_is_replayed() -> None:
    pipeline = Pipeline(policy='{"targets":{"orders":{"idempotent":true}}}')
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [UNKNOWN]

    assert pipeline.replay(message, owner="first") == ["m0"]
    pipeline.clock.advance(60)
    assert pipeline.replay(message, owner="second") == []

    assert only_row(pipeline).state is State.SUCCEEDED


def test_call_older_than_its_policy_allows_is_dead_lettered_unrun() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.clock.advance(6 * 3600)

    assert pipeline.replay(message) == []

    assert pipeline.functions.invoked == []
    assert only_row(pipeline).reason == "expired"


def test_crashed_replayer_never_blocks_a_call_and_its_policy_for_unknown_decides() -> None:
    """A replayer was killed after its lease: nobody knows whether it had invoked."""
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    call_id = only_row(pipeline).id
    until_ms = int(pipeline.clock().timestamp() * 1000) + 90_000
    pipeline.ledger.lease(call_id, owner="crashed", now=pipeline.clock(), until_ms=until_ms)

    assert pipeline.replay(message, owner="while leased") == ["m0"]
    assert pipeline.replay_queue.waits_s["r0"] == pytest.approx(90)
    assert pipeline.functions.invoked == []

    pipeline.clock.advance(91)
    assert pipeline.replay(message, owner="successor") == []
    assert pipeline.functions.invoked == []
    row = only_row(pipeline)
    assert (row.state, row.reason) == (State.DEAD_LETTERED, "unknown")
    assert "held this call ended" in (row.message or "")


def test_call_that_a_crashed_replayer_left_until_it_was_too_old_is_unknown_and_not_expired() -> (
    None
):
    """It may have run. Given up for its age alone, any later capture of its key would run it again."""
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call(key="7"))
    call_id = only_row(pipeline).id
    until_ms = int(pipeline.clock().timestamp() * 1000)
    pipeline.ledger.lease(call_id, owner="crashed", now=pipeline.clock(), until_ms=until_ms)
    pipeline.clock.advance(6 * 3600)

    assert pipeline.replay(message, owner="successor") == []
    assert only_row(pipeline).reason == "unknown"

    pipeline.clock.advance(60)
    pipeline.lines.clear()
    (later,) = pipeline.captured_messages(call(key="7"))
    assert pipeline.replay(later, owner="later") == []
    assert pipeline.functions.invoked == []


def test_call_that_may_have_run_and_is_of_no_use_any_more_is_given_up_as_unknown() -> None:
    pipeline = Pipeline()
    not_after = format_instant(pipeline.clock())
    pipeline.capturer().capture(call(key="7", not_after=not_after), UNKNOWN.outcome)
    pipeline.take_in(pipeline.store())
    (message,) = pipeline.take_sent()
    pipeline.clock.advance(60)
    assert pipeline.replay(message) == []
    assert only_row(pipeline).reason == "unknown"
    assert pipeline.functions.invoked == []


def test_crashed_replayer_of_an_idempotent_target_is_succeeded_by_a_replay() -> None:
    pipeline = Pipeline(policy='{"default":{"idempotent":true}}')
    (message,) = pipeline.captured_messages(call())
    call_id = only_row(pipeline).id
    until_ms = int(pipeline.clock().timestamp() * 1000)
    pipeline.ledger.lease(call_id, owner="crashed", now=pipeline.clock(), until_ms=until_ms)
    pipeline.clock.advance(1)

    assert pipeline.replay(message, owner="successor") == ["m0"]
    pipeline.clock.advance(60)
    assert pipeline.replay(message, owner="later") == []
    assert only_row(pipeline).state is State.SUCCEEDED


def test_without_the_ledger_nothing_is_invoked_and_the_message_waits() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.ledger.faults.fail("lease")

    assert pipeline.replay(message) == ["m0"]

    assert pipeline.functions.invoked == []
    assert pipeline.replay_queue.waits_s == {"r0": 30.0}


def test_ledger_away_after_a_success_is_told_later_and_nothing_runs_twice() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.ledger.faults.fail("settle")

    assert pipeline.replay(message) == []
    (owed,) = pipeline.take_sent()
    assert owed.delay_s == 30
    assert only_row(pipeline).state is State.LEASED

    pipeline.clock.advance(31)
    assert pipeline.replay(owed, owner="later") == []
    assert only_row(pipeline).state is State.SUCCEEDED
    assert only_row(pipeline).result == '{"ok":true}'
    assert len(pipeline.functions.invoked) == 1


def test_ledger_away_after_a_failure_is_told_later_and_the_call_goes_on() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [FAILED]
    pipeline.ledger.faults.fail("settle")
    assert pipeline.replay(message) == []

    (owed,) = pipeline.take_sent()
    assert pipeline.replay(owed, owner="later") == []
    assert only_row(pipeline).state is State.WAITING
    assert only_row(pipeline).attempts == 1
    (again,) = pipeline.take_sent()
    assert again.delay_s == 30
    pipeline.clock.advance(again.delay_s)
    assert pipeline.replay(again, owner="last") == []
    assert only_row(pipeline).state is State.SUCCEEDED


def test_ledger_and_queue_away_after_a_success_never_run_the_call_again() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.ledger.faults.fail("settle")
    pipeline.replay_queue.faults.fail("send")

    assert pipeline.replay(message) == ["m0"]
    pipeline.clock.advance(3600)
    assert pipeline.replay(message, owner="later") == []

    assert len(pipeline.functions.invoked) == 1
    assert only_row(pipeline).reason == "unknown"


def test_dead_letter_that_could_not_be_sent_is_sent_at_the_next_delivery() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [GONE]
    pipeline.dead_letters.faults.fail("send")

    assert pipeline.replay(message) == ["m0"]
    assert only_row(pipeline).state is State.DEAD_LETTERED
    assert pipeline.replay(message, owner="later") == []

    assert len(pipeline.dead_letters.sent) == 1
    assert len(pipeline.functions.invoked) == 1


def test_without_a_gate_one_call_goes_at_a_time_and_success_brings_the_next() -> None:
    """The ledger still says who may run: only the pace is this process's own."""
    pipeline = Pipeline()
    messages = pipeline.captured_messages(*[call(b'{"n":%d}' % n) for n in range(10)])
    pipeline.gate_items.faults.fail("read", 99)

    assert pipeline.replay(*messages) == []
    assert len(pipeline.functions.invoked) == 10
    assert pipeline.meter.counts[metric.STORE_FAULTS] == 1


def test_without_a_gate_a_throttle_stops_this_process_for_a_while() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(*[call(b'{"n":%d}' % n) for n in range(10)])
    pipeline.gate_items.faults.fail("read", 99)
    pipeline.functions.script = [THROTTLED]

    assert len(pipeline.replay(*messages)) == 10
    assert len(pipeline.functions.invoked) == 1
    assert len(pipeline.replay(*messages, owner="too early")) == 10
    assert len(pipeline.functions.invoked) == 1
    pipeline.clock.advance(3)
    assert pipeline.replay(*messages, owner="later") == []


def test_gate_that_cannot_be_told_changes_nothing_for_the_calls() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(call())
    pipeline.functions.answer = lambda _target, _payload: _and_fail(pipeline)

    assert pipeline.replay(*messages) == ["m0"]
    assert only_row(pipeline).state is State.WAITING
    assert gate_of(pipeline).in_flight == 1  # until its lease runs out
    pipeline.clock.advance(460)
    pipeline.functions.answer = None
    assert pipeline.replay(*messages, owner="much later") == []
    assert gate_of(pipeline).in_flight == 0


def _and_fail(pipeline: Pipeline) -> Reply:
    pipeline.gate_items.faults.fail("update", 1)
    return THROTTLED


def test_what_gets_no_permit_is_given_back_before_the_first_call_is_made() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(
        *[call(b'{"n":%d}' % n, function=ORDERS) for n in range(5)], call(b"2", function=MAIL)
    )
    held = GateState(
        mode=Mode.HOLDING, probe_at_ms=int(pipeline.clock().timestamp() * 1000) + 60_000
    )
    pipeline.gate_items.images[ORDERS] = held
    given_back_first: list[int] = []

    def answer(_target: Target, _payload: bytes) -> Reply:
        given_back_first.append(len(pipeline.replay_queue.waits_s))
        return SUCCEEDED

    pipeline.functions.answer = answer
    assert len(pipeline.replay(*messages)) == 5
    # The lane may start a moment before; what it must not do is keep them until it ends.
    assert len(given_back_first) == 1
    assert set(pipeline.replay_queue.waits_s.values()) == {
        62.0
    }  # until the probe, and half the spread


def test_calls_of_a_batch_share_its_permits() -> None:
    """Two permits serve ten short calls, for three writes; slow start alone tells of each round."""
    pipeline = Pipeline()
    messages = pipeline.captured_messages(*[call(b'{"n":%d}' % n) for n in range(10)])
    now_ms = int(pipeline.clock().timestamp() * 1000)
    pipeline.gate_items.images[ORDERS] = GateState(
        window=2.0, slow_start=0, changed_at_ms=now_ms, waiting=10
    )
    before = pipeline.gate_items.writes

    assert pipeline.replay(*messages) == []

    assert len(pipeline.functions.invoked) == 10
    assert pipeline.gate_items.writes - before <= 3
    gate = gate_of(pipeline)
    assert (gate.in_flight, gate.succeeded, gate.waiting) == (0, 10, 0)


def test_an_outage_by_errors_costs_each_call_few_attempts_and_loses_none() -> None:
    pipeline = Pipeline(policy='{"default":{"max_age_s":86400}}')
    messages = pipeline.captured_messages(*[call(b'{"n":%d}' % n) for n in range(25)])
    pipeline.functions.answer = lambda _target, _payload: FAILED
    for batch in range(12):
        pipeline.replay(*messages, owner=f"batch {batch}")
        pipeline.clock.advance(61)
    assert gate_of(pipeline).held_for == "fault"
    assert not pipeline.dead_letters.sent
    assert max(row.attempts for row in pipeline.ledger.rows.values()) <= 1

    pipeline.functions.answer = None
    for batch in range(3):
        pipeline.clock.advance(61)
        pipeline.replay(*messages, owner=f"after {batch}")
    assert {row.state for row in pipeline.ledger.rows.values()} == {State.SUCCEEDED}


def test_poison_is_given_up_even_when_only_poison_is_left() -> None:
    """It failed while others succeeded: its failures say nothing of the target, and are charged."""
    pipeline = Pipeline()
    messages = pipeline.captured_messages(*[call(b'{"n":%d}' % n) for n in range(25)])
    pipeline.functions.answer = lambda _target, payload: (
        FAILED if int(payload[5:-1]) % 5 < 2 else SUCCEEDED
    )
    pipeline.gate_items.images[ORDERS] = GateState(window=100.0)
    for third in range(0, 25, 9):
        pipeline.replay(*messages[third : third + 9], owner=f"first {third}")
    for later in range(2):
        pipeline.clock.advance(200)
        for third in range(0, 25, 9):
            pipeline.replay(*messages[third : third + 9], owner=f"again {later}.{third}")
            pipeline.clock.advance(5)
    states = [row.state for row in pipeline.ledger.rows.values()]
    assert states.count(State.DEAD_LETTERED) == 10
    assert gate_of(pipeline).mode == Mode.FLOWING


def test_a_throttle_of_the_account_slows_every_target() -> None:
    pipeline = Pipeline()
    orders, mail = pipeline.captured_messages(call(), call(b"2", function=MAIL))
    for function in (ORDERS, MAIL):
        pipeline.gate_items.images[function] = GateState(window=40.0, slow_start=0, turn=3)
    reason = "ConcurrentInvocationLimitExceeded"
    outcome = Outcome(kind=OutcomeKind.THROTTLED, status=429, reason=reason)
    pipeline.functions.script = [Reply(outcome=outcome)]

    assert pipeline.replay(orders) == ["m0"]
    assert pipeline.replay(mail, owner="at once") == ["m0"]
    pipeline.clock.advance(1)
    assert pipeline.replay(mail, owner="later") == []
    assert gate_of(pipeline, MAIL).window < 21


def test_a_throttle_of_one_function_slows_no_other() -> None:
    pipeline = Pipeline()
    orders, mail = pipeline.captured_messages(call(), call(b"2", function=MAIL))
    pipeline.functions.script = [THROTTLED]

    assert pipeline.replay(orders) == ["m0"]
    assert pipeline.replay(mail, owner="at once") == []


def test_replays_leave_headroom_of_a_known_concurrency() -> None:
    pipeline = Pipeline(policy='{"default":{"headroom":0.5}}')
    messages = pipeline.captured_messages(*[call(b'{"n":%d}' % n) for n in range(10)])
    pipeline.gate_items.images[ORDERS] = GateState(window=100.0, slow_start=0)
    pipeline.concurrency.limits[ORDERS] = 10

    pipeline.functions.answer = lambda _target, _payload: THROTTLED
    assert len(pipeline.replay(*messages)) == 10
    assert len(pipeline.functions.invoked) == 5


def test_disabled_policy_keeps_calls_waiting_and_gives_none_up() -> None:
    pipeline = Pipeline(policy='{"targets":{"orders":{"enabled":false}}}')
    messages = pipeline.captured_messages(call())
    pipeline.clock.advance(7 * 3600)

    assert pipeline.replay(*messages) == ["m0"]
    assert only_row(pipeline).state is State.CAPTURED
    assert pipeline.functions.invoked == []


@pytest.mark.parametrize(
    ("policy", "asked"),
    [("{}", [None]), ('{"targets":{"orders":{"enabled":false}}}', [None, PAUSE_SEEN_S])],
)
def test_who_lets_calls_wait_for_a_pause_has_read_the_policy_lately(
    policy: str, asked: list[float | None]
) -> None:
    pipeline = Pipeline()
    policies = FakePolicies(read_policy_document(policy))
    replayer = replace(pipeline.replayer(), policies=policies)
    replayer.run(
        deliveries(*pipeline.captured_messages(call())),
        Worker(owner="a", remaining_ms=lambda: 900_000),
    )
    assert policies.asked == asked


def test_max_concurrency_bounds_what_runs_at_once() -> None:
    pipeline = Pipeline(policy='{"default":{"max_concurrency":3}}')
    pipeline.gate_items.images[ORDERS] = GateState(window=100.0)
    messages = pipeline.captured_messages(*[call(b'{"n":%d}' % n) for n in range(10)])

    pipeline.functions.answer = lambda _target, _payload: THROTTLED
    assert len(pipeline.replay(*messages)) == 10
    assert len(pipeline.functions.invoked) == 3


def test_call_that_could_not_finish_in_time_is_not_started() -> None:
    pipeline = Pipeline(call_timeout_s=60)
    messages = pipeline.captured_messages(call())

    again = pipeline.replayer().run(
        deliveries(*messages), Worker(owner="late", remaining_ms=lambda: 69_999)
    )

    assert again == ["m0"]
    assert pipeline.functions.invoked == []
    assert only_row(pipeline).state is State.CAPTURED


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(10.9, State.SUCCEEDED), (11.1, State.DEAD_LETTERED)]
)
def test_a_lease_bears_clocks_that_differ_by_eleven_seconds_and_beyond_that_nothing_runs_twice(
    ahead_s: float, state: State
) -> None:
    """At the end of the longest call, begun as late as may be."""
    pipeline = Pipeline(call_timeout_s=60)
    messages = pipeline.captured_messages(call())

    def take_all_the_time(_target: Target, _payload: bytes) -> Reply:
        pipeline.functions.answer = None
        pipeline.clock.advance(60)
        # A copy of its message comes to another replayer, whose clock is ahead.
        pipeline.clock.advance(ahead_s)
        pipeline.replay(*messages, owner="another")
        pipeline.clock.advance(-ahead_s)
        return SUCCEEDED

    pipeline.functions.answer = take_all_the_time
    pipeline.replayer().run(
        deliveries(*messages), Worker(owner="first", remaining_ms=lambda: 70_000)
    )

    assert len(pipeline.functions.invoked) == 1
    assert only_row(pipeline).state is state
    assert only_row(pipeline).reason == (None if state is State.SUCCEEDED else "unknown")


@pytest.mark.parametrize("is_granted", [True, False])
def test_leases_that_were_taken_together_too_late_are_given_back_and_nothing_runs(
    *, is_granted: bool
) -> None:
    class Slow(InMemoryLedger):
        """Takes leases until there is no time left, and then may not say so."""

        def lease_all(self, wanted: Any, **request: Any) -> dict[str, Lease]:
            left_ms.append(60_000)
            leases = InMemoryLedger.lease_all(self, wanted, **request)
            return leases if is_granted else {}

    pipeline = Pipeline(call_timeout_s=60, ledger=Slow())
    messages = pipeline.captured_messages(call(b"1"), call(b"2"))
    pipeline.gate_items.images[ORDERS] = GateState(window=10.0, slow_start=0)
    left_ms = [plenty()]

    again = pipeline.replayer().run(
        deliveries(*messages), Worker(owner="late", remaining_ms=lambda: left_ms[-1])
    )

    assert again == ["m0", "m1"]
    assert pipeline.functions.invoked == []
    rows = pipeline.ledger.rows.values()
    assert [(row.state, row.attempts) for row in rows] == [(State.WAITING, 0)] * 2
    assert pipeline.replay(*messages) == []
    assert {row.state for row in rows} == {State.SUCCEEDED}


def test_message_for_a_function_outside_the_list_invokes_nothing() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.targets = (MAIL,)

    assert pipeline.replay(message) == []

    assert pipeline.functions.invoked == []
    assert only_row(pipeline).reason == "permanent"
    assert "Targets" in (only_row(pipeline).message or "")


def test_unreadable_message_is_quarantined_and_not_retried_for_ever() -> None:
    pipeline = Pipeline()
    (good,) = pipeline.captured_messages(call())

    assert pipeline.replay(OutMessage(body="{"), good) == []

    (kept,) = [key for key in pipeline.objects.kept if key.startswith("quarantine/")]
    assert json.loads(pipeline.objects.kept[kept])["reason"] == "invalid_record"
    assert only_row(pipeline).state is State.SUCCEEDED


def test_unreadable_message_waits_while_the_quarantine_is_away() -> None:
    pipeline = Pipeline()
    pipeline.objects.faults.fail("put")

    assert pipeline.replay(OutMessage(body="{")) == ["m0"]


def test_large_payload_is_fetched_by_its_claim_check() -> None:
    pipeline = Pipeline()
    payload = LARGE
    messages = pipeline.captured_messages(call(payload))

    pipeline.replay(*messages)

    assert pipeline.functions.invoked[0][1] == payload


def test_claim_check_that_is_gone_or_altered_is_a_permanent_dead_letter() -> None:
    pipeline = Pipeline()
    gone, altered = pipeline.captured_messages(call(LARGE), call(LARGE + b"!"))
    keys = sorted(key for key in pipeline.objects.kept if key.startswith("payloads/"))
    del pipeline.objects.kept[keys[0]]
    pipeline.objects.kept[keys[1]] = b"something else"

    assert pipeline.replay(gone, altered) == []

    assert pipeline.functions.invoked == []
    assert {row.reason for row in pipeline.ledger.rows.values()} == {"permanent"}


def test_claim_check_that_cannot_be_read_now_is_read_later() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call(LARGE))
    pipeline.objects.faults.fail("get")

    assert pipeline.replay(message, owner="first") == ["m0"]
    pipeline.clock.advance(60)
    assert pipeline.replay(message, owner="second") == []
    assert only_row(pipeline).state is State.SUCCEEDED


def test_row_that_is_gone_is_written_again_before_anything_is_invoked() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.ledger.rows.clear()

    assert pipeline.replay(message) == []
    assert only_row(pipeline).state is State.SUCCEEDED


def test_defect_in_one_attempt_delays_that_call_and_no_other() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(call(b"1"), call(b"2"))

    def answer(_target: Target, payload: bytes) -> Reply:
        if payload == b"1":
            raise ZeroDivisionError
        return SUCCEEDED

    pipeline.functions.answer = answer

    assert pipeline.replay(*messages) == ["m0"]
    states = sorted(row.state for row in pipeline.ledger.rows.values())
    assert states == [State.LEASED, State.SUCCEEDED]


def test_row_that_cannot_be_read_with_others_delays_no_other_call() -> None:
    class Unreadable(InMemoryLedger):
        """Holds a row of a later version's: whoever reads it with others reads none of them."""

        def lease_all(self, wanted: Any, **request: Any) -> dict[str, Lease]:
            raise ValueError(wanted, request)

        def lease(self, call_id: str, **request: Any) -> Lease:
            if call_id == first.record.id:
                raise ValueError(call_id)
            return InMemoryLedger.lease(self, call_id, **request)

    pipeline = Pipeline(ledger=Unreadable())
    messages = pipeline.captured_messages(call(b"1"), call(b"2"))
    first = read_message(messages[0].body)
    pipeline.gate_items.images[ORDERS] = GateState(window=10.0, slow_start=0)

    assert pipeline.replay(*messages) == ["m0"]
    states = sorted(row.state for row in pipeline.ledger.rows.values())
    assert states == [State.CAPTURED, State.SUCCEEDED]


def test_row_that_cannot_be_read_probes_no_gate_and_delays_no_other_target() -> None:
    class Unreadable(InMemoryLedger):
        def get(self, call_id: str) -> Row | None:
            raise ValueError(call_id)

    pipeline = Pipeline(ledger=Unreadable())
    messages = pipeline.captured_messages(call(b"1"), call(b"2", function=MAIL))
    pipeline.gate_items.images[ORDERS] = GateState(mode=Mode.HOLDING, held_for="fault")

    assert pipeline.replay(*messages) == ["m0"]
    states = sorted(row.state for row in pipeline.ledger.rows.values())
    assert states == [State.CAPTURED, State.SUCCEEDED]


def test_redriven_call_starts_from_zero_attempts_and_a_fresh_age() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call(), reply=FAILED)
    pipeline.clock.advance(7 * 3600)
    pipeline.replay(message)
    assert only_row(pipeline).reason == "expired"

    row = only_row(pipeline)
    assert pipeline.ledger.redrive(row, now=pipeline.clock())
    pipeline.functions.script = [FAILED, FAILED]
    assert pipeline.replay(message, owner="one") == ["m0"]
    pipeline.clock.advance(60)
    assert pipeline.replay(message, owner="two") == ["m0"]
    pipeline.clock.advance(120)
    assert pipeline.replay(message, owner="three") == []
    assert only_row(pipeline).state is State.SUCCEEDED


def test_retry_after_of_the_server_is_a_floor_for_the_next_probe() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(call())
    pipeline.gate_items.images[ORDERS] = GateState(window=1.0, slow_start=0)
    outcome = Outcome(kind=OutcomeKind.THROTTLED, status=429, retry_after_s=45.0)
    pipeline.functions.script = [Reply(outcome=outcome)]

    pipeline.replay(*messages)

    now_ms = int(pipeline.clock().timestamp() * 1000)
    assert gate_of(pipeline).probe_at_ms == now_ms + 45_000
    assert pipeline.replay_queue.waits_s["r0"] >= 45.0


def test_unobtainable_policy_makes_every_call_wait() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(call())
    stage = pipeline.replayer()
    stage.policies.faults.fail("policies")  # type: ignore[attr-defined]

    again = stage.run(deliveries(*messages), Worker(owner="w", remaining_ms=lambda: 300_000))

    assert again == ["m0"]
    assert pipeline.functions.invoked == []

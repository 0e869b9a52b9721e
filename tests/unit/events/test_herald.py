"""What the replayer tells EventBridge of calls and gates."""

from __future__ import annotations

import json

from harness import FAILED, GONE, ORDERS, Pipeline, call
from reprise.events import GateChanged, ReplayDeadLettered, ReplaySucceeded, gate_changed
from reprise.gate.state import GateState, Mode
from reprise.monitor.gates import GateChange
from reprise.testing import START_AT

SECRET = b'{"card":"4111"}'


def test_a_success_is_told_with_its_age() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call(SECRET))
    pipeline.clock.advance(90)
    pipeline.replay(message)
    (event,) = pipeline.events
    assert isinstance(event, ReplaySucceeded)
    assert (event.stack, event.function) == ("shop", f"{ORDERS}:$LATEST")
    assert (event.age_s, event.attempts, event.refusals) == (90.0, 0, 0)


def test_a_death_is_told_as_lambdas_own_record_without_its_payload() -> None:
    pipeline = Pipeline(policy='{"default": {"maximum_attempts": 1}}')
    (message,) = pipeline.captured_messages(call(SECRET))
    pipeline.functions.script = [FAILED]
    pipeline.replay(message)
    (event,) = pipeline.events
    assert isinstance(event, ReplayDeadLettered)
    (letter,) = pipeline.dead_letters.sent
    same = json.loads(letter.body)
    assert event.request_context.condition == same["requestContext"]["condition"]
    assert event.request_context.function_arn == same["requestContext"]["functionArn"]
    assert event.response_context.function_error == same["responseContext"]["functionError"]
    assert (event.reprise.id, event.reprise.reason) == (same["reprise"]["id"], "exhausted")
    assert "4111" not in repr(event)


def test_a_death_is_told_once_its_letter_is_sent() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [GONE]
    pipeline.dead_letters.faults.fail("send")
    pipeline.replay(message)
    assert pipeline.events == []
    pipeline.replay(message)
    assert [type(event) for event in pipeline.events] == [ReplayDeadLettered]


def test_a_gate_is_told_with_the_hold_that_it_is_about() -> None:
    since_ms = int(START_AT.timestamp() * 1000) - 30_000
    holding = GateState(mode=Mode.HOLDING, holding_since_ms=since_ms)
    begun = gate_changed(
        "shop", GateChange(function=ORDERS, before=GateState(), after=holding), START_AT
    )
    ended = gate_changed(
        "shop", GateChange(function=ORDERS, before=holding, after=GateState()), START_AT
    )
    assert begun == GateChanged(
        stack="shop",
        function=ORDERS,
        state="holding",
        at="2026-11-21T10:00:00.000000Z",
        holding_since="2026-11-21T09:59:30.000000Z",
        held_s=30.0,
    )
    assert (ended.state, ended.held_s) == ("flowing", 30.0)

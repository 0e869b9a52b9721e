"""One caller's bad calls cost what their policy says, and never stop a healthy target for the others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from harness import FAILED, ORDERS, THROTTLED, Pipeline, call
from reprise.gate.state import GateState, HeldFor, Mode
from reprise.ledger import State
from reprise.testing import SUCCEEDED
from timeline import Timeline

if TYPE_CHECKING:
    from reprise.call.target import Target
    from reprise.ports import OutMessage, Reply


def bad(number: int) -> bytes:
    return b'{"bad":%d}' % number


def good(number: int) -> bytes:
    return b'{"good":%d}' % number


def is_bad(payload: bytes) -> bool:
    return payload.startswith(b'{"bad"')


class Runs:
    """Fails bad payloads, answers all others; counts, and notes when the good ones ran."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.count: Counter[bytes] = Counter()
        self.good_at_s: list[float] = []
        self._clock = pipeline.clock
        self._start_s = pipeline.clock.now.timestamp()
        pipeline.functions.answer = self

    def __call__(self, _target: Target, payload: bytes) -> Reply:
        self.count[payload] += 1
        if is_bad(payload):
            return FAILED
        self.good_at_s.append(self._clock.now.timestamp() - self._start_s)
        return SUCCEEDED


@pytest.mark.parametrize("count", [1, 2, 3, 12, 40])
@pytest.mark.parametrize("reply", [THROTTLED, FAILED], ids=["captured refused", "captured failed"])
@pytest.mark.parametrize("has_succeeded", [False, True], ids=["new target", "known target"])
def test_no_call_runs_more_often_than_its_policy_says(
    count: int, reply: Reply, *, has_succeeded: bool
) -> None:
    """Whatever the gate makes of the failures: 298 runs of one call were seen where three are allowed."""
    pipeline = Pipeline()
    if has_succeeded:
        now_ms = int(pipeline.clock.now.timestamp() * 1000)
        pipeline.gate_items.images[ORDERS] = GateState(succeeded_at_ms=now_ms, succeeded=100)
    runs = Runs(pipeline)
    timeline = Timeline(pipeline)
    timeline.send(
        *pipeline.captured_messages(*[call(bad(number)) for number in range(count)], reply=reply)
    )

    timeline.run()

    own = int(reply is FAILED)
    assert max(runs.count.values()) == 3 - own
    rows = pipeline.ledger.rows.values()
    assert {row.state for row in rows} == {State.DEAD_LETTERED}
    # Many that look like an outage are probed seldom, and some of them grow too old.
    assert {row.reason for row in rows} <= {"exhausted", "expired"}
    assert max(row.attempts for row in rows) == 3


def test_calls_of_others_are_replayed_beside_one_callers_bad_ones() -> None:
    """A dozen bad calls hold the gate; then other callers are throttled for a moment."""
    pipeline = Pipeline()
    now_ms = int(pipeline.clock.now.timestamp() * 1000)
    pipeline.gate_items.images[ORDERS] = GateState(succeeded_at_ms=now_ms, succeeded=100)
    runs = Runs(pipeline)
    timeline = Timeline(pipeline)
    pipeline.capture(*[call(bad(number)) for number in range(60)], reply=FAILED)
    timeline.notify(pipeline.store("captured/bad.gz"))
    timeline.run(until_s=60)
    assert pipeline.gate_items.images[ORDERS].held_for == HeldFor.FAULT

    pipeline.lines.clear()
    pipeline.capture(*[call(good(number)) for number in range(5)], reply=THROTTLED)
    timeline.notify(pipeline.store("captured/good.gz"))
    began_s = timeline.now_s
    timeline.run()

    assert len(runs.good_at_s) == 5
    assert max(runs.good_at_s) - began_s < 60
    states = Counter(row.state for row in pipeline.ledger.rows.values())
    assert states == {State.SUCCEEDED: 5, State.DEAD_LETTERED: 60}


def test_a_hold_for_failures_probes_with_a_call_that_has_not_failed() -> None:
    pipeline = Pipeline()
    runs = Runs(pipeline)
    messages = pipeline.captured_messages(
        *[call(bad(number)) for number in range(3)], call(good(1)), reply=THROTTLED
    )
    pipeline.gate_items.images[ORDERS] = GateState(window=3.0)
    pipeline.replay(*messages[:3], owner="bad")
    assert pipeline.gate_items.images[ORDERS].mode == Mode.HOLDING

    pipeline.clock.advance(100)
    pipeline.replay(*messages, owner="all")

    assert runs.count[good(1)] == 1
    assert {runs.count[bad(number)] for number in range(3)} <= {1, 2}
    assert pipeline.gate_items.images[ORDERS].mode == Mode.FLOWING


def test_a_call_that_failed_probes_only_after_its_backoff_and_a_tenth_of_the_hold() -> None:
    pipeline = Pipeline()
    runs = Runs(pipeline)
    messages = pipeline.captured_messages(*[call(bad(number)) for number in range(3)])
    pipeline.gate_items.images[ORDERS] = GateState(window=3.0)
    pipeline.replay(*messages, owner="first")
    gate = pipeline.gate_items.images[ORDERS]
    assert gate.mode == Mode.HOLDING

    pipeline.clock.advance(59)
    pipeline.replay(*messages, owner="early")
    assert sum(runs.count.values()) == 3
    assert pipeline.gate_items.images[ORDERS].mode == Mode.HOLDING

    pipeline.clock.advance(1)
    pipeline.replay(*messages, owner="due")
    assert sum(runs.count.values()) == 4


def test_a_small_backlog_outlasts_a_long_outage() -> None:
    """Each probe is paid with an attempt, so probes of calls that failed get rare as the outage lasts."""
    pipeline = Pipeline()
    timeline = Timeline(pipeline)
    pipeline.functions.answer = lambda _target, _payload: FAILED
    timeline.send(*pipeline.captured_messages(*[call(good(number)) for number in range(60)]))
    timeline.run(until_s=2 * 3600)
    pipeline.functions.answer = None
    timeline.run()

    states = Counter(row.state for row in pipeline.ledger.rows.values())
    assert states == {State.SUCCEEDED: 60}


def test_while_the_ledger_cannot_say_who_failed_nobody_probes() -> None:
    pipeline = Pipeline()
    runs = Runs(pipeline)
    messages = pipeline.captured_messages(*[call(bad(number)) for number in range(3)])
    pipeline.gate_items.images[ORDERS] = GateState(window=3.0)
    pipeline.replay(*messages, owner="first")
    pipeline.clock.advance(100)
    pipeline.ledger.faults.fail("get")

    assert sorted(pipeline.replay(*messages, owner="blind")) == ["m0", "m1", "m2"]

    assert sum(runs.count.values()) == 3


def redriven(pipeline: Pipeline, count: int) -> list[OutMessage]:
    """Return messages of calls that were given up after failing, and that an operator opened again."""
    messages = pipeline.captured_messages(*[call(bad(number)) for number in range(count)])
    timeline = Timeline(pipeline)
    timeline.send(*messages)
    timeline.run()
    pipeline.clock.advance(3600)
    for row in list(pipeline.ledger.rows.values()):
        assert row.state is State.DEAD_LETTERED
        pipeline.ledger.redrive(row, now=pipeline.clock.now)
    now_ms = int(pipeline.clock.now.timestamp() * 1000)
    pipeline.gate_items.images[ORDERS] = GateState(
        succeeded_at_ms=now_ms, succeeded=100, window=40.0
    )
    return messages


def test_redriven_calls_that_fail_again_hold_no_gate() -> None:
    """They failed before: 130 letters that were redriven too soon held their target for 17 minutes."""
    pipeline = Pipeline()
    runs = Runs(pipeline)
    messages = redriven(pipeline, 20)
    runs.count.clear()

    pipeline.replay(*messages, owner="redriven")

    assert sum(runs.count.values()) == 20
    assert pipeline.gate_items.images[ORDERS].mode == Mode.FLOWING
    # They were never told to it as waiting, and so do not leave: its backlog would be short of others.
    assert pipeline.gate_items.images[ORDERS].waiting == 0
    # What is charged begins anew: an operator decided so.
    assert {row.attempts for row in pipeline.ledger.rows.values()} == {1}


def test_a_redriven_call_that_failed_is_no_probe_while_others_may_be() -> None:
    pipeline = Pipeline()
    runs = Runs(pipeline)
    messages = redriven(pipeline, 3)
    fresh = pipeline.captured_messages(call(good(1)), reply=THROTTLED)
    now_ms = int(pipeline.clock.now.timestamp() * 1000)
    pipeline.gate_items.images[ORDERS] = GateState(
        mode=Mode.HOLDING,
        held_for=HeldFor.FAULT,
        holding_since_ms=now_ms,
        probe_at_ms=now_ms,
    )
    runs.count.clear()

    pipeline.replay(*messages, owner="bad")
    assert sum(runs.count.values()) == 0

    pipeline.replay(*messages, *fresh, owner="all")
    assert runs.count[good(1)] == 1
    assert pipeline.gate_items.images[ORDERS].mode == Mode.FLOWING

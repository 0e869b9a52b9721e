"""A call that an operator cancelled never runs after it, is told of as ended, and is owed nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doubles import InMemoryCounters
from harness import ORDERS, Pipeline, call, hold
from reprise.call.reply_to import ReplyTo
from reprise.gate.state import GateState
from reprise.ledger import Row, State
from reprise_cli.calls.cancel import Canceller, refusal
from reprise_letters.redrive import Action
from strategies import make_row

NOTE = "2026-11-21, cancelled by ann, by job 1: a wrong price"


def cancel(pipeline: Pipeline, *ids: str) -> tuple[list[Action], InMemoryCounters]:
    counters = InMemoryCounters()
    canceller = Canceller(
        ledger=pipeline.ledger,
        counters=counters,
        label=lambda function: function.rpartition(":")[2],
        clock=pipeline.clock,
        note=NOTE,
    )
    rows = [pipeline.ledger.rows[call_id] for call_id in ids]
    return [one.action for one in canceller.run(rows)], counters


def captured(pipeline: Pipeline, **fields: object) -> str:
    (call_id,) = pipeline.capture(call(**fields))  # type: ignore[arg-type]
    pipeline.take_in(pipeline.store())
    return call_id


def test_a_cancelled_call_is_dropped_when_its_message_comes_and_has_no_letter() -> None:
    pipeline = Pipeline()
    call_id = captured(pipeline)
    assert cancel(pipeline, call_id)[0] == [Action.CANCELLED]
    waiting = pipeline.gate_items.read(ORDERS).waiting
    assert pipeline.replay(*pipeline.take_sent()) == []
    assert (pipeline.functions.invoked, pipeline.dead_letters.sent) == ([], [])
    row = pipeline.ledger.rows[call_id]
    assert (row.state, row.reason, row.note) == (State.DEAD_LETTERED, "cancelled", NOTE)
    # It waits for no permit any more.
    assert pipeline.gate_items.read(ORDERS).waiting == waiting - 1


def test_folded_calls_are_cancelled_too_and_the_counters_know() -> None:
    pipeline = Pipeline()
    hold(pipeline)
    ids = pipeline.capture(*(call(b"%d" % n) for n in range(20)))
    pipeline.take_in(pipeline.store())
    actions, counters = cancel(pipeline, *ids)
    assert set(actions) == {Action.CANCELLED}
    assert counters.kept["orders"].ended == 20
    assert counters.kept["orders"].dead == {"cancelled": 20}
    pipeline.gate_items.images[ORDERS] = GateState()
    pipeline.clock.advance(3600)
    folded = list(pipeline.capture_queue.sent)
    assert folded
    for message in folded:
        pipeline.take_in(message.body)
    pipeline.replay(*pipeline.take_sent())
    assert pipeline.functions.invoked == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": State.LEASED}, "it runs"),
        ({"state": State.SUCCEEDED}, "succeeded"),
        ({"state": State.DEAD_LETTERED, "reason": "expired"}, "given up (expired)"),
        ({"state": State.DEAD_LETTERED, "reason": "cancelled", "note": "by ann"}, "by ann"),
    ],
)
def test_what_runs_or_has_ended_is_refused_with_why(changes: dict[str, object], said: str) -> None:
    pipeline = Pipeline()
    row = make_row(**changes)
    pipeline.ledger.rows[row.id] = row
    assert cancel(pipeline, row.id)[0] == [Action.REFUSED]
    assert said in refusal(row)
    assert pipeline.ledger.rows[row.id] == row


def test_a_cancel_of_an_earlier_life_cancels_nothing() -> None:
    pipeline = Pipeline()
    row = make_row()
    opened = replace(row, opened_at="2027-01-01T00:00:00.000000Z")
    pipeline.ledger.rows[row.id] = opened
    assert not pipeline.ledger.cancel(
        row.id, opened_at=row.opened_at, now=pipeline.clock(), note=NOTE
    )
    assert pipeline.ledger.rows[row.id] == opened


def test_a_caller_that_calls_again_after_it_is_owed_an_end_of_its_own() -> None:
    pipeline = Pipeline()
    call_id = captured(pipeline, key="order-1")
    cancel(pipeline, call_id)
    pipeline.take_sent()
    pipeline.clock.advance(10)
    pipeline.lines.clear()
    pipeline.capture(call(key="order-1"))
    pipeline.take_in(pipeline.store("captured/later.gz"))
    assert pipeline.replay(*pipeline.take_sent()) == []
    row: Row = pipeline.ledger.rows[call_id]
    assert len(pipeline.functions.invoked) == 1
    assert (row.state, [end.reason for end in row.ends]) == (State.SUCCEEDED, ["cancelled"])


def test_a_caller_that_asked_for_its_result_is_told_of_the_end() -> None:
    pipeline = Pipeline()
    call_id = captured(pipeline, reply_to=ReplyTo(event="1"))
    cancel(pipeline, call_id)
    pipeline.replay(*pipeline.take_sent())
    assert [record.id for record in pipeline.replies.told] == [call_id]

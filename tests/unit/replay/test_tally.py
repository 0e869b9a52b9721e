"""What the stages count, by target, reason and outcome: the ledger's word decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import FAILED, GONE, ORDERS, THROTTLED, Pipeline, call
from reprise import metric
from reprise.metric import MetricKey
from reprise.ports import OutMessage

if TYPE_CHECKING:
    from doubles import FakeMeter


def ends(meter: FakeMeter) -> tuple[int, int]:
    return meter.counts[metric.SUCCEEDED], meter.counts[metric.DEAD_LETTERED]


def test_success_counts_once_with_its_age_however_often_it_is_delivered() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.clock.advance(12.5)
    pipeline.replay(message)
    pipeline.replay(message)
    assert pipeline.meter.measured[MetricKey(metric.SUCCEEDED, ORDERS)] == 1
    assert pipeline.meter.values == [(MetricKey(metric.AGE_AT_SUCCESS, ORDERS), 12.5)]
    assert pipeline.meter.measured[MetricKey(metric.DUPLICATES_SUPPRESSED, ORDERS)] == 1


def test_replays_are_told_apart_by_outcome() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(*(call() for _ in range(3)))
    pipeline.functions.script = [THROTTLED, FAILED]
    for message in messages:
        pipeline.replay(message)
        pipeline.gate_items.images.clear()
    for outcome in ("throttled", "function_error", "succeeded"):
        assert pipeline.meter.measured[MetricKey(metric.REPLAYS, ORDERS, outcome=outcome)] == 1


def test_dead_letters_count_by_reason() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [GONE]
    pipeline.replay(message)
    key = MetricKey(metric.DEAD_LETTERED, ORDERS, reason="permanent")
    assert pipeline.meter.measured[key] == 1


def test_an_end_that_the_ledger_was_told_later_counts_then() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.ledger.faults.fail("settle")
    pipeline.replay(message)
    assert ends(pipeline.meter) == (0, 0)
    (owed,) = pipeline.take_sent()
    pipeline.replay(owed)
    assert ends(pipeline.meter) == (1, 0)


def test_a_dead_letter_that_the_ledger_was_told_later_counts_with_its_reason() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [GONE]
    pipeline.ledger.faults.fail("settle")
    pipeline.replay(message)
    (owed,) = pipeline.take_sent()
    pipeline.replay(owed)
    key = MetricKey(metric.DEAD_LETTERED, ORDERS, reason="permanent")
    assert pipeline.meter.measured[key] == 1


def test_a_redriven_call_counts_once_at_its_first_delivery() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [GONE, FAILED]
    pipeline.replay(message)
    (row,) = pipeline.ledger.rows.values()
    pipeline.clock.advance(60)
    assert pipeline.ledger.redrive(row, now=pipeline.clock())
    again = OutMessage(body=message.body)
    pipeline.replay(again)
    pipeline.replay(again)
    assert pipeline.meter.measured[MetricKey(metric.REDRIVEN, ORDERS)] == 1


def test_calls_are_recorded_once_and_unpacked_as_often_as_they_come() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    body = pipeline.store()
    pipeline.take_in(body)
    pipeline.take_in(body)
    assert pipeline.meter.measured[MetricKey(metric.RECORDED, ORDERS)] == 1
    assert pipeline.meter.measured[MetricKey(metric.UNPACKED, ORDERS)] == 2


def test_quarantine_counts_by_reason() -> None:
    pipeline = Pipeline()
    pipeline.take_in("not a notification")
    key = MetricKey(metric.QUARANTINED, reason="unknown_message")
    assert pipeline.meter.measured[key] == 1


def test_a_replay_carries_its_callers_trace() -> None:
    pipeline = Pipeline()
    request = call()
    (message,) = pipeline.captured_messages(request)
    pipeline.replay(message)
    assert pipeline.functions.traces == [request.trace]

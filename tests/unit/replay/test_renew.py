"""SQS never ends a call: a message is sent afresh before it was received too often, or is too old."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import FAILED, ORDERS, Pipeline, call, hold, plenty
from reprise.ledger import State
from reprise.ports import OutMessage
from reprise.replay.message import (
    LONGEST_DELAY_S,
    RENEW_AGE_MS,
    RENEW_RECEIVES,
    Delivery,
    Worker,
    is_spent,
    read_deliveries,
    renewed,
)

EVENTS = Path(__file__).parents[2] / "events"
NOW_MS = 1_800_000_000_000


def delivery(message: OutMessage, **known: int) -> Delivery:
    return Delivery(message_id="m0", receipt_handle="r0", body=message.body, **known)


def now_ms(pipeline: Pipeline) -> int:
    return int(pipeline.clock.now.timestamp() * 1000)


def run(pipeline: Pipeline, *deliveries: Delivery) -> list[str]:
    return pipeline.replayer().run(deliveries, Worker(owner="worker", remaining_ms=plenty))


@pytest.mark.parametrize(
    ("receives", "age_ms", "spent"),
    [
        (1, 0, False),
        (RENEW_RECEIVES - 1, RENEW_AGE_MS - 1, False),
        (RENEW_RECEIVES, 0, True),
        (1, RENEW_AGE_MS, True),
    ],
)
def test_a_message_is_spent_by_its_receives_or_by_its_age(
    receives: int, age_ms: int, *, spent: bool
) -> None:
    sent_at_ms = NOW_MS - age_ms
    found = delivery(OutMessage(body="x"), receive_count=receives, sent_at_ms=sent_at_ms)
    assert is_spent(found, NOW_MS) is spent


def test_the_age_of_a_message_that_does_not_tell_it_is_not_guessed() -> None:
    assert not is_spent(delivery(OutMessage(body="x")), NOW_MS)


@given(wait_s=st.floats(0, 50_000))
def test_a_renewed_message_waits_as_long_as_sqs_allows_and_no_longer_than_asked(
    wait_s: float,
) -> None:
    message = renewed(delivery(OutMessage(body="x")), "orders", wait_s)
    assert (message.body, message.group) == ("x", "orders")
    assert 0 <= message.delay_s <= min(LONGEST_DELAY_S, wait_s + 0.5)


@pytest.mark.parametrize(
    "spent", [{"receive_count": RENEW_RECEIVES}, {"sent_at_ms": 1}], ids=["receives", "age"]
)
def test_a_spent_message_that_must_wait_is_sent_afresh_and_has_served(
    spent: dict[str, int],
) -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    hold(pipeline)

    assert run(pipeline, delivery(message, **spent)) == []

    (fresh,) = pipeline.take_sent()
    assert (fresh.body, fresh.group) == (message.body, "orders")
    assert 0 < fresh.delay_s <= 60
    assert pipeline.replay_queue.waits_s == {}


def test_a_spent_message_whose_call_ends_is_not_sent_afresh() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())

    assert run(pipeline, delivery(message, receive_count=RENEW_RECEIVES)) == []

    assert pipeline.take_sent() == []
    assert [row.state for row in pipeline.ledger.rows.values()] == [State.SUCCEEDED]


def test_a_spent_message_that_cannot_be_sent_now_goes_back_as_it_is() -> None:
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    hold(pipeline)
    pipeline.replay_queue.faults.fail("send")

    assert run(pipeline, delivery(message, receive_count=RENEW_RECEIVES)) == ["m0"]

    assert pipeline.take_sent() == []
    assert pipeline.replay_queue.waits_s.keys() == {"r0"}


@pytest.mark.parametrize("body", ["{}", "no json"])
def test_a_spent_message_that_nobody_can_read_is_sent_afresh_while_its_quarantine_is_away(
    body: str,
) -> None:
    pipeline = Pipeline()
    pipeline.objects.faults.fail("put")

    assert run(pipeline, delivery(OutMessage(body=body), receive_count=RENEW_RECEIVES)) == []

    (fresh,) = pipeline.take_sent()
    assert (fresh.body, fresh.group) == (body, None)


def test_a_backoff_longer_than_a_delay_outlasts_the_message_that_waits_for_it() -> None:
    """The fresh message comes after fifteen minutes; the ledger knows that its call is not due."""
    policy = '{"default":{"initial_interval_s":3600,"maximum_interval_s":3600}}'
    pipeline = Pipeline(policy=policy, draw=0.999)
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [FAILED]
    assert run(pipeline, delivery(message, receive_count=RENEW_RECEIVES)) == []
    (fresh,) = pipeline.take_sent()
    assert fresh.delay_s == LONGEST_DELAY_S

    pipeline.clock.advance(LONGEST_DELAY_S)
    assert run(pipeline, delivery(fresh)) == ["m0"]
    assert len(pipeline.functions.invoked) == 1
    assert 2600 < pipeline.replay_queue.waits_s["r0"] < 3600 - LONGEST_DELAY_S
    pipeline.clock.advance(3600)
    assert run(pipeline, delivery(fresh)) == []
    assert [row.state for row in pipeline.ledger.rows.values()] == [State.SUCCEEDED]


def test_a_copy_of_a_call_that_waits_for_its_backoff_does_not_spend_its_next_attempt() -> None:
    """S3 notified twice, and so there are two messages of the call."""
    pipeline = Pipeline()
    (message,) = pipeline.captured_messages(call())
    pipeline.functions.script = [FAILED, FAILED]
    run(pipeline, delivery(message))
    run(pipeline, Delivery(message_id="copy", receipt_handle="r1", body=message.body))

    assert len(pipeline.functions.invoked) == 1
    assert pipeline.gate_items.images[ORDERS].in_flight == 0


def test_a_batch_of_an_event_source_is_read_with_what_sqs_knows_of_each_message() -> None:
    event = json.loads((EVENTS / "sqs-replay.json").read_text())
    (found,) = read_deliveries(event)
    assert (found.receive_count, found.sent_at_ms) == (3, 1_795_255_200_123)
    assert found.receipt_handle

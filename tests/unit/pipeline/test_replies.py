"""Who asked for its late result is told of its call's end, whoever ends the call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doubles import FakeKeys, FakeMeter, InMemoryQueue
from harness import FAILED, PIPELINE_KEYS, THROTTLED, Pipeline, call
from reprise import metric
from reprise.call.destinations import Destinations
from reprise.call.reply_to import ReplyTo
from reprise.capturing.line import Verifier, read_line
from reprise.errors import BadRequestError, StoreError
from reprise.ledger import State
from reprise.replies import ReplyQueue, queue_name, read_reply
from reprise.testing import SUCCEEDED
from strategies import make_record, replied_to

QUEUE = ReplyTo(queue="arn:aws:sqs:eu-central-1:123456789012:answers")
HOOK = ReplyTo(webhook="https://hooks.example.com/")
ASKS = call(key="k", reply_to=QUEUE)


def _told(pipeline: Pipeline) -> list[object]:
    return [record.reply_to for record in pipeline.replies.told]


def test_a_success_is_told_after_the_ledger_knows_it() -> None:
    pipeline = Pipeline()
    pipeline.replay(*pipeline.captured_messages(ASKS))
    assert _told(pipeline) == [QUEUE]
    (row,) = pipeline.ledger.rows.values()
    assert row.state is State.SUCCEEDED


def test_a_call_that_was_given_up_is_told() -> None:
    pipeline = Pipeline(policy='{"default":{"maximum_attempts":1}}')
    pipeline.functions.script = [FAILED]
    pipeline.replay(*pipeline.captured_messages(ASKS))
    assert _told(pipeline) == [QUEUE]
    assert len(pipeline.dead_letters.sent) == 1


def test_nobody_is_told_who_did_not_ask() -> None:
    pipeline = Pipeline()
    pipeline.replay(*pipeline.captured_messages(call()))
    assert _told(pipeline) == []
    assert '"reply_to"' not in pipeline.lines[0]


def test_what_could_not_be_told_is_told_when_the_message_comes_again() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(ASKS)
    pipeline.replies.faults.fail("tell")
    assert pipeline.replay(*messages) == ["m0"]
    assert pipeline.replay(*messages) == []
    assert _told(pipeline) == [QUEUE]
    assert len(pipeline.functions.invoked) == 1


def test_a_call_that_a_live_call_ended_before_its_line_was_read_is_told() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED, SUCCEEDED]
    pipeline.caller().run(ASKS)
    assert pipeline.caller().run(call(key="k")).is_passed_through
    pipeline.take_in(pipeline.store())
    pipeline.replay(*pipeline.take_sent())
    assert _told(pipeline) == [QUEUE]
    assert len(pipeline.functions.invoked) == 2


def test_a_second_call_of_the_key_with_a_place_of_its_own_is_told_too_and_runs_nothing() -> None:
    pipeline = Pipeline()
    pipeline.functions.script = [THROTTLED]
    first = pipeline.caller().run(ASKS)
    pipeline.take_in(pipeline.store("captured/1"))
    pipeline.lines.clear()

    second = pipeline.caller().run(replace(ASKS, reply_to=HOOK))
    assert first.captured is not None
    assert second.captured is not None
    assert second.captured.call_id == first.captured.call_id
    pipeline.take_in(pipeline.store("captured/2"))
    for message in pipeline.take_sent():
        pipeline.replay(message)

    assert _told(pipeline) == [QUEUE, HOOK]
    assert len(pipeline.functions.invoked) == 2  # refused, and replayed
    assert pipeline.meter.counts[metric.RECORDED] == 1


def test_a_call_that_has_ended_is_told_to_whoever_asks_later() -> None:
    pipeline = Pipeline()
    pipeline.replay(*pipeline.captured_messages(ASKS))
    pipeline.lines.clear()
    pipeline.capture(replace(ASKS, reply_to=HOOK))
    pipeline.take_in(pipeline.store("captured/2"))
    pipeline.replay(*pipeline.take_sent())
    assert _told(pipeline) == [QUEUE, HOOK]
    assert len(pipeline.functions.invoked) == 1


def test_a_key_that_names_another_payload_is_told_to_its_caller() -> None:
    pipeline = Pipeline()
    pipeline.capture(ASKS, call(b"other", key="k", reply_to=HOOK))
    pipeline.take_in(pipeline.store())
    assert _told(pipeline) == [HOOK]


def test_each_place_is_told_of_a_key_that_names_another_payload() -> None:
    """A task that is tried again has a new token, and its first one is dead."""
    pipeline = Pipeline()
    pipeline.capture(call(key="k"), call(b"other", key="k", reply_to=HOOK))
    pipeline.take_in(pipeline.store("captured/1"))
    pipeline.lines.clear()
    pipeline.capture(call(b"other", key="k", reply_to=QUEUE))
    pipeline.take_in(pipeline.store("captured/2"))
    assert _told(pipeline) == [HOOK, QUEUE]
    assert len(pipeline.dead_letters.sent) == 1


def test_who_asked_in_the_words_of_a_payload_that_was_replaced_is_told_of_the_end() -> None:
    pipeline = Pipeline(policy='{"default":{"maximum_attempts":1}}')
    pipeline.functions.script = [FAILED]
    pipeline.replay(*pipeline.captured_messages(ASKS))
    (row,) = pipeline.ledger.rows.values()
    pipeline.clock.advance(1)
    assert pipeline.ledger.redrive(row, now=pipeline.clock(), sha256="e" * 64)
    pipeline.lines.clear()
    pipeline.capture(replace(ASKS, reply_to=HOOK))
    pipeline.take_in(pipeline.store("captured/2"))
    (message,) = pipeline.take_sent()
    assert pipeline.replay(message) == ["m0"]
    assert _told(pipeline) == [QUEUE]

    pipeline.ledger.rows[row.id] = replace(
        pipeline.ledger.rows[row.id], state=State.SUCCEEDED, result="{}"
    )
    assert pipeline.replay(message) == []
    assert _told(pipeline) == [QUEUE, HOOK]
    assert len(pipeline.functions.invoked) == 1


def test_what_the_ledger_could_not_be_told_of_is_told_when_it_knows() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(ASKS)
    pipeline.ledger.faults.fail("settle", 1)
    pipeline.replay(*messages)
    assert _told(pipeline) == []
    pipeline.replay(*pipeline.take_sent())
    assert _told(pipeline) == [QUEUE]


def test_a_place_that_is_not_allowed_is_refused_before_anything_runs() -> None:
    class Check:
        def check(self, reply_to: ReplyTo) -> None:
            Destinations().resolve(reply_to)

    pipeline = Pipeline()
    caller = replace(pipeline.caller(), replies=Check())
    with pytest.raises(BadRequestError, match="ReplyTo"):
        caller.run(ASKS)
    assert pipeline.functions.invoked == []
    assert caller.run(call()).is_passed_through


def test_the_line_carries_the_place_signed() -> None:
    pipeline = Pipeline()
    pipeline.capture(ASKS)
    record = read_line(pipeline.lines[0], Verifier(keys=pipeline.keys, targets=pipeline.targets))
    assert record is not None
    assert record.reply_to == QUEUE


def test_the_queue_gets_the_record_and_nothing_of_the_end() -> None:
    queue = InMemoryQueue()
    record = replied_to(make_record(), QUEUE)
    replies = ReplyQueue(queue=queue, keys=FakeKeys(PIPELINE_KEYS), meter=FakeMeter())
    replies.tell(record)
    replies.tell(make_record())
    (message,) = queue.sent
    assert read_reply(message.body, PIPELINE_KEYS) == record
    assert queue_name("reprise") == "reprise-replies"


@pytest.mark.parametrize(
    ("code", "is_there"),
    [("QueueDoesNotExist", False), ("AccessDenied", False), ("Throttled", True)],
)
def test_a_stack_without_the_add_on_goes_on(code: str, is_there: bool) -> None:
    class Gone(InMemoryQueue):
        def send(self, messages: object) -> None:
            del messages
            raise StoreError("sqs", "GetQueueUrl", code, "")

    meter = FakeMeter()
    queue = ReplyQueue(queue=Gone(), keys=FakeKeys(PIPELINE_KEYS), meter=meter)
    if is_there:
        with pytest.raises(StoreError):
            queue.tell(replied_to(make_record(), QUEUE))
    else:
        queue.tell(replied_to(make_record(), QUEUE))
    assert meter.counts[metric.REPLIES_FAILED] == int(not is_there)

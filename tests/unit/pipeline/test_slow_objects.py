"""An object that cannot be read in time ends with its reason; a service that is away ends none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import InMemoryObjects
from harness import ORDERS, PLENTY_MS, Pipeline, call, envelope, hold, notification, plenty
from reprise.gate.state import GateState
from reprise.unpack.consumer import (
    APART_S,
    MAX_POISON_RECEIVES,
    MAX_RECEIVES,
    RENEW_RECEIVES,
    Notice,
    find_poison,
    waits_behind,
)
from reprise.unpack.notification import ObjectRef, read_notification
from reprise.unpack.unpacker import RESERVE_MS
from reprise.unpack.validate import LATE_MS, read_in_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.ports import OutMessage


@dataclass(slots=True)
class Countdown:
    """The time that a function has left: some of it goes with each look at the clock."""

    step_ms: int
    left_ms: int = PLENTY_MS

    def __call__(self) -> int:
        self.left_ms -= self.step_ms
        return self.left_ms


def read_for(pipeline: Pipeline, body: str, *, step_ms: int, receive_count: int = 1) -> list[str]:
    notice = Notice(message_id="n", receipt_handle="r", body=body, receive_count=receive_count)
    return pipeline.intake().run([notice], Countdown(step_ms))


def take_continuation(pipeline: Pipeline) -> OutMessage:
    (message,) = (
        sent for sent in pipeline.capture_queue.sent if "captured/" in sent.body and not sent.group
    )
    pipeline.capture_queue.sent.remove(message)
    return message


def let_go(pipeline: Pipeline) -> None:
    """Let the target take whatever there is."""
    now_ms = int(pipeline.clock.now.timestamp() * 1000)
    pipeline.gate_items.images[ORDERS] = GateState(window=1000.0, succeeded_at_ms=now_ms)


def slow(pipeline: Pipeline, calls: int = 60) -> str:
    pipeline.capture(*[call(b'{"n":%d}' % number) for number in range(calls)])
    return pipeline.store()


def test_object_whose_items_come_slowly_goes_on_where_the_time_ended() -> None:
    pipeline = Pipeline()
    body = slow(pipeline)

    # Five seconds an item: not all of them fit into one run.
    assert read_for(pipeline, body, step_ms=5_000) == []
    rest = take_continuation(pipeline).body
    assert 0 < read_notification(rest)[0].skip < 60
    let_go(pipeline)
    assert read_for(pipeline, rest, step_ms=1) == []
    for message in [*pipeline.capture_queue.sent]:
        assert pipeline.take_in(message.body) == []

    assert len(pipeline.ledger.rows) == 60


def test_object_that_is_too_slow_for_any_progress_is_given_up_with_its_reason() -> None:
    pipeline = Pipeline()
    body = slow(pipeline)
    read_for(pipeline, body, step_ms=5_000)
    rest = take_continuation(pipeline).body
    ref = read_notification(rest)[0]

    # All the time goes before it gets to where it was.
    for receive_count in range(1, MAX_RECEIVES):
        assert read_for(pipeline, rest, step_ms=20_000, receive_count=receive_count) == ["n"]
    assert read_for(pipeline, rest, step_ms=20_000, receive_count=MAX_RECEIVES) == []

    (letter,) = pipeline.capture_dlq.sent
    assert letter.body == rest
    reason = (letter.attributes or {})["reason"]
    assert reason.startswith("SlowObjectError: s3://bucket/captured/")
    assert f"item {ref.skip}" in reason


def test_object_that_gives_no_item_is_given_up_while_it_is_read() -> None:
    pipeline = Pipeline()
    pipeline.objects.chunk_bytes = 1024
    pipeline.objects.kept["captured/x"] = b"{" * 100_000

    assert read_for(pipeline, notification("captured/x"), step_ms=20_000) == ["n"]
    assert pipeline.capture_queue.sent == []


def test_whoever_begins_late_is_not_to_blame() -> None:
    ref = ObjectRef(bucket="b", key="k")
    items = list(read_in_time(ref, [envelope("x", "y")], lambda: LATE_MS - 1))
    assert [position for position, _ in items] == [0, 1]


def test_what_is_kept_to_hand_over_is_more_than_what_ends_a_reading() -> None:
    assert RESERVE_MS >= 2 * LATE_MS


@pytest.mark.parametrize("kind", ["captured", "folded", "unreadable"])
def test_outage_is_waited_for_by_a_new_message_before_the_queue_counts_it_out(kind: str) -> None:
    pipeline = Pipeline()
    match kind:
        case "captured":
            pipeline.capture(call())
            body = pipeline.store()
        case "folded":
            hold(pipeline)
            pipeline.capture(call())
            pipeline.take_in(pipeline.store())
            body = pipeline.capture_queue.sent.pop().body
            pipeline.gate_items.images.clear()
        case _:
            body = "no notification"

    def take(receive_count: int) -> list[str]:
        pipeline.objects.faults.fail("put")
        pipeline.ledger.faults.fail("record")
        return pipeline.take_in(body, receive_count=receive_count)

    for receive_count in range(1, RENEW_RECEIVES):
        assert take(receive_count) == ["n0"]
    assert take(RENEW_RECEIVES) == []

    (renewed,) = pipeline.capture_queue.sent
    assert renewed.body == body
    assert renewed.group == ("orders" if kind == "folded" else None)
    assert 0 < renewed.delay_s <= 900
    assert pipeline.capture_dlq.sent == []


def test_queue_that_is_away_too_keeps_the_message_as_it_is() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    body = pipeline.store()
    pipeline.ledger.faults.fail("record")
    pipeline.capture_queue.faults.fail("send")

    assert pipeline.take_in(body, receive_count=RENEW_RECEIVES) == ["n0"]


def test_message_that_never_gets_its_turn_is_renewed_and_never_poison() -> None:
    pipeline = Pipeline()
    notice = Notice(message_id="n", receipt_handle="r", body="{}", receive_count=RENEW_RECEIVES)
    assert pipeline.intake().run([notice], lambda: 1_000) == []
    (renewed,) = pipeline.capture_queue.sent
    assert renewed.body == "{}"


def batch(pipeline: Pipeline, *receive_counts: int) -> list[Notice]:
    pipeline.capture(*[call(b'{"n":%d}' % number) for number in range(len(receive_counts))])
    return [
        Notice(
            message_id=f"n{number}",
            receipt_handle=f"r{number}",
            body=pipeline.store(f"captured/{number}", [pipeline.lines[number]]),
            receive_count=count,
        )
        for number, count in enumerate(receive_counts)
    ]


def test_poison_is_dealt_with_alone_and_its_batch_goes_back_before() -> None:
    pipeline = Pipeline()
    notices = batch(pipeline, 1, RENEW_RECEIVES + 5, RENEW_RECEIVES + 1, 7)
    given_back: list[dict[str, float]] = []

    def remaining_ms() -> int:
        given_back.append(dict(pipeline.capture_queue.waits_s))
        return PLENTY_MS

    assert sorted(pipeline.intake().run(notices, remaining_ms)) == ["n0", "n1", "n3"]

    assert given_back[0] == {"r0": 0.0, "r1": APART_S, "r3": 0.0}
    assert len(pipeline.take_sent()) == 1


def test_message_that_ended_the_process_alone_is_given_up_with_its_reason() -> None:
    pipeline = Pipeline()
    (notice,) = batch(pipeline, MAX_POISON_RECEIVES + 1)

    assert pipeline.intake().run([notice], plenty) == []

    (letter,) = pipeline.capture_dlq.sent
    assert letter.body == notice.body
    assert "ended the unpacker" in (letter.attributes or {})["reason"]
    assert pipeline.take_sent() == []


def test_dead_letter_queue_that_is_away_keeps_a_poison_message_coming() -> None:
    pipeline = Pipeline()
    (notice,) = batch(pipeline, MAX_POISON_RECEIVES + 1)
    pipeline.capture_dlq.faults.fail("send")

    assert pipeline.intake().run([notice], plenty) == ["n0"]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=10))
def test_one_message_is_chosen_and_everything_else_waits(counts: list[int]) -> None:
    chosen = find_poison(counts)
    if max(counts) <= RENEW_RECEIVES:
        assert chosen is None
        return
    assert chosen is not None
    found = [count for count in counts if count > RENEW_RECEIVES]
    assert counts[chosen] == min(found)
    waits_s = waits_behind(counts, chosen)
    assert sorted([*waits_s, chosen]) == list(range(len(counts)))
    apart = [wait_s for index, wait_s in waits_s.items() if counts[index] > RENEW_RECEIVES]
    assert sorted(set(apart)) == [APART_S * (number + 1) for number in range(len(found) - 1)]


class Killed(BaseException):
    """Stands for the end of a process."""


@dataclass(slots=True)
class DeadlyObjects(InMemoryObjects):
    """A bucket in which one object ends whoever reads it."""

    deadly: str = ""

    def stream(self, bucket: str, key: str, version_id: str | None = None) -> Iterator[bytes]:
        if key == self.deadly:
            raise Killed
        return super(DeadlyObjects, self).stream(bucket, key, version_id)


def test_a_message_that_ends_processes_ends_itself_and_none_of_its_batch() -> None:
    """SQS hands over what is due, ten at a time, and knows nothing of a process that ended."""
    pipeline = Pipeline(objects=DeadlyObjects(deadly="captured/4"))
    let_go(pipeline)
    notices = {notice.message_id: notice for notice in batch(pipeline, *[0] * 10)}
    due_s = dict.fromkeys(notices, 0.0)
    killed = 0
    while notices:
        now_s = min(due_s.values())
        received = [name for name in notices if due_s[name] <= now_s]
        for name in received:
            count = notices[name].receive_count + 1
            assert count < 50, "SQS would have moved it, without a reason"
            notices[name] = replace(notices[name], receive_count=count)
        pipeline.capture_queue.waits_s.clear()
        try:
            again = pipeline.intake().run([notices[name] for name in received], plenty)
        except Killed:
            killed += 1
            again = received
        waits_s = pipeline.capture_queue.waits_s
        for name in received:
            due_s[name] = now_s + waits_s.get(notices[name].receipt_handle, 330)
        for name in set(received) - set(again):
            del notices[name], due_s[name]

    assert RENEW_RECEIVES <= killed <= MAX_POISON_RECEIVES
    (letter,) = pipeline.capture_dlq.sent
    assert "captured/4" in letter.body
    assert len(pipeline.ledger.rows) == 9

"""The backlog while a gate is away: calls still flow, none in a storm, and the gate learns of them later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import ORDERS, Pipeline, call, hold, plenty
from reprise import metric
from reprise.errors import StoreError
from reprise.ports import OutMessage
from reprise.unpack.backlog import ENOUGH, MAX_DELAY_S, MIN_DELAY_S
from reprise.unpack.expansion import INITIAL_EXPANSION, SCOUTS
from reprise.unpack.notification import Fold, read_notification

if TYPE_CHECKING:
    from reprise.unpack.notification import ObjectRef
    from reprise.unpack.unpacker import Unpacker

CALLS = 250


def _captured(pipeline: Pipeline) -> ObjectRef:
    """Store an object of one target's calls."""
    pipeline.capture(*[call(b"%d" % n) for n in range(CALLS)])
    (ref,) = read_notification(pipeline.store())
    return ref


def _look(unpacker: Unpacker, pipeline: Pipeline, ref: ObjectRef) -> tuple[ObjectRef, float]:
    """Let the object be looked at; return what waits then, and for how long."""
    wait_s = unpacker.run(ref, plenty)
    if wait_s is not None:
        return ref, wait_s
    (message,) = pipeline.capture_queue.sent
    pipeline.capture_queue.sent.clear()
    (rest,) = read_notification(message.body)
    return rest, message.delay_s


def _fold(ref: ObjectRef) -> Fold:
    assert ref.fold is not None
    return ref.fold


def _crowd(pipeline: Pipeline) -> None:
    pipeline.replay_queue.sent += [OutMessage(body="another's")] * ENOUGH


def test_an_object_is_expanded_when_the_queue_runs_dry_and_only_then() -> None:
    pipeline = Pipeline()
    unpacker = pipeline.unpacker()
    pipeline.gate_items.faults.fail("read", times=4)

    rest, _ = _look(unpacker, pipeline, _captured(pipeline))
    assert len(pipeline.take_sent()) == INITIAL_EXPANSION

    _crowd(pipeline)
    for _ in range(2):
        rest, wait_s = _look(unpacker, pipeline, rest)
        assert MIN_DELAY_S <= wait_s <= MAX_DELAY_S
        assert _fold(rest).records == CALLS - INITIAL_EXPANSION
    assert len(pipeline.take_sent()) == ENOUGH

    assert unpacker.run(rest, plenty) is None
    assert len(pipeline.take_sent()) == CALLS - INITIAL_EXPANSION
    assert pipeline.capture_queue.sent == []
    assert pipeline.meter.counts[metric.STORE_FAULTS] == 4


def test_a_queue_that_does_not_show_an_object_yet_gets_no_second_one() -> None:
    pipeline = Pipeline()
    unpacker = pipeline.unpacker()
    pipeline.gate_items.faults.fail("read", times=5)
    rest, _ = _look(unpacker, pipeline, _captured(pipeline))
    assert unpacker.run(rest, plenty) is None
    # The queue's counts lag by up to a minute.
    pipeline.take_sent()

    assert unpacker.run(rest, plenty) is not None
    pipeline.clock.advance(59)
    assert unpacker.run(rest, plenty) is not None
    pipeline.clock.advance(2)
    assert unpacker.run(rest, plenty) is None
    assert len(pipeline.take_sent()) == CALLS - INITIAL_EXPANSION


def test_a_gate_that_comes_back_is_told_once_what_happened_without_it() -> None:
    pipeline = Pipeline()
    unpacker = pipeline.unpacker()
    pipeline.gate_items.faults.fail("read")
    rest, _ = _look(unpacker, pipeline, _captured(pipeline))
    assert pipeline.gate_items.images == {}

    pipeline.gate_items.faults.fail("update")
    _crowd(pipeline)
    rest, _ = _look(unpacker, pipeline, rest)
    assert pipeline.gate_items.images == {}

    hold(pipeline, waiting=SCOUTS)
    for _ in range(2):
        rest, _ = _look(unpacker, pipeline, rest)
        image = pipeline.gate_items.images[ORDERS]
        assert image.waiting == SCOUTS + INITIAL_EXPANSION
        assert (image.folded_objects, image.folded_records) == (1, CALLS - INITIAL_EXPANSION)


def test_a_gate_that_comes_back_is_told_of_no_more_waiting_calls_than_the_queue_holds() -> None:
    pipeline = Pipeline()
    unpacker = pipeline.unpacker()
    pipeline.gate_items.faults.fail("read")
    rest, _ = _look(unpacker, pipeline, _captured(pipeline))
    # All but three calls have ended by the time that the gate is back, which nobody could tell it.
    del pipeline.replay_queue.sent[3:]
    hold(pipeline, waiting=SCOUTS)

    _look(unpacker, pipeline, rest)

    assert pipeline.gate_items.images[ORDERS].waiting == 3


def test_a_new_object_that_stays_folded_is_counted_when_the_gate_is_back() -> None:
    pipeline = Pipeline()
    unpacker = pipeline.unpacker()
    pipeline.gate_items.faults.fail("read")
    _crowd(pipeline)

    rest, _ = _look(unpacker, pipeline, _captured(pipeline))
    assert _fold(rest).is_counted

    hold(pipeline, waiting=SCOUTS)
    _look(unpacker, pipeline, rest)
    image = pipeline.gate_items.images[ORDERS]
    assert (image.folded_objects, image.folded_records) == (1, CALLS)


def test_nothing_is_owed_for_an_expansion_that_the_queue_refused() -> None:
    pipeline = Pipeline()
    unpacker = pipeline.unpacker()
    ref = _captured(pipeline)
    pipeline.gate_items.faults.fail("read")
    pipeline.replay_queue.faults.fail("send")

    with pytest.raises(StoreError):
        unpacker.run(ref, plenty)

    hold(pipeline, waiting=SCOUTS)
    _look(unpacker, pipeline, ref)
    image = pipeline.gate_items.images[ORDERS]
    assert (image.waiting, image.folded_records) == (SCOUTS, CALLS)


def test_an_object_comes_again_when_neither_gate_nor_queue_can_be_asked() -> None:
    pipeline = Pipeline()
    pipeline.capture(call())
    body = pipeline.store()
    pipeline.gate_items.faults.fail("read")
    pipeline.replay_queue.faults.fail("depth")

    assert pipeline.take_in(body) == ["n0"]
    assert pipeline.take_sent() == []
    assert pipeline.take_in(body, receive_count=2) == []
    assert len(pipeline.take_sent()) == 1

"""No target waits for another one's slow call: in a batch, at the gates, and in the queues.

Slow calls here end when the test says so. Real threads, no real time: where a test waits, it waits for
something to have happened, and ten seconds are the end of its patience.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doubles import InMemoryGateItems, InMemoryQueue
from harness import MAIL, ORDERS, TRANSIENT, Pipeline, call, deliveries, plenty
from reprise.gate.state import GateState
from reprise.ledger import State
from reprise.replay.message import Worker
from reprise.testing import SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reprise.call.target import Target
    from reprise.gate.state import Change, Updated
    from reprise.ports import OutMessage, Reply

PATIENCE_S = 10.0


@dataclass
class Watch:
    """Wakes who waits whenever something has changed."""

    changed: threading.Condition = field(default_factory=threading.Condition)

    def tell(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def until(self, has_happened: Callable[[], bool]) -> bool:
        with self.changed:
            return self.changed.wait_for(has_happened, PATIENCE_S)


class RecordingGates(InMemoryGateItems):
    """Gates that tell of every change."""

    watch: Watch

    def update(self, function: str, change: Change) -> Updated:
        updated = super().update(function, change)
        self.watch.tell()
        return updated


class WatchedQueue(InMemoryQueue):
    """A queue that tells of every message that is given back."""

    watch: Watch

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        super().give_back(waits_s)
        self.watch.tell()


@dataclass
class IncidentContext:
    """A batch that holds calls of a slow target, and of one that answers at once."""

    slow: int = 2
    quick: int = 4
    quick_ends: Callable[[bytes], Reply] = field(default=lambda _: SUCCEEDED)
    release: threading.Event = field(default_factory=threading.Event)
    watch: Watch = field(default_factory=Watch)
    pipeline: Pipeline = field(default_factory=Pipeline)

    def messages(self) -> list[OutMessage]:
        pipeline = self.pipeline
        gates, queue = RecordingGates(), WatchedQueue()
        gates.watch = queue.watch = self.watch
        pipeline.gate_items, pipeline.replay_queue = gates, queue
        requests = [call(b"%d" % n, function=ORDERS) for n in range(self.slow)]
        requests += [call(b"%d" % n, function=MAIL) for n in range(self.quick)]
        messages = pipeline.captured_messages(*requests)
        gates.images = {
            ORDERS: GateState(window=100.0, slow_start=0),
            MAIL: GateState(window=100.0, slow_start=0),
        }
        pipeline.functions.answer = self._answer
        return messages

    def _answer(self, target: Target, payload: bytes) -> Reply:
        if target.function == MAIL:
            return self.quick_ends(payload)
        assert self.release.wait(PATIENCE_S)
        return SUCCEEDED

    def quick_states(self) -> list[State]:
        rows = self.pipeline.ledger.rows.values()
        return [row.state for row in rows if row.target == MAIL]


def while_slow_calls_run(scene: IncidentContext, look: Callable[[], None]) -> list[str]:
    """Replay a scene's batch, look at it while its slow calls still run, then let them end."""
    messages = scene.messages()
    worker = Worker(owner="batch", remaining_ms=plenty)
    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(scene.pipeline.replayer().run, deliveries(*messages), worker)
        try:
            look()
            assert not batch.done()
        finally:
            scene.release.set()
        return batch.result(PATIENCE_S)


def test_calls_of_a_quick_target_end_while_a_slow_call_of_their_batch_runs() -> None:
    scene = IncidentContext()

    def look() -> None:
        assert scene.watch.until(lambda: scene.quick_states() == [State.SUCCEEDED] * 4)

    assert while_slow_calls_run(scene, look) == []


def test_permits_of_a_quick_target_are_back_while_a_slow_call_of_their_batch_runs() -> None:
    scene = IncidentContext()

    def look() -> None:
        gates = scene.pipeline.gate_items
        assert scene.watch.until(lambda: gates.images[MAIL].succeeded == 4)
        assert gates.images[MAIL].in_flight == 0
        assert gates.images[ORDERS].in_flight == 2

    while_slow_calls_run(scene, look)


def test_calls_without_a_permit_are_back_in_the_queue_before_any_call_is_made() -> None:
    scene = IncidentContext(slow=4)

    def look() -> None:
        waits_s = scene.pipeline.replay_queue.waits_s
        assert scene.watch.until(lambda: len(waits_s) == 3)

    messages = scene.messages
    scene.messages = lambda: _with_window_of_one(scene, messages())  # type: ignore[method-assign]
    again = while_slow_calls_run(scene, look)
    assert len(again) == 3


def test_calls_wait_for_a_permit_of_their_batch_no_longer_than_their_time() -> None:
    scene = IncidentContext(slow=4, quick=0)

    def look() -> None:
        pipeline = scene.pipeline
        assert scene.watch.until(lambda: pipeline.gate_items.images[ORDERS].in_flight == 2)
        assert pipeline.replay_queue.waits_s == {}
        pipeline.clock.advance(5)
        assert scene.watch.until(lambda: len(pipeline.replay_queue.waits_s) == 2)

    messages = scene.messages
    scene.messages = lambda: _with_window_of_two(scene, messages())  # type: ignore[method-assign]
    again = while_slow_calls_run(scene, look)
    assert again == ["m2", "m3"]
    assert len(scene.pipeline.functions.invoked) == 2


def _with_window_of_two(scene: IncidentContext, messages: list[OutMessage]) -> list[OutMessage]:
    # Calls took a second so far: four of them are expected to fit on each permit.
    scene.pipeline.gate_items.images[ORDERS] = GateState(
        window=2.0, slow_start=0, succeeded=10, busy_ms=10_000
    )
    return messages


def _with_window_of_one(scene: IncidentContext, messages: list[OutMessage]) -> list[OutMessage]:
    # Half a minute a call: too long to wait for its permit within the batch.
    scene.pipeline.gate_items.images[ORDERS] = GateState(
        window=1.0, slow_start=0, succeeded=1, busy_ms=30_000
    )
    return messages


def test_a_retry_of_a_quick_target_waits_its_own_time_and_not_for_a_slow_call() -> None:
    scene = IncidentContext(quick_ends=lambda payload: TRANSIENT if payload == b"0" else SUCCEEDED)

    def look() -> None:
        waits_s = scene.pipeline.replay_queue.waits_s
        assert scene.watch.until(lambda: "r2" in waits_s)

    assert while_slow_calls_run(scene, look) == ["m2"]


def test_messages_of_both_queues_are_grouped_by_target_so_that_sqs_serves_targets_fairly() -> None:
    pipeline = Pipeline()
    messages = pipeline.captured_messages(call(b"1"), call(b"2", function=MAIL))
    assert [message.group for message in messages] == ["orders", "mail"]

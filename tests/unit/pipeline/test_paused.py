"""`enabled: false` on the whole pipeline: the backlog stays in S3, and goes on when the policy does."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from harness import ORDERS, Pipeline, call, plenty
from reprise.gate.paused import is_paused
from reprise.replay.message import Delivery, Worker
from reprise.unpack.consumer import Notice

if TYPE_CHECKING:
    from reprise.ports import OutMessage

PAUSED = '{"default":{"enabled":false}}'
CALLS = 500


@dataclass(slots=True)
class Queues:
    """Runs both queues of a pipeline in time: batches of ten, waits in whole seconds."""

    pipeline: Pipeline
    due: list[tuple[float, int, str, str]] = field(default_factory=list)
    """When, a serial number, which queue, and the message."""
    expanded: int = 0
    looks: int = 0
    _serial: int = 0

    def put(self, at_s: float, queue: str, body: str) -> None:
        self._serial += 1
        heapq.heappush(self.due, (at_s, self._serial, queue, body))

    def now_s(self) -> float:
        return self.pipeline.clock.now.timestamp()

    def run(self, seconds: float) -> None:
        until_s = self.now_s() + seconds
        while self.due and self.due[0][0] <= until_s:
            self.pipeline.clock.advance(max(0.0, self.due[0][0] - self.now_s()))
            _, _, queue, body = heapq.heappop(self.due)
            if queue == "capture":
                self._take_in(body)
                continue
            bodies = [body]
            while (
                self.due
                and self.due[0][2] == "replay"
                and self.due[0][0] <= self.now_s()
                and len(bodies) < 10
            ):
                bodies.append(heapq.heappop(self.due)[3])
            self._replay(bodies)
        self.pipeline.clock.advance(until_s - self.now_s())

    def _take_in(self, body: str) -> None:
        queue = self.pipeline.capture_queue
        self.looks += 1
        notice = Notice(message_id="n", receipt_handle="r", body=body, receive_count=1)
        if self.pipeline.intake().run([notice], plenty):
            self.put(self.now_s() + max(1.0, queue.waits_s.pop("r")), "capture", body)
        self._sent("capture", queue.sent)
        self.expanded += len(self.pipeline.replay_queue.sent)
        self._sent("replay", self.pipeline.replay_queue.sent)

    def _replay(self, bodies: list[str]) -> None:
        deliveries = [
            Delivery(message_id=f"m{n}", receipt_handle=f"r{n}", body=body)
            for n, body in enumerate(bodies)
        ]
        worker = Worker(owner=f"worker {self._serial}", remaining_ms=plenty)
        for name in self.pipeline.replayer().run(deliveries, worker):
            wait_s = self.pipeline.replay_queue.waits_s[f"r{name[1:]}"]
            self.put(self.now_s() + max(1.0, wait_s), "replay", bodies[int(name[1:])])

    def _sent(self, queue: str, sent: list[OutMessage]) -> None:
        for message in sent:
            self.put(self.now_s() + max(1, message.delay_s), queue, message.body)
        sent.clear()


def _queues(objects: int, policy: str = PAUSED) -> Queues:
    """Return queues with captured objects on their way."""
    queues = Queues(Pipeline(policy=policy))
    for number in range(objects):
        queues.pipeline.lines.clear()
        queues.pipeline.capture(*[call(b"%d-%d" % (number, n)) for n in range(CALLS)])
        queues.put(
            queues.now_s() + number, "capture", queues.pipeline.store(f"captured/{number}.gz")
        )
    return queues


@pytest.fixture(scope="module")
def paused() -> Queues:
    """Return a backlog whose target has been paused for two hours."""
    queues = _queues(objects=3)
    queues.run(7200)
    return queues


def test_the_backlog_of_a_paused_target_stays_in_s3(paused: Queues) -> None:
    gate = paused.pipeline.gate_items.images[ORDERS]
    assert is_paused(gate)
    assert gate.folded_records == 3 * CALLS - paused.expanded
    assert paused.expanded <= 30
    assert paused.looks <= 3 * 7200 / 2.5
    assert paused.pipeline.functions.invoked == []


def test_a_pause_of_hours_ends_within_ten_seconds_of_its_policy(paused: Queues) -> None:
    paused.pipeline.policy = "{}"
    paused.run(10)
    assert len(paused.pipeline.functions.invoked) >= 2
    paused.run(1200)
    assert len(paused.pipeline.functions.invoked) == 3 * CALLS


def test_one_call_is_expanded_to_find_out_when_none_waits() -> None:
    queues = _queues(objects=1)
    queues.run(60)
    queues.due = [entry for entry in queues.due if entry[2] == "capture"]
    queues.run(600)
    assert queues.expanded == 26
    queues.pipeline.policy = "{}"
    queues.run(120)
    assert queues.pipeline.functions.invoked


def test_a_gate_that_is_away_pauses_nothing_and_invokes_nothing() -> None:
    queues = _queues(objects=1)
    for operation in ("read", "update"):
        queues.pipeline.gate_items.faults.fail(operation, 1000)
    queues.run(15)
    assert queues.expanded == 25
    assert queues.pipeline.functions.invoked == []
    waits = [at_s - queues.now_s() for at_s, _, queue, _ in queues.due if queue == "replay"]
    assert len(waits) == 25
    assert min(waits) > 20 - 15

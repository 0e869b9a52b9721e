"""The pipeline on doubles, one event after the other: queues that deliver what is due, and a clock between.

What takes hours in a queue takes milliseconds here. A batch is over at the instant it begins; for what
happens inside of one, and for faults, there is the simulation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from harness import plenty
from reprise.replay.message import Delivery, Worker
from reprise.unpack.consumer import Notice

if TYPE_CHECKING:
    from harness import Pipeline
    from reprise.ports import OutMessage

BATCH = 10
GATHER_S = 0.5
"""Messages that are due within so long of each other come in one batch."""
GRAIN_S = 0.001
"""A clock of microseconds may stop this much before a time in floating point."""


@dataclass(slots=True)
class Queued:
    """A message in a queue."""

    body: str
    due_s: float
    sent_at_ms: int
    receives: int = 0


@dataclass(slots=True)
class Timeline:
    """Delivers what a pipeline sends, until nothing is left or the time is over."""

    pipeline: Pipeline
    seed: int = 1
    calls: list[Queued] = field(default_factory=list)
    objects: list[Queued] = field(default_factory=list)
    most_receives: int = 0
    _batches: int = 0
    _start_s: float = 0.0
    _random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._start_s = self.pipeline.clock.now.timestamp()

    @property
    def now_s(self) -> float:
        return self.pipeline.clock.now.timestamp() - self._start_s

    def send(self, *messages: OutMessage) -> None:
        """Put messages in the replay queue."""
        self.calls += [self._queued(message) for message in messages]

    def notify(self, *bodies: str) -> None:
        """Put notifications in the capture queue."""
        now_ms = int(self.pipeline.clock.now.timestamp() * 1000)
        self.objects += [Queued(body, self.now_s, now_ms) for body in bodies]

    def run(self, until_s: float = float("inf")) -> None:
        """Deliver until nothing waits, or nothing before `until_s`."""
        while waiting := self.calls + self.objects:
            due_s = min(entry.due_s for entry in waiting)
            if due_s > until_s:
                self.pipeline.clock.advance(max(0.0, until_s - self.now_s))
                return
            self.pipeline.clock.advance(max(0.0, due_s - self.now_s))
            self.pipeline.draw = self._random.random()
            for entry in [entry for entry in self.objects if entry.due_s <= self.now_s + GRAIN_S]:
                self._take_in(entry)
            ready = [entry for entry in self.calls if entry.due_s <= self.now_s + GATHER_S]
            if any(entry.due_s <= self.now_s + GRAIN_S for entry in ready):
                self._random.shuffle(ready)
                self._replay(ready[:BATCH])
            self._collect()

    def _take_in(self, entry: Queued) -> None:
        entry.receives += 1
        notice = Notice(
            message_id="n", receipt_handle="r", body=entry.body, receive_count=entry.receives
        )
        self.objects.remove(entry)
        if self.pipeline.intake().run([notice], plenty):
            entry.due_s = self.now_s + max(1.0, self.pipeline.capture_queue.waits_s["r"])
            self.objects.append(entry)

    def _replay(self, batch: list[Queued]) -> None:
        self._batches += 1
        deliveries = []
        for number, entry in enumerate(batch):
            entry.receives += 1
            self.most_receives = max(self.most_receives, entry.receives)
            deliveries.append(
                Delivery(
                    message_id=str(number),
                    receipt_handle=f"{self._batches}/{number}",
                    body=entry.body,
                    receive_count=entry.receives,
                    sent_at_ms=entry.sent_at_ms,
                )
            )
        worker = Worker(owner=f"batch {self._batches}", remaining_ms=plenty)
        again = set(self.pipeline.replayer().run(deliveries, worker))
        for delivery, entry in zip(deliveries, batch, strict=True):
            if delivery.message_id in again:
                wait_s = self.pipeline.replay_queue.waits_s[delivery.receipt_handle]
                entry.due_s = self.now_s + max(1.0, wait_s)
            else:
                self.calls.remove(entry)

    def _collect(self) -> None:
        self.send(*self.pipeline.take_sent())
        sent = list(self.pipeline.capture_queue.sent)
        self.pipeline.capture_queue.sent.clear()
        self.objects += [self._queued(message) for message in sent]

    def _queued(self, message: OutMessage) -> Queued:
        now_ms = int(self.pipeline.clock.now.timestamp() * 1000)
        return Queued(message.body, self.now_s + message.delay_s, now_ms)

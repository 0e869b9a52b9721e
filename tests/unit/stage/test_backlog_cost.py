"""What an outage costs in SQS requests while it lasts: three hours, a million calls, a clock that we move.

The unpacker, its queue's adapter and the gate's rule are the product's own; the queue is a double with
SQS's rules of billing: ten messages a request, each receive that returns something is one. What an event
source mapping spends on empty receives is left out: it does so at all times, outage or none.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from backlog_entries import ARN, entry
from harness import Pipeline, notification, plenty
from reprise.gate.image import GateImage, Mode
from reprise.gate.pace import gap_s
from reprise.stage.accept import AcceptStage
from reprise.stage.intake import Notice
from reprise.stage.notification import read_notification

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from reprise.backlog.part import Entry
    from reprise.ports import OutMessage
    from reprise.stage.notification import ObjectRef
    from reprise.stage.quarantine import Quarantine

OUTAGE_S = 3 * 3600
OBJECTS = 1000
RECORDS = 1000
ORDERS = ARN + "orders"
MOST_RECEIVES = 50
"""maxReceiveCount of the capture queue."""


@dataclass(slots=True)
class BilledQueue:
    """A queue that counts requests as SQS bills them, and messages by when they are visible."""

    pipeline: Pipeline
    requests: Counter[str] = field(default_factory=Counter)
    receives: Counter[int] = field(default_factory=Counter)
    bodies: dict[int, str] = field(default_factory=dict)
    due: list[tuple[float, int]] = field(default_factory=list)
    _serial: count[int] = field(default_factory=count)

    def now_s(self) -> float:
        return self.pipeline.clock.now.timestamp()

    def send(self, messages: Sequence[OutMessage]) -> None:
        self.requests["send"] += math.ceil(len(messages) / 10)
        for message in messages:
            assert 0 <= message.delay_s <= 900
            self.put(message.body, self.now_s() + message.delay_s)

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        self.requests["change"] += math.ceil(len(waits_s) / 10)
        for name, wait_s in waits_s.items():
            assert 0 <= wait_s <= 43_200
            heapq.heappush(self.due, (self.now_s() + math.ceil(wait_s), int(name)))

    def put(self, body: str, at_s: float) -> None:
        name = next(self._serial)
        self.bodies[name] = body
        heapq.heappush(self.due, (at_s, name))

    def receive(self) -> list[Notice]:
        notices: list[Notice] = []
        while self.due and self.due[0][0] <= self.now_s() and len(notices) < 10:
            _, name = heapq.heappop(self.due)
            self.receives[name] += 1
            notices.append(
                Notice(
                    message_id=str(name),
                    receipt_handle=str(name),
                    body=self.bodies[name],
                    receive_count=self.receives[name],
                )
            )
        self.requests["receive"] += 1
        return notices

    def delete(self, names: set[str]) -> None:
        self.requests["delete"] += math.ceil(len(names) / 10)
        for name in names:
            del self.bodies[int(name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LazyReader(AcceptStage):
    """Stands for the reading of a thousand authentic lines; every object holds the same ones."""

    entries: Sequence[Entry]
    reads: Counter[str]

    def read(self, ref: ObjectRef, quarantine: Quarantine) -> Generator[tuple[int, Entry | None]]:
        del quarantine
        self.reads[ref.key] += 1
        for item in self.entries[ref.skip :]:
            yield item.position, item


def test_three_hours_and_a_million_calls_cost_a_few_thousand_requests() -> None:
    pipeline = Pipeline()
    queue = BilledQueue(pipeline)
    pipeline.capture_queue = queue  # type: ignore[assignment]
    stage = pipeline.unpacker()
    reads: Counter[str] = Counter()
    reader = LazyReader(
        **{name: getattr(stage.reader, name) for name in AcceptStage.__dataclass_fields__},
        entries=[entry(position) for position in range(RECORDS)],
        reads=reads,
    )
    intake = replace(pipeline.intake(), stage=replace(stage, reader=reader))
    began_s = queue.now_s()
    for number in range(OBJECTS):
        at_s = began_s + number * OUTAGE_S / OBJECTS
        queue.put(notification(f"captured/{number}.gz"), at_s)
    began_ms = round(began_s * 1000)
    pipeline.gate_items.images[ORDERS] = GateImage(
        mode=Mode.HOLDING, holding_since_ms=began_ms, probe_at_ms=began_ms, waiting=2
    )

    while queue.due[0][0] < began_s + OUTAGE_S:
        pipeline.clock.advance(max(0.0, queue.due[0][0] - queue.now_s()))
        now_ms = round(queue.now_s() * 1000)
        # Somebody probes all the time; the draw differs from look to look.
        image = pipeline.gate_items.images[ORDERS]
        probe_at_ms = now_ms + round(1000 * gap_s(image, now_ms))
        pipeline.gate_items.images[ORDERS] = replace(image, probe_at_ms=probe_at_ms)
        pipeline.draw = (pipeline.draw + 0.618034) % 1.0
        notices = queue.receive()
        again = intake.run(notices, plenty)
        queue.delete({notice.message_id for notice in notices} - set(again))

    # Every object is one message, none was read twice, nothing was expanded or given up.
    assert len(queue.bodies) == OBJECTS
    assert set(reads.values()) == {1}
    waiting = [read_notification(body)[0] for body in queue.bodies.values()]
    assert sum(ref.fold.records for ref in waiting if ref.fold is not None) == OBJECTS * RECORDS
    assert pipeline.ledger.rows == {}
    assert pipeline.objects.kept == {}
    assert pipeline.gate_items.images[ORDERS].folded_records == OBJECTS * RECORDS
    assert max(queue.receives.values()) < MOST_RECEIVES
    # Far below the 120,000 messages that one queue may hide.
    assert len(queue.due) == OBJECTS
    # Three an object to take it in (receive, send, delete); the rest are looks, shared by up to ten.
    assert 3 * OBJECTS < queue.requests.total() < 9 * OBJECTS, queue.requests

"""What an outage costs in SQS requests while it lasts: three hours, a million calls, a clock that we move.

Unpacker, replayer and gate are the product's own; the queues are doubles with SQS's rules of
billing: ten messages a request, each receive that returns something is one. What an event
source mapping spends on empty receives is left out: it does so at all times, outage or none.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

import msgspec
import pytest

from backlog_entries import entry
from harness import KEYS, ORDERS, THROTTLED, Pipeline, notification, plenty
from reprise.capturing.line import sign_record
from reprise.gate.state import GateState
from reprise.replay.message import Delivery, Worker
from reprise.unpack.consumer import CaptureConsumer, Notice
from reprise.unpack.expansion import INITIAL_EXPANSION
from reprise.unpack.notification import read_notification
from reprise.unpack.validate import RecordValidator

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from reprise.ports import OutMessage
    from reprise.quarantine import Quarantine
    from reprise.unpack.notification import ObjectRef
    from reprise.unpack.validate import AcceptedRecord

OUTAGE_S = 3 * 3600
OBJECTS = 1000
RECORDS = 1000
MOST_RECEIVES = 50
"""maxReceiveCount of the capture queue."""


KNOWN = GateState(
    window=50.0, slow_start=0, turn=3, succeeded=1000, busy_ms=1_000_000, succeeded_at_ms=1
)
"""A gate that replays went through, long ago."""


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

    def depth(self) -> int:
        self.requests["depth"] += 1
        return len(self.bodies)

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
class LazyReader(RecordValidator):
    """Stands for the reading of a thousand authentic lines; every object holds the same ones."""

    entries: Sequence[AcceptedRecord]
    reads: Counter[str]

    def read(
        self,
        ref: ObjectRef,
        quarantine: Quarantine,
        remaining_ms: Callable[[], int] = plenty,
    ) -> Generator[tuple[int, AcceptedRecord | None]]:
        del quarantine, remaining_ms
        self.reads[ref.key] += 1
        for item in self.entries[ref.skip :]:
            if item.position < 8 * INITIAL_EXPANSION:
                # What may be expanded needs an id of its own; nobody looks at that of the others.
                record = msgspec.structs.replace(item.record, id=f"{ref.key}:{item.position}")
                yield item.position, replace(item, record=sign_record(record, KEYS))
            else:
                yield item.position, item


@dataclass(slots=True)
class Outage:
    """A target that refuses every call for three hours, and what its queues and functions do meanwhile."""

    pipeline: Pipeline = field(default_factory=Pipeline)
    reads: Counter[str] = field(default_factory=Counter)
    batches: count[int] = field(default_factory=count)

    def run(self) -> tuple[BilledQueue, BilledQueue]:
        """Return the capture queue and the replay queue as they are after three hours."""
        pipeline = self.pipeline
        captures, replays = BilledQueue(pipeline), BilledQueue(pipeline)
        pipeline.capture_queue = captures  # type: ignore[assignment]
        pipeline.replay_queue = replays  # type: ignore[assignment]
        pipeline.functions.answer = lambda *_: THROTTLED
        began_s = captures.now_s()
        for number in range(OBJECTS):
            captures.put(
                notification(f"captured/{number}.gz"), began_s + number * OUTAGE_S / OBJECTS
            )
        intake, replayer = self._intake(), pipeline.replayer()
        while True:
            due_s, queue = min(
                ((queue.due[0][0], queue) for queue in (captures, replays) if queue.due),
                key=lambda pair: pair[0],
            )
            if due_s >= began_s + OUTAGE_S:
                return captures, replays
            pipeline.clock.advance(max(0.0, due_s - queue.now_s()))
            # Every draw differs; there is no chance in it.
            pipeline.draw = (pipeline.draw + 0.618034) % 1.0
            notices = queue.receive()
            again = (
                intake.run(notices, plenty)
                if queue is captures
                else replayer.run(
                    [
                        Delivery(
                            message_id=notice.message_id,
                            receipt_handle=notice.receipt_handle,
                            body=notice.body,
                        )
                        for notice in notices
                    ],
                    Worker(owner=f"batch {next(self.batches)}", remaining_ms=plenty),
                )
            )
            queue.delete({notice.message_id for notice in notices} - set(again))

    def _intake(self) -> CaptureConsumer:
        stage = self.pipeline.unpacker()
        reader = LazyReader(
            **{name: getattr(stage.reader, name) for name in RecordValidator.__dataclass_fields__},
            entries=[entry(position) for position in range(RECORDS)],
            reads=self.reads,
        )
        return replace(self.pipeline.intake(), unpacker=replace(stage, reader=reader))


@pytest.mark.slow
@pytest.mark.parametrize("gate", [GateState(), KNOWN], ids=["new", "known"])
def test_three_hours_and_a_million_calls_cost_a_few_thousand_requests(gate: GateState) -> None:
    outage = Outage()
    outage.pipeline.gate_items.images[ORDERS] = gate

    captures, replays = outage.run()

    # Nearly every call is still in S3, one message an object, and no object was read twice.
    expanded = len(replays.bodies)
    folds = [read_notification(body)[0].fold for body in captures.bodies.values()]
    assert len(folds) == OBJECTS
    assert expanded + sum(fold.records for fold in folds if fold) == OBJECTS * RECORDS
    assert 0 < expanded < 100
    assert set(outage.reads.values()) == {1}
    # Beside the pages that list the calls, a hundred each, nothing was written.
    assert {key.partition("/")[0] for key in outage.pipeline.objects.kept} == {"calls"}
    assert len(outage.pipeline.objects.kept) == OBJECTS * RECORDS / 100
    assert max(captures.receives.values()) < MOST_RECEIVES
    # The target was probed all the time, and little.
    assert 100 < len(outage.pipeline.functions.invoked) < 500
    # Three an object to take it in (receive, send, delete); the rest are looks, shared by up to ten.
    assert 3 * OBJECTS < captures.requests.total() < 7.5 * OBJECTS, captures.requests
    assert replays.requests.total() < 2.2 * OBJECTS, replays.requests

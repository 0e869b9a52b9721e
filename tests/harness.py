"""The stages of the pipeline on doubles, ready to be driven step by step."""

from __future__ import annotations

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from doubles import (
    FakeClock,
    FakeConcurrency,
    FakeFunctions,
    FakeKeys,
    FakeMeter,
    FakePolicies,
    InMemoryGateItems,
    InMemoryJobBook,
    InMemoryLedger,
    InMemoryMarks,
    InMemoryObjects,
    InMemoryQueue,
    InMemoryReplies,
)
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.request import CallRequest
from reprise.call.target import Target
from reprise.call.target_type import FUNCTION, TargetType
from reprise.capturing.attach import Ends
from reprise.capturing.invoker import CallInvoker, Capturer
from reprise.capturing.open_calls import OpenCalls
from reprise.capturing.repeat import Repeats
from reprise.capturing.signature import MacKeys
from reprise.capturing.wait import Waiter
from reprise.events import EventPublisher
from reprise.gate.fallback import LocalGate
from reprise.gate.state import GateState, Mode
from reprise.given_up import BookedJobs
from reprise.ports import OutMessage, Reply
from reprise.replay.message import Delivery, Worker
from reprise.retry.policy import read_policy_document
from reprise.unpack.consumer import CaptureConsumer, Notice
from reprise.wiring.replayer import ReplayerParts, make_replayer
from reprise.wiring.unpacker import UnpackerParts, make_consumer, make_unpacker

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from reprise.events import Event
    from reprise.replay.batch import Replayer
    from reprise.unpack.unpacker import Unpacker

ACCOUNT = "123456789012"
ORDERS = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:orders"
MAIL = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:mail"
LOG_GROUP = "/reprise/reprise/capture"
KEYS = MacKeys("invoker", "k1", {"k1": "the first secret of the invoker, of tests"}, ("*",))
PIPELINE_KEYS = MacKeys(
    "pipeline", "k1", {"k1": "the first secret of the pipeline, of tests"}, ("arn:aws:batch:*",)
)
PLENTY_MS = 300_000
LARGE = Random(1).randbytes(5_000_000)
"""A payload that fits no line, compressed or not."""
ALL_OUTCOMES = frozenset(OutcomeKind) - {OutcomeKind.SUCCEEDED, OutcomeKind.PERMANENT}

THROTTLED = Reply(
    outcome=Outcome(
        kind=OutcomeKind.THROTTLED,
        code="TooManyRequestsException",
        reason="ReservedFunctionConcurrentInvocationLimitExceeded",
        status=429,
    )
)
FAILED = Reply(
    outcome=Outcome(
        kind=OutcomeKind.FUNCTION_ERROR, code="ValueError", status=200, function_error="Unhandled"
    ),
    payload=b'{"errorType":"ValueError"}',
)
TRANSIENT = Reply(outcome=Outcome(kind=OutcomeKind.TRANSIENT, code="ServiceException", status=500))
UNKNOWN = Reply(outcome=Outcome(kind=OutcomeKind.UNKNOWN, code="ReadTimeoutError"))
GONE = Reply(
    outcome=Outcome(
        kind=OutcomeKind.PERMANENT,
        code="ResourceNotFoundException",
        status=404,
        message="Function not found",
    )
)


def plenty() -> int:
    return PLENTY_MS


def call(
    payload: bytes = b'{"order":1}',
    *,
    function: str = ORDERS,
    key: str | None = None,
    **fields: Any,
) -> CallRequest:
    parts = {name: fields.pop(name) for name in ("qualifier", "tenant_id") if name in fields}
    return CallRequest(
        target=Target(function=function, **parts), payload=payload, idempotency_key=key, **fields
    )


def envelope(*lines: str, log_group: str = LOG_GROUP, owner: str = ACCOUNT) -> bytes:
    """Return what CloudWatch Logs sends for log lines: one gzip member."""
    events = [
        {"id": f"{number:056d}", "timestamp": 1_795_000_000_000, "message": line}
        for number, line in enumerate(lines)
    ]
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": owner,
        "logGroup": log_group,
        "logStream": "stream",
        "subscriptionFilters": ["reprise"],
        "logEvents": events,
    }
    return gzip.compress(json.dumps(document).encode(), mtime=0)


def notification(key: str, bucket: str = "bucket") -> str:
    entry = {
        "eventVersion": "2.1",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}},
    }
    return json.dumps({"Records": [entry]})


@dataclass(slots=True)
class Pipeline:
    """All stages on one set of doubles."""

    policy: str = "{}"
    draw: float = 0.5
    call_timeout_s: int = 60
    clock: FakeClock = field(default_factory=FakeClock)
    meter: FakeMeter = field(default_factory=FakeMeter)
    functions: FakeFunctions = field(default_factory=FakeFunctions)
    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    memory: LocalGate = field(default_factory=LocalGate)
    concurrency: FakeConcurrency = field(default_factory=FakeConcurrency)
    gate_items: InMemoryGateItems = field(default_factory=InMemoryGateItems)
    replay_queue: InMemoryQueue = field(default_factory=InMemoryQueue)
    capture_queue: InMemoryQueue = field(default_factory=InMemoryQueue)
    capture_dlq: InMemoryQueue = field(default_factory=InMemoryQueue)
    marks: InMemoryMarks = field(default_factory=InMemoryMarks)
    dead_letters: InMemoryQueue = field(default_factory=InMemoryQueue)
    keys: FakeKeys = field(default_factory=lambda: FakeKeys(PIPELINE_KEYS, (KEYS,)))
    """Of all sources; those of the pipeline to sign with."""
    invoker_keys: FakeKeys = field(default_factory=lambda: FakeKeys(KEYS))
    lines: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    targets: tuple[str, ...] = (ORDERS, MAIL)
    types: tuple[TargetType, ...] = (FUNCTION,)
    retention_days: int = 30
    replies: InMemoryReplies = field(default_factory=InMemoryReplies)
    failed: InMemoryJobBook = field(default_factory=InMemoryJobBook)
    executor: Callable[[int], Executor] = ThreadPoolExecutor
    wait: Callable[..., Any] = wait
    wait_for: Callable[[threading.Event], object] = threading.Event.wait
    pause: Callable[[float], object] | None = None
    """What goes on while a caller waits; time goes by in any case."""
    pauses: list[float] = field(default_factory=list)
    _serial: int = 0

    def random_bytes(self, length: int) -> bytes:
        self._serial += 1
        return self._serial.to_bytes(length)

    def waiter(self) -> Waiter:
        def let_go_by(seconds: float) -> None:
            self.pauses.append(seconds)
            if self.pause is None:
                self.clock.advance(seconds)
            else:
                self.pause(seconds)

        def monotonic() -> float:
            return self.clock.now.timestamp()

        return Waiter(pause=let_go_by, monotonic=monotonic)

    def capturer(self) -> Capturer:
        return Capturer(
            keys=self.invoker_keys,
            objects=self.objects,
            sink=self.lines.append,
            clock=self.clock,
            random_bytes=self.random_bytes,
            meter=self.meter,
        )

    def repeats(self) -> Repeats:
        return Repeats(
            open_calls=OpenCalls(gates=self.gate_items, clock=self.clock),
            ledger=self.ledger,
            clock=self.clock,
            meter=self.meter,
            bucket="bucket",
            call_timeout_s=self.call_timeout_s,
        )

    def caller(self) -> CallInvoker:
        return CallInvoker(
            functions=self.functions,
            capturer=self.capturer(),
            capture_outcomes=ALL_OUTCOMES,
            meter=self.meter,
            ledger=self.ledger,
            repeats=self.repeats(),
            ends=Ends(
                ledger=self.ledger,
                objects=self.objects,
                bucket="bucket",
                waiter=self.waiter(),
                call_timeout_s=self.call_timeout_s,
                longest_s=self.call_timeout_s + 15,
            ),
        )

    def unpacker_parts(self) -> UnpackerParts:
        return UnpackerParts(
            bucket="bucket",
            account_id=ACCOUNT,
            log_groups=frozenset({LOG_GROUP}),
            targets=self.targets,
            types=self.types,
            objects=self.objects,
            keys=self.keys,
            ledger=self.ledger,
            gates=self.gate_items,
            marks=self.marks,
            capture_queue=self.capture_queue,
            capture_dead_letters=self.capture_dlq,
            replay_queue=self.replay_queue,
            replay_queue_size=self.replay_queue.depth,
            dead_letters=self.dead_letters,
            publisher=EventPublisher("shop", self.events.append),
            replies=self.replies,
            jobs=BookedJobs(book=self.failed, types=self.types),
            meter=self.meter,
            clock=self.clock,
            draw=lambda: self.draw,
            retention_days=self.retention_days,
        )

    def unpacker(self) -> Unpacker:
        return make_unpacker(self.unpacker_parts())

    def intake(self) -> CaptureConsumer:
        return make_consumer(self.unpacker_parts())

    def replayer(self) -> Replayer:
        return make_replayer(
            ReplayerParts(
                functions=self.functions,
                targets=self.targets,
                types=self.types,
                ledger=self.ledger,
                objects=self.objects,
                keys=self.keys,
                queue=self.replay_queue,
                dead_letters=self.dead_letters,
                gates=self.gate_items,
                memory=self.memory,
                concurrency=self.concurrency,
                policies=FakePolicies(read_policy_document(self.policy)),
                publisher=EventPublisher("shop", self.events.append),
                replies=self.replies,
                jobs=BookedJobs(book=self.failed, types=self.types),
                meter=self.meter,
                clock=self.clock,
                draw=lambda: self.draw,
                call_timeout_s=self.call_timeout_s,
                retention_days=self.retention_days,
                executor=self.executor,
                wait=self.wait,
                wait_for=self.wait_for,
            )
        )

    # --- driving it -------------------------------------------------------------------------------

    def capture(self, *requests: CallRequest, reply: Reply = THROTTLED) -> list[str]:
        """Capture calls whose first try ended in `reply`; return their ids."""
        capturer = self.capturer()
        return [capturer.capture(request, reply.outcome).call_id for request in requests]

    def store(
        self, key: str = "captured/2026/11/21/10/object.gz", lines: list[str] | None = None
    ) -> str:
        """Put captured lines in an object, as Firehose would; return its notification."""
        self.objects.kept[key] = b"".join(
            envelope(line) for line in (self.lines if lines is None else lines)
        )
        return notification(key)

    def take_in(self, *bodies: str, receive_count: int = 1) -> list[str]:
        """Hand notifications to the unpacker; return the ids of those that must come again."""
        notices = [
            Notice(
                message_id=f"n{i}", receipt_handle=f"rn{i}", body=body, receive_count=receive_count
            )
            for i, body in enumerate(bodies)
        ]
        return self.intake().run(notices, plenty)

    def replay(self, *messages: OutMessage, owner: str = "worker") -> list[str]:
        """Hand messages to the replayer; return the ids of those that must come again."""
        return self.replayer().run(deliveries(*messages), Worker(owner=owner, remaining_ms=plenty))

    def take_sent(self) -> list[OutMessage]:
        """Take what waits in the replay queue."""
        sent = list(self.replay_queue.sent)
        self.replay_queue.sent.clear()
        return sent

    def captured_messages(
        self, *requests: CallRequest, reply: Reply = THROTTLED
    ) -> list[OutMessage]:
        """Capture, store and unpack calls; return their replay messages."""
        self.capture(*requests, reply=reply)
        assert self.take_in(self.store()) == []
        return self.take_sent()


def deliveries(*messages: OutMessage) -> list[Delivery]:
    return [
        Delivery(message_id=f"m{i}", receipt_handle=f"r{i}", body=message.body)
        for i, message in enumerate(messages)
    ]


def hold(pipeline: Pipeline, function: str = ORDERS, *, waiting: int = 5) -> None:
    """Let a target's gate hold, with enough calls expanded to carry its probes."""
    now_ms = int(pipeline.clock.now.timestamp() * 1000)
    pipeline.gate_items.images[function] = GateState(
        mode=Mode.HOLDING, holding_since_ms=now_ms, probe_at_ms=now_ms + 2000, waiting=waiting
    )

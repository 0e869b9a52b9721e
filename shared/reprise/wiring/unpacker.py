"""Put the unpacker together: from its parts, whatever they are, or from its settings and AWS."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise.aws.clients import lazily
from reprise.aws.counters_table import CountersTable, MarkTable
from reprise.aws.event_bus import EventBridgeBus, Outbox
from reprise.aws.gate_table import GateTable
from reprise.aws.keys import SecretKeyring
from reprise.aws.s3 import S3Objects
from reprise.aws.sqs import SqsQueue, SqsQueueSize
from reprise.call.target_type import FUNCTION, TargetType
from reprise.dead_letter import LetterSender
from reprise.events import NULL_PUBLISHER, EventPublisher
from reprise.given_up import NULL_JOBS, JobTeller
from reprise.instant import utc_now
from reprise.monitor.counters import CounterPublisher
from reprise.replies import NULL_REPLIES, Replies
from reprise.telemetry import EmfMeter
from reprise.unpack.backlog import ExpansionController
from reprise.unpack.consumer import CaptureConsumer
from reprise.unpack.defer import Deferrer
from reprise.unpack.enqueue import Enqueuer
from reprise.unpack.notification import NoticeReader
from reprise.unpack.unpacker import Unpacker
from reprise.unpack.validate import RecordValidator
from reprise.wiring import make_clients, make_job_teller, make_ledger, make_replies, target_types

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.ports import (
        Clock,
        Draw,
        GateItems,
        Keyring,
        Ledger,
        Marks,
        Meter,
        Objects,
        Queue,
        QueueSize,
    )
    from reprise.settings import UnpackerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackerParts:
    """What an unpacker is made of."""

    bucket: str
    account_id: str
    log_groups: frozenset[str]
    targets: tuple[str, ...]
    types: tuple[TargetType, ...] = (FUNCTION,)
    objects: Objects
    keys: Keyring
    ledger: Ledger
    gates: GateItems
    marks: Marks
    capture_queue: Queue
    capture_dead_letters: Queue
    replay_queue: Queue
    replay_queue_size: QueueSize
    dead_letters: Queue
    publisher: EventPublisher = NULL_PUBLISHER
    replies: Replies = NULL_REPLIES
    jobs: JobTeller = NULL_JOBS
    meter: Meter
    clock: Clock = utc_now
    draw: Draw
    retention_days: int


def make_unpacker(parts: UnpackerParts) -> Unpacker:
    """Return the unpacker of these parts."""
    return Unpacker(
        reader=RecordValidator(
            objects=parts.objects,
            keys=parts.keys,
            meter=parts.meter,
            targets=parts.targets,
            types=parts.types,
            log_groups=parts.log_groups,
            account_id=parts.account_id,
        ),
        enqueuer=Enqueuer(
            ledger=parts.ledger,
            objects=parts.objects,
            replay_queue=parts.replay_queue,
            letters=LetterSender(
                dead_letters=parts.dead_letters,
                ledger=parts.ledger,
                publisher=parts.publisher,
                replies=parts.replies,
                jobs=parts.jobs,
            ),
            clock=parts.clock,
            draw=parts.draw,
            meter=parts.meter,
            keys=parts.keys,
            retention_days=parts.retention_days,
        ),
        deferrer=Deferrer(
            objects=parts.objects,
            capture_queue=parts.capture_queue,
            keys=parts.keys,
            clock=parts.clock,
            meter=parts.meter,
        ),
        backlog=ExpansionController(
            gates=parts.gates,
            depth=parts.replay_queue_size,
            clock=parts.clock,
            draw=parts.draw,
        ),
        objects=parts.objects,
        clock=parts.clock,
        meter=parts.meter,
        retention_days=parts.retention_days,
    )


def make_consumer(parts: UnpackerParts) -> CaptureConsumer:
    """Return what takes in batches of the capture queue for the unpacker of these parts."""
    return CaptureConsumer(
        unpacker=make_unpacker(parts),
        reader=NoticeReader(bucket=parts.bucket, keys=parts.keys),
        objects=parts.objects,
        queue=parts.capture_queue,
        dead_letters=parts.capture_dead_letters,
        marks=parts.marks,
        clock=parts.clock,
        meter=parts.meter,
    )


def deployed_consumer(
    settings: UnpackerSettings,
) -> tuple[CaptureConsumer, tuple[Callable[[], None], ...]]:
    """Return what takes in the capture queue of a deployed stack, and what is to be done after a batch."""
    clients, meter = make_clients(), EmfMeter()
    sqs, dynamodb = clients.sqs(), clients.dynamodb()
    outbox = Outbox(
        EventBridgeBus(lazily(clients.events), settings.event_bus),
        meter=meter,
        monotonic=time.monotonic,
        has_successes=False,
    )
    counters = CounterPublisher(
        counters=CountersTable(dynamodb, settings.ledger_table), meter=meter
    )
    keys = SecretKeyring(lazily(clients.secrets), settings.stack)
    types = target_types(settings.targets)
    parts = UnpackerParts(
        bucket=settings.bucket,
        account_id=settings.account_id,
        log_groups=settings.log_groups,
        targets=settings.targets,
        types=types,
        objects=S3Objects(lazily(clients.s3), settings.bucket),
        keys=keys,
        ledger=make_ledger(clients, settings.ledger_table),
        gates=GateTable(dynamodb, settings.ledger_table),
        marks=MarkTable(dynamodb, settings.ledger_table),
        capture_queue=SqsQueue(sqs, settings.capture_queue_url),
        capture_dead_letters=SqsQueue(sqs, settings.capture_dlq_url),
        replay_queue=SqsQueue(sqs, settings.replay_queue_url),
        replay_queue_size=SqsQueueSize(sqs, settings.replay_queue_url),
        dead_letters=SqsQueue(sqs, settings.dead_letter_queue_url),
        publisher=EventPublisher(settings.stack, outbox.add),
        replies=make_replies(sqs, settings.stack, keys, meter),
        jobs=make_job_teller(dynamodb, settings.ledger_table, types),
        meter=meter,
        draw=random.SystemRandom().random,
        retention_days=settings.retention_days,
    )
    return make_consumer(parts), (outbox.flush, counters.finish)

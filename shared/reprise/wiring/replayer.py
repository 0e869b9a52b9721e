"""Put the replayer together: from its parts, whatever they are, or from its settings and AWS."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reprise.aws.clients import lazily
from reprise.aws.config import FunctionConcurrency, ParameterPolicies
from reprise.aws.counters_table import CountersTable
from reprise.aws.event_bus import EventBridgeBus, Outbox
from reprise.aws.functions import InvokerRouter
from reprise.aws.gate_table import GateTable
from reprise.aws.keys import SecretKeyring
from reprise.aws.s3 import S3Objects
from reprise.aws.sqs import SqsQueue
from reprise.call.target_type import FUNCTION, TargetType
from reprise.dead_letter import LetterSender
from reprise.events import NULL_PUBLISHER, EventPublisher
from reprise.gate.fallback import LocalGate
from reprise.given_up import NULL_JOBS, JobTeller
from reprise.instant import utc_now
from reprise.monitor.counters import BatchMonitor, CounterPublisher
from reprise.monitor.gates import RecordingGates, TransitionLog
from reprise.replay.batch import Replayer
from reprise.replay.finish import Finisher
from reprise.replay.runner import AttemptRunner
from reprise.replay.settlements import Settlements
from reprise.replay.worker import Lanes
from reprise.replies import NULL_REPLIES, Replies
from reprise.telemetry import EmfMeter, about_call
from reprise.wiring import make_clients, make_job_teller, make_ledger, make_replies, target_types

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from reprise.ports import (
        Clock,
        Concurrency,
        Draw,
        GateItems,
        Invoker,
        Keyring,
        Ledger,
        Meter,
        Objects,
        PolicySource,
        Queue,
    )
    from reprise.settings import ReplayerSettings


MOST_LANES: Final = 1_000
"""Threads of one process, each started when it is first needed; the template's batches have ten calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayerParts:
    """What a replayer is made of."""

    functions: Invoker
    targets: tuple[str, ...]
    types: tuple[TargetType, ...] = (FUNCTION,)
    ledger: Ledger
    objects: Objects
    keys: Keyring
    queue: Queue
    """The replay queue."""
    dead_letters: Queue
    gates: GateItems
    memory: LocalGate = field(default_factory=LocalGate)
    concurrency: Concurrency
    policies: PolicySource
    publisher: EventPublisher = NULL_PUBLISHER
    replies: Replies = NULL_REPLIES
    jobs: JobTeller = NULL_JOBS
    meter: Meter
    clock: Clock = utc_now
    draw: Draw
    call_timeout_s: int
    retention_days: int
    about: Callable[[str, str], AbstractContextManager[None]] = about_call
    executor: Callable[[int], Executor] = ThreadPoolExecutor
    wait: Callable[..., Any] = wait
    wait_for: Callable[[threading.Event], object] = threading.Event.wait


def make_replayer(parts: ReplayerParts) -> Replayer:
    """Return the replayer of these parts."""
    return Replayer(
        attempts=AttemptRunner(
            functions=parts.functions,
            targets=parts.targets,
            types=parts.types,
            ledger=parts.ledger,
            objects=parts.objects,
            finisher=Finisher(
                ledger=parts.ledger,
                settlements=Settlements(parts.ledger, parts.wait_for),
                objects=parts.objects,
                replay_queue=parts.queue,
                letters=LetterSender(
                    dead_letters=parts.dead_letters,
                    ledger=parts.ledger,
                    publisher=parts.publisher,
                    replies=parts.replies,
                    jobs=parts.jobs,
                ),
                keys=parts.keys,
                clock=parts.clock,
                meter=parts.meter,
                publisher=parts.publisher,
                replies=parts.replies,
            ),
            clock=parts.clock,
            draw=parts.draw,
            retention_days=parts.retention_days,
        ),
        keys=parts.keys,
        gates=parts.gates,
        memory=parts.memory,
        concurrency=parts.concurrency,
        policies=parts.policies,
        objects=parts.objects,
        queue=parts.queue,
        clock=parts.clock,
        draw=parts.draw,
        meter=parts.meter,
        call_timeout_s=parts.call_timeout_s,
        about=parts.about,
        executor=parts.executor,
        wait=parts.wait,
    )


def deployed_replayer(settings: ReplayerSettings) -> tuple[Replayer, BatchMonitor]:
    """Return the replayer of a deployed stack, and what watches its batches."""
    clients, meter = make_clients(), EmfMeter()
    sqs, dynamodb = clients.sqs(), clients.dynamodb()
    types = target_types(settings.targets)
    log = TransitionLog()
    outbox = Outbox(
        EventBridgeBus(lazily(clients.events), settings.event_bus),
        meter=meter,
        monotonic=time.monotonic,
        has_successes=settings.has_success_events,
    )
    publisher = EventPublisher(settings.stack, outbox.add)
    threads = ThreadPoolExecutor(MOST_LANES)
    keys = SecretKeyring(lazily(clients.secrets), settings.stack)
    parts = ReplayerParts(
        functions=InvokerRouter(clients, settings.call_timeout_s, types),
        targets=settings.targets,
        types=types,
        ledger=make_ledger(clients, settings.ledger_table),
        objects=S3Objects(lazily(clients.s3), settings.bucket),
        keys=keys,
        queue=SqsQueue(sqs, settings.replay_queue_url),
        dead_letters=SqsQueue(sqs, settings.dead_letter_queue_url),
        gates=RecordingGates(GateTable(dynamodb, settings.ledger_table), log),
        concurrency=FunctionConcurrency(clients.functions(settings.call_timeout_s)),
        policies=ParameterPolicies(lazily(clients.parameters), settings.policy_parameter),
        publisher=publisher,
        replies=make_replies(sqs, settings.stack, keys, meter),
        jobs=make_job_teller(dynamodb, settings.ledger_table, types),
        meter=meter,
        draw=random.SystemRandom().random,
        call_timeout_s=settings.call_timeout_s,
        retention_days=settings.retention_days,
        executor=partial(Lanes, threads),
    )
    counters = CounterPublisher(
        counters=CountersTable(dynamodb, settings.ledger_table), meter=meter
    )
    monitor = BatchMonitor(
        meter=meter,
        counters=counters,
        gates=log,
        publisher=publisher,
        outbox=outbox,
        clock=utc_now,
    )
    return make_replayer(parts), monitor

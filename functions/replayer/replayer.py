"""Lambda handler of the replayer: one batch of captured calls."""

from __future__ import annotations

import os
import random
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from reprise import cold_start
from reprise.aws.clients import Clients
from reprise.aws.concurrency import FunctionConcurrency
from reprise.aws.config import ParameterPolicies
from reprise.aws.counters_table import CountersTable
from reprise.aws.event_bus import EventBridgeBus
from reprise.aws.functions import InvokerRouter
from reprise.aws.gate_table import GateTable
from reprise.aws.keys import SecretKeyring
from reprise.aws.ledger_table import LedgerTable
from reprise.aws.s3 import S3Objects
from reprise.aws.sqs import SqsQueue
from reprise.events import EventPublisher
from reprise.gate.fallback import LocalGate
from reprise.monitor.batch import BatchMonitor
from reprise.monitor.counters import CounterPublisher
from reprise.monitor.gates import RecordingGates, TransitionLog
from reprise.outbox import Outbox
from reprise.replay.batch import Replayer
from reprise.replay.finish import Finisher
from reprise.replay.message import Worker, read_deliveries
from reprise.replay.runner import AttemptRunner
from reprise.settings import ReplayerSettings
from reprise.telemetry import EmfMeter, make_logger
from reprise.wiring import target_types, utc_now

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

make_logger()
_settings = ReplayerSettings.from_env(os.environ)
_clients = Clients()
_meter = EmfMeter()
_types = target_types(_settings.targets)
_sqs, _dynamodb = _clients.sqs(), _clients.dynamodb()
_lambda = _clients.functions(_settings.call_timeout_s)
_objects = S3Objects(cache(_clients.s3), _settings.bucket)
_ledger = LedgerTable(_dynamodb, _settings.ledger_table)
_queue = SqsQueue(_sqs, _settings.replay_queue_url)
_keyring = SecretKeyring(cache(_clients.secrets), _settings.stack)
_draw = random.SystemRandom().random
_gate_log = TransitionLog()
_outbox = Outbox(
    cache(lambda: EventBridgeBus(_clients.events(), _settings.event_bus)),
    meter=_meter,
    monotonic=time.monotonic,
    has_successes=_settings.has_success_events,
)
_publisher = EventPublisher(_settings.stack, _outbox.add)
_stage = Replayer(
    attempts=AttemptRunner(
        functions=InvokerRouter(_clients, _settings.call_timeout_s, _types),
        targets=_settings.targets,
        types=_types,
        ledger=_ledger,
        objects=_objects,
        finisher=Finisher(
            ledger=_ledger,
            objects=_objects,
            replay_queue=_queue,
            dead_letters=SqsQueue(_sqs, _settings.dead_letter_queue_url),
            keys=_keyring,
            clock=utc_now,
            meter=_meter,
            publisher=_publisher,
        ),
        clock=utc_now,
        draw=_draw,
        retention_days=_settings.retention_days,
    ),
    keys=_keyring,
    gates=RecordingGates(GateTable(_dynamodb, _settings.ledger_table), _gate_log),
    memory=LocalGate(),
    concurrency=FunctionConcurrency(_lambda),
    policies=ParameterPolicies(cache(_clients.parameters), _settings.policy_parameter),
    objects=_objects,
    queue=_queue,
    clock=utc_now,
    draw=_draw,
    meter=_meter,
    call_timeout_s=_settings.call_timeout_s,
)
_observer = BatchMonitor(
    meter=_meter,
    counters=CounterPublisher(books=CountersTable(_dynamodb, _settings.ledger_table), meter=_meter),
    gates=_gate_log,
    publisher=_publisher,
    outbox=_outbox,
    clock=utc_now,
)
cold_start.finish()


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Replay the calls of a batch; name the messages that must come again."""
    deliveries = read_deliveries(event)
    worker = Worker(owner=context.aws_request_id, remaining_ms=context.get_remaining_time_in_millis)
    again = _stage.run(deliveries, worker)
    _observer.finish(delivery.body for delivery in deliveries if delivery.message_id in again)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}

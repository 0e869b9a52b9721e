"""Lambda handler of the observer: one look at the stack, started by a schedule."""

from __future__ import annotations

import os
from typing import Any

from reprise import cold_start
from reprise.aws.clients import Clients
from reprise.aws.counters_table import BooksTable, MemoryItem
from reprise.aws.event_bus import EventBridgeBus
from reprise.aws.gate_table import GateTable
from reprise.aws.mark_table import MarkTable
from reprise.aws.s3 import S3Listing
from reprise.aws.sqs import QueueDepth, SqsQueue
from reprise.aws.watch import StackWatch, WatchClients
from reprise.monitor.check import Memory
from reprise.monitor.monitor import Observer, Places
from reprise.monitor.reconcile import Reconciler, Sweep
from reprise.settings import ObserverSettings
from reprise.telemetry import EmfMeter, make_logger
from reprise.wiring import utc_now

make_logger()
_settings = ObserverSettings.from_env(os.environ)
_clients = Clients()
_meter = EmfMeter()
_sqs, _dynamodb, _s3 = _clients.sqs(), _clients.dynamodb(), _clients.s3()
_observer = Observer(
    stack=_settings.stack,
    targets=_settings.targets,
    books=BooksTable(_dynamodb, _settings.ledger_table),
    gates=GateTable(_dynamodb, _settings.ledger_table),
    replay_queue=QueueDepth(_sqs, _settings.replay_queue_url),
    capture_queue=QueueDepth(_sqs, _settings.capture_queue_url),
    dead_letters=QueueDepth(_sqs, _settings.dead_letter_queue_url),
    memories=MemoryItem(_dynamodb, _settings.ledger_table, "memory", Memory),
    watch=StackWatch(
        WatchClients(cloudwatch=_clients.cloudwatch(), logs=_clients.logs(), s3=_s3),
        stack=_settings.stack,
        bucket=_settings.bucket,
        alarms=_settings.alarms,
        log_groups=_settings.log_groups,
    ),
    bus=EventBridgeBus(_clients.events(), _settings.event_bus),
    places=Places(dashboard=_settings.dashboard_url, runbooks=_settings.runbook_url),
    meter=_meter,
    clock=utc_now,
)
_reconciler = Reconciler(
    bucket=_settings.bucket,
    listing=S3Listing(_s3, _settings.bucket),
    marks=MarkTable(_dynamodb, _settings.ledger_table),
    queue=SqsQueue(_sqs, _settings.capture_queue_url),
    sweeps=MemoryItem(_dynamodb, _settings.ledger_table, "sweep", Sweep),
    clock=utc_now,
    meter=_meter,
)
cold_start.finish()


def lambda_handler(event: Any, context: object) -> None:  # noqa: ANN401, ARG001 - Lambda's own signature
    """Look once; what was measured is written even if the look fails half way."""
    try:
        _observer.look()
    finally:
        try:
            _reconciler.look()
        finally:
            _meter.flush()

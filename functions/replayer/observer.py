"""Lambda handler of the observer: one look at the stack, started by a schedule."""

from __future__ import annotations

import os
from typing import Any

from reprise import cold_start
from reprise.aws.clients import Clients
from reprise.aws.counters_table import CountersTable, StateItem
from reprise.aws.event_bus import EventBridgeBus
from reprise.aws.gate_table import GateTable
from reprise.aws.mark_table import MarkTable
from reprise.aws.s3 import S3Listing
from reprise.aws.sqs import SqsQueue, SqsQueueSize
from reprise.aws.watch import InspectorClients, StackInspector
from reprise.monitor.check import MonitorState
from reprise.monitor.monitor import Links, Monitor
from reprise.monitor.reconcile import Reconciler, Sweep
from reprise.settings import MonitorSettings
from reprise.telemetry import EmfMeter, make_logger
from reprise.wiring import utc_now

make_logger()
_settings = MonitorSettings.from_env(os.environ)
_clients = Clients()
_meter = EmfMeter()
_sqs, _dynamodb, _s3 = _clients.sqs(), _clients.dynamodb(), _clients.s3()
_observer = Monitor(
    stack=_settings.stack,
    targets=_settings.targets,
    books=CountersTable(_dynamodb, _settings.ledger_table),
    gates=GateTable(_dynamodb, _settings.ledger_table),
    replay_queue=SqsQueueSize(_sqs, _settings.replay_queue_url),
    capture_queue=SqsQueueSize(_sqs, _settings.capture_queue_url),
    dead_letters=SqsQueueSize(_sqs, _settings.dead_letter_queue_url),
    memories=StateItem(_dynamodb, _settings.ledger_table, "memory", MonitorState),
    watch=StackInspector(
        InspectorClients(cloudwatch=_clients.cloudwatch(), logs=_clients.logs(), s3=_s3),
        stack=_settings.stack,
        bucket=_settings.bucket,
        alarms=_settings.alarms,
        log_groups=_settings.log_groups,
    ),
    bus=EventBridgeBus(_clients.events(), _settings.event_bus),
    places=Links(dashboard=_settings.dashboard_url, runbooks=_settings.runbook_url),
    meter=_meter,
    clock=utc_now,
)
_reconciler = Reconciler(
    bucket=_settings.bucket,
    listing=S3Listing(_s3, _settings.bucket),
    marks=MarkTable(_dynamodb, _settings.ledger_table),
    queue=SqsQueue(_sqs, _settings.capture_queue_url),
    sweeps=StateItem(_dynamodb, _settings.ledger_table, "sweep", Sweep),
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

"""Put the monitor together, from its settings and AWS."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reprise.aws.config import read_parameter
from reprise.aws.counters_table import MEMORY, CountersTable, MarkTable, StateItem
from reprise.aws.event_bus import EventBridgeBus
from reprise.aws.gate_table import GateTable
from reprise.aws.inspector import InspectorClients, StackInspector
from reprise.aws.s3 import S3Listing
from reprise.aws.sqs import SqsQueue, SqsQueueSize
from reprise.instant import utc_now
from reprise.monitor.monitor import Links, Monitor
from reprise.monitor.reconcile import Reconciler, Sweep
from reprise.monitor.snapshot import MonitorState
from reprise.telemetry import EmfMeter
from reprise.wiring import make_clients

if TYPE_CHECKING:
    from reprise.settings import MonitorSettings


def deployed_monitor(settings: MonitorSettings) -> tuple[Monitor, Reconciler, EmfMeter]:
    """Return the monitor of a deployed stack, what finds lost notifications, and their meter."""
    clients = make_clients()
    meter = EmfMeter()
    sqs, dynamodb, s3 = clients.sqs(), clients.dynamodb(), clients.s3()
    monitor = Monitor(
        stack=settings.stack,
        targets=settings.targets,
        counters=CountersTable(dynamodb, settings.ledger_table),
        gates=GateTable(dynamodb, settings.ledger_table),
        replay_queue=SqsQueueSize(sqs, settings.replay_queue_url),
        capture_queue=SqsQueueSize(sqs, settings.capture_queue_url),
        dead_letters=SqsQueueSize(sqs, settings.dead_letter_queue_url),
        memories=StateItem(dynamodb, settings.ledger_table, MEMORY, MonitorState),
        inspector=StackInspector(
            InspectorClients(cloudwatch=clients.cloudwatch(), logs=clients.logs(), s3=s3),
            stack=settings.stack,
            bucket=settings.bucket,
            alarms=settings.alarms,
            log_groups=settings.log_groups,
        ),
        policy=partial(read_parameter, clients.parameters(), settings.policy_parameter),
        bus=EventBridgeBus(clients.events(), settings.event_bus),
        links=Links(dashboard=settings.dashboard_url, runbooks=settings.runbook_url),
        meter=meter,
        clock=utc_now,
    )
    reconciler = Reconciler(
        bucket=settings.bucket,
        listing=S3Listing(s3, settings.bucket),
        marks=MarkTable(dynamodb, settings.ledger_table),
        queue=SqsQueue(sqs, settings.capture_queue_url),
        sweeps=StateItem(dynamodb, settings.ledger_table, "sweep", Sweep),
        clock=utc_now,
        meter=meter,
    )
    return monitor, reconciler, meter

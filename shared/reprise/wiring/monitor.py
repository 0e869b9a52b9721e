"""Put the monitor and the reconcilers together, from their settings and AWS."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reprise.aws.config import read_parameter
from reprise.aws.counters_table import MEMORY, READ_BACK, CountersTable, MarkTable, StateItem
from reprise.aws.event_bus import EventBridgeBus
from reprise.aws.gate_table import GateTable
from reprise.aws.inspector import InspectorClients, StackInspector
from reprise.aws.job_book import FailedJobTable
from reprise.aws.log_search import LogGroupSearch
from reprise.aws.s3 import S3Listing, S3Objects
from reprise.aws.sqs import SqsQueue, SqsQueueSize
from reprise.instant import utc_now
from reprise.monitor.failed_jobs import FailedJobs
from reprise.monitor.lost_lines import LineReconciler
from reprise.monitor.monitor import Links, Monitor
from reprise.monitor.read_back import ReadBack, ReadBackGauge
from reprise.monitor.reconcile import ERROR_PREFIXES, Reconciler, Sweep
from reprise.monitor.snapshot import MonitorState
from reprise.telemetry import EmfMeter
from reprise.wiring import make_clients, make_ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.settings import MonitorSettings, ReconcilerSettings


def deployed_monitor(
    settings: MonitorSettings,
) -> tuple[tuple[Callable[[], None], ...], EmfMeter]:
    """Return what is to be looked at in a deployed stack, the monitor first, and the meter of all."""
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
    notifications = Reconciler(
        bucket=settings.bucket,
        listing=S3Listing(s3, settings.bucket),
        marks=MarkTable(dynamodb, settings.ledger_table),
        queue=SqsQueue(sqs, settings.capture_queue_url),
        sweeps=StateItem(dynamodb, settings.ledger_table, "sweep", Sweep),
        clock=utc_now,
        meter=meter,
    )
    undelivered = replace(
        notifications,
        sweeps=StateItem(dynamodb, settings.ledger_table, "error-sweep", Sweep),
        prefixes=ERROR_PREFIXES,
    )
    jobs = FailedJobs(
        stack=settings.stack, book=FailedJobTable(dynamodb, settings.ledger_table), bus=monitor.bus
    )
    read_back = ReadBackGauge(
        states=_read_back(dynamodb, settings.ledger_table), clock=utc_now, meter=meter
    )
    checks = (monitor.check, jobs.check, notifications.check, undelivered.check)
    return (*checks, read_back.check) if settings.is_read_back else checks, meter


def deployed_reconciler(settings: ReconcilerSettings) -> LineReconciler:
    """Return what finds the lost lines of a deployed stack."""
    clients = make_clients()
    return LineReconciler(
        groups=settings.log_groups,
        account_id=settings.account_id,
        search=LogGroupSearch(clients.logs()),
        ledger=make_ledger(clients, settings.ledger_table),
        objects=S3Objects(clients.s3(), settings.bucket),
        states=_read_back(clients.dynamodb(), settings.ledger_table),
        clock=utc_now,
        due_s=settings.due_s,
    )


def _read_back(dynamodb: DynamoDBClient, table: str) -> StateItem[ReadBack]:
    return StateItem(dynamodb, table, READ_BACK, ReadBack)

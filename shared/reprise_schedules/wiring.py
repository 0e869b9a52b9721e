"""Put the runner of jobs together, from its settings and AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reprise.aws.functions import InvokerRouter
from reprise.aws.job_book import FailedJobTable
from reprise.aws.sqs import SqsQueue
from reprise.capturing.invoker import CallInvoker
from reprise.instant import utc_now
from reprise.settings import STDOUT
from reprise.telemetry import EmfMeter
from reprise.wiring import make_clients, make_ledger, target_types
from reprise.wiring.callers import make_capturer
from reprise_schedules.follow import Jobs, RunResolver
from reprise_schedules.ports import Begun
from reprise_schedules.runner import JobRunner
from reprise_schedules.table import JobTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.aws.clients import Clients
    from reprise_schedules.settings import RunnerSettings


class JobsOfBatch(Jobs, Begun, Protocol):
    """All that the runner asks of Batch."""


def deployed_runner(
    settings: RunnerSettings, make_jobs: Callable[[Clients], JobsOfBatch]
) -> tuple[JobRunner, SqsQueue, EmfMeter]:
    """Return the runner of a deployed add-on, the queue of its jobs, and its meter.

    Args:
        settings: The add-on's.
        make_jobs: Returns what tells of batch jobs: another add-on's, which only the handler knows.
    """
    clients, meter = make_clients(), EmfMeter()
    sqs, dynamodb = clients.sqs(), clients.dynamodb()
    types, batch = target_types(settings.targets), make_jobs(clients)
    runner = JobRunner(
        jobs=JobTable(dynamodb, settings.ledger_table, utc_now),
        follow=RunResolver(ledger=make_ledger(clients, settings.ledger_table), batch=batch),
        begun=batch,
        calls=CallInvoker(
            functions=InvokerRouter(clients, settings.call_timeout_s, types),
            capturer=make_capturer(
                clients,
                bucket=settings.bucket,
                mac_secret_arn=settings.mac_secret_arn,
                meter=meter,
                log_group=STDOUT,
            ),
            capture_outcomes=settings.capture_outcomes,
            meter=meter,
        ),
        dead_letters=SqsQueue(sqs, settings.jobs_dead_letter_queue_url),
        failed=FailedJobTable(dynamodb, settings.ledger_table),
        targets=settings.targets,
        clock=utc_now,
        meter=meter,
        types=types,
    )
    return runner, SqsQueue(sqs, settings.jobs_queue_url), meter

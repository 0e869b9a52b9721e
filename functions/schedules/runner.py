"""Lambda handler of the runner: scheduled runs, each by the invoker's own way of calling."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from reprise import cold_start
from reprise.aws.clients import Clients
from reprise.aws.functions import InvokerRouter
from reprise.aws.ledger_table import LedgerTable
from reprise.aws.sqs import SqsQueue
from reprise.capturing.invoker import CallInvoker
from reprise.instant import utc_now
from reprise.replay.message import read_deliveries
from reprise.replay.worker import Returns
from reprise.settings import STDOUT
from reprise.telemetry import EmfMeter, make_logger
from reprise.wiring import target_types
from reprise.wiring.callers import make_capturer
from reprise_batch.jobs import BatchJobs
from reprise_schedules.follow import RunResolver
from reprise_schedules.runner import JobRunner
from reprise_schedules.settings import RunnerSettings
from reprise_schedules.table import JobTable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

make_logger()
_settings = RunnerSettings.from_env(os.environ)
_clients = Clients()
_meter = EmfMeter()
_types = target_types(_settings.targets)
_sqs, _dynamodb = _clients.sqs(), _clients.dynamodb()
_queue = SqsQueue(_sqs, _settings.jobs_queue_url)
_stage = JobRunner(
    jobs=JobTable(_dynamodb, _settings.ledger_table, utc_now),
    follow=RunResolver(
        ledger=LedgerTable(_dynamodb, _settings.ledger_table),
        batch=cache(lambda: BatchJobs(_clients.batch())),
    ),
    calls=CallInvoker(
        functions=InvokerRouter(_clients, _settings.call_timeout_s, _types),
        capturer=make_capturer(
            _clients,
            bucket=_settings.bucket,
            mac_secret_arn=_settings.mac_secret_arn,
            meter=_meter,
            log_group=STDOUT,
        ),
        capture_outcomes=_settings.capture_outcomes,
        meter=_meter,
    ),
    dead_letters=SqsQueue(_sqs, _settings.jobs_dead_letter_queue_url),
    targets=_settings.targets,
    clock=utc_now,
    meter=_meter,
    types=_types,
)
cold_start.finish()


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run what is due; name the messages that must come again."""
    deliveries = read_deliveries(event)
    returns = Returns(_queue, deliveries, now_ms=int(utc_now().timestamp() * 1000))
    for delivery in deliveries:
        owner = f"{context.aws_request_id}/{delivery.message_id}"
        wait_s = _stage.run(
            delivery.body, owner=owner, remaining_ms=context.get_remaining_time_in_millis
        )
        if wait_s is not None:
            returns.give_back({delivery.receipt_handle: wait_s})
    _meter.flush()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in returns.again()]}

"""Lambda handler of the runner: scheduled runs, each by the invoker's own way of calling."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reprise import cold_start
from reprise.aws.clients import lazily
from reprise.instant import utc_now
from reprise.replay.message import read_deliveries
from reprise.replay.worker import Returns
from reprise.telemetry import make_logger
from reprise_batch.jobs import BatchJobs
from reprise_schedules.settings import RunnerSettings
from reprise_schedules.wiring import deployed_runner

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

make_logger()
_runner, _queue, _meter = deployed_runner(
    RunnerSettings.from_env(os.environ),
    # Most jobs are functions: nothing of Batch is made before one is not.
    make_jobs=lambda clients: BatchJobs(lazily(clients.batch)),
)
cold_start.finish()


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run what is due; name the messages that must come again."""
    deliveries = read_deliveries(event)
    returns = Returns(_queue, deliveries, now_ms=int(utc_now().timestamp() * 1000))
    for delivery in deliveries:
        owner = f"{context.aws_request_id}/{delivery.message_id}"
        wait_s = _runner.run(
            delivery.body, owner=owner, remaining_ms=context.get_remaining_time_in_millis
        )
        if wait_s is not None:
            returns.give_back({delivery.receipt_handle: wait_s})
    _meter.flush()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in returns.again()]}

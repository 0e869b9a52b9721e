"""Lambda handler of the replayer: one batch of captured calls."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reprise import cold_start
from reprise.replay.message import Worker, read_deliveries
from reprise.settings import ReplayerSettings
from reprise.telemetry import make_logger
from reprise.wiring.replayer import deployed_replayer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

make_logger()
_replayer, _monitor = deployed_replayer(ReplayerSettings.from_env(os.environ))
cold_start.finish()


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Replay the calls of a batch; name the messages that must come again."""
    deliveries = read_deliveries(event)
    worker = Worker(owner=context.aws_request_id, remaining_ms=context.get_remaining_time_in_millis)
    again = _replayer.run(deliveries, worker)
    _monitor.finish(delivery.body for delivery in deliveries if delivery.message_id in again)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}

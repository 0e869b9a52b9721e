"""Lambda handler of the replier: late results to where their callers want them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from reprise import cold_start
from reprise.instant import utc_now
from reprise.replay.message import read_deliveries
from reprise.replay.worker import Returns
from reprise.telemetry import make_logger
from reprise_replies.settings import ReplierSettings
from reprise_replies.wiring import deployed_replier

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_MOST = 10
"""BatchSize in the add-on's template."""

make_logger()
_pool = ThreadPoolExecutor(_MOST)
_replier, _queue, _meter = deployed_replier(ReplierSettings.from_env(os.environ))
cold_start.finish()


def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Deliver what a batch tells of; name the messages that must come again."""
    deliveries = read_deliveries(event)
    returns = Returns(_queue, deliveries, now_ms=int(utc_now().timestamp() * 1000))
    # All at once: a webhook that does not answer must hold up no other.
    waits_s = _pool.map(_replier.run, [delivery.body for delivery in deliveries])
    again = zip(deliveries, waits_s, strict=True)
    returns.give_back(
        {delivery.receipt_handle: wait_s for delivery, wait_s in again if wait_s is not None}
    )
    _meter.flush()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in returns.again()]}

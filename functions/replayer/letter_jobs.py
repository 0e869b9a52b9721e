"""Lambda handler of the jobs at the dead-letter queues: one order to run one of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reprise import cold_start
from reprise.replay.message import read_deliveries
from reprise.telemetry import make_logger
from reprise_letters.settings import LetterJobSettings
from reprise_letters.supervisor import Delivery
from reprise_letters.wiring import deployed_runner

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

make_logger()
_runner, _orders = deployed_runner(LetterJobSettings.from_env(os.environ))
cold_start.finish()


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Carry out the one order of a batch; name it if it must come again."""
    (message,) = read_deliveries(event)
    delivery = Delivery(
        run=context.aws_request_id,
        message_id=message.message_id,
        remaining_ms=context.get_remaining_time_in_millis,
        hide=lambda for_s: _orders.give_back({message.receipt_handle: for_s}),
    )
    wait_s = _runner.run(message.body, delivery)
    if wait_s is None:
        return {"batchItemFailures": []}
    delivery.hide(wait_s)
    return {"batchItemFailures": [{"itemIdentifier": message.message_id}]}

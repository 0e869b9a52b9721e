"""Lambda handler of the unpacker: one batch of S3 notifications."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reprise import cold_start
from reprise.settings import UnpackerSettings
from reprise.telemetry import make_logger
from reprise.unpack.consumer import Notice
from reprise.wiring.unpacker import deployed_consumer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

make_logger()
_consumer, _after = deployed_consumer(UnpackerSettings.from_env(os.environ))
cold_start.finish()


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Unpack the objects of a batch; name the messages that must come again."""
    notices = [
        Notice(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        )
        for record in event["Records"]
    ]
    again = _consumer.run(notices, context.get_remaining_time_in_millis)
    for each in _after:
        each()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}

"""Lambda handler of the chaos target: writes a receipt for each run, then does as it is told.

It knows nothing of the pipeline. Its receipts are what the chaos test believes, rather than the
pipeline's own ledger.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

POISON = "poison"

_table = os.environ["REPRISE_RECEIPTS_TABLE"]
_dynamodb = boto3.client("dynamodb")


class PoisonError(Exception):
    """The call asked to fail."""


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run one call of a chaos test.

    Args:
        event: `{"run", "call", "behaviour": "ok" | "poison", "work_ms"}`; anything else is ignored. Without
            run and call, as in a call of your own, it is call 0 of the run `by-hand`.
        context: Lambda's own.

    Raises:
        PoisonError: If the call asked for it; its receipt is written first.
    """
    run, call = str(event.get("run", "by-hand")), int(event.get("call", 0))
    is_poison = event.get("behaviour") == POISON
    time.sleep(int(event.get("work_ms", 0)) / 1000)
    _dynamodb.put_item(
        TableName=_table,
        Item={
            "run": {"S": run},
            # One key per execution: a second run of the same call is a second receipt.
            "receipt": {"S": f"{call}#{context.aws_request_id}"},
            "call": {"N": str(call)},
            "ok": {"BOOL": not is_poison},
            "at": {"S": datetime.now(UTC).isoformat(timespec="microseconds")},
        },
    )
    if is_poison:
        msg = f"call {call} asked to fail"
        raise PoisonError(msg)
    return {"call": call, "run": run}

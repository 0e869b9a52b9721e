"""Lambda handler of the warmer: overlapping pings that keep environments of functions warm.

It has no capturer, no key and no ledger, and its log group is not subscribed: a ping can neither be
captured nor replayed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reprise import cold_start
from reprise.aws.pings import LambdaPings
from reprise.aws.session import Clients
from reprise.settings import WarmerSettings
from reprise.stage.warm import WarmStage
from reprise.telemetry import EmfMeter, make_logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

make_logger()
_settings = WarmerSettings.from_env(os.environ)
_meter = EmfMeter()
_stage = WarmStage(
    pings=LambdaPings(Clients().functions(_settings.ping_timeout_s)),
    functions=_settings.functions,
    concurrency=_settings.concurrency,
    payload=_settings.payload,
    meter=_meter,
)
cold_start.finish()


def lambda_handler(event: Any, context: LambdaContext) -> dict[str, Any]:  # noqa: ANN401, ARG001 - Lambda's own signature
    """Ping every function once for each environment that is to stay warm."""
    counts = _stage.run()
    _meter.flush()
    return counts

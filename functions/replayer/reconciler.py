"""Lambda handler of the reconciler: reads the capture log groups back, started by a schedule."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reprise import cold_start
from reprise.settings import ReconcilerSettings
from reprise.telemetry import make_logger
from reprise.wiring.monitor import deployed_reconciler

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

make_logger()
_reconciler = deployed_reconciler(ReconcilerSettings.from_env(os.environ))
cold_start.finish()


def lambda_handler(_event: object, context: LambdaContext) -> None:
    """Read what is due, as far as time allows; the next run goes on."""
    _reconciler.run(context.get_remaining_time_in_millis)

"""Lambda handler of the warmer: overlapping pings that keep environments of functions warm.

It has no capturer, no key and no ledger, and its log group is not subscribed: a ping can neither be
captured nor replayed.
"""

from __future__ import annotations

from typing import Final

from reprise import cold_start
from reprise.aws.clients import Clients
from reprise.telemetry import EmfMeter, make_logger
from reprise_schedules.warm import LambdaPings, Warmer, read_order

PING_LIMIT_S: Final = 50
"""Below the warmer's own timeout; a function that takes longer is warm all the same."""

make_logger()
_meter = EmfMeter()
_warmer = Warmer(pings=LambdaPings(Clients().functions(PING_LIMIT_S)), meter=_meter)
cold_start.finish()


def lambda_handler(event: object, _context: object) -> dict[str, int]:
    """Ping every function once for each environment that is to stay warm.

    Args:
        event: See `WarmOrder`.

    Raises:
        ScheduleError: If the event asks for nothing that can be understood.
    """
    counts = _warmer.run(read_order(event))
    _meter.flush()
    return counts

"""Lambda handler of the observer: one look at the stack, started by a schedule."""

from __future__ import annotations

import os
from contextlib import ExitStack

from reprise import cold_start
from reprise.settings import MonitorSettings
from reprise.telemetry import make_logger
from reprise.wiring.monitor import deployed_monitor

make_logger()
_checks, _meter = deployed_monitor(MonitorSettings.from_env(os.environ))
cold_start.finish()


def lambda_handler(_event: object, _context: object) -> None:
    """Look once; no check needs another to succeed, and what was measured is written in any case."""
    with ExitStack() as stack:
        stack.callback(_meter.flush)
        # The last that is put on the stack comes first.
        for check in reversed(_checks):
            stack.callback(check)

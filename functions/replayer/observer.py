"""Lambda handler of the observer: one look at the stack, started by a schedule."""

from __future__ import annotations

import os

from reprise import cold_start
from reprise.settings import MonitorSettings
from reprise.telemetry import make_logger
from reprise.wiring.monitor import deployed_monitor

make_logger()
_monitor, _reconciler, _meter = deployed_monitor(MonitorSettings.from_env(os.environ))
cold_start.finish()


def lambda_handler(_event: object, _context: object) -> None:
    """Look once; what was measured is written even if the look fails half way."""
    try:
        _monitor.check()
    finally:
        try:
            _reconciler.check()
        finally:
            _meter.flush()

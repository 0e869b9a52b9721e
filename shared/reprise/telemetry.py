"""Logs and metrics of a function, through Powertools."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from collections.abc import Mapping


def make_logger() -> Logger:
    """Return the logger of this package: one JSON object a line, never a payload."""
    # Lambda's root logger shows INFO, and botocore tells at INFO where it found its credentials.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    return Logger(logger_name="reprise", log_uncaught_exceptions=False)


def write_stdout(line: str) -> None:
    """Write one line to standard output, whole and at once: Lambda carries it to the log group."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class EmfMeter:
    """Counts in memory and writes one EMF line per flush; safe to use from several threads."""

    __slots__ = ("_counts", "_lock", "_metrics")

    def __init__(self) -> None:
        """Use the namespace that the environment names: functions do, callers' processes need not."""
        self._metrics = Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Reprise"))
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def count(self, name: str, value: int = 1) -> None:
        """Add to a metric of `reprise.metric`."""
        with self._lock:
            self._counts[name] += value

    def flush(self) -> Mapping[str, int]:
        """Write what was counted since the last flush; nothing if nothing was."""
        with self._lock:
            counts = {name: value for name, value in self._counts.items() if value}
            self._counts.clear()
        for name, value in counts.items():
            self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
        if counts:
            self._metrics.flush_metrics()
        return counts

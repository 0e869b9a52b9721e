"""Logs and metrics of a function, through Powertools."""

from __future__ import annotations

import logging
import os
import sys
from collections import defaultdict
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Final

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from reprise import metric
from reprise.metric import MetricKey, make_labeler
from reprise.printable import printable_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_call: ContextVar[tuple[str, str] | None] = ContextVar("reprise_call", default=None)


@contextmanager
def about_call(call_id: str, target: str) -> Iterator[None]:
    """Let log lines of this thread name a call inside.

    Args:
        call_id: The call's id.
        target: Its target's ARN.
    """
    token = _call.set((call_id, target))
    try:
        yield
    finally:
        _call.reset(token)


class CallFilter(logging.Filter):
    """Adds `call_id` and `target` to a line that does not name them itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line pass."""
        named = _call.get()
        if named is not None:
            record.__dict__.setdefault("call_id", named[0])
            record.__dict__.setdefault("target", named[1])
        return True


GAP_S: Final = 1.0
"""What the end of an environment can cost: the calls of its last second are not counted."""


class FlushInterval:
    """Says when it is time again."""

    __slots__ = ("_monotonic", "_next_s")

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Use a clock that only goes forward."""
        self._monotonic = monotonic
        self._next_s = float("-inf")

    def is_due(self) -> bool:
        """Tell whether a second has passed since the last time that this was true."""
        now_s = self._monotonic()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + GAP_S
        return True


_MAX_VALUES: Final = 99
"""EMF takes 100 values of one metric in a line; Powertools writes a line of its own accord at 100."""


def make_logger() -> Logger:
    """Return the logger of this package: one JSON object a line, never a payload.

    Lines written while a call is being dealt with name it, see `reprise.telemetry`.
    """
    # Lambda's root logger shows INFO, and botocore tells at INFO where it found its credentials.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    logger = Logger(logger_name="reprise", log_uncaught_exceptions=False)
    # The runtime's own handler is the root logger's: it writes the lines of this package as JSON.
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, CallFilter) for each in handler.filters):
            handler.addFilter(CallFilter())
            handler.setFormatter(_Printable(handler.formatter))
    return logger


class _Printable(logging.Formatter):
    """Writes lines as another formatter does, without a character that a terminal would obey.

    The runtime's JSON leaves all but C0 as it is, and errors quote what others sent.
    """

    def __init__(self, formatter: logging.Formatter | None) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        lines = self._formatter.format(record).split("\n")
        return "\n".join(printable_json(line) for line in lines)


def write_stdout(line: str) -> None:
    """Write one line to standard output, whole and at once: Lambda carries it to the log group."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class EmfMeter:
    """Gathers in memory and writes EMF lines per flush; safe to use from several threads."""

    __slots__ = ("_emf", "_label", "_lock", "_stack", "_values")

    def __init__(self, *, stack: str | None = None, targets: tuple[str, ...] = ()) -> None:
        """Use the names that the environment gives: functions have them, callers' processes need not.

        Args:
            stack: Name of the stack; REPRISE_STACK otherwise.
            targets: The stack's targets, which bound the dimension `target`; REPRISE_TARGETS otherwise.
        """
        listed = os.environ.get("REPRISE_TARGETS", "").split(",")
        known = targets or tuple(entry.strip() for entry in listed if entry.strip())
        # An empty service: it would be one more dimension, and every metric has one writer anyhow. One
        # provider for all lines: making one costs half as much as a line.
        # Our namespace, whatever the process's own metrics are in: dashboard and alarms look there.
        self._emf = EphemeralMetrics(namespace=metric.NAMESPACE, service="")
        self._stack = stack or os.environ.get("REPRISE_STACK", "reprise")
        self._label: Callable[[str], str] = make_labeler(known)
        self._values: defaultdict[MetricKey, list[float]] = defaultdict(list)
        self._lock = Lock()

    def count(
        self,
        name: str,
        value: int = 1,
        *,
        target: str | None = None,
        reason: str | None = None,
        outcome: str | None = None,
    ) -> None:
        """Add to a metric of `reprise.metric`."""
        if not value:
            return
        key = MetricKey(name, self._label(target) if target else None, reason, outcome)
        with self._lock:
            values = self._values[key]
            if values:
                values[0] += value
            else:
                values.append(value)

    def observe(self, name: str, value: float, *, target: str | None = None) -> None:
        """Keep one value of a metric of `reprise.metric`, so that percentiles can be had."""
        key = MetricKey(name, self._label(target) if target else None)
        with self._lock:
            self._values[key].append(value)

    def gauge(self, name: str, value: float, *, label: str | None = None) -> None:
        """Say how something stands; the last value before a flush is the one that counts.

        Args:
            name: Of the metric.
            value: As it stands.
            label: The target's label, if the metric has one.
        """
        with self._lock:
            self._values[MetricKey(name, label)] = [value]

    def sums(self) -> Mapping[MetricKey, float]:
        """Return the sums of what was gathered since the last flush."""
        with self._lock:
            return {key: sum(found) for key, found in self._values.items()}

    def flush(self) -> Mapping[MetricKey, float]:
        """Write what was gathered since the last flush, and return the sums; nothing if nothing was."""
        with self._lock:
            values = dict(self._values)
            self._values.clear()
        lines: defaultdict[tuple[object, ...], list[MetricKey]] = defaultdict(list)
        for key in values:
            sets = metric.TABLE[key.name].dimensions
            lines[sets, key.target, key.reason, key.outcome].append(key)
        with self._lock:
            for keys in lines.values():
                self._write({key.name: values[key] for key in keys}, keys[0])
        return {key: sum(found) for key, found in values.items()}

    def _write(self, values: Mapping[str, list[float]], key: MetricKey) -> None:
        """Write the metrics that share their dimensions; long lists in several lines."""
        known = {
            metric.STACK: self._stack,
            metric.TARGET: key.target,
            metric.REASON: key.reason,
            metric.OUTCOME: key.outcome,
        }
        sets = [
            {name: value for name in names if (value := known[name]) is not None}
            for names in metric.TABLE[key.name].dimensions
            if all(known[name] for name in names)
        ]
        longest = max(map(len, values.values()))
        for start in range(0, longest, _MAX_VALUES):
            emf = self._emf
            emf.clear_metrics()
            for name, value in sets[0].items():
                emf.add_dimension(name=name, value=value)
            for more in sets[1:]:
                emf.add_dimensions(**more)
            for name, found in values.items():
                for number in found[start : start + _MAX_VALUES]:
                    emf.add_metric(name=name, unit=metric.TABLE[name].unit, value=number)
            write_stdout(msgspec.json.encode(emf.serialize_metric_set()).decode())


def trace_header() -> str | None:
    """Return the X-Ray header of the invocation that this process serves, if any."""
    return os.environ.get("_X_AMZN_TRACE_ID")

"""Finish a batch of replays for those who watch: gauges, counters, events, and then the metrics.

Find the age of the oldest call that a batch gave back, without reading its messages twice. A call that
waits is delivered now and then, and given back: so the oldest of these is the oldest that waits.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.instant import parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from reprise.events import EventPublisher
    from reprise.monitor.counters import CounterPublisher
    from reprise.monitor.gates import TransitionLog
    from reprise.outbox import Outbox
    from reprise.ports import Clock
    from reprise.telemetry import EmfMeter

_HEAD: Final = 8 * 1024
"""Where both fields stand in a replay message: behind the id only. A name inside a JSON string has its quotes
escaped, so that neither pattern matches there."""
_CAPTURED_AT: Final = re.compile(r'"captured_at":"([^"\\]{1,40})"')
_FUNCTION: Final = re.compile(r'"function":"([^"\\]{1,300})"')


def oldest_ages_s(bodies: Iterable[str], now: datetime) -> dict[str, float]:
    """Return how long ago the oldest call was captured, in seconds, by function ARN.

    Args:
        bodies: Of the replay messages that were given back; one that names no call is passed over.
        now: The present.
    """
    ages_s: dict[str, float] = {}
    for body in bodies:
        captured_at = _CAPTURED_AT.search(body, 0, _HEAD)
        function = _FUNCTION.search(body, 0, _HEAD)
        if captured_at is None or function is None:
            continue
        try:
            age_s = (now - parse_instant(captured_at[1])).total_seconds()
        except ValueError:
            continue
        ages_s[function[1]] = max(age_s, ages_s.get(function[1], 0.0))
    return ages_s


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMonitor:
    """Watches the replayer's batches; nothing here can fail a batch."""

    meter: EmfMeter
    counters: CounterPublisher
    gates: TransitionLog
    publisher: EventPublisher
    outbox: Outbox
    clock: Clock

    def finish(self, given_back: Iterable[str]) -> None:
        """Say how things stand after a batch; never raise: a batch must not come again for a number.

        Args:
            given_back: Bodies of the messages that must come again.
        """
        try:
            self._watch(given_back)
        except Exception:  # noqa: BLE001 - see above
            _log.exception("a batch was not watched to its end")
        self.counters.finish()

    def _watch(self, given_back: Iterable[str]) -> None:
        now = self.clock()
        for function, age_s in oldest_ages_s(given_back, now).items():
            self.meter.observe(metric.OLDEST_WAITING_AGE, age_s, target=function)
        for change in self.gates.report(self.meter, int(now.timestamp() * 1000)):
            self.publisher.gate_changed(change, now)
        self.outbox.flush()

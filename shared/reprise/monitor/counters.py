"""The counters of the backlog, and what else is told of a batch of replays when it ends.

Per target: how many calls the ledger knows, and how many have ended. Two totals that only grow, added to once
a batch, rather than a count of rows: counting would read the whole ledger, and an index of open rows would
write two more units a call into one hot partition.

The age of the oldest call that waits is that of the oldest one that a batch gave back: a call that waits is
delivered now and then, and given back.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from reprise import metric
from reprise.errors import StoreError
from reprise.instant import parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from reprise.aws.event_bus import Outbox
    from reprise.events import EventPublisher
    from reprise.metric import MetricKey
    from reprise.monitor.gates import TransitionLog
    from reprise.ports import Clock
    from reprise.telemetry import EmfMeter

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogCounters:
    """The totals of one target; or what to add to them."""

    known: int = 0
    """Calls entered in the ledger, or opened again."""
    ended: int = 0
    """Calls that succeeded or were given up."""
    dead: Mapping[str, int] = field(default_factory=dict)
    """Calls given up, by reason."""

    @property
    def backlog(self) -> int:
        """Return how many calls have not ended; at least 0, whatever a crash left uncounted."""
        return max(0, self.known - self.ended)


class CounterStore(Protocol):
    """Keeps one counter per label."""

    def add(self, label: str, change: BacklogCounters) -> BacklogCounters:
        """Add to a counter, and return it as it is then.

        Raises:
            StoreError: If it cannot be told.
        """

    def read(self, labels: Sequence[str]) -> Mapping[str, BacklogCounters]:
        """Return the counters that there are.

        Raises:
            StoreError: If they cannot be read.
        """

    def close(self, label: str, counter: BacklogCounters) -> bool:
        """Say that nothing is open; False if the counter has changed since it was read.

        Raises:
            StoreError: If it cannot be told.
        """


def changes(measured: Mapping[MetricKey, float]) -> dict[str, BacklogCounters]:
    """Return what a batch's measurements add to the counters, by label."""
    known: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    dead: dict[str, Counter[str]] = {}
    for key, value in measured.items():
        if key.target is None:
            continue
        if key.name in {metric.RECORDED, metric.REDRIVEN}:
            known[key.target] += int(value)
        elif key.name in {metric.SUCCEEDED, metric.DEAD_LETTERED}:
            ended[key.target] += int(value)
        if key.name == metric.DEAD_LETTERED and key.reason is not None:
            dead.setdefault(key.target, Counter())[key.reason] += int(value)
    return {
        label: BacklogCounters(known=known[label], ended=ended[label], dead=dead.get(label, {}))
        for label in sorted({*known, *ended})
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterPublisher:
    """Keeps the counters of one process."""

    counters: CounterStore
    meter: EmfMeter

    def finish(self) -> None:
        """Post, then write what was measured; never raise: what was done must not be undone for a number."""
        try:
            self.post()
            self.meter.flush()
        except Exception:  # noqa: BLE001 - see above
            _log.exception("measurements were lost")

    def post(self) -> None:
        """Add what the meter has gathered to the counters, and gauge the backlog of the targets concerned.

        A counter that cannot be told is off until the observer finds the queues empty and closes it.
        """
        for label, change in changes(self.meter.sums()).items():
            try:
                counter = self.counters.add(label, change)
            except StoreError:
                _log.warning("counter was not kept", extra={"target": label}, exc_info=True)
                self.meter.count(metric.STORE_FAULTS)
            else:
                self.meter.gauge(metric.BACKLOG, counter.backlog, label=label)


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

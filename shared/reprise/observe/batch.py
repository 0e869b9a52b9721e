"""Finish a batch of replays for those who watch: gauges, books, events, and then the metrics."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise import metric
from reprise.observe.waiting import oldest_ages_s

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise.events.herald import Herald
    from reprise.events.outbox import Outbox
    from reprise.observe.bookkeeper import Bookkeeper
    from reprise.observe.gates import GateLog
    from reprise.ports import Clock
    from reprise.telemetry import EmfMeter

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchObserver:
    """Watches the replayer's batches; nothing here can fail a batch."""

    meter: EmfMeter
    bookkeeper: Bookkeeper
    gates: GateLog
    herald: Herald
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
        self.bookkeeper.finish()

    def _watch(self, given_back: Iterable[str]) -> None:
        now = self.clock()
        for function, age_s in oldest_ages_s(given_back, now).items():
            self.meter.observe(metric.OLDEST_WAITING_AGE, age_s, target=function)
        for change in self.gates.report(self.meter, int(now.timestamp() * 1000)):
            self.herald.gate_changed(change, now)
        self.outbox.flush()

"""The way of a capture line: log service, Firehose, S3 and its notification, each of which may err.

Source: CloudWatch Logs user guide, "Real-time processing of log data with subscriptions"; Firehose developer
guide, "Handle data delivery failures" (what is delivered may be delivered again); S3 user guide, "Event
Notifications" (at least once, seldom not at all).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from doubles import InMemoryListing
from harness import notification
from reprise.ports import OutMessage

if TYPE_CHECKING:
    from simulation.faults import Faults
    from simulation.history import History
    from simulation.queue import SimulatedQueue
    from simulation.world import World


class LogPath:
    """Takes lines, and stores them as objects."""

    def __init__(self, world: World, captures: SimulatedQueue) -> None:
        self._world = world
        self._captures = captures
        self._serial = 0
        self.listing = InMemoryListing()
        self.objects: dict[str, tuple[str, ...]] = {}
        """Of capture objects, by key, the ids of what is in them."""

    @property
    def _faults(self) -> Faults:
        return self._world.faults

    @property
    def _history(self) -> History:
        return self._world.history

    def skips(self, call_id: str) -> bool:
        """Tell whether the log service loses a line that was just written; nobody will ever know of it."""
        if not self._faults.is_met("skip line"):
            return False
        self._history.skipped.add(call_id)
        return True

    def deliver(self, lines: list[str], calls: dict[str, str]) -> None:
        """Store lines as one object; later perhaps once more, under its own key or another.

        Args:
            lines: Of captured calls.
            calls: Their ids, and how their callers' own tries ended.
        """
        if not lines:
            return
        scheduler, random = self._world.scheduler, self._world.random
        self._serial += 1
        key = f"captured/2026/11/21/10/{self._serial}.gz"
        self._store(key, lines, calls)
        if self._faults.is_met("rewrite object"):
            at_s = scheduler.now_s + random.choice((1, 30, 600)) * random.random()
            scheduler.call_at(at_s, partial(self._store, key, lines, calls))
        if self._faults.is_met("deliver twice"):
            self._serial += 1
            again = f"captured/2026/11/21/10/{self._serial}.gz"
            at_s = scheduler.now_s + random.choice((1, 30, 600)) * random.random()
            scheduler.call_at(at_s, partial(self._store, again, lines[::-1], calls))

    def _store(self, key: str, lines: list[str], calls: dict[str, str]) -> None:
        pipeline: Any = self._world.pipeline
        self._faults.note("object", key)
        pipeline.store(key, lines)
        self._history.unknown_in[key] = {name for name, how in calls.items() if how == "unknown"}
        self.objects[key] = tuple(calls)
        self.listing.modified_at_s[key] = pipeline.clock().timestamp()
        if not self._faults.is_met("lose notice"):
            for _ in range(2 if self._faults.is_met("notify twice") else 1):
                self._captures.send([OutMessage(body=notification(key))])

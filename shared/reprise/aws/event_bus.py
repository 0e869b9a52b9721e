"""Put events on EventBridge's bus, a batch at a time."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from reprise import metric
from reprise.aws.fault import store_errors
from reprise.errors import StoreError
from reprise.events import SOURCE, ReplaySucceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from reprise.events import Event
    from reprise.ports import Meter

_log = logging.getLogger(__name__)

_MAX_ENTRIES: Final = 10
"""EventBridge API reference, PutEvents: ten entries, 256 KB together; ours are small, without payloads."""


class EventBridgeBus:
    """One bus."""

    __slots__ = ("_bus", "_client")

    def __init__(self, client: EventBridgeClient, bus: str) -> None:
        """Use the bus of this name or ARN."""
        self._client = client
        self._bus = bus

    def put(self, events: Sequence[Event]) -> int:
        """Send events, and return how many were not taken."""
        lost = 0
        for start in range(0, len(events), _MAX_ENTRIES):
            entries = [self._entry(event) for event in events[start : start + _MAX_ENTRIES]]
            with store_errors("events", "PutEvents"):
                response = self._client.put_events(Entries=entries)
            failed = [entry for entry in response["Entries"] if entry.get("ErrorCode")]
            for entry in failed:
                _log.warning("event was not taken", extra={"code": entry.get("ErrorCode")})
            lost += len(failed)
        return lost

    def _entry(self, event: Event) -> PutEventsRequestEntryTypeDef:
        return {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": event.detail_type,
            "Detail": msgspec.json.encode(event).decode(),
        }


PAUSE_S: Final = 30.0
"""After a failure events are dropped, and counted, for so long: a bus that is away must not slow replay."""


class EventBus(Protocol):
    """Takes events."""

    def put(self, events: Sequence[Event]) -> int:
        """Send events, and return how many were not taken.

        Raises:
            StoreError: If the bus does not answer; some may have been taken.
        """


class Outbox:
    """The events of one process; safe to add to from several threads."""

    __slots__ = (
        "_bus",
        "_events",
        "_has_successes",
        "_lock",
        "_meter",
        "_monotonic",
        "_paused_until_s",
    )

    def __init__(
        self,
        bus: EventBus,
        *,
        meter: Meter,
        monotonic: Callable[[], float],
        has_successes: bool,
    ) -> None:
        """Send by this bus.

        Args:
            bus: Where events go.
            meter: Counts the events that were not taken.
            monotonic: A clock that only goes forward.
            has_successes: Whether `Replay Succeeded` is sent, one event a call.
        """
        self._bus = bus
        self._meter = meter
        self._monotonic = monotonic
        self._has_successes = has_successes
        self._events: list[Event] = []
        self._lock = Lock()
        self._paused_until_s = float("-inf")

    def add(self, event: Event) -> None:
        """Gather an event."""
        if self._has_successes or not isinstance(event, ReplaySucceeded):
            with self._lock:
                self._events.append(event)

    def flush(self) -> None:
        """Send what was gathered; never raise, and never wait for a bus that has just failed."""
        with self._lock:
            events, self._events = self._events, []
        if not events:
            return
        lost = len(events)
        if self._monotonic() >= self._paused_until_s:
            try:
                lost = self._bus.put(events)
            except StoreError:
                _log.warning("events were not sent", extra={"events": len(events)}, exc_info=True)
            if lost:
                self._paused_until_s = self._monotonic() + PAUSE_S
        self._meter.count(metric.EVENTS_FAILED, lost)

"""Put events on an EventBridge bus; every failed entry is counted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec

from reprise.aws.clients import store_errors
from reprise.events import SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from reprise.events import Event

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

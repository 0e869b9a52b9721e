"""What a warm window asks for: which functions to ping, how often at once, and with what."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from reprise.errors import ScheduleError

MAX_CONCURRENCY: Final = 50


class WarmOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event of a warm window."""

    functions: str
    """ARNs or names, separated by commas. The warmer's role bounds them."""
    concurrency: Annotated[int, Meta(ge=1, le=MAX_CONCURRENCY)] = 1
    """Environments to keep warm per function: so many pings are on their way at once."""
    payload: dict[str, Any] = msgspec.field(default_factory=lambda: {"reprise": "warm"})

    @property
    def names(self) -> tuple[str, ...]:
        """Return the functions."""
        return tuple(name.strip() for name in self.functions.split(",") if name.strip())

    @property
    def body(self) -> bytes:
        """Return what each function is sent."""
        return json.dumps(self.payload, separators=(",", ":")).encode()


def read_order(event: object) -> WarmOrder:
    """Return what an event asks for.

    Raises:
        ScheduleError: Naming the field.
    """
    try:
        order = msgspec.convert(event, WarmOrder)
    except msgspec.ValidationError as error:
        raise ScheduleError(
            "event", str(error), 'Send {"functions": "...", "concurrency": 1, "payload": {}}'
        ) from error
    if not order.names:
        raise ScheduleError("functions", "lists nothing", "List function ARNs, with commas between")
    return order

"""Tell of what happens to calls and gates; stages ask here, and know no event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.events.make import gate_changed, replay_dead_lettered, replay_succeeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reprise.events.event import Event
    from reprise.ledger.row import Row
    from reprise.observe.gates import GateChange
    from reprise.record.record import Record


class Herald:
    """Makes the events of one stack."""

    __slots__ = ("_add", "_stack")

    def __init__(self, stack: str, add: Callable[[Event], None]) -> None:
        """Hand events to this.

        Args:
            stack: Name of the stack.
            add: Gathers an event, such as `Outbox.add`; must not raise.
        """
        self._stack = stack
        self._add = add

    def succeeded(self, record: Record, row: Row, now: datetime) -> None:
        """Tell that a call ended well."""
        self._add(replay_succeeded(self._stack, record, row, now))

    def dead_lettered(self, record: Record, row: Row, now: datetime) -> None:
        """Tell that a call was given up, and that its dead letter is in its queue."""
        self._add(replay_dead_lettered(self._stack, record, row, now))

    def gate_changed(self, change: GateChange, now: datetime) -> None:
        """Tell that a hold began or ended."""
        self._add(gate_changed(self._stack, change, now))


def _ignore(event: Event) -> None:
    """Tell nobody."""


SILENT: Final = Herald("", _ignore)
"""Tells nobody."""

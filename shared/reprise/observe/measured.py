"""What was measured, and of whom: the key of a value on its way to a metric."""

from __future__ import annotations

from typing import NamedTuple


class Measured(NamedTuple):
    """A metric and its dimensions' values, less the stack's."""

    name: str
    target: str | None = None
    """A label, see `reprise.observe.label`."""
    reason: str | None = None
    outcome: str | None = None

"""What is kept of the delivery of a late result: one note for each place that it goes to."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.call.reply_to import ReplyTo


class ReplyNote(msgspec.Struct, frozen=True, kw_only=True):
    """How a delivery stands; it names no token, and of a webhook no more than the host."""

    to: str
    """Where it goes."""
    state: Literal["delivered", "trying", "failed"]
    end: str
    """The end that it tells of: when its row said so. A redriven call has another one."""
    first_at: str
    """When it was first tried, ISO 8601."""
    at: str
    """When it was last tried, ISO 8601."""
    tries: int = 1
    reason: str | None = None
    """Why it was not delivered."""


class ReplyNotes(Protocol):
    """Keeps notes, by call."""

    def read(self, call_id: str) -> Mapping[str, ReplyNote]:
        """Return a call's notes, by `name_of` where they go.

        Raises:
            StoreError: If they cannot be read.
        """

    def write(self, call_id: str, name: str, note: ReplyNote) -> None:
        """Keep a note in place of the one before.

        Raises:
            StoreError: If it cannot be written.
        """


def name_of(reply_to: ReplyTo) -> str:
    """Return the name of a place: the same for the same, and no token can be read from it."""
    text = repr(reply_to.said())
    return hashlib.sha256(text.encode()).hexdigest()[:16]

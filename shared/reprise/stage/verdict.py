"""What becomes of a message after an attempt, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reprise.outcome.outcome import OutcomeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The message may be deleted."""

    kind: OutcomeKind | None = None
    """How the target answered; None if it was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """The message must come again after a wait."""

    wait_s: float
    kind: OutcomeKind | None = None
    """How the target answered; None if it was not asked."""
    retry_after_s: float = 0.0
    """The server's own word on when to come again."""


Verdict = Ended | GiveBack

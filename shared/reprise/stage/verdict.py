"""What becomes of a message after an attempt, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field

from reprise.gate.tally import Meeting


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The message may be deleted."""

    meeting: Meeting = field(default_factory=Meeting)


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """The message must come again after a wait."""

    wait_s: float
    meeting: Meeting = field(default_factory=Meeting)


Verdict = Ended | GiveBack

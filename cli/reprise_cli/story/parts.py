"""What a call's story is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reprise.ledger import Row
    from reprise.reply_note import ReplyNote

GOOD: Final = "good"
BAD: Final = "bad"
WAIT: Final = "wait"
PLAIN: Final = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryStep:
    """One thing that happened to a call."""

    at: str
    """When, ISO 8601; empty if that is not known."""
    what: str
    how: str = ""
    kind: str = PLAIN
    after: str = ""
    """Time since the capture, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A capture object in the bucket."""

    url: str
    at: datetime | None
    """When it was written; None if it is gone, or may not be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doings:
    """What operators did to a call, and why it waits, beside what its row says."""

    redrivers: Mapping[str, str] = field(default_factory=dict)
    """By when it was opened again, who redrove it, and why."""
    captured_for: str = ""
    """Why it was captured, and by whom."""
    held_by: str = ""
    """By what it waits: a pause, a policy that is not valid, its target's gate; empty if by none of these."""
    first_life: str = ""
    """Of which call it is another life, by which job, whose and why."""
    later_lives: tuple[str, ...] = ()
    """Ids of the calls that run it again, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is known of a call."""

    row: Row
    facts: dict[str, str]
    steps: tuple[StoryStep, ...]
    result: str | None
    """The late result, if it is short."""
    payload: str | None = None
    """The payload; None unless it was asked for."""
    captured_for: str = ""
    """Why it was captured, and by whom; empty if that is not known."""
    replies: tuple[ReplyNote, ...] = ()
    """How the deliveries of the late result stand, for callers that asked for one."""

    def document(self) -> dict[str, Any]:
        """Return the story as JSON values."""
        return {
            "id": self.row.id,
            "state": self.row.state.value,
            "facts": self.facts,
            "steps": [
                {
                    "at": step.at,
                    "after": step.after,
                    "what": step.what,
                    "how": step.how,
                    "kind": step.kind,
                }
                for step in self.steps
            ],
            "result": self.result,
            "payload": self.payload,
            "replies": msgspec.to_builtins(self.replies),
        }

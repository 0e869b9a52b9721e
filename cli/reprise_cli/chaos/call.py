"""The calls of a chaos test, and what is known of each."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

LARGE_BYTES: Final = 240_000
"""Random bytes of a large payload: as text they fit no capture line, compressed or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to be made."""

    number: int
    """From 1."""
    is_poison: bool = False
    """The target fails on it, every time."""
    is_large: bool = False
    """Its payload travels as a claim check."""

    def payload(self, run: str, work_ms: int) -> dict[str, Any]:
        """Return what the target is sent."""
        payload: dict[str, Any] = {
            "run": run,
            "call": self.number,
            "behaviour": "poison" if self.is_poison else "ok",
            "work_ms": work_ms,
        }
        if self.is_large:
            # Seeded: the same call has the same payload. Not for secrets.
            noise = random.Random(self.number).randbytes(LARGE_BYTES)  # noqa: S311
            payload["filler"] = base64.b64encode(noise).decode("ascii")
        return payload


def plan_calls(calls: int, *, poison: int, large: int) -> list[Call]:
    """Return the calls of a test, poison and large ones spread evenly.

    Raises:
        ValueError: If more special calls are asked for than there are calls.
    """
    if not 0 <= poison <= calls or not 0 <= large <= calls:
        msg = f"of {calls} calls, {poison} cannot be poison and {large} large"
        raise ValueError(msg)
    return [
        Call(
            number=number,
            is_poison=_is_hit(number, poison, calls),
            is_large=_is_hit(number, large, calls),
        )
        for number in range(1, calls + 1)
    ]


def _is_hit(number: int, hits: int, calls: int) -> bool:
    """Tell whether a number is one of `hits`, spread evenly over 1 to `calls`."""
    return number * hits // calls != (number - 1) * hits // calls


class AnswerKind(StrEnum):
    """How the invoker answered a call."""

    DIRECT = "direct"
    """The target's own answer came back."""
    CAPTURED = "captured"
    """202: to be replayed."""
    REFUSED = "refused"
    """429 at the invoker itself: it did not run, and nothing was captured."""
    FAILED = "failed"
    """Neither; the caller knows that nothing was captured, or knows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """What the caller learnt of one call."""

    call: Call
    kind: AnswerKind
    call_id: str | None = None
    problem: str = ""
    """Why there is neither; of a refused call, Lambda's `Reason`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The target's own word for one execution."""

    call: int
    is_ok: bool
    ran_at: str = ""
    """By the target's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """What the ledger says of a captured call, as far as the proof needs it."""

    is_succeeded: bool = False
    is_dead_lettered: bool = False
    updated_at: datetime
    refusals: int = 0
    """Replays that the target refused: wasted."""
    reason: str | None = None
    """Why it was given up."""
    captured_at: str = ""
    attempts: str = "[]"
    """The row's history, as it is kept."""

    @property
    def is_ended(self) -> bool:
        """Tell whether the call has ended."""
        return self.is_succeeded or self.is_dead_lettered


def leases_of(state: CallState) -> list[dict[str, Any]]:
    """Return the attempts that the ledger remembers: when each began and ended, and how."""
    return [
        {
            "began_at": attempt.get("began_at"),
            "ended_at": attempt.get("at"),
            "outcome": attempt.get("outcome", {}).get("kind"),
        }
        for attempt in json.loads(state.attempts)
    ]


def ids_of(answers: Sequence[CallAnswer]) -> list[str]:
    """Return the ids of the captured calls."""
    return [answer.call_id for answer in answers if answer.call_id is not None]

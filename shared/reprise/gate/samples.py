"""What calls met at their target, counted for its gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from reprise.call.outcome import OutcomeKind

_WIDE_REASONS: Final = frozenset({"ConcurrentInvocationLimitExceeded", "CallerRateLimitExceeded"})
"""Throttles of the account or of the caller: they meet every target alike.

Source: Lambda API reference, TooManyRequestsException, Reason.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How one attempt ended, as far as its gate cares."""

    kind: OutcomeKind | None = None
    """How the target answered; None if it was not asked."""
    busy_ms: int = 0
    has_left: bool = False
    """Whether the call waits for no permit from now on: it has ended, or its first backoff began."""
    is_suspect: bool = False
    """Whether a replay of the call failed before: that it fails again says nothing new of the target."""
    reason: str | None = None
    """`Reason` of a throttle."""
    retry_after_s: float = 0.0

    @property
    def is_wide(self) -> bool:
        """Whether it is a throttle that every target meets."""
        return self.kind is OutcomeKind.THROTTLED and self.reason in _WIDE_REASONS


@dataclass(slots=True, kw_only=True)
class Samples:
    """What some admitted calls of one target met."""

    is_probe: bool = False
    turn: int = 0
    """The gate's turn when the calls were admitted."""
    returned: dict[int, int] = field(default_factory=dict)
    """Permits that are not needed any more, by the epoch they were taken in."""
    handed: int = 0
    """Attempts on a permit that another call had just given up: they meet its room, and learn little."""
    succeeded: int = 0
    busy_ms: int = 0
    """Time that the successes took together."""
    throttled: int = 0
    wide: int = 0
    """Throttles of the account or the caller, among the throttled."""
    executed: int = 0
    """Ran and failed: the target had room."""
    lost: int = 0
    """Transient, unknown or permanent."""
    suspects: int = 0
    """Failures of calls that failed before; not among the two above."""
    left: int = 0
    """Calls that wait for no permit any more."""
    retry_after_s: float = 0.0

    @property
    def attempts(self) -> int:
        """Calls that the target was asked to run."""
        return self.succeeded + self.throttled + self.failed + self.suspects

    @property
    def failed(self) -> int:
        """Failures that may be the target's."""
        return self.executed + self.lost

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.attempts or self.left or any(self.returned.values()) or self.is_probe)

    def count(self, meeting: Sample) -> None:
        """Add one attempt's end."""
        self.left += meeting.has_left
        self.retry_after_s = max(self.retry_after_s, meeting.retry_after_s)
        match meeting.kind:
            case None:
                pass
            case OutcomeKind.SUCCEEDED:
                self.succeeded += 1
                self.busy_ms += meeting.busy_ms
            case OutcomeKind.THROTTLED:
                self.throttled += 1
                self.wide += meeting.is_wide
            case _ if meeting.is_suspect:
                self.suspects += 1
            case OutcomeKind.FUNCTION_ERROR:
                self.executed += 1
            case _:
                self.lost += 1

    def give_back(self, epoch: int) -> None:
        """Add one permit that is not needed any more."""
        self.returned[epoch] = self.returned.get(epoch, 0) + 1

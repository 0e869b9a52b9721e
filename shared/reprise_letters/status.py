"""How a job stands, from what it kept and its run's signs of life: pure rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.instant import parse_instant
from reprise_letters.job import LetterJobState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reprise_letters.job import LetterJob, Segment
    from reprise_letters.job_store import Heartbeat

STILL_S: Final = 300.0
"""Silence after which a job stands still: a run that was killed is followed within two minutes."""
_UNENDED: Final = frozenset(
    {LetterJobState.OPEN, LetterJobState.INTERRUPTED, LetterJobState.PLANNED}
)
_RATE_OVER: Final = 10
"""Pieces that a rate is taken from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """How a job stands."""

    job: LetterJob
    segments: Sequence[Segment]
    """What is known of it; the last is enough but for its rate."""
    heartbeat: Heartbeat | None
    """Of a job of the stack: the last sign of life."""

    @property
    def last(self) -> Segment | None:
        """Return how it stood last."""
        return self.segments[-1] if self.segments else None

    @property
    def state(self) -> LetterJobState:
        """Return its state as it was kept last."""
        return self.last.state if self.last else LetterJobState.OPEN

    @property
    def meant(self) -> int:
        """Return how many letters it has; 0 while they are looked for."""
        return (self.last.meant if self.last else 0) or self.job.count

    @property
    def done(self) -> int:
        """Return how many of them came to something."""
        return sum(self.last.counts.values()) if self.last else 0

    def has_run(self, now: datetime) -> bool:
        """Tell whether a run is at it."""
        return self.heartbeat is not None and parse_instant(self.heartbeat.until) > now

    def has_ended(self, now: datetime) -> bool:
        """Tell whether nothing more happens of its own accord."""
        return self.state not in _UNENDED and not self.has_run(now)

    def words(self, now: datetime) -> str:
        """Return what people are told."""
        if self.job.selection is None or self.has_ended(now):
            return self.state.value
        if self.has_run(now):
            return "running"
        if self.state is LetterJobState.PLANNED and self.done == 0:
            return self.state.value
        since = parse_instant(self.heartbeat.until if self.heartbeat else self.job.started_at)
        is_still = (now - since).total_seconds() > STILL_S
        return "stands still" if is_still else "waiting for its next run"

    def rate_per_s(self) -> float | None:
        """Return how many letters it does a second, by what it kept last; None if that is not known."""
        some = self.segments[-_RATE_OVER:]
        if len(some) < 2:  # noqa: PLR2004 - a rate is between two
            return None
        took = parse_instant(some[-1].at) - parse_instant(some[0].at)
        did = sum(some[-1].counts.values()) - sum(some[0].counts.values())
        return did / took.total_seconds() if did > 0 and took.total_seconds() > 0 else None

    def left_s(self) -> float | None:
        """Return how long it takes from now, by its rate."""
        rate = self.rate_per_s()
        return None if rate is None or not self.meant else max(0, self.meant - self.done) / rate

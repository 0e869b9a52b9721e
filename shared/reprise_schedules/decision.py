"""What may become of a run that is due, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Run it now."""

    note: str | None = None
    """What is to be remembered of why it could start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """Its runner died: what it did is unknown, and a replay has to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Leave it out."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Look again later."""

    wait_s: float
    is_queued: bool = False
    """Whether it takes the place in the queue now."""
    is_late: bool = False
    """Whether it does so as one that was first seen long after its time."""
    is_asking: bool = False
    """Whether it waits for Batch to say which jobs are going."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End batch jobs, and look again soon."""

    job_ids: tuple[str, ...]
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """Leave it out: it is too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyDone:
    """It was dealt with already; this is a second delivery."""


Decision = Start | Recover | Skip | Wait | Stop | Expire | AlreadyDone

"""Supervise a run in the stack: its deadline, who wants it to stop, and another run of the same job."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from reprise.errors import StoreError
from reprise.instant import format_instant, parse_instant
from reprise_letters.job import JobStoppedError, LetterJobState
from reprise_letters.job_store import Cancel, Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.ports import Clock

_log = logging.getLogger(__name__)
MARGIN_S: Final = 60.0
"""A run stops so long before its function's end: what it has in hand goes back, what it did is kept."""
CANCEL_EVERY_S: Final = 5.0
HEARTBEAT_EVERY_S: Final = 10.0
HEARTBEAT_S: Final = 30.0
"""How long a run that says nothing is still at its job."""
HIDDEN_S: Final = 40.0
"""How long its message is hidden, renewed with each heartbeat: longer than the last one counts, and much
shorter than its function may run, so that a run that was killed is soon followed by another."""


class HeartbeatStore(Protocol):
    """Keeps signs of life, and words to stop."""

    def cancelled(self, job_id: str) -> Cancel | None:
        """Return who said last that a job is to stop, if anybody did."""

    def heartbeat(self, job_id: str, heartbeat: Heartbeat) -> None:
        """Say that a run is at a job."""

    def last_heartbeat(self, job_id: str) -> Heartbeat | None:
        """Return what a run said last, if one ever did."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """What starts a run: one delivery of one message."""

    run: str
    """Unique."""
    message_id: str
    remaining_ms: Callable[[], int]
    """Until the function ends."""
    hide: Callable[[float], None]
    """Hides the message from others for so many seconds, from now."""


@dataclass(slots=True, kw_only=True)
class RunSupervisor:
    """Supervises one run of one job."""

    store: HeartbeatStore
    job_id: str
    past_cancel: str | None
    delivery: Delivery
    clock: Clock
    monotonic: Callable[[], float]
    doing: str = ""
    ousted_by: Heartbeat | None = None
    """The run that has the job by now, if it is another."""
    _cancel_at_s: float = field(default=float("-inf"), init=False)
    _heartbeat_at_s: float = field(default=float("-inf"), init=False)

    def other(self) -> Heartbeat | None:
        """Return the sign of life of another run that is at the job now."""
        heartbeat = self.store.last_heartbeat(self.job_id)
        if heartbeat is None or heartbeat.run == self.delivery.run:
            return None
        return heartbeat if parse_instant(heartbeat.until) > self.clock() else None

    def say(self, doing: str) -> None:
        """Tell whoever watches what is done, with the next heartbeat."""
        self.doing = doing

    def remaining_s(self) -> float:
        """Return how long it may go on."""
        return self.delivery.remaining_ms() / 1000 - MARGIN_S

    def check(self) -> None:
        """Look whether the run may go on; cheap unless it is time to look again.

        Raises:
            JobStoppedError: If it is to stop.
            StoreError: If that cannot be known.
        """
        if self.remaining_s() <= 0:
            raise JobStoppedError(LetterJobState.OPEN)
        now_s = self.monotonic()
        if now_s - self._cancel_at_s >= CANCEL_EVERY_S:
            self._cancel_at_s = now_s
            self._obey()
        if now_s - self._heartbeat_at_s >= HEARTBEAT_EVERY_S:
            self._heartbeat_at_s = now_s
            self._heartbeat()

    def end(self) -> None:
        """Say that the run is over, so that the next one need not wait."""
        if self.ousted_by is not None:
            return
        try:
            self._write(0.0)
        except StoreError:
            # It is over by itself within a minute.
            _log.warning("end of the run could not be told", exc_info=True)

    def _obey(self) -> None:
        cancel = self.store.cancelled(self.job_id)
        if cancel is not None and cancel.at != self.past_cancel:
            why = f"{cancel.by}: {cancel.why}" if cancel.why else cancel.by
            raise JobStoppedError(LetterJobState.CANCELLED, f"cancelled by {why}")

    def _heartbeat(self) -> None:
        if (other := self.other()) is not None:
            # Both began at once, and it wrote last: it has the job.
            self.ousted_by = other
            raise JobStoppedError(LetterJobState.OPEN)
        self.delivery.hide(HIDDEN_S)
        self._write(HEARTBEAT_S)

    def _write(self, for_s: float) -> None:
        until = format_instant(self.clock() + timedelta(seconds=for_s))
        delivery = self.delivery
        heartbeat = Heartbeat(
            run=delivery.run, message_id=delivery.message_id, until=until, doing=self.doing
        )
        self.store.heartbeat(self.job_id, heartbeat)

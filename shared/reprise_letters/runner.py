"""Run jobs in the stack: each order runs its job for as long as its function may, and then orders the rest.

A run trusts no memory of an earlier one (`run.py`), so a delivery too many is harmless; it steps back where
it sees that another run is at the job, since both would be in each other's way.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from reprise.errors import StoreError
from reprise.instant import format_instant, parse_instant
from reprise.ports import OutMessage
from reprise_letters.job import (
    JobStoppedError,
    LetterJobState,
    LetterQueue,
    Segment,
    canary_size,
    left_of,
)
from reprise_letters.job_store import NoSuchJobError
from reprise_letters.letter import Selection, error_pattern
from reprise_letters.order import read_order, write_order
from reprise_letters.supervisor import RunSupervisor
from reprise_letters.survey import Surveyor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from reprise.ports import Clock, Queue
    from reprise_letters.job import LetterFilter, LetterJob, Planned
    from reprise_letters.job_store import Heartbeat, LetterJobStore
    from reprise_letters.letter import Letter
    from reprise_letters.order import Order
    from reprise_letters.ports import JobKeeper, LetterLook
    from reprise_letters.run import LetterJobRun
    from reprise_letters.supervisor import Delivery

_log = logging.getLogger(__name__)
RETRY_S: Final = 120.0
"""Wait after a run that a store interrupted, and before a message is looked at whose run goes on."""
MOST_SEEN: Final = 100_000
"""Letters that a job looks at: SQS lets 120,000 messages of a queue be in hand."""
_HELD_S: Final = 660.0
"""Longer than a large look that was killed holds letters."""
_LOOK_AGAIN_S: Final = 5.0
_GIVE_BACK_S: Final = 0.002
"""A letter's part of a request that gives ten back."""
_MOST_FAILURES: Final = 50


class Tools(Protocol):
    """Makes what a job works with."""

    def browser(self, queue: LetterQueue) -> AbstractContextManager[LetterLook]:
        """Return one look through a queue."""

    def settled(self, batch: Sequence[Letter]) -> list[Letter]:
        """End calls in the ledger whose messages SQS moved to the queue."""

    def run(
        self, job: LetterJob, *, by: str, store: JobKeeper, unverified: list[Letter]
    ) -> LetterJobRun:
        """Return what runs a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterJobRunner:
    """Runs what is ordered."""

    store: LetterJobStore
    tools: Tools
    orders: Queue
    dead_letters: Queue
    """Of orders that nobody can carry out; somebody is alarmed."""
    clock: Clock
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]

    def run(self, body: str, delivery: Delivery) -> float | None:
        """Carry out an order; return in how many seconds its message must come again, None if it has served.

        Raises:
            StoreError: If it cannot be told how the job stands: the message comes again by itself.
        """
        try:
            order = read_order(body)
        except ValueError as error:
            self._give_up(body, f"it is no order: {error}")
            return None
        supervisor = RunSupervisor(
            store=self.store,
            job_id=order.job,
            past_cancel=order.past_cancel,
            delivery=delivery,
            clock=self.clock,
            monotonic=self.monotonic,
        )
        if (other := supervisor.other()) is not None:
            return _step_back(order, other, delivery)
        state = self._run(order, supervisor)
        if supervisor.ousted_by is not None:
            return _step_back(order, supervisor.ousted_by, delivery)
        if state is LetterJobState.OPEN:
            self.orders.send([OutMessage(body=write_order(order))])
        return RETRY_S if state is LetterJobState.INTERRUPTED else None

    def _run(self, order: Order, supervisor: RunSupervisor) -> LetterJobState:
        try:
            return self._work(self.store.job(order.job), order, supervisor)
        except JobStoppedError as stop:
            return self._keep(order, stop.state, stop.why)
        except (NoSuchJobError, ValueError) as error:
            # Of others' making, and the same at every time: a filter, a document.
            return self._fail(order, str(error))
        except StoreError as error:
            _log.exception("store refuses", extra={"job": order.job})
            if "AccessDenied" in error.code:
                return self._fail(order, str(error))
            return self._keep(order, LetterJobState.INTERRUPTED, str(error))
        finally:
            supervisor.end()

    def _work(self, job: LetterJob, order: Order, supervisor: RunSupervisor) -> LetterJobState:
        supervisor.check()
        if order.rate_per_s is not None:
            job = msgspec.structs.replace(job, rate_per_s=order.rate_per_s)
        if not self.store.is_planned(job.id):
            self._plan(job, order, supervisor)
        letters = self.store.letters(job.id)
        if not order.is_agreed:
            return LetterJobState.PLANNED
        run = self.tools.run(job, by=order.by, store=self.store, unverified=[])
        for segment in self.store.segments(job.id):
            run.outcomes += segment.outcomes
            # A request each: thousands of them take longer than a heartbeat counts.
            supervisor.check()
        run.check, run.note = supervisor.check, supervisor.say
        run.held_s, run.most_failures = _HELD_S, _MOST_FAILURES
        supervisor.say(job.verb.value)
        left = left_of(letters, run.outcomes)
        size = canary_size(job.canary, len(letters))
        state = run.run(letters, has_canary=order.has_canary and size > 0 and bool(left))
        if state is LetterJobState.FAILED:
            self._give_up(write_order(order), run.why)
        return state

    def _plan(self, job: LetterJob, order: Order, supervisor: RunSupervisor) -> None:
        """Keep which letters are meant; a run that is cut short here has touched nothing."""
        seen = 0

        def count(letters: int) -> None:
            nonlocal seen
            seen += letters
            supervisor.say(f"looking through the dead-letter queue: {seen:,} letters")
            supervisor.check()

        def is_over() -> bool:
            return (
                seen >= MOST_SEEN or supervisor.remaining_s() < _LOOK_AGAIN_S + seen * _GIVE_BACK_S
            )

        until_s = self.monotonic() + _HELD_S
        with self.tools.browser(LetterQueue(job.queue)) as box:

            def has_more() -> bool:
                """Wait for what somebody holds: a look that was killed, of this very job."""
                if box.count_hidden() <= seen or self.monotonic() >= until_s or is_over():
                    return False
                self.sleep(_LOOK_AGAIN_S)
                box.renew()
                supervisor.check()
                return True

            surveyor = Surveyor(
                prepare=self.tools.settled, advance=count, is_over=is_over, has_more=has_more
            )
            selection = _selection(job.selection)
            found = surveyor.survey(box, selection, parse_instant(job.started_at))
            is_whole = not is_over()
        self.store.plan(job.id, found.letters)
        why = "" if is_whole else f"{found.seen:,} letters were looked at: there may be more"
        self._keep(order, LetterJobState.PLANNED, why, found.letters)

    def _keep(
        self,
        order: Order,
        state: LetterJobState,
        why: str,
        letters: Sequence[Planned] | None = None,
    ) -> LetterJobState:
        """Keep how a job stands that has done nothing since it last said so."""
        last = self.store.last_segment(order.job)
        meant = len(letters) if letters is not None else last.meant if last else 0
        counts = last.counts if last else {}
        at = format_instant(self.clock())
        segment = Segment(at=at, by=order.by, state=state, why=why, counts=counts, meant=meant)
        self.store.add(order.job, segment)
        return state

    def _fail(self, order: Order, why: str) -> LetterJobState:
        self._give_up(write_order(order), why)
        return self._keep(order, LetterJobState.FAILED, why)

    def _give_up(self, body: str, why: str) -> None:
        _log.error("order cannot be carried out", extra={"order": body, "why": why})
        self.dead_letters.send([OutMessage(body=body, attributes={"reason": why})])


def _selection(wanted: LetterFilter | None) -> Selection:
    """Return what a job's filter chooses.

    Raises:
        ValueError: If there is none, or its regular expression is none.
    """
    if wanted is None:
        msg = "its letters were to be named by the command that began it"
        raise ValueError(msg)
    return Selection(
        reason=wanted.reason,
        target=wanted.target,
        error=None if wanted.error is None else error_pattern(wanted.error),
        older_than_s=wanted.older_than_s,
        newer_than_s=wanted.newer_than_s,
        is_all=True,
        max_count=wanted.max_count,
    )


def _step_back(order: Order, other: Heartbeat, delivery: Delivery) -> float | None:
    """Return in how many seconds the message must come again of a run that leaves its job to another."""
    _log.info("another run is at the job", extra={"job": order.job, "run": other.run})
    # What it was started by is its own. If that is this message, too, deleting this delivery would leave the
    # job to nobody once the other run is killed.
    return RETRY_S if other.message_id == delivery.message_id else None

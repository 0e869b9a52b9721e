"""Run a job: its canary, then the rest, each letter at most once, whatever is cut short where.

A run trusts no memory of an earlier one. Which letters are meant is in the job; what was kept of outcomes
saves work; and whether a call had its turn is told by the ledger, by when it was opened. So a letter of which
nothing was kept, since the run was killed, is looked at again, and is opened at most once by one job.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Final

from reprise.errors import RepriseError
from reprise.instant import format_instant
from reprise_letters.counts import OutcomeCounts
from reprise_letters.ends import canary_end, of_missing
from reprise_letters.job import (
    JobStoppedError,
    LetterJobState,
    LetterOutcome,
    Segment,
    canaries,
    canary_size,
    last_outcomes,
    left_of,
)
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from reprise.ledger import Row
    from reprise.ports import Clock
    from reprise_letters.job import LetterJob, Planned
    from reprise_letters.letter import Letter
    from reprise_letters.pace import Pacer
    from reprise_letters.ports import CallRows, Handler, JobKeeper, LetterLook
    from reprise_letters.redrive import Letters, RedriveResult

_KEEP_EVERY: Final = 500
"""Outcomes that one object keeps."""
_KEEP_AFTER_S: Final = 10.0
"""Longest time that outcomes are in memory only."""
HELD_S: Final = 90.0
"""How long held letters are waited for: longer than a small look that was killed holds them."""
_LOOK_AGAIN_S: Final = 5.0
_WATCH_S: Final = 2.0
_DENIED: Final = "AccessDenied"
"""What AWS's codes for a missing permission begin with."""
_WENT: Final = frozenset({Action.REDRIVEN, Action.LINGERS, Action.OPENED_SINCE})


@dataclass(slots=True, kw_only=True)
class LetterJobRun:
    """One run of a job."""

    job: LetterJob
    by: str
    """Who runs it."""
    store: JobKeeper
    browse: Callable[[], AbstractContextManager[LetterLook]]
    handler: Callable[[Letters], Handler]
    prepare: Callable[[Sequence[Letter]], list[Letter]]
    """Tells the ledger of calls that SQS gave up."""
    rows: CallRows
    pacer: Pacer
    clock: Clock
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    advance: Callable[[int], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None
    check: Callable[[], None] = lambda: None
    """Is called every few seconds, and raises `JobStoppedError` to stop the run."""
    held_s: float = HELD_S
    most_failures: int | None = None
    """Letters that fail one after another, after which it stops; None: it tries each."""
    outcomes: list[LetterOutcome] = field(default_factory=list)
    """What became of letters so far, of earlier runs, too."""
    why: str = ""
    """What stopped it."""
    _meant: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)
    _kept: int = field(default=0, init=False)
    _counts: OutcomeCounts = field(default_factory=OutcomeCounts, init=False)
    _kept_at_s: float = field(default=0.0, init=False)

    def run(self, letters: Sequence[Planned], *, has_canary: bool) -> LetterJobState:
        """Do what is left of a job, and return how it ended.

        Raises:
            KeyboardInterrupt: On Ctrl-C, once what became of letters is kept.
            StoreError: If the queue, the ledger or the bucket cannot be used; likewise.
        """
        self._meant = len(letters)
        self._kept, self._kept_at_s = len(self.outcomes), self.monotonic()
        try:
            state = self._canary(letters) if has_canary else LetterJobState.DONE
            if state is LetterJobState.DONE:
                self._do(left_of(letters, self.outcomes))
        except JobStoppedError as stop:
            state, self.why = stop.state, stop.why
        except (KeyboardInterrupt, RepriseError) as error:
            self.why = "Ctrl-C" if isinstance(error, KeyboardInterrupt) else str(error)
            self._keep(LetterJobState.INTERRUPTED)
            raise
        self._keep(state)
        return state

    def counts(self) -> dict[str, int]:
        """Return how many letters came to what."""
        return self._counts.of(self.outcomes)

    # --- letters ---

    def _do(self, letters: Sequence[Planned]) -> None:
        left = {letter.message_id: letter for letter in letters}
        until_s = self.monotonic() + self.held_s
        while left and self._look_through(left):
            if self.monotonic() >= until_s:
                break
            self.note(f"{len(left)} letters are in somebody's hands: looking again")
            self._sleep(_LOOK_AGAIN_S)
        if left:
            self._miss(list(left.values()))

    def _look_through(self, left: dict[str, Planned]) -> bool:
        """Do what is meant and seen, and take it from `left`; tell whether more may be seen soon."""
        with self.browse() as box:
            handler = self.handler(box)

            def meanwhile() -> None:
                box.renew()
                self.check()

            for found in box.letters():
                self.check()
                meant = self.prepare([one for one in found if one.message_id in left])
                for some in batched(meant, self.pacer.at_once):
                    self.pacer.wait(len(some), meanwhile)
                    self._take(handler.run(some))
                    for letter in some:
                        del left[letter.message_id]
                if not left:
                    return False
        # By now what we had in hand is given back.
        return box.count_hidden() > 0

    def _take(self, results: Sequence[RedriveResult]) -> None:
        at = format_instant(self.clock())
        self.outcomes += [
            LetterOutcome(
                id=result.letter.id,
                message_id=result.letter.message_id,
                action=result.action,
                why=result.why,
                at=at,
            )
            for result in results
        ]
        self.advance(len(results))
        waited_s = self.monotonic() - self._kept_at_s
        if len(self.outcomes) - self._kept >= _KEEP_EVERY or waited_s >= _KEEP_AFTER_S:
            self._keep(LetterJobState.OPEN)
        for result in results:
            self._failures = self._failures + 1 if result.action is Action.FAILED else 0
        if self.most_failures is not None and self._failures >= self.most_failures:
            # Nothing succeeds: all that is left would fail alike.
            why = self.outcomes[-1].why
            state = LetterJobState.FAILED if _DENIED in why else LetterJobState.INTERRUPTED
            raise JobStoppedError(state, f"{self._failures} letters in a row failed: {why}")

    def _sleep(self, seconds: float) -> None:
        self.sleep(seconds)
        self.check()

    def _miss(self, letters: Sequence[Planned]) -> None:
        """Say of letters that are gone what the ledger says: a run that was killed may have had them."""
        rows = self._rows([letter.id for letter in letters])
        at = format_instant(self.clock())
        for letter in letters:
            action, why = of_missing(rows.get(letter.id), self.job)
            self.outcomes.append(
                LetterOutcome(
                    id=letter.id, message_id=letter.message_id, action=action, why=why, at=at
                )
            )

    def _rows(self, ids: Sequence[str]) -> dict[str, Row]:
        return self.rows.get_all(ids) if self.job.queue == "calls" else {}

    def _keep(self, state: LetterJobState) -> None:
        new = self.outcomes[self._kept :]
        if not new and state is LetterJobState.OPEN:
            return
        segment = Segment(
            at=format_instant(self.clock()),
            by=self.by,
            state=state,
            why=self.why,
            counts=self.counts(),
            meant=self._meant,
            outcomes=tuple(new),
        )
        self.store.add(self.job.id, segment)
        self._kept, self._kept_at_s = self._kept + len(new), self.monotonic()

    # --- canary ---

    def _canary(self, letters: Sequence[Planned]) -> LetterJobState:
        """Let some go, and watch them; DONE if the rest may go."""
        some = canaries(letters, canary_size(self.job.canary, len(letters)))
        self._do(left_of(some, self.outcomes))
        self._keep(LetterJobState.OPEN)
        last = last_outcomes(self.outcomes)
        mine = [last[one.message_id] for one in some if one.message_id in last]
        went = sorted({one.id for one in mine if one.action in _WENT})
        stuck = [one for one in mine if one.action is Action.FAILED]
        if stuck or not went:
            one = (stuck or mine)[0] if stuck or mine else None
            self.why = (
                f"the canary did not go: {one.id}: {one.why}" if one else "no canary was seen"
            )
            is_ended = not stuck and any(one.action is Action.ENDED for one in mine)
            return LetterJobState.DONE if is_ended else LetterJobState.CANARY_FAILED
        self.note(f"canary: {len(went)} went; the rest goes once they have succeeded")
        return self._watch(went)

    def _watch(self, ids: Sequence[str]) -> LetterJobState:
        until_s = self.monotonic() + self.job.canary_wait_s
        while True:
            rows = self._rows(ids)
            state, self.why = canary_end(rows, ids, is_over=self.monotonic() >= until_s)
            if state is not None:
                return state
            self._sleep(_WATCH_S)

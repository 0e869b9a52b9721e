"""Run a replay of a window: object by object, each call at most once, whatever is cut short where."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Final

from reprise.capturing.record import Record
from reprise.errors import RepriseError
from reprise.instant import format_instant
from reprise_cli.replay.carry_out import WindowResult
from reprise_cli.replay.window import Step
from reprise_letters.counts import OutcomeCounts
from reprise_letters.job import LetterJobState, LetterOutcome, Segment, left_of
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reprise.ports import Clock
    from reprise_cli.replay.carry_out import WindowReplayer
    from reprise_cli.replay.objects import CaptureObjects
    from reprise_cli.replay.window import Window
    from reprise_letters.job import LetterJob, Planned
    from reprise_letters.pace import Pacer
    from reprise_letters.ports import JobKeeper

_KEEP_EVERY: Final = 500
"""Outcomes that one object keeps."""


@dataclass(slots=True, kw_only=True)
class WindowRun:
    """One run of a job."""

    job: LetterJob
    by: str
    """Who runs it."""
    store: JobKeeper
    source: CaptureObjects
    replayer: WindowReplayer
    pacer: Pacer
    clock: Clock
    advance: Callable[[int], None] = lambda _: None
    outcomes: list[LetterOutcome] = field(default_factory=list)
    """What became of calls so far, in earlier runs, too."""
    why: str = ""
    """What stopped it."""
    _kept: int = field(default=0, init=False)
    _counts: OutcomeCounts = field(default_factory=OutcomeCounts, init=False)

    def run(self, planned: Sequence[Planned], window: Window) -> LetterJobState:
        """Do what is left of a job, and return how it ended.

        Raises:
            KeyboardInterrupt: On Ctrl-C, once what became of calls is kept.
            StoreError: If an object, a queue or the ledger cannot be used; likewise.
        """
        self._kept = len(self.outcomes)
        left = {call.id: Step(call.reason) for call in left_of(planned, self.outcomes)}
        try:
            for key in self.source.keys(window) if left else ():
                self._replay(key, window, left)
                if not left:
                    break
            why = "its line is not there any more"
            self._take(
                [WindowResult(id=call_id, action=Action.MISSED, why=why) for call_id in left]
            )
        except (KeyboardInterrupt, RepriseError) as error:
            self.why = "Ctrl-C" if isinstance(error, KeyboardInterrupt) else str(error)
            self._keep(LetterJobState.INTERRUPTED)
            raise
        self._keep(LetterJobState.DONE)
        return LetterJobState.DONE

    def counts(self) -> dict[str, int]:
        """Return how many calls came to what."""
        return self._counts.of(self.outcomes)

    def _replay(self, key: str, window: Window, left: dict[str, Step]) -> None:
        records = (
            record
            for record in self.source.records(key, window)
            if isinstance(record, Record) and record.id in left
        )
        for some in batched(records, self.pacer.at_once):
            self.pacer.wait(len(some), lambda: None)
            calls = [(record, left.pop(record.id)) for record in some]
            self._take(self.replayer.run(key, calls))

    def _take(self, done: Sequence[WindowResult]) -> None:
        at = format_instant(self.clock())
        self.outcomes += [
            LetterOutcome(id=one.id, message_id=one.id, action=one.action, why=one.why, at=at)
            for one in done
        ]
        self.advance(len(done))
        if len(self.outcomes) - self._kept >= _KEEP_EVERY:
            self._keep(LetterJobState.OPEN)

    def _keep(self, state: LetterJobState) -> None:
        new = self.outcomes[self._kept :]
        segment = Segment(
            at=format_instant(self.clock()),
            by=self.by,
            state=state,
            why=self.why,
            counts=self.counts(),
            outcomes=tuple(new),
        )
        self.store.add(self.job.id, segment)
        self._kept += len(new)

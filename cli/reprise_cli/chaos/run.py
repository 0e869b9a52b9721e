"""Run a chaos test: hold, call, let go, watch, prove."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reprise.errors import StoreError
from reprise_cli.chaos.books import BATCH
from reprise_cli.chaos.call import AnswerKind, Call, CallAnswer, CallState, ids_of
from reprise_cli.chaos.history import History
from reprise_cli.chaos.live import LiveCall, LiveEvidence, LiveReport, during, tally
from reprise_cli.chaos.proof import Evidence, Proof, prove
from reprise_cli.chaos.timeline import LedgerSample
from reprise_cli.interrupt import interruptible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reprise.ports import Clock
    from reprise_cli.chaos.load import Load
    from reprise_cli.chaos.nemesis_runner import NemesisRunner
    from reprise_cli.chaos.ports import DeadLetterQueue, Holds, Ledgers, Queues, Traffic
    from reprise_cli.chaos.resubmit import Resubmitter
    from reprise_cli.chaos.view import ChaosView

_SAMPLE_S: Final = 0.25
WARM_UP: Final = timedelta(seconds=5)
"""Live calls of that first time do not count: cold starts hold their room for longer than calls do."""
_LOOK_S: Final = 0.5
"""Length of a look at the ledger, and shortest rest after it."""
_REST_SHARE: Final = 4
"""A rest is at least so many times as long as the look: on one machine, watching slows the watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosPlan:
    """What a test does."""

    run: str
    """Its name; the receipts' key."""
    calls: Sequence[Call]
    hold_s: float
    """The target is held at least that long, and until every call has been made."""
    timeout_s: float
    """How long the calls may take to end, from the moment that the target is let go."""
    control_s: float = 0.0
    """How long live traffic flows before the hold, to see how it fares without replay."""
    may_refuse: bool = False
    """Whether the invoker itself may be refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosTest:
    """One test and what it works with."""

    plan: ChaosPlan
    holder: Holds
    load: Load
    books: Ledgers
    letters: DeadLetterQueue
    queues: Queues
    view: ChaosView
    clock: Clock
    live: Traffic | None = None
    again: Resubmitter | None = None
    """Repeats calls with the keys of captured ones."""
    history: History = field(default_factory=History)
    nemeses: NemesisRunner | None = None
    """What is done to the system from the first call on, and for as long again as the hold after it."""

    def run(self) -> Proof:
        """Run the test and return its proof; the target is let go in any case."""
        began_s = time.monotonic()
        with interruptible(), self.view, self.history:
            self.history.begin(self.plan.run, len(self.plan.calls), self.plan.timeout_s)
            with self.holder.bounded(), self.nemeses or nullcontext():
                began_at = self.clock()
                control = self._control()
                restored_at = self._hold_and_call(began_s)
                answers = self.load.answers
                with self._live_traffic() as live_calls, self._repeating(answers):
                    standings = self._watch(ids_of(answers), began_s)
            ids = frozenset(ids_of(answers))
            if all(_is_ended(standings.get(call_id)) for call_id in ids):
                if self.again is not None:
                    self.again.after(answers)
                standings = self._read_when_quiet(ids)
            self.view.say("reading receipts and dead letters")
            receipts = self.books.receipts(self.plan.run)
            letters = self.letters.seen(ids)
            self.history.finished(standings, receipts, letters)
            evidence = Evidence(
                calls=len(self.plan.calls),
                answers=answers,
                standings=standings,
                receipts=receipts,
                letters=letters,
                restored_at=restored_at,
                live=self._live_evidence([*control, *live_calls]),
                may_refuse=self.plan.may_refuse,
                has_nemeses=self.nemeses is not None,
                repeats=None if self.again is None else self.again.repeats,
            )
        proof = prove(evidence)
        if self.live is None:
            return proof
        # After the last success only calls wait that fail by themselves, and they need no room.
        ends = [standing.updated_at for standing in standings.values() if standing.is_succeeded]
        without_replay = during(control, began_at + WARM_UP, restored_at)
        with_replay = during(live_calls, restored_at, max(ends, default=restored_at))
        report = LiveReport(without_replay=tally(without_replay), with_replay=tally(with_replay))
        return replace(proof, live=report)

    def _read_when_quiet(self, call_ids: frozenset[str]) -> dict[str, CallState]:
        """Read the ledger once no copy of a call can run: what a late one did is in the books then."""
        self.view.say("waiting until nothing is left that could run")
        if not self.queues.wait():
            self.view.say("the queues serve others, too: every copy has had its time")
        return self.books.standings(sorted(call_ids))

    def _live_evidence(self, calls: Sequence[LiveCall]) -> LiveEvidence | None:
        if self.live is None:
            return None
        return LiveEvidence(calls=calls, receipts=self.books.receipts(self.live.run))

    def _live_traffic(self) -> AbstractContextManager[list[LiveCall]]:
        return nullcontext([]) if self.live is None else self.live.flowing()

    def _repeating(self, answers: Sequence[CallAnswer]) -> AbstractContextManager[None]:
        return nullcontext() if self.again is None else self.again.during(answers)

    def _control(self) -> list[LiveCall]:
        """Let live traffic flow by itself for a while."""
        if self.live is None:
            return []
        self.view.say("live traffic alone: how it fares without replay")
        with self.live.flowing() as calls:
            time.sleep(self.plan.control_s)
        return calls

    def _hold_and_call(self, began_s: float) -> datetime:
        """Make all calls while the target is held; return when it was let go."""
        before, held, _ = self.holder.phases
        self.view.say(before)
        try:
            with self.holder.held():
                self.view.say(held)
                if self.nemeses is not None:
                    self.nemeses.start()
                self.load.start(self.plan.calls)
                until_s = time.monotonic() + self.plan.hold_s
                while not self.load.is_done or time.monotonic() < until_s:
                    self._tell(self.load.answers, {}, began_s)
                    time.sleep(_SAMPLE_S)
                self._tell(self.load.answers, {}, began_s)
                # Before the restore rather than after it: times are never flattered.
                return self.clock()
        finally:
            self.load.stop()
            if self.nemeses is not None:
                self.nemeses.stop_after(self.plan.hold_s)
            else:
                self.history.healed()

    def _watch(self, call_ids: Sequence[str], began_s: float) -> dict[str, CallState]:
        """Look at the ledger until every call has ended, or time is up."""
        self.view.say(self.holder.phases[2])
        standings: dict[str, CallState] = {}
        open_ids = list(dict.fromkeys(call_ids))
        answers = self.load.answers
        nemeses_s = self.plan.hold_s if self.nemeses is not None else 0.0
        deadline_s = time.monotonic() + nemeses_s + self.plan.timeout_s
        while open_ids and time.monotonic() < deadline_s:
            look_s = time.monotonic()
            seen, unseen = self._look(open_ids, standings)
            look_s = time.monotonic() - look_s
            still_open = [name for name in seen if not _is_ended(standings.get(name))]
            # What was not reached comes first next time.
            open_ids = [*unseen, *still_open]
            self._tell(answers, standings, began_s)
            if open_ids:
                time.sleep(max(_LOOK_S, _REST_SHARE * look_s))
        return standings

    def _look(
        self, call_ids: Sequence[str], standings: dict[str, CallState]
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Read as many rows as half a second allows; return the ids seen, and those not reached."""
        until_s = time.monotonic() + _LOOK_S
        reached = 0
        while reached < len(call_ids) and (not reached or time.monotonic() < until_s):
            try:
                found = self.books.standings(call_ids[reached : reached + BATCH])
            except StoreError:
                # A ledger that cannot be read for a moment ends no test: it is read again at the end.
                break
            self.history.looked(found)
            standings |= found
            reached += BATCH
        return call_ids[:reached], call_ids[reached:]

    def _tell(
        self, answers: Sequence[CallAnswer], standings: dict[str, CallState], began_s: float
    ) -> None:
        self.view.tell(
            LedgerSample(
                at_s=time.monotonic() - began_s,
                captured=sum(answer.kind is AnswerKind.CAPTURED for answer in answers),
                replayed=sum(standing.is_succeeded for standing in standings.values()),
                dead=sum(standing.is_dead_lettered for standing in standings.values()),
            )
        )


def _is_ended(standing: CallState | None) -> bool:
    return standing is not None and standing.is_ended

"""What happened in a run, as far as the promise asks for it, and what must never happen at all."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reprise.ledger import TERMINAL, TRANSITIONS, State
from reprise.retry.decision import Reason
from simulation.scheduler import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.call.reply_to import ReplyTo
    from simulation.scenario import Planned

LEASE_MARGIN_S: Final = 1.0
"""How far two clocks may be apart, and no lease is taken from who has time left (`Replayer`)."""
STEPS: Final = frozenset((source, target) for (source, _), target in TRANSITIONS.items())


@dataclass(slots=True, eq=False)
class Batch(Process):
    """A process that works on one batch of messages."""

    began_at_s: float = 0.0
    deadline_s: float = 0.0
    """When it ought to end; its platform may be late."""
    holds: dict[str, str] = field(default_factory=dict)
    """By the ids of calls, the owners under which it holds them."""
    is_enabled: dict[str, bool] = field(default_factory=dict)
    """By function, what the policy said when it was asked."""
    is_live: bool = False
    """Whether it is the invoker, at work for a caller."""
    clock_s: float = 0.0
    """How far its clock is ahead of the others'."""
    met_gate_fault: bool = False
    finished_at_s: float = math.inf
    """When it returned; a crash is no return."""
    was_slow: bool = False
    """Whether it may overrun its time: one of its stores was slow, or it stood still."""
    unknown: set[str] = field(default_factory=set)
    """Ids of calls of which it reads that they may have run."""
    asked: set[str] = field(default_factory=set)
    """Ids whose leases it asked for together: it takes them up whatever time is left."""
    entered: set[str] = field(default_factory=set)
    """Those of them whose call was there already when it entered them."""
    suppressed: set[str] = field(default_factory=set)
    """Ids whose rows it found succeeded when it entered them."""


@dataclass(slots=True)
class Execution:
    """One run of the target's code."""

    number: int
    began_at_s: float
    ends_at_s: float
    is_ok: bool
    batch: Batch
    is_answered: bool = True
    """Whether the answer is on its way to somebody who tells of it: the replayer, or a live caller."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a row says about who holds its call, and how that ended."""

    state: str
    owner: str | None
    reason: str | None
    """Why the call was given up."""


@dataclass(slots=True)
class History:
    """What happened."""

    now_s: Callable[[], float]
    taken_over: Callable[[Batch], None] = lambda _: None
    """Told whose lease ran out and was taken over."""
    ids: dict[int, str] = field(default_factory=dict)
    """Ids of the calls, by number."""
    plans: dict[str, Planned] = field(default_factory=dict)
    captures: list[tuple[str, float, str]] = field(default_factory=list)
    """Id, instant, and how the caller's own try ended."""
    asked: set[tuple[str, ReplyTo]] = field(default_factory=set)
    """Calls, and where a capture of each wants its late result."""
    skipped: set[str] = field(default_factory=set)
    """Ids of calls of which the log service lost a line: nobody owes them an end."""
    executions: dict[str, list[Execution]] = field(default_factory=lambda: defaultdict(list))
    owners: dict[str, Batch] = field(default_factory=dict)
    """Who leased under which name."""
    excuses: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By call, the faults after which nobody can know how its attempt ended."""
    redrives: Counter[str] = field(default_factory=Counter)
    redriven_at_s: dict[str, float] = field(default_factory=dict)
    """When a call was last redriven."""
    repeats: Counter[str] = field(default_factory=Counter)
    """Live calls by the key of a captured one."""
    unprotected: Counter[str] = field(default_factory=Counter)
    """Those that ran without knowing of the captured call, its gate was away, or it had ended long ago; and
    those that ran beside another after it had been given up."""
    ran_over_end: set[str] = field(default_factory=set)
    """Ids of calls that ran live after they had been given up, as their callers asked."""
    maybe_cancelled: set[str] = field(default_factory=set)
    """Ids of calls that an operator cancelled, or tried to cancel."""
    restored: set[str] = field(default_factory=set)
    ended_at_s: dict[str, float] = field(default_factory=dict)
    """When a call's row last came to an end."""
    unknown: set[str] = field(default_factory=set)
    """Ids of calls that were given up because they may have run."""
    unknown_in: dict[str, set[str]] = field(default_factory=dict)
    """By capture object, the ids of those in it that may have run."""
    unknown_entered_at_s: dict[str, float] = field(default_factory=dict)
    """When the unpacker had dealt with a second line of a call, whose own outcome was unknown."""
    is_gate_told_twice: bool = False
    """Whether a gate may count a permit twice, which it does till its next epoch."""
    is_gate_told_otherwise: bool = False
    """Whether a gate was written by a clock that is off, and may hold what is not so."""
    clock_step_s: float = 0.0
    """How far a process's clock ever jumped."""
    violations: list[tuple[str, str]] = field(default_factory=list)

    def report(self, kind: str, what: str) -> None:
        self.violations.append((kind, f"{what} (at {self.now_s():.3f} s)"))

    def excuse(self, call_id: str, fault: str) -> None:
        self.excuses[call_id][fault] += 1

    def see(
        self, call_id: str, before: Held | None, after: Held | None, batch: Process, now_s: float
    ) -> None:
        """Check one change of a row."""
        if before == after or after is None:
            return
        if before is None:
            is_claim = after.state == State.LEASED and getattr(batch, "is_live", False)
            if after.state != State.CAPTURED and not is_claim:
                self.report("row", f"{call_id} began as {after.state}")
            return
        is_live = getattr(batch, "is_live", False)
        self._check_step(call_id, before, after, now_s, is_live=is_live)
        if before.state == State.LEASED:
            self._check_lease(call_id, before, after, batch, now_s)

    def _check_step(
        self, call_id: str, before: Held, after: Held, now_s: float, *, is_live: bool
    ) -> None:
        if before.state == after.state:
            return
        if (before.state, after.state) not in STEPS:
            self.report("row", f"{call_id} went from {before.state} to {after.state}")
        if after.state in TERMINAL and not is_live:
            self.ended_at_s[call_id] = now_s
        if after.reason == Reason.UNKNOWN:
            self.unknown.add(call_id)

    def _check_lease(
        self, call_id: str, before: Held, after: Held, batch: Process, now_s: float
    ) -> None:
        """A call is nobody else's while its owner works on it, and has time to."""
        owner = self.owners.get(before.owner or "")
        if owner is None:
            return
        if owner is batch:
            over_s = owner.deadline_s + LEASE_MARGIN_S - owner.clock_s
            if after.owner != before.owner and now_s > over_s:
                # Another delivery of the call in that process has taken it: by its clock the lease is over.
                self.excuse(call_id, "clock" if owner.clock_s > LEASE_MARGIN_S else "lease ran out")
            return
        if owner.is_dead or (now_s > owner.deadline_s < owner.finished_at_s):
            self.excuse(call_id, "lease ran out")
            self.taken_over(owner)
        elif getattr(batch, "clock_s", 0.0) - min(owner.clock_s, 0.0) > LEASE_MARGIN_S:
            # By the clock of who takes it, it has run out: the call may have run, and is told of as such.
            self.excuse(call_id, "clock")
            self.taken_over(owner)
        elif owner.holds.get(call_id) == before.owner:
            what = f"{call_id} was taken from {before.owner}, which works on it, by {batch.name}"
            self.report("lease", what)

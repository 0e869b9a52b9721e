"""Keep the gates: read, apply the rule, write on condition, and again if somebody was faster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.gate.rule import admit, settle
from reprise.gate.state import Admission, Tally
from reprise.outcome.outcome import OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise.ports import Clock, GateStore
    from reprise.stage.verdict import Verdict

_TRIES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class GateKeeper:
    """Asks and tells the gates of all targets."""

    store: GateStore
    clock: Clock
    probe_lease_s: int
    """How long a probe can take at most."""

    def admit(self, function: str, *, wanted: int, owner: str) -> Admission:
        """Return how many calls of a target may go now; one of many askers gets the probe.

        Raises:
            StoreError: If the gate cannot be read or written: nothing may go.
        """
        state = self.store.read(function)
        for _ in range(_TRIES):
            step = admit(
                state,
                wanted=wanted,
                owner=owner,
                now_ms=self._now_ms(),
                probe_lease_ms=self.probe_lease_s * 1000,
            )
            if step.state is None:
                return step.admission
            other = self.store.write(function, step.state)
            if other is None:
                return step.admission
            state = other
        return Admission(permits=0, wait_s=1.0, spread_s=1.0)

    def settle(self, function: str, tally: Tally, *, owner: str) -> None:
        """Tell a target's gate how a batch ended.

        Raises:
            StoreError: If it cannot be told; a probe's lease then runs out.
        """
        state = self.store.read(function)
        for _ in range(_TRIES):
            after = settle(state, tally, owner=owner, now_ms=self._now_ms())
            if after == state:
                return
            other = self.store.write(function, after)
            if other is None:
                return
            state = other

    def _now_ms(self) -> int:
        return int(self.clock().timestamp() * 1000)


def tally_of(verdicts: Iterable[Verdict]) -> Tally:
    """Count how a batch's attempts ended, as far as the target was asked."""
    kinds: Counter[OutcomeKind] = Counter()
    retry_after_s = 0.0
    for verdict in verdicts:
        if verdict.kind is not None:
            kinds[verdict.kind] += 1
        retry_after_s = max(retry_after_s, getattr(verdict, "retry_after_s", 0.0))
    return Tally(
        succeeded=kinds[OutcomeKind.SUCCEEDED],
        throttled=kinds[OutcomeKind.THROTTLED],
        executed=kinds[OutcomeKind.FUNCTION_ERROR],
        lost=kinds[OutcomeKind.TRANSIENT]
        + kinds[OutcomeKind.UNKNOWN]
        + kinds[OutcomeKind.PERMANENT],
        retry_after_s=retry_after_s,
    )

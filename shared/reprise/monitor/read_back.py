"""How far the capture log groups have been read back, and what is due next: pure rules.

What is read is remembered page by page: a run ends when its time does, and the next one goes on. A stretch of
half an hour is read when every line of it has had the longest time that the path takes where nothing is
wrong, and begins a while before the last one ended, for lines that came late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from reprise import metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise.ports import Clock

EVERY_S: Final = 1800
"""Length of what is read at a time: a stretch. With the age of what is due, and ten minutes between two runs,
it is less than the hour and a half for which a key is known (`reprise.capturing.open_calls`)."""
OVERLAP_S: Final = 300
"""By how much it begins before the end of what was read last: for lines that the group had late."""
DUE_S: Final = 2700
"""Age from which a line is missed: 15 minutes where Firehose buffers longest, and half an hour besides."""
LATE_S: Final = DUE_S + 3 * EVERY_S
"""Age of what was read last from which reading is late (infra/alarms.yaml)."""


class ReadBack(msgspec.Struct, frozen=True, kw_only=True):
    """How far the log groups have been read back."""

    done_ms: int = 0
    """Lines from before are accounted for, in milliseconds since the epoch; 0 if nothing was read yet."""
    until_ms: int = 0
    """End of what is being read; 0 between two stretches."""
    group: str = ""
    """The log group that is being read."""
    token: str = ""
    """Its next page; empty for the first."""


class ReadBackStates(Protocol):
    """Keeps how far it has come."""

    def load(self) -> ReadBack:
        """Return it; a new one at first."""

    def save(self, memory: ReadBack) -> None:
        """Keep it."""


def begun(state: ReadBack, due_ms: int) -> ReadBack:
    """Return where reading begins: a stretch before what is due, if nothing was read yet."""
    first_ms = due_ms - EVERY_S * 1000
    return state if state.done_ms else msgspec.structs.replace(state, done_ms=first_ms)


def next_page(state: ReadBack, groups: Sequence[str], due_ms: int) -> ReadBack | None:
    """Return what is to be read next; None if no stretch is due.

    Args:
        state: How far it has come.
        groups: The log groups that capture lines come from, by now.
        due_ms: Lines from before are missed.
    """
    if state.until_ms and state.group in groups:
        return state
    until_ms = state.until_ms or state.done_ms + EVERY_S * 1000
    if until_ms > due_ms:
        return None
    return ReadBack(done_ms=state.done_ms, until_ms=until_ms, group=groups[0])


def after_page(state: ReadBack, groups: Sequence[str], token: str) -> ReadBack:
    """Return how far it has come with a page: on to the next one, the next group, or through."""
    if token:
        return msgspec.structs.replace(state, token=token)
    others = groups[groups.index(state.group) + 1 :]
    if others:
        return msgspec.structs.replace(state, group=others[0], token="")
    return ReadBack(done_ms=state.until_ms)


def read_at_ms(state: ReadBack, captured_ms: int) -> int | None:
    """Return from when on a line is looked for; None if it has been, or nothing was read yet."""
    if not state.done_ms or captured_ms < state.done_ms:
        return None
    stretches = (captured_ms - state.done_ms) // (EVERY_S * 1000) + 1
    return state.done_ms + (stretches * EVERY_S + DUE_S) * 1000


class Gauges(Protocol):
    """Measures what is at an instant."""

    def gauge(self, name: str, value: float) -> None:
        """Keep the value of a metric of `reprise.metric`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBackGauge:
    """Tells how old the end is of what was read back: of a reconciler that fails, or does not run, too."""

    states: ReadBackStates
    clock: Clock
    meter: Gauges

    def check(self) -> None:
        """Measure it; where nothing was read yet, reading is due from now on.

        Raises:
            StoreError: If it cannot be known.
        """
        now_s = self.clock().timestamp()
        state = self.states.load()
        if not state.done_ms:
            state = begun(state, int((now_s - DUE_S) * 1000))
            self.states.save(state)
        self.meter.gauge(metric.READ_BACK_AGE, now_s - state.done_ms / 1000)

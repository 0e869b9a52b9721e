"""Run the calls of one target one after the other, a lane for each permit, and know which of them wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from reprise import metric
from reprise.outcome.outcome import OutcomeKind
from reprise.stage.verdict import GiveBack

if TYPE_CHECKING:
    from collections import deque

    from reprise.gate.visit import Permit, Visit
    from reprise.ports import Draw, Meter
    from reprise.stage.delivery import Delivery, Entry
    from reprise.stage.message import ReplayMessage
    from reprise.stage.verdict import Verdict


class Attempt(Protocol):
    """Makes one attempt of a call; never raises."""

    def __call__(self, delivery: Delivery, message: ReplayMessage, /) -> Verdict:
        """Return how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Runs calls of one target one after the other, as long as its gate hands the permit on."""

    attempt: Attempt
    visit: Visit
    room: deque[Entry]
    """Calls that wait for a permit of the batch's own; shared by the lanes of a target."""
    draw: Draw
    meter: Meter

    def run(self, permit: Permit, first: Entry) -> dict[str, float]:
        """Run a call and those that get its permit; return the waits of what must come again."""
        waits_s: dict[str, float] = {}
        call: Entry | None = first
        held: Permit | None = permit
        while call is not None and held is not None:
            delivery, message = call
            verdict = self.attempt(delivery, message)
            call = self._next()
            before = self.visit.store_faults
            held = self.visit.leave(held, verdict.meeting, is_wanted=call is not None)
            self.meter.count(metric.STORE_FAULTS, self.visit.store_faults - before)
            if isinstance(verdict, GiveBack):
                waits_s[delivery.receipt_handle] = self._wait_s(verdict)
        # The permit is gone: what waited for it goes back, and with it what no lane will come for.
        wait_s = self.visit.wait_s(self.draw())
        while call is not None:
            waits_s[call[0].receipt_handle] = wait_s
            call = self._next() if self.visit.is_over() else None
        return waits_s

    def leave_room(self) -> dict[str, float]:
        """Return the waits of the calls that wait for a permit, once their time for that is over."""
        waits_s: dict[str, float] = {}
        if not self.room or self.visit.is_room_open():
            return waits_s
        wait_s = self.visit.wait_s(self.draw())
        while (call := self._next()) is not None:
            waits_s[call[0].receipt_handle] = wait_s
        return waits_s

    def _next(self) -> Entry | None:
        try:
            return self.room.popleft()
        except IndexError:
            return None

    def _wait_s(self, verdict: GiveBack) -> float:
        if verdict.meeting.kind is not OutcomeKind.THROTTLED:
            return verdict.wait_s
        return max(verdict.wait_s, self.visit.wait_s(self.draw()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What of a batch does not run now."""

    waits_s: dict[str, float] = field(default_factory=dict)
    """Seconds until a message comes again, by its receipt handle."""
    rooms: list[Lane] = field(default_factory=list)
    """One lane of each target that has calls waiting for a permit of the batch's own."""

    def leave_rooms(self) -> dict[str, float]:
        """Return the waits of calls that have waited for a permit long enough."""
        waits_s: dict[str, float] = {}
        for lane in self.rooms:
            waits_s |= lane.leave_room()
        return waits_s

"""Run the calls of one target one after the other, a lane for each permit, and give back those that wait."""

from __future__ import annotations

import logging
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from reprise import metric
from reprise.call.outcome import OutcomeKind
from reprise.errors import StoreError
from reprise.replay.message import Nack, is_spent, renewed

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Mapping, Sequence

    from reprise.gate.session import GateSession, Permit
    from reprise.ports import Draw, Meter, Queue
    from reprise.replay.message import Delivery, Disposition, Entry, Group, ReplayMessage

_log = logging.getLogger(__name__)
_NO_GROUPS: Final[Mapping[str, Group]] = MappingProxyType({})


class Returns:
    """What of one batch goes back, by receipt handle."""

    __slots__ = ("_deliveries", "_given", "_groups", "_now_ms", "_queue")

    def __init__(
        self,
        queue: Queue,
        deliveries: Sequence[Delivery],
        groups: Mapping[str, Group] = _NO_GROUPS,
        *,
        now_ms: int,
    ) -> None:
        """Begin with nothing given back.

        Args:
            queue: Where the batch came from.
            deliveries: The batch.
            groups: Those of it that wait for a target, by its ARN: SQS serves targets fairly.
            now_ms: When the batch began.
        """
        self._queue = queue
        self._deliveries = {delivery.receipt_handle: delivery for delivery in deliveries}
        self._groups = {
            delivery.receipt_handle: function.rpartition(":")[2]
            for function, group in groups.items()
            for delivery, _ in group
        }
        self._now_ms = now_ms
        self._given: set[str] = set()

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        """Let messages come again after their waits; those that are spent are sent afresh, and have served.

        A spent one that cannot be sent goes back as it is: it has as many deliveries left as it had before.
        """
        kept = dict(waits_s)
        for handle, wait_s in waits_s.items():
            delivery = self._deliveries[handle]
            if not is_spent(delivery, self._now_ms):
                continue
            try:
                self._queue.send([renewed(delivery, self._groups.get(handle), wait_s)])
            except StoreError:
                _log.exception(
                    "could not be sent afresh", extra={"message_id": delivery.message_id}
                )
            else:
                del kept[handle]
        if kept:
            self._queue.give_back(kept)
        self._given |= kept.keys()

    def again(self) -> list[str]:
        """Return the ids of the messages that SQS must keep, each once, in the order of the batch."""
        kept = [d.message_id for handle, d in self._deliveries.items() if handle in self._given]
        return list(dict.fromkeys(kept))


class RunOne(Protocol):
    """Makes one attempt of a call; never raises."""

    def __call__(self, delivery: Delivery, message: ReplayMessage, /) -> Disposition:
        """Return how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitWorker:
    """Runs calls of one target one after the other, as long as its gate hands the permit on."""

    attempt: RunOne
    visit: GateSession
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
            held = self.visit.leave(held, verdict.sample, is_wanted=call is not None)
            self.meter.count(metric.STORE_FAULTS, self.visit.store_faults - before)
            if isinstance(verdict, Nack):
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

    def _wait_s(self, verdict: Nack) -> float:
        if verdict.sample.kind is not OutcomeKind.THROTTLED:
            return verdict.wait_s
        return max(verdict.wait_s, self.visit.wait_s(self.draw()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What of a batch does not run now."""

    waits_s: dict[str, float] = field(default_factory=dict)
    """Seconds until a message comes again, by its receipt handle."""
    rooms: list[PermitWorker] = field(default_factory=list)
    """One lane of each target that has calls waiting for a permit of the batch's own."""

    def leave_rooms(self) -> dict[str, float]:
        """Return the waits of calls that have waited for a permit long enough."""
        waits_s: dict[str, float] = {}
        for lane in self.rooms:
            waits_s |= lane.leave_room()
        return waits_s


class Lanes(Executor):
    """The lanes of one batch, in threads that outlive it: to start one takes as long as to sign a request."""

    def __init__(self, threads: Executor, _most: int = 0) -> None:
        """Run in these threads, however many lanes there will be at most."""
        self._threads = threads
        self._lanes: list[Future[Any]] = []

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let a lane run."""
        lane = self._threads.submit(fn, *args, **kwargs)
        self._lanes.append(lane)
        return lane

    def shutdown(self, *_given: object, **_named: object) -> None:
        """Return once every lane has ended: none may run on when its function is frozen."""
        wait(self._lanes)

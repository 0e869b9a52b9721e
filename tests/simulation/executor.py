"""Run a batch's lanes side by side as tasks of its process, in place of `concurrent.futures`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from simulation.scheduler import Scheduler, Task


class PermitWorker:
    """What is submitted, in place of a `Future`."""

    __slots__ = ("_error", "_serial", "_value", "is_done", "waiter")

    def __init__(self, serial: int) -> None:
        self._serial = serial
        self._value: Any = None
        self._error: BaseException | None = None
        self.is_done = False
        self.waiter: Task | None = None

    def __hash__(self) -> int:
        # Sets of lanes must be gone through in one order, on any machine.
        return self._serial

    def __eq__(self, other: object) -> bool:
        return self is other

    def run(self, work: Callable[[], Any]) -> None:
        try:
            self._value = work()
        except Exception as error:  # noqa: BLE001 - `result` raises it
            self._error = error
        self.is_done = True

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


class Executor:
    """Runs lanes, as many as there are."""

    __slots__ = ("_lanes", "_random", "_scheduler", "_serial")

    def __init__(self, scheduler: Scheduler, random: Random) -> None:
        self._scheduler = scheduler
        self._random = random
        self._serial = itertools.count()
        self._lanes: list[PermitWorker] = []

    def __enter__(self) -> Executor:  # noqa: PYI034 - nobody inherits from it
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A crash takes the lanes along; nobody waits for them.
        if kind is None or issubclass(kind, Exception):
            wait(self._scheduler, set(self._lanes), None, "ALL_COMPLETED")

    def submit(self, work: Callable[..., Any], *args: object) -> PermitWorker:
        lane = PermitWorker(next(self._serial))
        scheduler = self._scheduler

        def run() -> None:
            lane.run(lambda: work(*args))
            if lane.waiter is not None:
                scheduler.wake(lane.waiter)
                lane.waiter = None

        self._lanes.append(lane)
        scheduler.start(scheduler.process, run, self._random.random() * 0.001)
        return lane


def wait(
    scheduler: Scheduler, lanes: set[PermitWorker], timeout_s: float | None, return_when: str
) -> tuple[set[PermitWorker], set[PermitWorker]]:
    """Return the lanes that have ended and the others, as `concurrent.futures.wait`."""
    ends_at_s = None if timeout_s is None else scheduler.now_s + timeout_s
    while True:
        ended = {lane for lane in lanes if lane.is_done}
        if len(ended) == len(lanes) or (ended and return_when == "FIRST_COMPLETED"):
            break
        if ends_at_s is not None and scheduler.now_s >= ends_at_s:
            break
        for lane in lanes - ended:
            lane.waiter = scheduler.current
        if ends_at_s is None:
            scheduler.park()
        else:
            scheduler.park(ends_at_s - scheduler.now_s)
    for lane in lanes:
        lane.waiter = None
    return ended, lanes - ended

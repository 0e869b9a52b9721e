"""Run tasks one at a time, in simulated time, in an order that follows from the seed alone.

A task runs until it sleeps; then whoever is due next goes on. Whatever a store or a target takes is such a
sleep, so batches and lanes interleave at every call of a store, and nowhere else. Callbacks run in between,
by whichever task comes across them, and must not sleep.

A task is a greenlet: a stack of its own in the one thread that there is. So the product's code, which knows
nothing of it, sleeps in the middle of a call, and nothing but the seed decides who goes on.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_STEPS: Final = 200_000
"""A run takes a thousand; one in which a target is paused for hours, a hundred thousand: paused calls come
back every few seconds, so that a resume is felt at once."""


class Crash(BaseException):
    """The process dies here: nothing after it runs, nobody is told."""


class Stopped(BaseException):
    """The run is over."""


@dataclass(slots=True, eq=False)
class Process:
    """What dies together."""

    name: str
    ends_at_s: float = math.inf
    """When it is killed."""
    is_dead: bool = False
    stands_until_s: float = 0.0
    """Until when it stands still, as a process does whose machine is taken away."""
    standing: list[Task] = field(default_factory=list)
    """What would have gone on meanwhile."""
    still_for: Task | None = None
    """Whose sleep its other tasks sit out."""
    tasks: dict[Task, None] = field(default_factory=dict)
    postponed: list[Task] = field(default_factory=list)


class Task:
    """One thread of control of a process."""

    __slots__ = ("process", "serial", "stack", "work")

    def __init__(self, process: Process, work: Callable[[], None]) -> None:
        self.process = process
        self.work = work
        self.serial = -1
        """Of the entry that is to wake it; older entries are void."""
        self.stack: greenlet | None = None
        """None until it begins."""


class Scheduler:
    """Simulated time, and who goes on in it."""

    def __init__(self, limit_s: float = math.inf) -> None:
        self.now_s = 0.0
        self.current: Task | None = None
        self.steps = 0
        self._limit_s = limit_s
        self._due: list[tuple[float, int, Task | Callable[[], None]]] = []
        self._serial = itertools.count()
        self._tasks: dict[Task, None] = {}
        self._main = getcurrent()
        self._failure: BaseException | None = None
        self._is_stopping = False

    # --- what tasks and callbacks call ------------------------------------------------------------

    @property
    def process(self) -> Process:
        """The process of the task that runs."""
        assert self.current is not None
        return self.current.process

    def call_at(self, at_s: float, work: Callable[[], None]) -> None:
        heappush(self._due, (max(at_s, self.now_s), next(self._serial), work))

    def start(self, process: Process, work: Callable[[], None], after_s: float = 0.0) -> Task:
        task = Task(process, work)
        self._tasks[task] = None
        process.tasks[task] = None
        self._push(task, self.now_s + after_s)
        return task

    def sleep(self, seconds: float, *, is_still: bool = False) -> None:
        """Let time pass; `is_still` makes the process's other tasks sit it out, as behind a lock.

        Raises:
            Crash: If the process was killed meanwhile.
        """
        task = self.current
        assert task is not None
        process = task.process
        self._push(task, self.now_s + seconds)
        if not is_still:
            self._switch(task)
            return
        process.still_for = task
        try:
            self._switch(task)
        finally:
            process.still_for = None
            for other in process.postponed:
                self._push(other, self.now_s)
            process.postponed.clear()

    def park(self, seconds: float = math.inf) -> None:
        """Sleep until somebody wakes this task, or until so many seconds are over."""
        task = self.current
        assert task is not None
        task.serial = -1
        if seconds < math.inf:
            self._push(task, self.now_s + seconds)
        self._switch(task)

    def wake(self, task: Task) -> None:
        self._push(task, self.now_s)

    def go_on(self, process: Process) -> None:
        """Let a process that stands still go on now."""
        if process.stands_until_s > self.now_s:
            process.stands_until_s = self.now_s
            for task in process.standing:
                if task in process.tasks:
                    self._push(task, self.now_s)
            process.standing.clear()

    def kill(self, process: Process) -> None:
        """Let every task of a process raise `Crash` where it sleeps."""
        if process.is_dead:
            return
        process.is_dead = True
        for task in process.tasks:
            if task is not self.current:
                self._push(task, self.now_s)

    # --- the run ----------------------------------------------------------------------------------

    def run(self) -> None:
        """Go on until nothing is due any more.

        Raises:
            BaseException: Whatever a task or a callback raised; also if time or patience ran out.
        """
        self._is_stopping = False
        self._main = getcurrent()
        while (following := self._next()) is not None:
            self._go_to(following)
        self._unwind()
        if self._failure is not None:
            raise self._failure

    def _unwind(self) -> None:
        """Let tasks that nobody would wake any more end."""
        self._is_stopping = True
        for task in list(self._tasks):
            if task.stack is not None and task in self._tasks:
                self._go_to(task)

    def _push(self, task: Task, at_s: float) -> None:
        task.serial = serial = next(self._serial)
        heappush(self._due, (at_s, serial, task))

    def _next(self) -> Task | None:
        """Return whose turn it is, callbacks done; None if the run is over."""
        due = self._due
        try:
            while due and self._failure is None:
                at_s, serial, work = heappop(due)
                if isinstance(work, Task):
                    if work.serial != serial:
                        continue
                    process = work.process
                    if process.stands_until_s > at_s:
                        self._push(work, process.stands_until_s)
                        process.standing.append(work)
                        continue
                    if process.still_for is not None and process.still_for is not work:
                        process.postponed.append(work)
                        continue
                    self.now_s = at_s
                    self.steps += 1
                    if at_s > self._limit_s or self.steps > MAX_STEPS:
                        msg = f"it never ends: {at_s:.0f} s, {self.steps} steps"
                        raise TimeoutError(msg)  # noqa: TRY301 - as any callback's own failure
                    return work
                self.now_s = at_s
                self.current = None
                work()
        except BaseException as error:  # noqa: BLE001 - it is raised again by `run`
            self._failure = error
        return None

    def _go_to(self, task: Task) -> None:
        """Let a task go on, in place of who runs now; one that ends goes on with `run`."""
        self.current = task
        if task.stack is None:
            task.stack = greenlet(self._run, self._main)
            task.stack.switch(task)
        else:
            task.stack.switch()

    def _switch(self, task: Task) -> None:
        if self._is_stopping:
            raise Stopped
        following = self._next()
        if following is None:
            self._main.switch()
        elif following is not task:
            self._go_to(following)
        self.current = task
        if self._is_stopping:
            raise Stopped
        process = task.process
        if process.is_dead or self.now_s >= process.ends_at_s:
            self.kill(process)
            raise Crash

    def _run(self, task: Task) -> None:
        try:
            if not task.process.is_dead:
                task.work()
        except Crash:
            self.kill(task.process)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised again by `run`
            self._failure = self._failure or error
        del self._tasks[task]
        task.process.tasks.pop(task, None)

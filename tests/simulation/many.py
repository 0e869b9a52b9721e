"""Run seeds, some of them in other processes."""

from __future__ import annotations

import gc
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from simulation.points import Points
from simulation.run import Simulation
from simulation.shrink import judged

if TYPE_CHECKING:
    from collections.abc import Generator

CHUNK: Final = 20
"""Seeds that one process is given at once."""


@dataclass(slots=True)
class Result:
    """What some seeds gave."""

    seeds: int = 0
    steps: int = 0
    met: Counter[str] = field(default_factory=Counter)
    points: Points = field(default_factory=Points)
    failed: list[tuple[int, str, str]] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    """What happened, if that was asked for."""

    def add(self, other: Result) -> None:
        self.seeds += other.seeds
        self.steps += other.steps
        self.met += other.met
        self.points.add(other.points)
        self.failed += other.failed
        self.trace += other.trace


def run_seed(seed: int, *, is_traced: bool = False) -> Result:
    """Run one seed."""
    simulation = Simulation(seed)
    broken = judged(simulation)
    return Result(
        seeds=1,
        steps=simulation.scheduler.steps,
        met=simulation.faults.met,
        points=simulation.faults.points,
        failed=[(seed, kind, what) for kind, what in broken],
        trace=simulation.trace() if is_traced else [],
    )


def run_some(seeds: range) -> Result:
    """Run some seeds, one after the other."""
    result = Result()
    for seed in seeds:
        result.add(run_seed(seed))
    return result


def results(seeds: range, jobs: int, *, is_traced: bool = False) -> Generator[Result]:
    """Yield results as they come."""
    if jobs == 1 or is_traced:
        for seed in seeds:
            yield run_seed(seed, is_traced=is_traced)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=gc.freeze) as pool:
        chunks = iter(range(start, min(start + CHUNK, seeds.stop)) for start in seeds[::CHUNK])
        running: set[Future[Result]] = set()
        for chunk in chunks:
            running.add(pool.submit(run_some, chunk))
            if len(running) >= 2 * jobs:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ended)
        yield from (future.result() for future in running)

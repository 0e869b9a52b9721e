"""Run seeds, some of them in other processes."""

# ruff: noqa: T201 - its output is the point

from __future__ import annotations

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from simulation.run import Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK: Final = 20
"""Seeds that one process is given at once."""


@dataclass(slots=True)
class Result:
    """What some seeds gave."""

    seeds: int = 0
    steps: int = 0
    met: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.seeds += other.seeds
        self.steps += other.steps
        self.met += other.met
        self.failed += other.failed


def run_seed(seed: int, *, is_traced: bool = False) -> Result:
    """Run one seed."""
    simulation = Simulation(seed)
    try:
        broken = simulation.run()
    except Exception as error:  # noqa: BLE001 - a defect is a finding, too
        broken = [("error", f"{type(error).__name__}: {error}")]
    if is_traced:
        print(*simulation.trace(), sep="\n")
    return Result(
        seeds=1,
        steps=simulation.scheduler.steps,
        met=simulation.faults.met,
        failed=[(seed, kind, what) for kind, what in broken],
    )


def run_some(seeds: range) -> Result:
    """Run some seeds, one after the other."""
    result = Result()
    for seed in seeds:
        result.add(run_seed(seed))
    return result


def results(seeds: range, jobs: int, *, is_traced: bool) -> Iterator[Result]:
    """Yield results as they come."""
    if jobs == 1:
        for seed in seeds:
            yield run_seed(seed, is_traced=is_traced)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        chunks = iter(range(start, min(start + CHUNK, seeds.stop)) for start in seeds[::CHUNK])
        running: set[Future[Result]] = set()
        for chunk in chunks:
            running.add(pool.submit(run_some, chunk))
            if len(running) >= 2 * jobs:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ended)
        yield from (future.result() for future in running)

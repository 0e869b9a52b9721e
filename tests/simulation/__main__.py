"""Run many seeds: `python -m simulation --seeds 0-20000`, with tests/ on PYTHONPATH.

Of the first seed that fails it prints a run with as few faults as are needed. `--trace` prints what happened
in each seed, which is for one seed at a time. `--stop` ends at the first that fails. `--minutes` ends after
so many, whatever is left.
"""

# ruff: noqa: T201 - its output is the point

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulation.many import Result, results
from simulation.shrink import shrink, with_faults

if TYPE_CHECKING:
    from simulation.points import Points


def parse_seeds(text: str) -> range:
    """Return the seeds of `7` or of `0-20000`, the last not included."""
    first, dash, last = text.partition("-")
    return range(int(first), int(last)) if dash else range(int(first), int(first) + 1)


def main() -> int:
    """Return 1 if a seed failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=parse_seeds, default=range(100), metavar="FIRST-END")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--but", default="", metavar="KIND,KIND", help="kinds that do not count")
    parser.add_argument("--stop", action="store_true", help="end at the first seed that fails")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end after so many")
    parser.add_argument("--trace", action="store_true", help="print what happened")
    arguments = parser.parse_args()
    started_s = time.monotonic()
    total = _run(arguments)
    took_s = time.monotonic() - started_s
    if arguments.stop and total.failed:
        return 1
    _summarize(total, took_s, arguments.jobs)
    if not total.failed:
        return 0
    failed = sorted({seed for seed, _, _ in total.failed})
    kinds = Counter(kind for _, kind in {(seed, kind) for seed, kind, _ in total.failed})
    print("failed:", ", ".join(f"{kind} in {times} seeds" for kind, times in kinds.most_common()))
    if not arguments.trace:
        _explain(failed[0])
    return 1


def _run(arguments: argparse.Namespace) -> Result:
    """Run the seeds, tell of each that fails, and show how far it is."""
    total, ends_s = Result(), time.monotonic() + 60 * arguments.minutes
    columns = TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*Progress.get_default_columns()[:2], *columns[1:], console=console) as progress:
        started_s = time.monotonic()
        shown = progress.add_task("seeds", total=len(arguments.seeds))
        seeds = results(arguments.seeds, arguments.jobs, is_traced=arguments.trace)
        for result in seeds:
            result.failed = [
                broken for broken in result.failed if broken[1] not in arguments.but.split(",")
            ]
            total.add(result)
            for line in result.trace:
                print(line)
            for seed, kind, what in result.failed:
                print(f"seed {seed}: {kind}: {what}", flush=True)
            rate = total.seeds / (time.monotonic() - started_s)
            progress.update(shown, advance=result.seeds, description=f"{rate:.1f} seeds a second")
            if (arguments.stop and total.failed) or time.monotonic() > ends_s:
                break
        seeds.close()
    return total


def _summarize(total: Result, took_s: float, jobs: int) -> None:
    rate = total.seeds / took_s
    print(
        f"{total.seeds} seeds, {total.steps} steps, {total.met.total()} faults;"
        f" {rate:.1f} seeds a second in {jobs} processes"
    )
    print("faults:", ", ".join(f"{kind} {times}" for kind, times in total.met.most_common()))
    _tell_points(total.points)


def _tell_points(points: Points) -> None:
    missed = points.missed()
    print(f"crash points: {len(points.reached)} of {len(points.all)} reached", end="")
    print(f"; not: {', '.join(missed)}" if missed else "")


def _explain(seed: int) -> None:
    """Print a run of a failing seed with few faults."""
    shrunk = shrink(seed, with_faults)
    if shrunk is None:
        return
    print(f"seed {seed} with {len(shrunk.kept)} of its {shrunk.faults} faults:")
    print(*shrunk.trace(), sep="\n")
    for kind, what in shrunk.broken:
        print(f"{kind}: {what}")
    print(f"all of it: python -m simulation --trace --seeds {seed}")


if __name__ == "__main__":
    sys.exit(main())

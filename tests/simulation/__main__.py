"""Run many seeds: `python -m simulation --seeds 0-20000 --jobs 2`, with tests/ on PYTHONPATH.

`--trace` prints what happened in each seed, which is for one seed at a time. `--stop` ends at the first that
fails.
"""

# ruff: noqa: T201 - its output is the point

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from simulation.many import Result, results


def parse_seeds(text: str) -> range:
    """Return the seeds of `7` or of `0-20000`, the last not included."""
    first, dash, last = text.partition("-")
    return range(int(first), int(last)) if dash else range(int(first), int(first) + 1)


def main() -> int:
    """Return 1 if a seed failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=parse_seeds, default=range(100), metavar="FIRST-END")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--but", default="", metavar="KIND,KIND", help="kinds that do not count")
    parser.add_argument("--stop", action="store_true", help="end at the first seed that fails")
    parser.add_argument("--trace", action="store_true", help="print what happened")
    arguments = parser.parse_args()
    total, started_s, told_s = Result(), time.monotonic(), 0.0
    for result in results(arguments.seeds, arguments.jobs, is_traced=arguments.trace):
        told = len(total.failed)
        total.add(result)
        total.failed = [
            broken for broken in total.failed if broken[1] not in arguments.but.split(",")
        ]
        for seed, kind, what in total.failed[told:]:
            print(f"seed {seed}: {kind}: {what}")
        took_s = time.monotonic() - started_s
        if took_s - told_s > 10:
            told_s = took_s
            rate = total.seeds / took_s
            print(f"{total.seeds} seeds, {rate:.1f} a second", file=sys.stderr, flush=True)
        if arguments.stop and total.failed:
            return 1
    took_s = time.monotonic() - started_s
    print(f"{total.seeds} seeds, {total.steps} steps, {total.seeds / took_s:.1f} seeds a second")
    print("faults:", ", ".join(f"{kind} {times}" for kind, times in total.met.most_common()))
    failed = sorted({seed for seed, _, _ in total.failed})
    if failed:
        kinds = Counter({kind: 0 for _, kind, _ in total.failed})
        kinds.update(kind for _, kind in {(seed, kind) for seed, kind, _ in total.failed})
        print(
            "failed:", ", ".join(f"{kind} in {times} seeds" for kind, times in kinds.most_common())
        )
        print(f"run one with: python -m simulation --trace --seeds {failed[0]}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())

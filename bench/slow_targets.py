"""Drain backlogs of targets fast and slow, wide and narrow, and count what that costs.

The product's own gate and backlog rule, in discrete events, with SQS's receive limit and waits in whole
seconds. Objects arrive during an outage of five minutes; calls expire after six hours. For every cell:
each call ends in the ledger (it succeeded or expired), SQS moves none to a dead-letter queue, no more are in
the replay queue than twice what the gate can use in its look-ahead, and receives and writes are bounded.

    make bench     or     .tools/bench/bin/python bench/slow_targets.py [--quick] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "bench")]

from replay_sim.slow_world import Counts, SlowScenario, SlowWorld
from reprise.gate.admit import most_at_once
from reprise.retry.policy import Policy

MAX_AGE_S: Final = 6 * 3600.0
OUTAGE_S: Final = 300.0
LONGEST_S: Final = 1800.0
"""Longest timeout of a function, the replayer's included."""
LIMIT_S: Final = 14 * 86_400.0
"""A run that has not ended then never does."""
DEPTH_LIMIT: Final = 2.0
"""Most calls in the replay queue, as a multiple of what the gate can use."""
RECEIVES: Final = 30.0
RECEIVES_OF_ONE: Final = 200.0
"""Most receives a call on average: the first, and the second divided by the permits. With one permit, the
first offer of 25 calls waits for itself, and comes back several times in a service time."""
RECEIVES_LIMIT: Final = 500
"""Most receives of any one call: half of what SQS allows."""
WRITES: Final = 3.0
WRITES_OF_HOLD: Final = 60
"""Most writes of the gate: the first a call, and the second for the hold."""

SERVICES_S: Final = (0.1, 1.0, 10.0, 60.0, 300.0, 900.0, 1700.0)
CONCURRENCIES: Final = (1, 10, 100, 1000)
HEADROOM: Final = Policy(headroom=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one cell."""

    scenario: SlowScenario
    counts: Counts
    open_calls: int
    writes: int
    depth: float
    """Most calls in the replay queue, in parts of what the gate can use."""
    hours: float

    @property
    def at_once(self) -> int:
        """Return how many calls may run at once."""
        return min(self.scenario.concurrency, self.scenario.most or self.scenario.concurrency)

    @property
    def faults(self) -> list[str]:
        """Return what is not as promised."""
        counts, calls = self.counts, self.scenario.records
        checks = {
            "open": self.open_calls == 0,
            "moved": counts.moved == 0,
            "ended": counts.succeeded + counts.expired == calls,
            "depth": self.depth <= DEPTH_LIMIT,
            "receives": counts.receives <= calls * (RECEIVES + RECEIVES_OF_ONE / self.at_once),
            "most receives": counts.most_receives <= RECEIVES_LIMIT,
            "writes": self.writes <= WRITES * calls + WRITES_OF_HOLD,
        }
        return [name for name, is_kept in checks.items() if not is_kept]


def cell(
    service_s: float,
    concurrency: int,
    calls: int,
    *,
    policy: Policy | None = HEADROOM,
    replayers: int = 1000,
    object_calls: int = 1000,
) -> SlowScenario:
    """Return one cell.

    Args:
        service_s: Time that every call takes.
        concurrency: What the target runs at once.
        calls: The backlog.
        policy: The target's; None if its concurrency cannot be asked either, so that nothing is known.
        replayers: Batches at a time.
        object_calls: Calls of a captured object.
    """
    return SlowScenario(
        name="slow",
        records=calls,
        object_records=object_calls,
        outage_s=OUTAGE_S,
        concurrency=concurrency,
        service_s=service_s,
        spread=0.0,
        live_share=0.0,
        most=None if policy is None else most_at_once(concurrency, policy),
        replayer_s=min(LONGEST_S, service_s + 60),
        max_age_s=MAX_AGE_S,
        replayers=replayers,
    )


QUICK: Final = (
    cell(0.1, 10, 1000),
    cell(1, 10, 1000),
    cell(1, 100, 10_000, policy=None),
    cell(10, 1, 100),
    cell(60, 1000, 10_000, policy=None, replayers=5),
    cell(300, 10, 1000, policy=Policy(max_concurrency=2)),
    cell(900, 100, 100),
    cell(1700, 1, 1),
    cell(1700, 1, 100),
    cell(1700, 1000, 1000, object_calls=57),
)
CELLS: Final = (
    *(
        cell(service_s, concurrency, calls)
        for service_s in SERVICES_S
        for concurrency in CONCURRENCIES
        for calls in (1, 100, 10_000)
    ),
    *(
        cell(service_s, concurrency, 10_000, policy=None)
        for service_s in SERVICES_S
        for concurrency in CONCURRENCIES
    ),
    *(cell(service_s, 1000, 10_000, policy=None, replayers=5) for service_s in SERVICES_S[1:]),
    *(cell(service_s, 100, 1000, policy=Policy(max_concurrency=2)) for service_s in SERVICES_S),
    *(cell(service_s, 100, 10_000, object_calls=57) for service_s in SERVICES_S),
    cell(0.1, 1000, 100_000),
    cell(1, 100, 100_000),
    cell(1, 1000, 100_000),
    cell(10, 1000, 100_000),
    cell(1700, 1000, 100_000),
)

HEAD = (
    "serv conc  cap repl  calls     ok expird mvd depth   rcv max  reqs write hours\n"
    "   s                                       /usab /call     /call /call"
)


def run(scenario: SlowScenario, seed: int) -> Result:
    """Let a backlog drain."""
    world = SlowWorld(scenario, seed)
    world.run(LIMIT_S)
    return Result(
        scenario=scenario,
        counts=world.counts,
        open_calls=world.cohort_left,
        writes=world.writes,
        depth=world.counts.deepest / world.usable,
        hours=world.now_s / 3600,
    )


def row(result: Result) -> str:
    """Return a line of the table, at most 80 columns."""
    scenario, counts, calls = result.scenario, result.counts, result.scenario.records
    cap = "-" if scenario.most is None else str(scenario.most)
    return (
        f"{scenario.service_s:4g} {scenario.concurrency:4} {cap:>4} {scenario.replayers:4}"
        f" {calls:6} {counts.succeeded:6} {counts.expired:6} {counts.moved:3} {result.depth:5.2f}"
        f" {counts.receives / calls:5.1f} {counts.most_receives:3}"
        f" {counts.requests / calls:5.1f} {result.writes / calls:5.1f} {result.hours:5.1f}"
        f"{' !' if result.faults else ''}"
    )


def main() -> None:
    """Print the table, and the worst of each column as one JSON object; exit 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print(HEAD)
    results: list[Result] = []
    for scenario in QUICK if options.quick else CELLS:
        results.append(run(scenario, options.seed))
        print(row(results[-1]), flush=True)
    many = [result for result in results if result.scenario.records >= 100]  # noqa: PLR2004 - fewer say little
    summary = {
        "cells": len(results),
        "bad": [result.faults for result in results if result.faults],
        "moved": sum(result.counts.moved for result in results),
        "open": sum(result.open_calls for result in results),
        "worst_depth": round(max(result.depth for result in results), 2),
        "worst_receives": max(result.counts.most_receives for result in results),
        "worst_receives_per_call": round(
            max(result.counts.receives / result.scenario.records for result in many), 1
        ),
        "worst_requests_per_call": round(
            max(result.counts.requests / result.scenario.records for result in many), 1
        ),
    }
    print(json.dumps(summary))
    if summary["bad"]:
        sys.exit(1)


if __name__ == "__main__":
    main()

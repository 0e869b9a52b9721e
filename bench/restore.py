"""Say where a call's time goes from the restore of its target to its success, and what this machine could do.

One chaos run on the local engine, deployed by the real SAM CLI. The target's gate is read twenty times a
second, so each moment's open calls are known by what they wait for; a stage's calls, summed over time and
divided by all calls, is the mean time of a call in it (Little 1961). Then the same calls are made
straight at the target by as many callers as its window had permits: what replay adds is what is left.

The run must be proven, each direct call answered, and the stages must add up to the ledger's own mean.

    make bench     or     .venv/bin/python bench/restore.py [--calls 2000] [--hold 20]
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / name) for name in ("shared", "cli", "local_engine", "bench")]

import boto3
from botocore.config import Config

from on_engine import deployed
from reprise.aws.gate_table import GateTable
from reprise.gate.state import GateState, Mode
from reprise_cli.chaos.call import ids_of
from reprise_cli.chaos.percentile import nearest_rank
from reprise_cli.chaos.setup import ChaosOptions, prepare
from reprise_cli.chaos.view import ChaosView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_lambda import LambdaClient

    from reprise_cli.app import App

LOOK_S: Final = 0.05
SUM_TOLERANCE: Final = 0.2
"""The stages may miss the ledger's mean by that share: ends are told a moment after they come."""
STAGES: Final = {
    "held": "until a probe succeeds: the gate holds, or its probe is on its way",
    "folded, permits idle": "in a folded object, while nothing is expanded that could use a free permit",
    "folded": "in a folded object, while the permits are used by others",
    "no permit": "expanded, and every permit of the window is out",
    "not due": "expanded, with a permit free, and not yet due in the queue: a spread, or a wait",
    "queue": "due in the queue, with a permit free: poller, and a replayer's start",
    "running": "leased: the invocation, the target's own time, and telling how it ended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The gate at one moment."""

    at_s: float
    gate: GateState
    visible: int = 0
    """Messages of the replay queue that a poller could take."""


@dataclass(slots=True)
class Watch:
    """Looks at a gate until it is told to stop."""

    read: Callable[[], GateState]
    visible: Callable[[], int]
    looks: list[Look] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look again and again."""
        while not self._stop.wait(LOOK_S):
            self.looks.append(Look(at_s=time.time(), gate=self.read(), visible=self.visible()))

    def stop(self) -> None:
        """End the looking."""
        self._stop.set()


class MarkedView(ChaosView):
    """A chaos test's view that knows when the target was let go."""

    restored_at_s: float = 0.0
    phases: tuple[str, str, str] = ("", "", "")

    def say(self, phase: str) -> None:
        """Name what happens now."""
        if phase == self.phases[2]:
            self.restored_at_s = time.time()
        super().say(phase)


def stage_of(look: Look) -> dict[str, int]:
    """Return how many open calls wait for what, as one look says."""
    gate = look.gate
    running = min(gate.in_flight, gate.waiting)
    queued = gate.waiting - running
    if gate.mode != Mode.FLOWING:
        return {"held": gate.folded_records + queued, "running": running}
    has_room = running < int(gate.window)
    folded = "folded, permits idle" if has_room and not queued else "folded"
    waits = {folded: gate.folded_records, "running": running}
    if not has_room:
        return waits | {"no permit": queued}
    due = min(look.visible, queued)
    return waits | {"queue": due, "not due": queued - due}


def seconds_by_stage(looks: Sequence[Look], restored_at_s: float, calls: int) -> dict[str, float]:
    """Return the mean seconds of a call in each stage, from the restore on."""
    means = dict.fromkeys(STAGES, 0.0)
    for look, later in pairwise(looks):
        if later.at_s <= restored_at_s:
            continue
        spell_s = later.at_s - max(look.at_s, restored_at_s)
        for stage, open_calls in stage_of(look).items():
            means[stage] += spell_s * open_calls / calls
    return means


def call_directly(client: LambdaClient, function: str, calls: int, callers: int) -> list[float]:
    """Make calls straight at the target; return when each had succeeded, in seconds from the first."""
    began_s = time.monotonic()
    run = f"direct-{time.time_ns()}"

    def one(number: int) -> float:
        payload = {"run": run, "call": number, "behaviour": "ok", "work_ms": 0}
        answer = client.invoke(FunctionName=function, Payload=json.dumps(payload))
        if answer.get("FunctionError") or json.load(answer["Payload"])["call"] != number:
            msg = f"direct call {number} did not succeed"
            raise SystemExit(msg)
        return time.monotonic() - began_s

    with ThreadPoolExecutor(callers) as pool:
        return sorted(pool.map(one, range(calls)))


def bar(share: float) -> str:
    """Return a share as a bar of at most thirty characters."""
    return "█" * round(30 * share)


def measure(reprise: App, calls: int, hold_s: float) -> dict[str, Any]:
    """Make the run and return its numbers."""
    stack = reprise.stack
    target = f"arn:aws:lambda:{reprise.aws.region}:000000000000:function:{stack.chaos_target}"
    gates = boto3.client("dynamodb")
    sqs = boto3.client("sqs")

    def visible() -> int:
        answer = sqs.get_queue_attributes(
            QueueUrl=stack.replay_queue_url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    watch = Watch(
        read=lambda: GateTable(gates, stack.ledger_table, is_consistent=True).read(target),
        visible=visible,
    )
    test = prepare(reprise, ChaosOptions(calls=calls, hold_s=hold_s, poison=0))
    view = MarkedView(reprise.out)
    view.phases = test.holder.phases
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        proof = replace(test, view=view).run()
    finally:
        watch.stop()
        thread.join()
    if not proof.holds or proof.succeeded != calls:
        msg = f"the run is not proven: {proof.document()}"
        raise SystemExit(msg)
    means = seconds_by_stage(watch.looks, view.restored_at_s, calls)
    ends = test.books.standings(ids_of(test.load.answers)).values()
    mean_s = sum(end.updated_at.timestamp() - view.restored_at_s for end in ends) / calls
    if abs(sum(means.values()) - mean_s) > max(0.5, SUM_TOLERANCE * mean_s):
        msg = (
            f"the stages add up to {sum(means.values()):.1f} s, the ledger's mean is {mean_s:.1f} s"
        )
        raise SystemExit(msg)
    window = max(look.gate.window for look in watch.looks if look.at_s > view.restored_at_s)
    client = boto3.client(
        "lambda", config=Config(max_pool_connections=64, retries={"total_max_attempts": 1})
    )
    callers = max(2, min(64, int(window)))
    direct_s = call_directly(client, stack.chaos_target or "", calls, callers)
    spread = proof.restore_to_success_s
    return {
        "calls": calls,
        "mean_s": round(mean_s, 2),
        "p50_s": spread.p50,
        "p95_s": spread.p95,
        "wasted": proof.wasted_replays,
        "mean_s_by_stage": {stage: round(mean_s, 2) for stage, mean_s in means.items()},
        "window": round(window, 1),
        "direct_callers": callers,
        "direct_p50_s": round(nearest_rank(direct_s, 50), 2),
        "direct_p95_s": round(nearest_rank(direct_s, 95), 2),
        "p50_vs_direct": round((spread.p50 or 0) / nearest_rank(direct_s, 50), 2),
    }


def show(result: dict[str, Any]) -> None:
    """Print the stacked table."""
    means = result["mean_s_by_stage"]
    total_s = sum(means.values())
    print(f"{'a call, on average':22} {'seconds':>7}  share")
    for stage, mean_s in means.items():
        share = mean_s / total_s if total_s else 0.0
        print(f"{stage:22} {mean_s:7.2f}  {share:4.0%} {bar(share)}")
        print(f"{'':32}{STAGES[stage]}")
    print(f"{'together':22} {total_s:7.2f}")
    print(
        f"restore to success: p50 {result['p50_s']:.2f} s, p95 {result['p95_s']:.2f} s; the same calls made "
        f"directly by {result['direct_callers']} callers: p50 {result['direct_p50_s']:.2f} s, "
        f"p95 {result['direct_p95_s']:.2f} s"
    )


def main() -> None:
    """Measure, print, and check that the stages add up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--hold", type=float, default=20.0)
    parser.add_argument("changes", nargs="*", help="parameters of the template, as Name=value")
    wishes = parser.parse_args()
    with deployed(*wishes.changes) as reprise:
        result = measure(reprise, wishes.calls, wishes.hold)
    show(result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

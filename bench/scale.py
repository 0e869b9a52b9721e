"""Run as many calls through the stages as an outage may bring, and count what they ask of AWS.

    .venv/bin/python bench/scale.py [--calls 1000000] [--processes 2]
    .venv/bin/python bench/scale.py --engine [--calls 100000]

Without `--engine` the product's own capturer, unpacker and replayer run on doubles that count requests as the
adapters make them, in waves: each wave's calls are captured, put into objects of log envelopes, taken in by
the unpacker, replayed in batches of ten, and must all have succeeded, each with one invocation, before the
next wave begins. One message in a thousand is delivered twice. Memory is looked at after every wave, and must
not grow. The cost of a million is that of the counted requests, by the prices of `reprise cost`.

With `--engine` the calls are made on the local engine, while their target is held, by the chaos test; the
memory of every process is looked at until the proof, which must hold.

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import secrets
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / name) for name in ("shared", "cli", "tests", "local_engine", "bench")]

from doubles import InMemoryGateItems, InMemoryLedger, InMemoryQueue
from harness import ORDERS, THROTTLED, Pipeline, call, envelope, notification, plenty
from on_engine import deployed
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.gate.state import GateState
from reprise.ports import Reply
from reprise.replay.message import Delivery, Worker
from reprise.unpack.consumer import Notice
from reprise_cli.chaos.setup import ChaosOptions, prepare
from reprise_cli.cost.prices import PRICES, Sku

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from multiprocessing.queues import SimpleQueue

    from doubles import FakeMeter
    from reprise.gate.state import Change, Updated
    from reprise.ledger import Row
    from reprise.ports import Lease, LeaseRequest, OutMessage, SettleRequest
    from reprise_cli.chaos.proof import Proof

type _Told = tuple[Counter[str], list[int], float]

WAVE: Final = 20_000
"""Calls of a wave."""
LINES_PER_MEMBER: Final = 50
MEMBERS_PER_OBJECT: Final = 40
"""An object of 2,000 calls: 5 MB of lines of 2 KB, and a few more."""
BATCH: Final = 10
"""Messages of a batch of the replay queue (infra/replay.yaml)."""
STATEMENTS: Final = 25
"""DynamoDB API reference, BatchExecuteStatement."""
KEYS: Final = 100
"""DynamoDB API reference, BatchGetItem."""
ENTRIES: Final = 10
"""SQS API reference, SendMessageBatch."""
TARGET_S: Final = 0.001
"""What the target takes."""
TWICE: Final = 1000
"""One message in so many is delivered twice."""
PAYLOAD: Final = json.dumps({"order": "x" * 1000}).encode()
LOOK_S: Final = 2.0
FLAT: Final = 1.1
"""Memory of the last wave, at most, against that of the tenth part of the waves."""


@dataclass(slots=True)
class CountedLedger:
    """The ledger's double, with the requests and units that the adapter asks for the same."""

    asked: Counter[str]
    kept: InMemoryLedger = field(default_factory=InMemoryLedger)

    def _execute(self, statements: int) -> None:
        self.asked["BatchExecuteStatement"] += -(-statements // STATEMENTS)
        self.asked[Sku.WRITE_UNIT] += statements

    def _read(self, rows: int) -> None:
        self.asked["BatchGetItem"] += -(-rows // KEYS)
        self.asked[Sku.READ_UNIT] += rows

    def record_all(self, rows: Sequence[Row]) -> dict[str, Row | None]:
        """Write new rows."""
        self._execute(len(rows))
        return self.kept.record_all(rows)

    def get_all(self, call_ids: Sequence[str]) -> dict[str, Row]:
        """Read rows."""
        self._read(len(call_ids))
        return self.kept.get_all(call_ids)

    def lease_all(
        self, wanted: Sequence[LeaseRequest], *, now: datetime, until_ms: int
    ) -> dict[str, Lease]:
        """Read rows, and take leases."""
        self._read(len(wanted))
        self._execute(len(wanted))
        return self.kept.lease_all(wanted, now=now, until_ms=until_ms)

    def settle_all(self, wanted: Sequence[SettleRequest]) -> frozenset[str]:
        """End leases together."""
        self._execute(len(wanted))
        return self.kept.settle_all(wanted)

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Return what asks for one row: a read, or an update."""
        ask = getattr(self.kept, name)
        operation, unit = (
            ("GetItem", Sku.READ_UNIT) if name == "get" else ("UpdateItem", Sku.WRITE_UNIT)
        )

        def counted(*given: object, **named: object) -> object:
            self.asked[operation] += 1
            self.asked[unit] += 1
            return ask(*given, **named)

        return counted


class CountedGates(InMemoryGateItems):
    """The gates' double: a read or an update a request."""

    def __init__(self, asked: Counter[str]) -> None:
        """Count there."""
        super().__init__()
        self._asked = asked

    def read(self, function: str) -> GateState:
        """Read a gate."""
        self._asked["GetItem"] += 1
        self._asked[Sku.READ_UNIT] += 1
        return super().read(function)

    def update(self, function: str, change: Change) -> Updated:
        """Change a gate."""
        self._asked["UpdateItem"] += 1
        self._asked[Sku.WRITE_UNIT] += 1
        return super().update(function, change)


class CountedQueue(InMemoryQueue):
    """A queue's double: ten messages a request."""

    def __init__(self, asked: Counter[str]) -> None:
        """Count there."""
        super().__init__()
        self._asked = asked

    def send(self, messages: Sequence[OutMessage]) -> None:
        """Send messages."""
        self._asked[Sku.SQS_REQUEST] += -(-len(messages) // ENTRIES)
        super().send(messages)


class Lanes(ThreadPoolExecutor):
    """The threads of all batches: a replayer's own are made for each, which is not what is counted here."""

    def __exit__(self, *_: object) -> None:
        """Stay for the next batch."""


class NoMeter:
    """Counts nothing: of ten million values none is kept."""

    def count(self, _name: str, _value: int = 1, **_: object) -> None:
        """Forget it."""

    def observe(self, _name: str, _value: float, **_: object) -> None:
        """Forget it."""


class Stages:
    """One process's share of the calls."""

    def __init__(self, seed: int) -> None:
        """Put the product together on doubles that count."""
        self.asked: Counter[str] = Counter()
        self.reply = Reply(outcome=Outcome(kind=OutcomeKind.SUCCEEDED, status=200), payload=b"{}")
        self.invoked: Counter[bytes] = Counter()
        self.ledger = CountedLedger(self.asked)
        lanes = Lanes(BATCH)
        self.pipeline = Pipeline(
            meter=cast("FakeMeter", NoMeter()),
            ledger=cast("InMemoryLedger", self.ledger),
            gate_items=CountedGates(self.asked),
            replay_queue=CountedQueue(self.asked),
            capture_queue=CountedQueue(self.asked),
            executor=lambda _lanes: lanes,
        )
        self.pipeline.functions.answer = self._answer
        self.number = seed
        self.capturer = replace(self.pipeline.capturer(), random_bytes=secrets.token_bytes)
        self.unpacker = self.pipeline.intake()
        self.replayer = self.pipeline.replayer()
        self.deliveries = 0

    def _answer(self, _target: object, payload: bytes) -> Reply:
        # So that lanes overlap, and share requests as far as they do.
        time.sleep(TARGET_S)
        self.invoked[payload[:32]] += 1
        return self.reply

    def wave(self, calls: int) -> None:
        """Take calls through all stages, and forget them once they are proven."""
        lines = self.pipeline.lines
        for index in range(calls):
            payload = b'{"n":%016d,%s' % (self.number * 10**9 + index, PAYLOAD[1:])
            self.capturer.capture(call(payload), THROTTLED.outcome)
        self._flow()
        notices = list(self._objects(lines))
        for notice in notices:
            self._take_in([notice])
        while self.pipeline.capture_queue.sent:
            # What was left folded, and is looked at again.
            self.pipeline.clock.advance(20)
            self._flow()
            sent, self.pipeline.capture_queue.sent = self.pipeline.capture_queue.sent, []
            self._take_in([self._notice(message.body) for message in sent])
        self._replay()
        self._prove(calls)
        self.number += 1

    def _flow(self) -> None:
        """Let the gate be one that has drained thousands a second of late."""
        now_ms = int(self.pipeline.clock.now.timestamp() * 1000)
        self.pipeline.gate_items.images[ORDERS] = GateState(
            window=900.0,
            slow_start=0,
            succeeded=1000,
            busy_ms=100_000,
            succeeded_at_ms=now_ms,
            changed_at_ms=now_ms - 60_000,
        )

    def _objects(self, lines: list[str]) -> Iterator[Notice]:
        for number, some in enumerate(batched(lines, LINES_PER_MEMBER * MEMBERS_PER_OBJECT)):
            key = f"captured/{self.number}-{number}.gz"
            members = (envelope(*member) for member in batched(some, LINES_PER_MEMBER))
            self.pipeline.objects.kept[key] = b"".join(members)
            self.asked[Sku.S3_PUT] += 1
            yield self._notice(notification(key))
        lines.clear()

    def _notice(self, body: str) -> Notice:
        self.asked[Sku.SQS_REQUEST] += 2
        self.asked[Sku.S3_GET] += 1
        self.deliveries += 1
        name = str(self.deliveries)
        return Notice(message_id=name, receipt_handle=name, body=body, receive_count=1)

    def _take_in(self, notices: list[Notice]) -> None:
        failed = self.unpacker.run(notices, plenty)
        if failed:
            msg = f"{len(failed)} objects were not taken in"
            raise SystemExit(msg)

    def _replay(self) -> None:
        sent, self.pipeline.replay_queue.sent = self.pipeline.replay_queue.sent, []
        bodies = [message.body for message in sent]
        bodies += bodies[::TWICE]
        for batch in batched(bodies, BATCH):
            # A receive, and a delete, of ten.
            self.asked[Sku.SQS_REQUEST] += 2
            self.asked[Sku.LAMBDA_REQUEST] += 1
            deliveries = []
            for body in batch:
                self.deliveries += 1
                name = str(self.deliveries)
                deliveries.append(Delivery(message_id=name, receipt_handle=name, body=body))
            again = self.replayer.run(
                deliveries, Worker(owner=f"w{self.deliveries}", remaining_ms=plenty)
            )
            if again:
                msg = f"{len(again)} messages came again"
                raise SystemExit(msg)

    def _prove(self, calls: int) -> None:
        """Stop unless every call succeeded, with one invocation each."""
        rows = self.ledger.kept.rows
        succeeded = sum(row.state == "succeeded" for row in rows.values())
        once = sum(count == 1 for count in self.invoked.values())
        if not succeeded == len(rows) == once == len(self.invoked) == calls:
            msg = f"of {calls} calls {len(rows)} have rows, {succeeded} succeeded, {once} ran once"
            raise SystemExit(msg)
        rows.clear()
        self.invoked.clear()
        self.pipeline.objects.kept.clear()
        self.pipeline.functions.invoked.clear()
        self.pipeline.functions.traces.clear()
        self.pipeline.events.clear()


def share(seed: int, calls: int, told: SimpleQueue[_Told]) -> None:
    """Do one process's share, and tell what it asked for, its memory by wave, and its CPU."""
    stages = Stages(seed)
    memory: list[int] = []
    for begin in range(0, calls, WAVE):
        stages.wave(min(WAVE, calls - begin))
        memory.append(resident_bytes(os.getpid()))
        if not (begin // WAVE) % 25:
            print(
                f"{begin + WAVE:,} of {calls:,}: {memory[-1] / 1e6:.0f} MB",
                file=sys.stderr,
                flush=True,
            )
    told.put((stages.asked, memory, time.process_time()))


def resident_bytes(pid: int) -> int:
    """Return a process's resident memory, as Linux counts it."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def run_stages(calls: int, processes: int) -> dict[str, Any]:
    """Run the stages in so many processes, and return what they asked for."""
    context = multiprocessing.get_context("fork")
    told: SimpleQueue[_Told] = context.SimpleQueue()
    share_calls = calls // processes
    workers = [
        context.Process(target=share, args=(seed + 1, share_calls, told))
        for seed in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = []
    for worker in workers:
        worker.join()
        if worker.exitcode:
            sys.exit("error: a process failed")
        found.append(told.get())
    asked = sum((each[0] for each in found), Counter[str]())
    calls = share_calls * processes
    tenth = [memory[len(memory) // 10] for _, memory, _ in found]
    last = [memory[-1] for _, memory, _ in found]
    growth = max(b / a for a, b in zip(tenth, last, strict=True))
    if growth > FLAT:
        msg = f"memory grew {growth:.2f} times from the tenth part of the waves to the last"
        raise SystemExit(msg)
    usd = {
        sku.value: asked[sku] / calls * 1e6 * PRICES[sku].usd_of_one for sku in Sku if asked[sku]
    }
    return {
        "calls": calls,
        "cpu_us_per_call": round(sum(each[2] for each in found) / calls * 1e6),
        "memory_mb": [round(bytes_ / 1e6) for bytes_ in last],
        "memory_growth": round(growth, 3),
        "requests_per_call": {
            str(name): round(count / calls, 4) for name, count in sorted(asked.items())
        },
        "usd_per_million": {name: round(each, 2) for name, each in usd.items()},
        "usd_per_million_together": round(sum(usd.values()), 2),
    }


@dataclass(slots=True)
class MemoryWatch:
    """Looks at the memory of every process of a run, by what it is."""

    looks: list[dict[str, int]] = field(default_factory=list)
    """Bytes of the largest process of each role, one dictionary a look."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look again and again."""
        while not self._stop.wait(LOOK_S):
            self.looks.append(largest_by_role())

    def stop(self) -> None:
        """End the looking."""
        self._stop.set()


def largest_by_role() -> dict[str, int]:
    """Return the resident bytes of the largest process of each function of ours, and of this command."""
    found: dict[str, int] = {"command": resident_bytes(os.getpid())}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            names = [e for e in environment if e.startswith(b"AWS_LAMBDA_FUNCTION_NAME=reprise-")]
            if names:
                role = names[0].partition(b"=")[2].decode()
                found[role] = max(found.get(role, 0), resident_bytes(int(folder.name)))
        except OSError:
            continue  # It has ended meanwhile.
    return found


def run_engine(calls: int) -> dict[str, Any]:
    """Make the calls on the local engine, prove them, and return what they took."""
    watch = MemoryWatch()
    with deployed() as reprise:
        thread = threading.Thread(target=watch.run)
        thread.start()
        began_s = time.monotonic()
        try:
            test = prepare(reprise, ChaosOptions(calls=calls, hold_s=0.0, is_drained=True))
            proof = test.run()
        finally:
            watch.stop()
            thread.join()
        # Told before the engine is stopped: a run of half an hour is not to be lost to that.
        return account_of(proof, watch, time.monotonic() - began_s)


def account_of(proof: Proof, watch: MemoryWatch, took_s: float) -> dict[str, Any]:
    """Return what a run took; ends the bench unless it was proven."""
    if not proof.holds:
        sys.exit(f"error: the run is not proven: {proof.document()}")
    seen: dict[str, list[int]] = {}
    for look in watch.looks:
        for role, bytes_ in look.items():
            seen.setdefault(role, []).append(bytes_)
    # Between a quarter of its life and its end: until then caches fill.
    growth = {role: max(of) / max(of[: 1 + len(of) // 4]) for role, of in seen.items()}
    document = {
        **proof.document(),
        "took_s": round(took_s),
        "memory_mb": {role: round(max(of) / 1e6) for role, of in seen.items()},
        "memory_growth": {role: round(each, 2) for role, each in growth.items()},
    }
    print(json.dumps(document), file=sys.stderr, flush=True)
    return document


def main() -> None:
    """Run, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", action="store_true")
    parser.add_argument("--calls", type=int)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    wishes = parser.parse_args()
    if wishes.engine:
        result = run_engine(wishes.calls or 100_000)
    else:
        result = run_stages(wishes.calls or 1_000_000, wishes.processes)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""Measure how soon a late result is at its caller once its replay has succeeded: queue, webhook, and waiting.

On a local engine of its own, with IAM enforced, the root stack and the add-on replies deployed by the real
SAM CLI: calls of a held target are captured, the target is let go, and each late result's arrival is compared
with the instant that its row names as its end. All clocks are this machine's. Fails if the 95th percentile of
`ReplyTo` or of waiting is over the limit, if a result is missing, or if there were more executions than
calls.

    .venv/bin/python bench/late_result.py [--calls 50] [--limit 2.0]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("shared", "cli", "local_engine", "tests")]

from e2e.world import World
from local_engine.control import Engine
from reprise.instant import parse_instant
from reprise_cli.aws import Aws
from reprise_cli.deploy import Deployment
from reprise_cli.place import LOCAL_REGION, local_place
from reprise_cli.stack import read_stack

STACK: Final = "reprise"
QUEUE: Final = "late-results"
ACCOUNT: Final = "000000000000"
WAYS: Final = ("queue", "webhook", "wait")
REPLIED: Final = "ReplyTo"
"""Both ways of the add-on together."""
WAIT_S: Final = 35


@dataclass
class Arrivals:
    """When each call's late result came, by way and id; the first time counts."""

    at: dict[str, dict[str, datetime]] = field(default_factory=lambda: {way: {} for way in WAYS})
    again: int = 0
    """Deliveries beyond the first, which are allowed."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, way: str, call_id: str) -> None:
        """Remember that a late result is there now."""
        now = datetime.now(UTC)
        with self.lock:
            self.again += call_id in self.at[way]
            self.at[way].setdefault(call_id, now)


def serve(arrivals: Arrivals) -> ThreadingHTTPServer:
    """Take webhooks on the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            document = json.loads(self.rfile.read(length))
            arrivals.note("webhook", document["reprise"]["id"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def receive(world: World, url: str, arrivals: Arrivals, stop: threading.Event) -> None:
    """Take messages from the caller's queue until told to stop."""
    sqs = world.client("sqs")
    while not stop.is_set():
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in found.get("Messages", []):
            arrivals.note("queue", json.loads(message["Body"])["reprise"]["id"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def deploy(engine: Engine, folder: Path, webhook: str) -> World:
    """Deploy the root stack and the add-on beside it."""
    root = Deployment(
        place=local_place(engine),
        stack_name=STACK,
        runtime=engine.admin("GET", "health")["runtimes"][0],
        changes=("LongestTargetTimeout=30",),
        build_dir=folder / "build",
        cache_dir=folder / "cache",
    )
    root.build()
    root.deploy()
    queue = f"arn:aws:sqs:{LOCAL_REGION}:{ACCOUNT}:{QUEUE}"
    addon = root.beside(
        "replies",
        stack_name=f"{STACK}-replies",
        changes=(f"ReplyQueues={queue}", f"ReplyWebhooks={webhook}"),
    )
    addon.build()
    addon.deploy()
    return World(engine, read_stack(Aws(root.place).cloudformation, STACK, LOCAL_REGION))


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that so large a share of all is not above."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(share * 100) // 100) - 1)]


def measure(world: World, arrivals: Arrivals, webhook: str, calls: int) -> dict[str, Any]:
    """Make the calls, let them run, and return what was measured."""
    target, run = world.stack.chaos_target or "", uuid.uuid4().hex[:8]
    url = world.sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    stop = threading.Event()
    threading.Thread(target=receive, args=(world, url, arrivals, stop), daemon=True).start()
    world.hold(target)
    places = {"queue": {"queue": url}, "webhook": {"webhook": f"{webhook}reprise"}}
    kept: dict[str, list[str]] = {way: [] for way in WAYS}
    tokens: dict[str, str] = {}

    def capture(number: int, way: str) -> None:
        body = {"run": run, "call": number, "behaviour": "ok"}
        options: dict[str, Any] = {"ReplyTo": places[way]} if way in places else {}
        block = world.call(target, body, IdempotencyKey=f"{run}-{number}", **options)["reprise"]
        kept[way].append(block["id"])
        tokens[block["id"]] = block["status_token"]

    waiting = max(4, calls // 5)
    each = {"queue": calls // 2, "webhook": calls - calls // 2, "wait": waiting}
    made = [way for way, count in each.items() for _ in range(count)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(capture, range(len(made)), made))

    def wait(call_id: str) -> None:
        deadline_s = time.monotonic() + 300
        while time.monotonic() < deadline_s:
            request = {"StatusOf": call_id, "StatusToken": tokens[call_id], "WaitSeconds": WAIT_S}
            response = world.functions.invoke(
                FunctionName=world.stack.invoker, Payload=json.dumps(request)
            )
            block = json.loads(response["Payload"].read())["reprise"]
            if block["state"] in {"succeeded", "dead_lettered"}:
                arrivals.note("wait", call_id)
                return

    with ThreadPoolExecutor(waiting) as pool:
        waits = [pool.submit(wait, call_id) for call_id in kept["wait"]]
        world.let_go(target)
        call_ids = [call_id for ids in kept.values() for call_id in ids]
        rows = {row.id: row for row in world.await_end(call_ids, limit_s=300)}
        for each_wait in waits:
            each_wait.result()
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s and any(
        len(arrivals.at[way]) < len(kept[way]) for way in WAYS
    ):
        time.sleep(0.2)
    stop.set()
    late_s = {
        way: [
            (arrivals.at[way][call_id] - parse_instant(rows[call_id].updated_at)).total_seconds()
            for call_id in kept[way]
            if call_id in arrivals.at[way]
        ]
        for way in WAYS
    }
    # The first deliveries wait for an environment of the replier, by whatever way they go.
    late_s[REPLIED] = late_s["queue"] + late_s["webhook"]
    kept[REPLIED] = kept["queue"] + kept["webhook"]
    table = {
        way: {
            "calls": len(kept[way]),
            "arrived": len(found),
            "p50_s": round(percentile(found, 0.5), 3) if found else None,
            "p95_s": round(percentile(found, 0.95), 3) if found else None,
            "max_s": round(max(found), 3) if found else None,
        }
        for way, found in late_s.items()
    }
    ran = len(world.receipts(run))
    return {"ways": table, "executions": ran, "kept": len(made), "again": arrivals.again}


def main() -> None:
    """Print the table; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50, help="Calls with a place to reply to.")
    parser.add_argument("--limit", type=float, default=2.0, help="Seconds, for each way's p95.")
    given = parser.parse_args()
    arrivals = Arrivals()
    server = serve(arrivals)
    webhook = f"http://127.0.0.1:{server.server_port}/"
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(state_dir=Path(folder) / "engine")
        engine.start(auth=True)
        try:
            world = deploy(engine, Path(folder), webhook)
            found = measure(world, arrivals, webhook, given.calls)
            complaints = [line for line in world.complaints() if "repl" in line.partition(":")[0]]
        finally:
            engine.stop()
            server.shutdown()
    for line in complaints[-10:]:
        print(line[:800])
    print(f"{'way':10} {'calls':>6} {'arrived':>8} {'p50 s':>7} {'p95 s':>7} {'max s':>7}")
    for way, row in found["ways"].items():
        print(
            f"{way:10} {row['calls']:6} {row['arrived']:8} {row['p50_s'] or 0:7.2f}"
            f" {row['p95_s'] or 0:7.2f} {row['max_s'] or 0:7.2f}"
        )
    print(json.dumps({"limit_s": given.limit, **found}))
    is_late = [
        found["ways"][way]
        for way in (REPLIED, "wait")
        if (found["ways"][way]["p95_s"] or float("inf")) > given.limit
    ]
    is_missing = [row for row in found["ways"].values() if row["arrived"] < row["calls"]]
    if is_late or is_missing or found["executions"] != found["kept"]:
        sys.exit(1)


if __name__ == "__main__":
    main()

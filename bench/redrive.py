"""Redrive many letters in the stack while its function is killed, and say how long it takes.

On the local engine, deployed by the real SAM CLI. So many signed letters of calls that succeed are put into
the dead-letter queue; one command orders their redrive in the stack, and is killed. The function is killed
three times on the way. Proven from the target's own receipts: each call ran once; and from the audit: each
letter has its end. Then 200 calls are drained, alone and beside a redrive in the stack of 130 letters that
fail: the good calls may take 1.2 times as long, and no longer. `--redrive` has the options of that redrive;
without any its canary fails, and the rest stays where it is.

    .venv/bin/python bench/redrive.py [--letters 2000] [--kills 3] [--rounds 3]
    .venv/bin/python bench/redrive.py --letters 100000 --rounds 0

The last line is one JSON object; the exit code is 1 if something was lost, ran twice, or took too long.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

ROOT = Path(__file__).parents[1]
FOLDERS: Final = [str(ROOT / name) for name in ("shared", "cli", "local_engine", "bench", "tests")]
sys.path[:0] = FOLDERS

from on_engine import deployed
from reprise.instant import utc_now
from reprise_cli.calling import InvokerClient
from reprise_cli.dlq.desk import job_store
from reprise_cli.dlq.jobs import status_of
from reprise_letters.job import LetterJobState
from seeded_letters import seed_letters

if TYPE_CHECKING:
    from reprise_cli.app import App
    from reprise_letters.status import JobStatus

FUNCTION: Final = "reprise-letter-jobs"
BAD, GOOD, WORK_MS = 130, 200, 200
MOST: Final = 1.2
SETTLE_S: Final = 20.0
LOOK_S: Final = 1.0
COMMAND: Final = "import sys; from reprise_cli.start import main; sys.exit(main())"


def order(app: App, target: str, *options: str) -> subprocess.Popen[str]:
    """Order a redrive in the stack, as a user does."""
    return command(app, "dlq", "redrive", "--target", target, "--in-stack", "--yes", *options)


def command(app: App, *arguments: str) -> subprocess.Popen[str]:
    """Start the command."""
    return subprocess.Popen(  # noqa: S603 - the command is our own
        [sys.executable, "-c", COMMAND, "--stack-name", app.options.stack_name, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(FOLDERS)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def newest(app: App) -> JobStatus | None:
    """Return how the newest job stands."""
    store = job_store(app)
    ids = list(store.ids())
    return status_of(app, store.job(ids[-1])) if ids else None


def receipts(app: App, run: str) -> Counter[int]:
    """Return how often each call of a run was executed."""
    pages = app.aws.dynamodb.get_paginator("query").paginate(
        TableName=str(app.stack.receipts_table),
        KeyConditionExpression="#run = :run",
        ExpressionAttributeNames={"#run": "run"},
        ExpressionAttributeValues={":run": {"S": run}},
        ConsistentRead=True,
    )
    return Counter(int(item["call"]["N"]) for page in pages for item in page["Items"])


def arn_of(app: App) -> str:
    """Return the chaos target's ARN."""
    target = str(app.stack.chaos_target)
    found = app.aws.functions.get_function_configuration(FunctionName=target)
    return str(found["FunctionArn"])


def redrive(app: App, letters: int, kills: int) -> dict[str, Any]:
    """Redrive so many letters; return what it took, and what is wrong."""
    run, target = f"redrive-{uuid.uuid4().hex[:8]}", str(app.stack.chaos_target)
    began_s = time.monotonic()
    seed_letters(app.stack, app.aws, arn_of(app), run, letters)
    print(f"{letters:,} letters are there after {time.monotonic() - began_s:.0f} s", flush=True)
    began_s = time.monotonic()
    laptop, killed = order(app, target), 0
    while (status := newest(app)) is None or not status.done:
        time.sleep(LOOK_S)
    laptop.kill()
    laptop.wait()
    print(f"begun after {time.monotonic() - began_s:.0f} s", flush=True)
    while (status := newest(app)) is None or status.state is not LetterJobState.DONE:
        time.sleep(LOOK_S)
        is_time = status is not None and status.done >= letters * (killed + 1) / (kills + 1)
        if is_time and killed < kills:
            killed += app.engine.admin("POST", "kill", {"function": FUNCTION})["killed"]
            print(f"{killed} times killed", flush=True)
    took_s = time.monotonic() - began_s
    looked_s = time.monotonic()
    while len(runs := receipts(app, run)) < letters and time.monotonic() - began_s < 4 * took_s:
        # Reading 100,000 receipts is work for the engine, which has the replays to do.
        time.sleep(max(LOOK_S, 5 * (time.monotonic() - looked_s)))
        looked_s = time.monotonic()
    outcomes = {one.message_id for one in job_store(app).outcomes(status.job.id)}
    return {
        "letters": letters,
        "killed": killed,
        "redrive_s": round(took_s, 1),
        "letters_per_s": round(letters / took_s, 1),
        "replayed_s": round(time.monotonic() - began_s, 1),
        "counts": status.last.counts if status.last else {},
        "lost": letters - len(runs),
        "executed_twice": sum(count > 1 for count in runs.values()),
        "without_end_in_audit": letters - len(outcomes),
    }


def drain(app: App, beside: list[str] | None = None) -> float:
    """Return how long held calls take from the lift of their throttle to the last one's success.

    Beside them letters that fail are redriven, with these options, if there are any.
    """
    run, target = f"good-{uuid.uuid4().hex[:8]}", str(app.stack.chaos_target)
    functions = app.aws.functions
    functions.put_function_concurrency(FunctionName=target, ReservedConcurrentExecutions=0)
    invoker = InvokerClient(functions, app.stack.invoker)

    def call(number: int) -> None:
        payload = {"run": run, "call": number, "behaviour": "ok", "work_ms": WORK_MS}
        answer = invoker.call({"FunctionName": target, "Payload": payload}).document
        if answer["StatusCode"] != HTTPStatus.ACCEPTED:
            sys.exit(f"error: a call of a held target was not kept: {answer}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(1, GOOD + 1)))
    time.sleep(SETTLE_S)
    if beside is not None:
        seed_letters(app.stack, app.aws, arn_of(app), f"bad-{run}", BAD, behaviour="poison")
        laptop = order(app, target, *beside)
        # It goes while they are drained: it has begun when its first letters are redriven.
        while (status := newest(app)) is None or not status.done or status.has_ended(utc_now()):
            time.sleep(LOOK_S / 5)
    functions.delete_function_concurrency(FunctionName=target)
    began_s = time.monotonic()
    while len(receipts(app, run)) < GOOD:
        time.sleep(0.2)
    took_s = time.monotonic() - began_s
    if beside is not None:
        laptop.wait()
        time.sleep(SETTLE_S)
        discard = ("dlq", "discard", "--target", target, "--here", "--yes", "--why", "a bench")
        command(app, *discard).wait()
    return took_s


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3, help="of the calls beside a redrive")
    parser.add_argument("--redrive", default="", help="options: '--no-canary --rate 2/s'")
    asked = parser.parse_args()
    with deployed() as app:
        found = redrive(app, asked.letters, asked.kills)
        print(found, flush=True)
        alone, beside = [], []
        for _ in range(asked.rounds):
            alone.append(drain(app))
            beside.append(drain(app, asked.redrive.split()))
            print(f"alone {alone[-1]:.1f} s, beside letters {beside[-1]:.1f} s", flush=True)
    is_well = not (found["lost"] or found["executed_twice"] or found["without_end_in_audit"])
    if asked.rounds:
        ratio = statistics.median(beside) / statistics.median(alone)
        found |= {"alone_s": alone, "beside_s": beside, "ratio": round(ratio, 2)}
        is_well = is_well and ratio <= MOST
    print(json.dumps(found))
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())

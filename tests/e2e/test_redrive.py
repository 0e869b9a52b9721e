"""Letters that still fail: tried by a canary, stopped, gone on with, discarded, and all of it audited."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from e2e.test_one_caller import gate_item
from e2e.world import new_run, poll
from reprise.gate.state import HeldFor
from reprise.ledger import State
from reprise_cli.deploy import REPOSITORY
from reprise_cli.place import exports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.world import World

BAD = 12


def forget_gate(world: World, function: str) -> None:
    """Let a gate flow again, as after a quiet night."""
    arn = world.functions.get_function_configuration(FunctionName=function)["FunctionArn"]
    world.dynamodb.delete_item(TableName=world.stack.ledger_table, Key={"id": {"S": f"gate#{arn}"}})


def give_up(world: World, function: str, run: str, count: int) -> list[str]:
    """Make calls that fail until they are dead letters; return their ids."""
    ids = []
    for number in range(1, count + 1):
        answer = world.call(function, {"run": run, "call": number, "behaviour": "poison"})
        assert answer["StatusCode"] == 202, answer
        ids.append(str(answer["reprise"]["id"]))

    def have_ended() -> bool:
        forget_gate(world, function)
        rows = [world.ledger.get(call_id) for call_id in ids]
        return all(row is not None and row.letter_sent for row in rows)

    poll(have_ended, limit_s=120.0)
    return ids


def start(world: World, *arguments: str) -> subprocess.Popen[str]:
    """Start the command as a user does, to be interrupted."""
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("reprise")), *arguments],
        env={"PATH": "/usr/bin:/bin", **exports(world.place)},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def short_backoffs(world: World, function: str) -> Iterator[None]:
    """Let calls of a function be given up within seconds; replayers learn of it within a minute."""
    ssm, name = world.client("ssm"), world.stack.policy_parameter
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    policy = {"maximum_attempts": 2, "initial_interval_s": 1, "maximum_interval_s": 1}
    document = json.loads(before)
    document.setdefault("targets", {})[function] = policy
    ssm.put_parameter(Name=name, Value=json.dumps(document), Overwrite=True)
    try:
        yield
    finally:
        ssm.put_parameter(Name=name, Value=before, Overwrite=True)


def opened_since(world: World, ids: list[str], since: str) -> int:
    """Return how many of these calls were opened since."""
    rows = [world.ledger.get(call_id) for call_id in ids]
    return sum(row is not None and row.opened_at >= since for row in rows)


@pytest.mark.slow
def test_letters_that_still_fail_are_redriven_with_care(world: World, guest: str) -> None:
    with short_backoffs(world, guest):
        redrive_with_care(world, guest)


def jobs_of(world: World, guest: str) -> list[dict[str, Any]]:
    """Return the jobs whose filter named a target, the newest first."""
    jobs = world.reprise("audit", "--json").document["jobs"]
    return [job for job in jobs if guest in job["filters"].values()]


def redrive_with_care(world: World, guest: str) -> None:
    run = new_run()
    bad_ids = give_up(world, guest, run, BAD)
    forget_gate(world, guest)

    listed = world.reprise("dlq", "list", "--target", guest, "--error", "poison", "--json").document
    assert {letter["id"] for letter in listed["letters"]} == set(bad_ids)
    assert [(one["reason"], one["letters"]) for one in listed["groups"]] == [("exhausted", BAD)]

    # Three go first, fail, and the rest stays.
    options = ("--target", guest, "--canary", "3", "--yes", "--why", "is it mended?")
    stopped = world.reprise("dlq", "redrive", *options, "--json")
    assert stopped.code == 1, stopped.stderr
    assert "of 3 were given up again" in stopped.stderr
    assert "--no-canary" in stopped.stderr
    (job,) = jobs_of(world, guest)
    assert (job["state"], job["count"], job["counts"]) == ("canary_failed", BAD, {"redriven": 3})
    assert (job["why"], job["by"].startswith("arn:aws:")) == ("is it mended?", True)

    # Without a canary, slowly, killed twice: by Ctrl-C, and for good.
    slow = ("dlq", "redrive", "--target", guest, "--no-canary", "--yes", "--rate", "1/s")
    process = start(world, *slow)
    jobs = poll(lambda: jobs_of(world, guest)[:-1])
    poll(lambda: opened_since(world, bad_ids, jobs[0]["started_at"]) >= 2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert "go on: reprise dlq redrive --resume" in told
    (second,) = jobs
    killed = start(world, "dlq", "redrive", "--resume", second["id"])
    poll(lambda: opened_since(world, bad_ids, second["started_at"]) >= 5)
    killed.kill()
    killed.communicate()

    # Good calls go their way beside them.
    world.hold(guest)
    good_ids = world.capture(guest, f"{run}-good", 10)
    world.let_go(guest)
    done = world.reprise("dlq", "redrive", "--resume", second["id"], "--json")
    assert (done.code, done.document["left"]) == (0, 0), done.stderr
    rows = world.await_end(good_ids, limit_s=60.0)
    assert {row.state for row in rows} == {State.SUCCEEDED}
    assert gate_item(world, guest).get("held_for") != HeldFor.FAULT

    # Each job gave each letter one turn of what its policy says, and of the first job three had one.
    world.await_end(bad_ids, limit_s=120.0)
    runs = Counter(number for number, _ in world.receipts(run))
    assert max(runs.values()) <= 3 + 3 + 3
    assert sum(runs.values()) <= 3 * (2 * BAD + 3)
    told = world.reprise("status", bad_ids[0]).stdout
    assert second["id"] in told

    gone = world.reprise(
        "dlq", "discard", "--target", guest, "--yes", "--why", "test data", "--json"
    )
    assert (gone.code, gone.document["discarded"]) == (0, BAD), gone.stderr
    assert world.reprise("dlq", "list", "--target", guest, "--json").document["count"] == 0
    (row,) = world.await_end(bad_ids[:1])
    assert row.state is State.DEAD_LETTERED
    assert "test data" in (row.note or "")
    shown = world.reprise("audit", second["id"], "--json").document
    assert {letter["outcome"]["action"] for letter in shown["letters"]} <= {
        "redriven",
        "opened_since",
    }
    assert len(shown["letters"]) == BAD

"""A redrive in the stack: planned there, its function killed, its laptop gone; stopped, and gone on with."""

from __future__ import annotations

import time
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from e2e.test_redrive import start
from e2e.world import new_run, poll
from seeded_letters import seed_letters

if TYPE_CHECKING:
    from e2e.world import World

LETTERS = 1500


def seed(world: World, function: str, run: str, count: int, **payload: object) -> list[str]:
    """Put dead letters of a function."""
    clients = SimpleNamespace(
        sqs=world.sqs, dynamodb=world.dynamodb, secrets=world.client("secretsmanager")
    )
    arn = world.functions.get_function_configuration(FunctionName=function)["FunctionArn"]
    return seed_letters(world.stack, clients, arn, run, count, **payload)


def job_of(world: World, target: str) -> dict[str, Any] | None:
    """Return how the newest job of a target stands, as the audit lists it."""
    jobs = world.look("audit", "--json").document["jobs"]
    found = [job for job in jobs if target in job["filters"].values()]
    return found[0] if found else None


def await_job(world: World, target: str, *, done: int, limit_s: float = 120.0) -> dict[str, Any]:
    """Return the job of a target once so many letters are done."""

    def look() -> dict[str, Any] | None:
        job = job_of(world, target)
        return job if job is not None and job["done"] >= done else None

    return poll(look, limit_s=limit_s)


@pytest.mark.slow
def test_letters_are_redriven_once_by_a_function_that_is_killed_three_times(
    world: World, guest: str
) -> None:
    run, name = new_run(), "reprise-letter-jobs"
    ids = seed(world, guest, run, LETTERS)
    laptop = start(
        world, "dlq", "redrive", "--target", guest, "--in-stack", "--yes", "--rate", "30/s"
    )
    killed = 0
    for done in (200, 600, 1000):
        await_job(world, guest, done=done)
        killed += world.admin("POST", "kill", {"function": name})["killed"]
        # The first time the laptop goes, too.
        laptop.kill()
    laptop.communicate()
    assert killed == 3
    await_job(world, guest, done=LETTERS, limit_s=180.0)
    job = poll(lambda: (found := job_of(world, guest)) and found["state"] == "done" and found)
    assert (job["count"], job["counts"]) == (LETTERS, {"redriven": LETTERS})

    shown = world.look("audit", job["id"], "--json").document
    assert Counter(letter["outcome"]["action"] for letter in shown["letters"]) == job["counts"]
    assert {letter["id"] for letter in shown["letters"]} == set(ids)
    # The target's own receipts: each call ran, and none twice.
    poll(lambda: len(world.receipts(run)) >= LETTERS, limit_s=90.0)
    runs = Counter(number for number, _ in world.receipts(run))
    assert runs == Counter(dict.fromkeys(range(1, LETTERS + 1), 1))
    assert world.look("dlq", "list", "--target", guest, "--json").document["count"] == 0


def test_a_job_in_the_stack_is_stopped_and_gone_on_with(world: World, guest: str) -> None:
    run = new_run()
    seed(world, guest, run, 40)
    laptop = start(
        world, "dlq", "redrive", "--target", guest, "--in-stack", "--yes", "--rate", "1/s"
    )
    job = await_job(world, guest, done=3)
    began_s = time.monotonic()
    stopped = world.look("dlq", "cancel", job["id"], "--why", "a test", "--json")
    took_s = time.monotonic() - began_s
    assert stopped.document["state"] == "cancelled", stopped.stderr
    assert took_s < 12
    _, told = laptop.communicate(timeout=30)
    assert laptop.returncode == 1
    assert "a test" in told

    done = world.look("dlq", "redrive", "--resume", job["id"], "--rate", "100/s", "--json")
    assert (done.code, done.document["left"]) == (0, 0), done.stderr
    poll(lambda: len(world.receipts(run)) >= 40, limit_s=60.0)
    runs = Counter(number for number, _ in world.receipts(run))
    assert set(runs.values()) == {1}

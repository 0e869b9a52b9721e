"""A job that is given up is told by its name and its reason, once; a storm of them is counted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from e2e.test_observe import look
from e2e.test_schedules import apply, await_states, job
from e2e.world import new_run, poll
from reprise.aws.job_book import FailedJobTable
from reprise.given_up import LINES_A_MINUTE, GivenUpJob

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.world import World


@pytest.mark.usefixtures("schedules")
def test_scheduled_job_that_finally_failed_is_told_once_by_name(
    world: World, inbox: str, guest: str, tmp_path: Path
) -> None:
    poison = {"behaviour": "poison"}
    fields = {"payload": poison, "policy": {"maximum_attempts": 1}}
    apply(world, tmp_path, [job("close-books", guest, new_run(), **fields)])
    # One that is warm may remember the policy of before, for a minute.
    world.admin("POST", "kill", {"function": world.stack.replayer, "idle": True})
    # What other tests left untold.
    look(world)
    drain(world, inbox)
    assert world.reprise("schedule", "run", "close-books").code == 0
    poll(lambda: FailedJobTable(world.dynamodb, world.stack.ledger_table).read().jobs)
    look(world)
    (line,) = poll(lambda: drain(world, inbox))
    said = re.fullmatch(
        r'"?reprise: close-books failed by function_error: PoisonError\. Attempts: 1\. '
        r'reprise calls show (\S+?)"?',
        line,
    )
    assert said, line
    shown = world.look("calls", "show", said[1].strip("'"))
    assert shown.code == 0, shown.stderr
    assert "dead_lettered" in shown.stdout.replace("-", "_")
    look(world)
    assert drain(world, inbox) == []
    await_states(world, "close-books", ["dead_lettered"])
    apply(world, tmp_path, [])


def test_storm_of_failed_jobs_is_named_in_part_and_counted(world: World, inbox: str) -> None:
    look(world)
    drain(world, inbox)
    book = FailedJobTable(world.dynamodb, world.stack.ledger_table)
    for number in range(LINES_A_MINUTE + 31):
        name = f"nightly-{number}"
        book.add(GivenUpJob(job=name, reason="exit code 3", attempts=3, id=name, function="f"))
    look(world)
    lines: list[str] = []

    def are_all_there() -> bool:
        lines.extend(drain(world, inbox))
        return len(lines) > LINES_A_MINUTE

    poll(are_all_there)
    assert len(lines) == LINES_A_MINUTE + 1
    assert sum("reprise: 31 more jobs failed, too many to name" in line for line in lines) == 1


def drain(world: World, url: str) -> list[str]:
    """Take what was told of failed jobs, and what else there is, too."""
    found: list[str] = []
    while messages := world.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        for message in messages:
            world.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if " failed" in message["Body"]:
                found.append(str(message["Body"]))
    return found

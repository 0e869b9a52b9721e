"""Jobs that the command orders and the stack runs, on moto: planned, watched, stopped, gone on with."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from functional.cli.test_commands import Cloud, MotoApp, cloud, document_of, run
from functional.cli.test_dlq_jobs import give_up
from reprise_cli.dlq import in_stack, jobs
from reprise_cli.main import app
from reprise_letters import supervisor
from reprise_letters.settings import LetterJobSettings
from reprise_letters.supervisor import Delivery
from reprise_letters.wiring import deployed_runner
from unit.cli.test_stack import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["cloud"]
ORDERS = "LetterJobsQueueUrl"


@dataclass
class Function:
    """The stack's function: runs one order whenever somebody waits."""

    cloud: Cloud
    waits: list[float] = field(default_factory=list)
    is_away: bool = False
    then: Callable[[], None] = lambda: None
    during: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        assert len(self.waits) < 50
        if not self.is_away:
            self.run()
        self.then()

    def run(self) -> None:
        urls = self.cloud.urls
        settings = LetterJobSettings(
            stack="reprise",
            bucket=OUTPUTS["BucketName"],
            ledger_table=OUTPUTS["LedgerTable"],
            replay_queue_url=urls["ReplayQueueUrl"],
            capture_queue_url=urls["CaptureQueueUrl"],
            dead_letter_queue_url=urls["DeadLetterQueueUrl"],
            capture_dlq_url=urls["CaptureDeadLetterQueueUrl"],
            letter_jobs_queue_url=urls[ORDERS],
            letter_jobs_dlq_url=urls["LetterJobsDeadLetterQueueUrl"],
        )
        runner, _ = deployed_runner(settings)
        found = self.cloud.sqs.receive_message(QueueUrl=urls[ORDERS])
        for message in found.get("Messages", []):

            def remaining_ms() -> int:
                self.during()
                return 900_000

            delivery = Delivery(
                run=message["MessageId"],
                message_id=message["MessageId"],
                remaining_ms=remaining_ms,
                hide=lambda _: None,
            )
            assert runner.run(message["Body"], delivery) is None
            handle = message["ReceiptHandle"]
            self.cloud.sqs.delete_message(QueueUrl=urls[ORDERS], ReceiptHandle=handle)


@pytest.fixture
def function(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Function:
    made = Function(cloud)
    clock = SimpleNamespace(sleep=made.sleep, monotonic=lambda: sum(made.waits))
    monkeypatch.setattr(jobs, "time", clock)
    return made


def answer(monkeypatch: pytest.MonkeyPatch, word: str, *arguments: str) -> tuple[int, str]:
    """Run the command at a terminal, where it is answered; return its code and what it wrote."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    with monkeypatch.context() as patch, CliRunner().isolation() as streams:
        patch.setattr(sys, "stdin", Terminal(word))
        try:
            get_command(app).main(list(arguments), obj=MotoApp, standalone_mode=True)
        except SystemExit as end:
            return int(end.code or 0), streams[2].getvalue().decode()
    raise AssertionError


REDRIVE = ("dlq", "redrive", "--all", "--in-stack")


@pytest.mark.usefixtures("function")
def test_the_stack_does_what_is_agreed_to_by_option(cloud: Cloud) -> None:
    give_up(cloud, 12)
    done = run(*REDRIVE, "--yes", "--why", "mended", "--json")
    assert done.exit_code == 0, done.stderr
    document = document_of(done)
    assert (document["state"], document["redriven"], document["left"]) == ("done", 12, 0)
    assert len(cloud.bodies("ReplayQueueUrl")) == 10
    for words in ("Ctrl-C stops only the watching", "reprise dlq cancel", "place: "):
        assert words in done.stderr
    shown = document_of(run("audit", document["job"], "--json"))
    assert (shown["state"], shown["now"], shown["count"], shown["why"]) == (
        "done",
        "done",
        12,
        "mended",
    )
    assert {letter["outcome"]["action"] for letter in shown["letters"]} == {"redriven"}
    listed = run("audit").stdout
    assert document["job"] in listed
    assert "12" in listed


@pytest.mark.usefixtures("function")
def test_the_stack_looks_for_the_letters_and_the_command_shows_them_and_asks(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up(cloud, 3)
    cloud.give_up("call-9", reason="unknown")
    code, told = answer(monkeypatch, "no\n", *REDRIVE)
    assert code == 1
    for words in ("4 letters to redrive", "exhausted", "may run again", "[y/N]"):
        assert words in told
    assert len(cloud.bodies("DeadLetterQueueUrl")) == 4
    (job,) = document_of(run("audit", "--json"))["jobs"]
    assert (job["state"], job["now"], job["count"]) == ("planned", "planned", 4)
    # What was planned can be agreed to later, as it was planned.
    cloud.give_up("call-10")
    done = run("dlq", "redrive", "--resume", job["id"], "--yes", "--json")
    assert (done.exit_code, document_of(done)["redriven"]) == (0, 4)
    assert len(cloud.bodies("DeadLetterQueueUrl")) == 1
    code, _ = answer(monkeypatch, "y\n", *REDRIVE)
    assert (code, cloud.bodies("DeadLetterQueueUrl")) == (0, [])


@pytest.mark.usefixtures("function")
def test_a_dry_run_in_the_stack_leaves_a_plan_that_can_be_carried_out(cloud: Cloud) -> None:
    give_up(cloud, 3)
    told = run(*REDRIVE, "--dry-run", "--yes", "--json")
    document = document_of(told)
    assert (document["dry_run"], document["selected"]) == (True, 3)
    assert (len(cloud.bodies("DeadLetterQueueUrl")), cloud.bodies("ReplayQueueUrl")) == (3, [])
    assert f"reprise dlq redrive --resume {document['job']}" in told.stderr
    cloud.give_up("call-later")
    done = run("dlq", "redrive", "--resume", document["job"], "--yes", "--json")
    assert document_of(done)["redriven"] == 3


def test_nothing_is_ordered_where_nobody_can_agree(cloud: Cloud, function: Function) -> None:
    give_up(cloud, 1)
    refused = run(*REDRIVE, "--json")
    assert (refused.exit_code, document_of(refused)["error"]["field"]) == (2, "--yes")
    assert (cloud.bodies(ORDERS), function.waits) == ([], [])


@pytest.mark.usefixtures("function")
def test_a_discard_in_the_stack_keeps_who_and_why(cloud: Cloud) -> None:
    give_up(cloud, 2)
    options = ("dlq", "discard", "--all", "--in-stack", "--yes", "--why", "test data")
    assert document_of(run(*options, "--json"))["discarded"] == 2
    row = cloud.ledger.get("call-1")
    assert row is not None
    assert "arn:aws:" in (row.note or "")
    assert "test data" in (row.note or "")


def test_many_letters_are_the_stacks_unless_they_are_to_be_done_here(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, function: Function
) -> None:
    monkeypatch.setattr(in_stack, "ABOVE", 4)
    give_up(cloud, 5)
    here = run("dlq", "redrive", "--all", "--here", "--max", "1", "--yes", "--json")
    assert (document_of(here)["redriven"], function.waits) == (1, [])
    few = run("dlq", "redrive", "--all", "--max", "0", "--yes")
    assert few.exit_code == 2
    give_up(cloud, 5)
    done = run("dlq", "redrive", "--all", "--yes", "--json")
    assert done.exit_code == 0
    assert function.waits
    assert "the stack runs the job (--here: this machine)" in done.stderr


@pytest.mark.parametrize("options", [["call-1"], ["call-1", "--payload", "FILE"]])
def test_single_calls_are_done_here(
    cloud: Cloud, options: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    give_up(cloud, 2)
    path = tmp_path_factory.mktemp("payload") / "p.json"
    path.write_text("{}")
    named = [str(path) if option == "FILE" else option for option in options]
    done = run("dlq", "redrive", *named, "--in-stack", "--yes", "--json")
    assert (done.exit_code, document_of(done)["error"]["field"]) == (2, "--in-stack")


def test_ctrl_c_stops_only_the_watching(cloud: Cloud, function: Function) -> None:
    give_up(cloud, 3)
    function.is_away = True

    def interrupt() -> None:
        raise KeyboardInterrupt

    function.then = interrupt
    stopped = run(*REDRIVE, "--yes")
    assert stopped.exit_code == 130
    (job,) = document_of(run("audit", "--json"))["jobs"]
    assert f"job {job['id']} goes on. Watch: reprise dlq watch {job['id']}" in stopped.stderr
    assert job["now"] == "waiting for its next run"
    function.is_away, function.then = False, lambda: None
    done = run("dlq", "watch", job["id"], "--json")
    assert (done.exit_code, document_of(done)["redriven"]) == (0, 3)


def test_a_job_is_cancelled_by_whom_and_why_and_gone_on_with(
    cloud: Cloud, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "CANCEL_EVERY_S", 0.0)
    give_up(cloud, 25)
    told: list[Any] = []

    def cancel_once() -> None:
        rows = [cloud.ledger.get(f"call-{number}") for number in range(25)]
        is_begun = any(row is not None and row.state.value == "captured" for row in rows)
        if is_begun and not told:
            told.append(None)
            function.is_away = True
            told[0] = run("dlq", "cancel", job_of(), "--why", "wrong release", "--json")
            function.is_away = False

    def job_of() -> str:
        return str(document_of(run("audit", "--json"))["jobs"][0]["id"])

    function.during = cancel_once
    stopped = run(*REDRIVE, "--yes", "--rate", "50/s", "--json")
    assert stopped.exit_code == 1
    document = document_of(stopped)
    assert document["state"] == "cancelled"
    assert "wrong release" in document["why"]
    assert 2 <= document["redriven"] < 25
    assert f"--resume {document['job']}" in stopped.stderr
    again = run("dlq", "redrive", "--resume", document["job"], "--rate", "100/s", "--json")
    assert (again.exit_code, document_of(again)["redriven"]) == (0, 25), again.stderr
    ended = run("dlq", "cancel", document["job"], "--json")
    assert document_of(ended)["error"]["message"].endswith("has ended: done")


@pytest.mark.parametrize("verb", ["watch", "cancel"])
def test_a_job_of_a_command_is_stopped_where_it_runs(cloud: Cloud, verb: str) -> None:
    give_up(cloud, 1)
    job = document_of(run("dlq", "redrive", "--all", "--yes", "--json"))["job"]
    refused = run("dlq", verb, job, "--json")
    assert (refused.exit_code, document_of(refused)["error"]["field"]) == (1, "JOB")
    missing = run("dlq", verb, "none", "--json")
    assert (missing.exit_code, document_of(missing)["error"]["field"]) == (1, "JOB")


def test_a_job_at_work_is_not_begun_a_second_time(cloud: Cloud, function: Function) -> None:
    give_up(cloud, 1)
    job = document_of(run(*REDRIVE, "--yes", "--json"))["job"]
    heartbeat = {"run": "r", "message_id": "m", "until": "2999-01-01T00:00:00Z", "doing": "redrive"}
    boto3.client("s3").put_object(
        Bucket=OUTPUTS["BucketName"], Key=f"audit/{job}/heartbeat.json", Body=json.dumps(heartbeat)
    )
    function.is_away = True
    refused = run("dlq", "redrive", "--resume", job, "--json")
    assert document_of(refused)["error"]["field"] == "--resume"
    assert cloud.bodies(ORDERS) == []

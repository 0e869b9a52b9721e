"""Jobs at the dead-letter queue as commands, on moto: chosen, asked for, stopped, gone on with, audited."""

from __future__ import annotations

import io
import sys
from typing import Any

import boto3
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from functional.cli.test_commands import Cloud, MotoApp, cloud, document_of, run
from reprise.aws.ledger_table import LedgerTable
from reprise.dead_letter import dead_letter
from reprise.ledger import State
from reprise_cli.main import app
from strategies import NOW, make_record, signed
from unit.cli.test_letter import dead_row
from unit.cli.test_stack import OUTPUTS

__all__ = ["cloud"]


def give_up(cloud: Cloud, count: int, **changes: Any) -> list[str]:
    ids = [f"call-{number}" for number in range(count)]
    for call_id in ids:
        row = dead_row(id=call_id, letter_sent=True, **changes)
        cloud.ledger.record(row)
        record = signed(make_record(id=call_id))
        cloud.send("DeadLetterQueueUrl", dead_letter(record, row, now=NOW))
    return ids


def test_a_summary_comes_before_and_after(cloud: Cloud) -> None:
    give_up(cloud, 2)
    cloud.give_up("call-9", reason="unknown")
    done = run("dlq", "redrive", "--all", "--yes", "--why", "mended")
    assert done.exit_code == 0
    before, _, after = done.stdout.partition("what became of them")
    assert "3 letters to redrive" in before
    for part in (before, after):
        assert "exhausted" in part
        assert "unknown" in part
    assert "redriven" in after
    assert "may run again" in done.stderr
    assert "place: " in done.stderr


def test_nothing_is_done_unless_somebody_agrees(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up(cloud, 1)
    refused = run("dlq", "redrive", "--all", "--json")
    assert (refused.exit_code, document_of(refused)["error"]["field"]) == (2, "--yes")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def asked(answer: str) -> int:
        with monkeypatch.context() as patch:
            runner = CliRunner()
            with runner.isolation():
                patch.setattr(sys, "stdin", Terminal(answer))
                try:
                    get_command(app).main(
                        ["dlq", "redrive", "--all"], obj=MotoApp, standalone_mode=True
                    )
                except SystemExit as end:
                    return int(end.code or 0)
        return 0

    assert asked("no\n") == 1
    assert len(cloud.bodies("DeadLetterQueueUrl")) == 1
    assert asked("y\n") == 0
    assert cloud.bodies("DeadLetterQueueUrl") == []


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--error", "3 ATTEMPTS"], 3),
        (["--error", "/[0-9] attempts? failed$/"], 3),
        (["--error", "4 attempts"], 0),
        (["--newer-than", "1s"], 0),
        (["--older-than", "1s"], 3),
        (["--all", "--max", "2"], 2),
        (["--target", "nobody"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_letters_are_chosen_by_what_is_said(cloud: Cloud, options: list[str], count: int) -> None:
    give_up(cloud, 3)
    done = run("dlq", "redrive", *options, "--yes", "--json")
    assert (done.exit_code, document_of(done)["selected"]) == (0, count)
    assert len(cloud.bodies("ReplayQueueUrl")) == count
    if not count:
        assert "targets: orders" in done.stderr


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (["redrive", "--reason", "exhaused"], "--reason"),
        (["list", "--reason", "exhaused"], "--reason"),
        (["redrive", "--error", "/[/"], "--error"),
        (["redrive", "--all", "--rate", "fast"], "--rate"),
        (["redrive", "--all", "--newer-than", "soon"], "--newer-than"),
        (["redrive", "--all", "--canary-wait", "soon"], "--canary-wait"),
        (["redrive", "--all", "--canary", "5", "--no-canary"], "--canary"),
        (["redrive", "--all", "--resume", "x"], "--resume"),
        (["discard", "--all", "--yes"], "--why"),
        (["discard", "--all", "--yes", "--why", " "], "--why"),
        (["discard"], "ID"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("cloud")
def test_what_cannot_be_understood_is_named(options: list[str], field: str) -> None:
    done = run("dlq", *options, "--json")
    assert (done.exit_code, document_of(done)["error"]["field"]) == (2, field)


@pytest.mark.usefixtures("cloud")
def test_a_job_that_is_not_there_is_said_to_be_none() -> None:
    for command in (["dlq", "redrive", "--resume", "none"], ["audit", "none"]):
        done = run(*command, "--json")
        assert (done.exit_code, document_of(done)["error"]["field"]) == (1, "JOB")


def test_a_discarded_letter_is_gone_and_its_call_says_why(cloud: Cloud) -> None:
    give_up(cloud, 2)
    cloud.send("DeadLetterQueueUrl", "?")
    done = run("dlq", "discard", "--all", "--yes", "--why", "test data of Ann's", "--json")
    assert (done.exit_code, document_of(done)["discarded"]) == (0, 3)
    assert cloud.bodies("DeadLetterQueueUrl") == []
    row = cloud.ledger.get("call-0")
    assert row is not None
    assert row.state is State.DEAD_LETTERED
    assert "arn:aws:" in (row.note or "")
    told = run("status", "call-0").stdout
    assert "test data of Ann's" in told
    assert "reprise dlq show" not in told


@pytest.mark.parametrize(("verb", "is_told"), [("redrive", True), ("discard", False)])
def test_a_redrive_that_is_done_says_where_its_failures_will_be(
    cloud: Cloud, verb: str, *, is_told: bool
) -> None:
    give_up(cloud, 1)
    done = run("dlq", verb, "--all", "--yes", "--why", "mended")
    assert ("redriven is not succeeded" in done.stderr) == is_told


def test_a_discard_is_rehearsed_and_takes_nothing_and_needs_no_reason(cloud: Cloud) -> None:
    give_up(cloud, 3)
    done = run("dlq", "discard", "--target", "orders", "--max", "2", "--dry-run", "--json")
    document = document_of(done)
    assert (done.exit_code, document["dry_run"], document["selected"]) == (0, True, 2)
    assert [letter["id"] for letter in document["letters"]] == ["call-0", "call-1"]
    assert [group["letters"] for group in document["groups"]] == [2]
    assert len(cloud.bodies("DeadLetterQueueUrl")) == 3
    assert document_of(run("audit", "--json"))["jobs"] == []


@pytest.mark.usefixtures("cloud")
def test_a_rehearsed_discard_names_an_id_that_is_not_there() -> None:
    assert run("dlq", "discard", "call-9", "--dry-run").exit_code == 1


def test_the_audit_tells_who_did_what_and_why(cloud: Cloud) -> None:
    ids = give_up(cloud, 3)
    redriven = document_of(run("dlq", "redrive", *ids[:2], "--why", "mended", "--json"))
    discarded = document_of(run("dlq", "discard", ids[2], "--why", "a test", "--json"))
    listed = document_of(run("audit", "--json"))
    assert [(job["id"], job["verb"], job["state"]) for job in listed["jobs"]] == sorted(
        [
            (discarded["job"], "discard", "done"),
            (redriven["job"], "redrive", "done"),
        ],
        reverse=True,
    )
    shown = document_of(run("audit", redriven["job"], "--json"))
    assert shown["by"].startswith("arn:aws:")
    assert (shown["why"], shown["filters"]["ids"]) == ("mended", "call-0, call-1")
    assert {one["id"]: one["outcome"]["action"] for one in shown["letters"]} == {
        "call-0": "redriven",
        "call-1": "redriven",
    }
    # And the call's own story.
    told = run("status", "call-0").stdout
    for words in (shown["by"], redriven["job"], "mended"):
        assert words in " ".join(told.split())


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_audit_cuts_no_id(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    give_up(cloud, 1)
    job = document_of(run("dlq", "redrive", "--all", "--yes", "--json"))["job"]
    monkeypatch.setenv("COLUMNS", str(columns))
    assert job in run("audit").stdout
    shown = run("audit", job).stdout
    assert "call-0" in shown
    assert max(map(len, shown.splitlines())) <= columns


def test_who_may_not_write_the_audit_redrives_nothing(cloud: Cloud) -> None:
    give_up(cloud, 1)
    boto3.client("s3").delete_bucket(Bucket=OUTPUTS["BucketName"])
    done = run("dlq", "redrive", "--all", "--yes")
    assert done.exit_code == 1
    assert "audit/*" in done.stderr
    assert len(cloud.bodies("DeadLetterQueueUrl")) == 1


def test_ctrl_c_says_how_far_it_got_and_the_job_goes_on(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = give_up(cloud, 25)
    count = iter(range(100))

    def stop(self: LedgerTable, dead: Any, **said: Any) -> Any:
        # The second batch: its calls are open then, and nobody was told.
        opened = redrive_all(self, dead, **said)
        if next(count) == 1:
            raise KeyboardInterrupt
        return opened

    redrive_all = LedgerTable.redrive_all
    monkeypatch.setattr(LedgerTable, "redrive_all", stop)
    stopped = run("dlq", "redrive", "--all", "--yes", "--json")
    assert stopped.exit_code == 130
    document = document_of(stopped)
    assert (document["state"], document["left"]) == ("interrupted", 15)
    assert f"10 of 25 done, 15 left; go on: reprise dlq redrive --resume {document['job']}" in (
        stopped.stderr
    )
    assert len(cloud.bodies("DeadLetterQueueUrl")) == 10, "given back: as many as one look sees"

    done = document_of(run("dlq", "redrive", "--resume", document["job"], "--json"))
    assert (done["state"], done["redriven"], done["left"]) == ("done", 25, 0)
    rows = [cloud.ledger.get(call_id) for call_id in ids]
    assert {row.state for row in rows if row is not None} == {State.CAPTURED}
    assert document_of(run("audit", "--json"))["jobs"][0]["counts"] == {"redriven": 25}


def test_more_than_a_hundred_letters_have_a_canary(cloud: Cloud) -> None:
    give_up(cloud, 101)
    done = run("dlq", "redrive", "--all", "--yes", "--canary-wait", "0s", "--json")
    assert done.exit_code == 1
    job = document_of(done)
    assert (job["state"], job["redriven"], job["left"]) == ("canary_open", 10, 91)
    assert "10 of 10 have not ended" in job["why"]
    assert f"--resume {job['job']}" in done.stderr
    resumed = run("dlq", "redrive", "--resume", job["job"], "--no-canary", "--json")
    assert document_of(resumed)["redriven"] == 101

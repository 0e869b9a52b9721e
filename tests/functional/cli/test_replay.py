"""`reprise replay` on moto: a look, a question, a job that is kept and gone on with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from doubles import FakeMeter
from functional.cli.test_commands import Cloud, cloud, document_of, run
from reprise.aws.keys import secret_name
from reprise.aws.s3 import S3Objects
from reprise.capturing.line import write_line
from reprise.instant import format_instant, parse_instant, utc_now
from reprise.ledger import State
from reprise.quarantine import Quarantine
from reprise.replay.message import read_message
from reprise_cli.replay.window import again_id, first_life
from strategies import KEYS, envelope, make_record, make_row, zipped
from unit.cli.test_stack import OUTPUTS

if TYPE_CHECKING:
    from reprise.capturing.record import Record

__all__ = ["cloud"]


def capture(
    cloud: Cloud,
    state: State | None,
    *names: str,
    reason: str | None = None,
    note: str | None = None,
    **changes: Any,
) -> list[str]:
    """Put a capture object with a minute-old call of each name into the bucket, and rows in the ledger."""
    at = utc_now() - timedelta(minutes=1)
    made: list[Record] = [
        make_record(id=f"orders:{name}", captured_at=format_instant(at), **changes)
        for name in names
    ]
    body = zipped(envelope([write_line(record, KEYS) for record in made]))
    key = f"captured/{at:%Y/%m/%d/%H}/{names[0]}.gz"
    boto3.client("s3").put_object(Bucket=OUTPUTS["BucketName"], Key=key, Body=body)
    for record in made if state is not None else ():
        cloud.ledger.record(
            make_row(
                id=record.id,
                state=state,
                target=record.target.function,
                captured_at=record.captured_at,
                opened_at=record.captured_at,
                capture_object=f"s3://{OUTPUTS['BucketName']}/{key}",
                reason=reason,
                note=note,
            )
        )
    return [record.id for record in made]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(cloud: Cloud) -> None:
    capture(cloud, State.SUCCEEDED, "a", "b")
    capture(cloud, None, "c")
    told = document_of(run("replay", "--from", "10m", "--state", "all", "--dry-run", "--json"))
    assert {(group["step"], group["calls"]) for group in told["groups"]} == {
        ("run again", 2),
        ("take in", 1),
    }
    assert (told["selected"], told["job"]) == (3, None)
    assert not cloud.bodies("ReplayQueueUrl")
    assert not cloud.bodies("CaptureQueueUrl")


def test_what_has_ended_is_left_alone_unless_it_was_asked_for(cloud: Cloud) -> None:
    capture(cloud, State.SUCCEEDED, "a")
    capture(cloud, State.DEAD_LETTERED, "b")
    told = document_of(run("replay", "--from", "10m", "--yes", "--json"))
    assert (told["selected"], {group["step"] for group in told["groups"]}) == (0, {"leave"})


def test_calls_that_succeeded_run_again_as_new_calls_and_the_job_is_kept(cloud: Cloud) -> None:
    first, _ = capture(cloud, State.SUCCEEDED, "a", "b")
    done = run(
        "replay", "--from", "10m", "--state", "ended", "--yes", "--why", "bad deploy", "--json"
    )
    told = document_of(done)
    assert (done.exit_code, told["redriven"], "AGAIN" in done.stderr) == (0, 2, True)
    records = [read_message(body).record for body in cloud.bodies("ReplayQueueUrl")]
    assert again_id(first, told["job"]) in {record.id for record in records}
    assert all(first_life(record.id) for record in records)
    audit = document_of(run("audit", told["job"], "--json"))
    assert (audit["verb"], audit["why"]) == ("replay", "bad deploy")
    again = document_of(run("replay", "--resume", told["job"], "--json"))
    assert again["left"] == 0
    assert "replay" in run("audit", told["job"]).stdout
    assert "replay" in run("audit").stdout


def test_a_second_replay_of_a_window_runs_nothing_twice(cloud: Cloud) -> None:
    capture(cloud, State.SUCCEEDED, "a", "b")
    once = ("replay", "--from", "10m", "--state", "ended", "--yes", "--json")
    job = document_of(run(*once, "--max", "1"))["job"]
    told = document_of(run(*once))
    assert (told["selected"], len(cloud.bodies("ReplayQueueUrl"))) == (1, 2)
    assert document_of(run(*once))["selected"] == 0
    assert f"{job} has it" in run("replay", "--from", "10m", "--state", "ended").stdout


def test_calls_that_ended_before_or_after_a_bad_deployment_do_not_run_again(cloud: Cloud) -> None:
    capture(cloud, State.SUCCEEDED, "a")
    row = cloud.ledger.get("orders:a")
    assert row is not None
    ended_at = parse_instant(row.updated_at)

    def selected(*options: str) -> int:
        wish = ("replay", "--from", "10m", "--state", "ended", "--dry-run", "--json")
        return int(document_of(run(*wish, *options))["selected"])

    after = format_instant(ended_at + timedelta(seconds=1))
    before = format_instant(ended_at - timedelta(seconds=1))
    assert selected("--ended-from", before, "--ended-to", after) == 1
    assert selected("--ended-from", after) == selected("--ended-to", before) == 0


def test_when_calls_ended_is_asked_of_ended_calls_only(cloud: Cloud) -> None:
    del cloud
    result = run("replay", "--from", "10m", "--ended-from", "5m")
    assert (result.exit_code, "Add --state ended" in result.stderr) == (2, True)


def test_what_was_given_up_runs_under_its_own_id(cloud: Cloud) -> None:
    (call_id,) = capture(cloud, State.DEAD_LETTERED, "a")
    assert run("replay", "--from", "10m", "--state", "ended", "--yes").exit_code == 0
    assert [read_message(body).record.id for body in cloud.bodies("ReplayQueueUrl")] == [call_id]
    row = cloud.ledger.get(call_id)
    assert row is not None
    assert row.state is State.CAPTURED


def test_what_the_ledger_does_not_know_is_taken_in_by_its_object(cloud: Cloud) -> None:
    capture(cloud, None, "a", "b")
    told = document_of(run("replay", "--from", "10m", "--yes", "--json"))
    assert told["taken_in"] == 2
    (body,) = cloud.bodies("CaptureQueueUrl")
    assert "a.gz" in body


def test_nothing_runs_again_without_the_operators_key(cloud: Cloud) -> None:
    capture(cloud, State.SUCCEEDED, "a")
    secrets = boto3.client("secretsmanager")
    secrets.delete_secret(
        SecretId=secret_name("reprise", "operator"), ForceDeleteWithoutRecovery=True
    )
    done = run("replay", "--from", "10m", "--state", "ended", "--yes")
    assert done.exit_code == 1
    assert "OperatorSecretArn" in done.stderr
    assert document_of(run("audit", "--json"))["count"] == 0


def test_quarantined_lines_are_taken_in_after_a_look(cloud: Cloud) -> None:
    del cloud
    s3 = boto3.client("s3")
    line = write_line(make_record(), KEYS)
    quarantine = Quarantine("s3://b/k", S3Objects(s3, OUTPUTS["BucketName"]), FakeMeter())
    quarantine.add(0, "bad_mac", "not believed", line.encode())
    quarantine.flush()
    look = ("replay", "--from", "10m", "--source", "quarantine")
    told = document_of(run(*look, "--dry-run", "--json"))
    assert told["groups"] == [{"target": "orders", "why": "bad_mac", "lines": 1}]
    done = document_of(run(*look, "--yes", "--json"))
    assert (done["lines"], done["taken_in"]) == (1, 1)
    listed = s3.list_objects_v2(Bucket=OUTPUTS["BucketName"], Prefix="captured/")
    assert [entry["Key"].rsplit("/", 1)[-1][:9] for entry in listed["Contents"]] == ["taken-in-"]
    assert "replay" in run("audit", done["job"]).stdout


def test_a_call_that_is_named_needs_no_window_and_no_question(cloud: Cloud) -> None:
    cancelled, other = capture(cloud, State.DEAD_LETTERED, "a", "b", reason="cancelled", note="no")
    done = document_of(run("replay", "--call", "orders:a", "--why", "a mistake", "--json"))
    assert (done["redriven"], done["left"]) == (1, 0)
    assert [read_message(body).record.id for body in cloud.bodies("ReplayQueueUrl")] == [cancelled]
    rows = cloud.ledger.get_all([cancelled, other])
    assert {name: row.state for name, row in rows.items()} == {
        cancelled: State.CAPTURED,
        other: State.DEAD_LETTERED,
    }
    assert rows[cancelled].note is None
    audit = document_of(run("audit", done["job"], "--json"))
    assert (audit["why"], audit["filters"]) == ("a mistake", {"calls": cancelled, "state": "ended"})
    assert document_of(run("replay", "--resume", done["job"], "--json"))["left"] == 0
    told = " ".join(run("calls", "show", cancelled).stdout.split())
    assert f"by job {done['job']} (a mistake), opened it again" in told


def test_a_named_call_that_succeeded_runs_again_only_if_that_is_agreed_to(cloud: Cloud) -> None:
    (call_id,) = capture(cloud, State.SUCCEEDED, "a")
    refused = run("replay", "--call", call_id, "--json")
    assert (refused.exit_code, document_of(refused)["error"]["field"]) == (2, "--yes")
    done = document_of(
        run("replay", "--call", call_id, "--into", "orders:live", "--why", "bad", "--yes", "--json")
    )
    (record,) = [read_message(body).record for body in cloud.bodies("ReplayQueueUrl")]
    again = again_id(call_id, done["job"])
    assert (record.id, record.target.qualifier) == (again, "live")
    # Each of the two tells of the other.
    first = run("calls", "show", call_id)
    assert again in "".join(first.stdout.split())
    assert document_of(run("calls", "show", call_id, "--json"))["facts"]["run again as"] == again
    told = " ".join(run("calls", "show", again).stdout.split())
    assert f"reprise calls show {call_id}; " in told
    assert f"by job {done['job']} (bad)" in told
    later = run("replay", "--call", again, "--json")
    assert document_of(later)["error"]["field"] == "--call"
    assert call_id in document_of(later)["error"]["message"]


def test_a_named_call_that_waits_is_left_alone(cloud: Cloud) -> None:
    (call_id,) = capture(cloud, State.WAITING, "a")
    told = document_of(run("replay", "--call", call_id, "--json"))
    assert (told["selected"], told["groups"][0]["why"]) == (0, "it is waiting")


def test_a_named_call_whose_line_is_not_where_it_was_is_said_so(cloud: Cloud) -> None:
    (call_id,) = capture(cloud, State.DEAD_LETTERED, "a")
    capture(cloud, State.DEAD_LETTERED, "a", client_context="e30=")
    s3 = boto3.client("s3")
    (found,) = s3.list_objects_v2(Bucket=OUTPUTS["BucketName"])["Contents"]
    s3.put_object(Bucket=OUTPUTS["BucketName"], Key=found["Key"], Body=zipped(envelope(["x"])))
    told = document_of(run("replay", "--call", call_id, "--json"))
    assert "capture object" in told["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ([], "--from"),
        (["--from", "yesterday"], "--from"),
        (["--from", "10m", "--to", "20m"], "--to"),
        (["--from", "10m", "--rate", "fast"], "--rate"),
        (["--from", "10m", "--into", "strangers"], "--into"),
        (["--from", "10m", "--source", "errors", "--state", "all"], "--source"),
        (["--resume", "nothing"], "JOB"),
        (["--resume", "x", "--from", "3h"], "--resume"),
        (["--resume", "x", "--call", "y"], "--resume"),
        (["--call", "x", "--from", "3h"], "--call"),
        (["--call", "x", "--source", "errors"], "--call"),
        (["--call", "nobody"], "ID"),
        (["--call", ""], "ID"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("cloud")
def test_what_cannot_be_understood_names_the_option(arguments: list[str], field: str) -> None:
    told = document_of(run("replay", *arguments, "--json"))
    assert told["error"]["field"] == field

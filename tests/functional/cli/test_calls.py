"""`reprise calls` on moto's services: what is found, in which order, and what is said of what is not."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from functional.cli import test_commands
from functional.cli.test_commands import Cloud, document_of, run
from reprise.aws.counters_table import READ_BACK, StateItem
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.target import new_call_id
from reprise.call_index import page_key, page_of, write_page
from reprise.instant import format_instant, utc_now
from reprise.ledger import State
from reprise.monitor.read_back import ReadBack
from strategies import make_record, make_row
from unit.cli.calls.test_ids import keyed
from unit.cli.test_stack import OUTPUTS

cloud = test_commands.cloud
THROTTLED = Outcome(kind=OutcomeKind.THROTTLED, code="TooManyRequestsException")


def index(*ids: str, ago_s: float = 60, outcome: Outcome = THROTTLED) -> str:
    """Write a page of calls; return when they were captured."""
    at = format_instant(utc_now() - timedelta(seconds=ago_s))
    page = page_of(
        [make_record(id=call_id, captured_at=at, outcome=outcome) for call_id in ids], "s3://x/y"
    )
    boto3.client("s3").put_object(
        Bucket=OUTPUTS["BucketName"], Key=page_key(page), Body=write_page(page)
    )
    return at


def enter(cloud: Cloud, *ids: str, ago_s: float = 60, **changes: Any) -> None:
    """Enter calls as the unpacker does: in the index and in the ledger."""
    outcome = changes.pop("outcome", THROTTLED)
    at = index(*ids, ago_s=ago_s, outcome=outcome)
    for call_id in ids:
        row = make_row(id=call_id, captured_at=at, opened_at=at, updated_at=at)
        cloud.ledger.record(replace(row, **changes))


def listed(*arguments: str) -> list[str]:
    result = run("calls", "list", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return [call["id"] for call in document_of(result)["calls"]]


def test_open_calls_are_listed_youngest_first_and_the_others_if_asked_for(cloud: Cloud) -> None:
    enter(cloud, "old", ago_s=7200)
    enter(cloud, "done", state=State.SUCCEEDED)
    enter(cloud, "new", ago_s=5, state=State.WAITING)
    assert listed() == ["new", "old"]
    assert listed("--state", "succeeded") == ["done"]
    assert listed("--state", "all") == ["new", "done", "old"]
    assert listed("--older-than", "1h") == ["old"]
    assert listed("--newer-than", "1h", "--state", "all") == ["new", "done"]
    assert listed("--limit", "1") == ["new"]


def test_calls_are_found_by_reason_key_error_and_target(cloud: Cloud) -> None:
    enter(cloud, keyed("order-2"), ago_s=4)
    enter(cloud, "bad", ago_s=5, outcome=Outcome(kind=OutcomeKind.FUNCTION_ERROR, code="KeyError"))
    enter(cloud, "dead", ago_s=6, state=State.DEAD_LETTERED, reason="expired", message="too old")
    assert listed("--key", "order-2") == [keyed("order-2")]
    assert listed("--error", "keyerr") == ["bad"]
    assert listed("--error", "/^Key/") == ["bad"]
    assert listed("--reason", "expired") == ["dead"]
    assert listed("--target", "orders") == [keyed("order-2"), "bad"]


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--reason", "expred"), "Did you mean expired?"),
        (("--target", "oders"), "Did you mean orders?"),
        (("--from", "yesterday"), "is neither an instant nor a duration"),
        (("--newer-than", "soon"), "is no duration"),
        (("--error", "/(/"), "no regular expression"),
    ],
)
def test_what_cannot_be_understood_is_said_by_option(arguments: tuple[str, ...], said: str) -> None:
    result = run("calls", "list", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_lists_are_written_as_ids_and_as_csv(cloud: Cloud) -> None:
    enter(cloud, "call-1", ago_s=5)
    enter(cloud, "call-2", ago_s=9)
    assert run("calls", "list", "-o", "ids").stdout == "call-1\ncall-2\n"
    rows = list(csv.DictReader(io.StringIO(run("calls", "list", "-o", "csv").stdout)))
    assert [(row["id"], row["state"], row["reason"]) for row in rows] == [
        ("call-1", "captured", ""),
        ("call-2", "captured", ""),
    ]
    cloud.give_up("call-3")
    assert run("dlq", "list", "-o", "ids").stdout == "call-3\n"
    assert run("audit", "-o", "ids").stdout == ""


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_no_width_cuts_an_id(cloud: Cloud, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    call_id = new_call_id(1, b"0123456789")
    enter(cloud, call_id, keyed("order-2"), ago_s=5)
    monkeypatch.setenv("COLUMNS", str(columns))
    told = run("calls", "list").stdout
    assert call_id in told
    # One that is longer than a UUID is folded if it must be.
    words = [line.split()[0] for line in told.splitlines() if line.split()]
    start = next(word for word in words if word.startswith("orders:order-2~"))
    assert start == keyed("order-2") or start + words[words.index(start) + 1] == keyed("order-2")
    assert all(len(line) <= columns for line in told.splitlines())
    assert "2 captured" in told


def test_what_is_older_than_the_index_is_found_by_a_scan_that_says_what_it_reads(
    cloud: Cloud,
) -> None:
    cloud.ledger.record(make_row(id="older"))
    enter(cloud, "call-1")
    assert listed() == ["call-1"]
    result = run("calls", "list", "--scan", "-o", "ids")
    assert sorted(result.stdout.split()) == ["call-1", "older"]
    assert "read the whole ledger: 2 items" in result.stderr


def test_the_counters_say_if_the_index_lacks_calls(cloud: Cloud) -> None:
    enter(cloud, "call-1")
    item = {"id": {"S": "book#orders"}, "known": {"N": "5"}, "ended": {"N": "1"}}
    cloud.dynamodb.put_item(TableName=OUTPUTS["LedgerTable"], Item=item)
    assert "4 open calls, and the index 1" in run("calls", "list").stderr


def test_a_call_is_shown_by_a_beginning_and_by_its_key_with_why_it_was_captured(
    cloud: Cloud,
) -> None:
    enter(cloud, keyed("order-2"), keyed("other"))
    for name in ("order-2", "orders:order-2", keyed("order-2")[:20]):
        shown = document_of(run("calls", "show", name, "--json"))
        assert shown["id"] == keyed("order-2")
        assert shown["captured_for"] == "throttled: TooManyRequestsException; by invoker"
    assert run("status", "order-2").exit_code == 0


def test_a_name_of_several_calls_and_a_near_miss_are_said(cloud: Cloud) -> None:
    enter(cloud, keyed("order-2"), keyed("order-3"))
    several = run("calls", "show", "orders:order-")
    assert (several.exit_code, "names 2 calls" in several.stderr) == (2, True)
    missed = run("calls", "show", "ordr-2")
    assert missed.exit_code == 1
    assert "Did you mean order-2" in missed.stderr


@pytest.mark.usefixtures("cloud")
def test_an_id_that_was_made_just_now_has_not_arrived_and_an_old_one_is_unknown() -> None:
    now_ms = int(utc_now().timestamp() * 1000)
    young = run("status", new_call_id(now_ms, b"0123456789"))
    old = run("status", new_call_id(now_ms - 3 * 3_600_000, b"0123456789"))
    assert "has not arrived yet" in young.stderr
    assert "would have arrived" in old.stderr
    assert (young.exit_code, old.exit_code) == (1, 1)


def test_an_id_that_has_not_arrived_is_told_when_it_is_looked_for(cloud: Cloud) -> None:
    now_ms = int(utc_now().timestamp() * 1000)
    states = StateItem(cloud.dynamodb, OUTPUTS["LedgerTable"], READ_BACK, ReadBack)
    states.save(ReadBack(done_ms=now_ms - 3_600_000))
    asked = run("status", new_call_id(now_ms - 3_000_000, b"0123456789"))
    assert "has not arrived: its id was made 50m" in asked.stderr
    assert "If its line was lost, it is looked for at" in " ".join(asked.stderr.split())


def test_a_rehearsed_cancel_changes_nothing(cloud: Cloud) -> None:
    enter(cloud, "call-1")
    result = run("calls", "cancel", "--all", "--dry-run", "--json")
    assert (result.exit_code, document_of(result)["selected"]) == (0, 1)
    row = cloud.ledger.get("call-1")
    assert row is not None
    assert row.state is State.CAPTURED


def test_cancelled_calls_are_ended_counted_and_in_the_audit(cloud: Cloud) -> None:
    enter(cloud, keyed("order-2"), keyed("order-3"), "other", ago_s=5)
    enter(cloud, "runs", state=State.LEASED)
    first = run("calls", "cancel", "order-2", "--reason", "a wrong price", "--json")
    assert first.exit_code == 0, first.stderr
    job = document_of(first)["job"]
    assert "place: " in first.stderr
    row = cloud.ledger.get(keyed("order-2"))
    assert row is not None
    assert (row.state, row.reason) == (State.DEAD_LETTERED, "cancelled")
    assert "a wrong price" in (row.note or "")
    rest = run("calls", "cancel", "--all", "--why", "test data", "--yes", "--json")
    assert (rest.exit_code, document_of(rest)["cancelled"]) == (1, 2)
    assert "runs: is not cancelled: it runs" in rest.stderr
    told = document_of(run("audit", job, "--json"))
    assert (told["verb"], told["why"]) == ("cancel", "a wrong price")
    assert [letter["outcome"]["action"] for letter in told["letters"]] == ["cancelled"]
    assert "cancel of 1 waiting call" in run("audit", job).stdout
    item = cloud.dynamodb.get_item(
        TableName=OUTPUTS["LedgerTable"], Key={"id": {"S": "book#orders"}}
    )["Item"]
    assert (item["ended"]["N"], item["dead_cancelled"]["N"]) == ("3", "3")
    assert set(listed("--reason", "cancelled")) == {keyed("order-2"), keyed("order-3"), "other"}


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing says which calls"),
        (("--all",), "is missing"),
        (("call-1", "--all", "--why", "x"), "two ways"),
        (("--all", "--why", "x", "--key"), ""),
    ],
)
def test_a_cancel_says_what_it_needs(arguments: tuple[str, ...], said: str) -> None:
    result = run("calls", "cancel", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_letters_are_named_by_key_and_by_a_beginning_of_their_call_s_id(cloud: Cloud) -> None:
    index(keyed("order-2"), keyed("order-3"))
    for key in ("order-2", "order-3"):
        cloud.give_up(keyed(key))
    assert document_of(run("dlq", "show", "order-2", "--json"))["id"] == keyed("order-2")
    assert "names 2 calls" in run("dlq", "redrive", "orders:order-").stderr
    done = run("dlq", "discard", "order-3", "--why", "test data", "--json")
    assert (done.exit_code, document_of(done)["discarded"]) == (0, 1)
    assert "no dead letter of 'nobody'" in run("dlq", "show", "nobody").stderr


@pytest.mark.usefixtures("cloud")
def test_what_may_be_on_its_way_is_waited_for_and_what_would_have_arrived_is_not() -> None:
    now_ms = int(utc_now().timestamp() * 1000)
    young = new_call_id(now_ms, b"0123456789")
    for whole in (young, keyed("order-2")):
        result = run("calls", "wait", whole, "--timeout", "0s")
        assert f"call {whole!r}" in result.stderr
    old = run("calls", "wait", new_call_id(now_ms - 3 * 3_600_000, b"0123456789"))
    assert (old.exit_code, "would have arrived" in old.stderr) == (1, True)


def test_open_calls_of_a_paused_target_say_that_it_is_paused(cloud: Cloud) -> None:
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name=OUTPUTS["PolicyParameter"], Value="{}", Type="String")
    assert run("policy", "pause", "orders", "--reason", "the vendor is down").exit_code == 0
    enter(cloud, "done", state=State.SUCCEEDED)
    assert "paused" not in run("calls", "list", "--state", "all").stderr
    enter(cloud, "waits")
    said = run("calls", "list", "-o", "ids")
    assert (said.stdout, "warning: orders is paused since" in said.stderr) == ("waits\n", True)
    assert "the vendor is down" in said.stderr

"""The command on moto's services: what it prints, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from typer.main import get_command
from typer.testing import CliRunner

from moto_statements import run_statements
from reprise.aws.keys import secret_name
from reprise.aws.ledger_table import LedgerTable
from reprise.call.payload import digest, pack, unpack
from reprise.dead_letter import dead_letter
from reprise.ledger import State
from reprise.replay.message import ReplayMessage, read_message, write_message
from reprise_cli.app import App
from reprise_cli.main import app
from reprise_cli.output import LogWarnings
from reprise_cli.stack import Schedules, Stack, from_outputs
from strategies import KEY, NOW, make_record, make_row, signed
from unit.cli.test_letter import dead_row
from unit.cli.test_stack import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

QUEUES = {
    "CaptureQueueUrl": "capture",
    "CaptureDeadLetterQueueUrl": "capture-dlq",
    "ReplayQueueUrl": "replay",
    "DeadLetterQueueUrl": "dead-letter",
    "LetterJobsQueueUrl": "letter-jobs",
    "LetterJobsDeadLetterQueueUrl": "letter-jobs-dlq",
}


@dataclass
class Cloud:
    """A stack's data stores on moto."""

    sqs: Any
    dynamodb: Any
    urls: dict[str, str]

    @property
    def ledger(self) -> LedgerTable:
        return LedgerTable(self.dynamodb, OUTPUTS["LedgerTable"])

    def give_up(self, call_id: str, reason: str = "exhausted") -> None:
        """Put row and letter of a call where the replayer puts them."""
        row = dead_row(id=call_id, reason=reason, letter_sent=True)
        self.ledger.record(row)
        record = signed(make_record(id=call_id))
        self.send("DeadLetterQueueUrl", dead_letter(record, row, now=NOW))

    def send(self, queue: str, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.urls[queue], MessageBody=body)

    def bodies(self, queue: str) -> list[str]:
        found = self.sqs.receive_message(
            QueueUrl=self.urls[queue], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [message["Body"] for message in found.get("Messages", [])]


@pytest.fixture
def cloud(aws_env: pytest.MonkeyPatch) -> Iterator[Cloud]:
    run_statements(aws_env)
    with mock_aws():
        sqs, dynamodb = boto3.client("sqs"), boto3.client("dynamodb")
        urls = {key: sqs.create_queue(QueueName=name)["QueueUrl"] for key, name in QUEUES.items()}
        dynamodb.create_table(
            TableName=OUTPUTS["LedgerTable"],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        boto3.client("s3").create_bucket(
            Bucket=OUTPUTS["BucketName"],
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
        )
        secrets = boto3.client("secretsmanager")
        for source in ("invoker", "operator"):
            document = {"current": "k1", "k1": KEY, "targets": ["*"]}
            name = secret_name("reprise", source)
            secrets.create_secret(Name=name, SecretString=json.dumps(document))
        yield Cloud(sqs, dynamodb, urls)


class MotoApp(App):
    """The command on a stack whose outputs are known: moto's CloudFormation needs half of moto."""

    @cached_property
    def stack(self) -> Stack:
        sqs = self.aws.sqs
        urls = {key: sqs.get_queue_url(QueueName=name)["QueueUrl"] for key, name in QUEUES.items()}
        return from_outputs(
            self.options.stack_name,
            OUTPUTS | urls | {"CallersParameter": "/reprise/callers"},
            "CREATE_COMPLETE",
        )

    @cached_property
    def schedules_if_any(self) -> Schedules | None:
        return None


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), obj=MotoApp)


def document_of(result: Result) -> Any:
    """What was printed with --json: one line, and nothing else."""
    (line,) = result.stdout.splitlines()
    return json.loads(line)


@pytest.mark.usefixtures("cloud")
def test_an_empty_queue_is_listed_as_empty() -> None:
    result = run("dlq", "list", "--json")
    assert (result.exit_code, document_of(result)["count"]) == (0, 0)


def test_listing_leaves_every_letter_in_the_queue(cloud: Cloud) -> None:
    for number in range(12):
        cloud.give_up(f"call-{number}")
    for _ in range(2):
        listed = document_of(run("dlq", "list", "--json"))
        assert {letter["id"] for letter in listed["letters"]} == {f"call-{n}" for n in range(12)}


def test_a_letter_is_shown_without_payload_and_signature_unless_they_are_asked_for(
    cloud: Cloud,
) -> None:
    cloud.give_up("call-1")
    shown = document_of(run("dlq", "show", "call-1", "--payload", "--json"))
    whole = json.loads(shown["body"])
    assert whole["requestPayload"] == {"order": 1}
    for told in (run("dlq", "show", "call-1"), run("dlq", "show", "call-1", "--json")):
        assert "functionArn" in told.stdout
        assert "order\\" not in told.stdout
        assert '"order"' not in told.stdout
        assert whole["reprise"]["record"]["mac"]["value"] not in told.stdout
    listed = run("dlq", "list")
    assert "call-1" in listed.stdout
    assert "3 attempts failed" in listed.stdout
    assert '"order"' not in listed.stdout


def test_a_rehearsed_redrive_changes_nothing(cloud: Cloud) -> None:
    cloud.give_up("call-1")
    result = run("dlq", "redrive", "--all", "--dry-run", "--json")
    assert document_of(result)["selected"] == 1
    assert len(cloud.bodies("DeadLetterQueueUrl")) == 1
    assert cloud.bodies("ReplayQueueUrl") == []
    row = cloud.ledger.get("call-1")
    assert row is not None
    assert row.state is State.DEAD_LETTERED


def test_a_rehearsed_redrive_counts_what_the_redrive_would_bring_back(cloud: Cloud) -> None:
    cloud.give_up("call-1")
    conflict = dead_row(id="orders:order-1!0", reason="key_conflict", message="call again")
    cloud.send("DeadLetterQueueUrl", dead_letter(signed(), conflict, now=NOW))
    cloud.send("DeadLetterQueueUrl", "?")
    rehearsed = document_of(run("dlq", "redrive", "--all", "--dry-run", "--json"))
    told = run("dlq", "redrive", "--all", "--dry-run")
    assert "1 letter would be redriven" in told.stdout
    assert "call again" in told.stderr
    redriven = document_of(run("dlq", "redrive", "--all", "--yes", "--json"))
    assert (rehearsed.pop("dry_run"), redriven.pop("dry_run")) == (True, False)
    assert [redriven.pop(name) for name in ("state", "left", "why")] == ["done", 2, ""]
    assert redriven.pop("job")
    assert (rehearsed["selected"], rehearsed["redriven"], rehearsed["skipped"]) == (3, 1, 2)
    for document in (rehearsed, redriven):
        document["letters"] = sorted(
            (letter["id"], letter["action"], letter["why"]) for letter in document["letters"]
        )
    assert rehearsed == redriven


def test_a_rehearsed_edit_keeps_no_payload(cloud: Cloud, tmp_path: Path) -> None:
    cloud.give_up("call-1")
    (tmp_path / "long").write_bytes(b"x" * 300_000)
    arguments = ("dlq", "redrive", "call-1", "--payload", str(tmp_path / "long"), "--dry-run")
    result = run(*arguments, "--json")
    assert (result.exit_code, document_of(result)["redriven"]) == (0, 1)
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=OUTPUTS["BucketName"])


def test_a_rehearsal_misses_what_the_redrive_would_miss(cloud: Cloud) -> None:
    cloud.give_up("call-1")
    result = run("dlq", "redrive", "call-1", "call-9", "--dry-run")
    assert (result.exit_code, "'call-9'" in result.stderr) == (1, True)


def test_a_redrive_brings_back_what_is_meant_and_leaves_the_rest(cloud: Cloud) -> None:
    cloud.give_up("call-1")
    cloud.give_up("call-2", reason="unknown")
    result = run("dlq", "redrive", "--reason", "exhausted", "--yes", "--json")
    assert (result.exit_code, document_of(result)["redriven"]) == (0, 1)
    (body,) = cloud.bodies("ReplayQueueUrl")
    assert read_message(body).record == signed(make_record(id="call-1"))
    (left,) = cloud.bodies("DeadLetterQueueUrl")
    assert json.loads(left)["reprise"]["id"] == "call-2"
    row = cloud.ledger.get("call-1")
    assert row is not None
    assert (row.state, row.attempts) == (State.CAPTURED, 0)


def test_a_forged_letter_is_refused_with_its_reason_and_stays(cloud: Cloud) -> None:
    cloud.give_up("call-1")
    forged = make_record(id="call-2", payload=pack(b"evil", 100))
    cloud.send("DeadLetterQueueUrl", dead_letter(forged, dead_row(id="call-2"), now=NOW))
    result = run("dlq", "redrive", "--all", "--yes", "--json")
    document = document_of(result)
    assert (result.exit_code, document["redriven"], document["refused"]) == (1, 1, 1)
    (why,) = [letter["why"] for letter in document["letters"] if letter["id"] == "call-2"]
    assert why == "bad_mac: there is no mac"
    assert [read_message(body).record.id for body in cloud.bodies("ReplayQueueUrl")] == ["call-1"]
    assert len(cloud.bodies("DeadLetterQueueUrl")) == 1


def test_a_payload_is_replaced_as_the_operators_edit(cloud: Cloud, tmp_path: Path) -> None:
    cloud.give_up("call-1")
    file = tmp_path / "payload.json"
    file.write_bytes(b'{"order":2}')
    result = run("dlq", "redrive", "call-1", "--payload", str(file), "--json")
    assert (result.exit_code, document_of(result)["redriven"]) == (0, 1)
    (body,) = cloud.bodies("ReplayQueueUrl")
    record = read_message(body).record
    assert unpack(record.payload) == b'{"order":2}'
    assert (record.source.name, record.edits) == ("operator", digest(b'{"order":1}'))
    row = cloud.ledger.get("call-1")
    assert row is not None
    assert (row.sha256, row.captured_sha256) == (digest(b'{"order":2}'), digest(b'{"order":1}'))
    assert "another payload" in run("status", "call-1").stdout


def test_who_may_not_read_the_operators_key_edits_nothing(cloud: Cloud, tmp_path: Path) -> None:
    cloud.give_up("call-1")
    secrets = boto3.client("secretsmanager")
    secrets.delete_secret(SecretId=secret_name("reprise", "operator"))
    (tmp_path / "new").write_bytes(b"new")
    result = run("dlq", "redrive", "call-1", "--payload", str(tmp_path / "new"))
    assert result.exit_code == 1
    assert "OperatorSecretArn" in result.stderr
    assert document_of(run("audit", "--json"))["count"] == 0
    assert cloud.bodies("ReplayQueueUrl") == []
    row = cloud.ledger.get("call-1")
    assert row is not None
    assert row.state is State.DEAD_LETTERED


@pytest.mark.parametrize("command", ["list", "show", "redrive"])
def test_a_call_that_sqs_gave_up_is_ended_by_whoever_finds_it(cloud: Cloud, command: str) -> None:
    record = signed(make_record(id="call-1"))
    cloud.ledger.record(make_row(id="call-1"))
    cloud.send("DeadLetterQueueUrl", write_message(ReplayMessage(record=record)))
    arguments = {"list": [], "show": ["call-1"], "redrive": ["--reason", "undeliverable", "--yes"]}[
        command
    ]
    assert run("dlq", command, *arguments).exit_code == 0
    row = cloud.ledger.get("call-1")
    assert row is not None
    if command == "redrive":
        assert (row.state, len(cloud.bodies("ReplayQueueUrl"))) == (State.CAPTURED, 1)
    else:
        assert (row.state, row.reason) == (State.DEAD_LETTERED, "undeliverable")


def test_calls_that_may_have_run_are_marked(cloud: Cloud) -> None:
    cloud.give_up("call-1", reason="unknown")
    assert "may have run already" in run("dlq", "redrive", "--all", "--dry-run").stderr


def test_a_redrive_of_what_is_not_there_fails(cloud: Cloud) -> None:
    cloud.give_up("call-1")
    result = run("dlq", "redrive", "call-1", "call-9")
    assert result.exit_code == 1
    assert "'call-9'" in result.stderr
    assert cloud.bodies("DeadLetterQueueUrl") == []


def test_capture_notices_go_back_to_the_capture_queue(cloud: Cloud) -> None:
    cloud.send("CaptureDeadLetterQueueUrl", '{"Records": []}')
    result = run("dlq", "redrive", "--all", "--yes", "--queue", "capture", "--json")
    assert document_of(result)["redriven"] == 1
    assert cloud.bodies("CaptureQueueUrl") == ['{"Records": []}']
    assert cloud.bodies("CaptureDeadLetterQueueUrl") == []


def test_the_status_of_a_call_is_a_table_or_its_row(cloud: Cloud) -> None:
    cloud.give_up("call-1")
    by_url = run("status", "reprise://reprise/calls/call-1", "--json")
    assert document_of(by_url)["state"] == "dead_lettered"
    shown = run("status", "call-1").stdout
    for words in ("dead_lettered", "3 executions failed", "reprise dlq show call-1"):
        assert words in shown


@pytest.mark.parametrize(
    ("state", "code"),
    [(State.SUCCEEDED, 0), (State.DEAD_LETTERED, 1), (State.WAITING, 3)],
    ids=str,
)
def test_who_waits_for_a_call_learns_its_end_by_the_exit_code(
    cloud: Cloud, state: State, code: int
) -> None:
    cloud.ledger.record(make_row(id="call-1", state=state))
    waited = run("wait", "call-1", "--timeout", "0s", "--json")
    assert (waited.exit_code, document_of(waited)["state"]) == (code, state.value)
    assert state.value in run("wait", "reprise://reprise/calls/call-1", "--timeout", "0s").stdout


@pytest.mark.parametrize(
    ("state", "arguments", "code"),
    [
        (State.SUCCEEDED, ["--wait"], 0),
        (State.DEAD_LETTERED, ["--wait"], 1),
        (State.WAITING, ["--wait", "--timeout", "0s"], 3),
        (State.SUCCEEDED, [], 3),
    ],
    ids=["succeeded", "given up", "still kept", "not waited for"],
)
def test_an_invocation_that_is_kept_waits_for_its_end_if_asked_to(
    cloud: Cloud, state: State, arguments: list[str], code: int
) -> None:
    cloud.ledger.record(make_row(id="call-1", state=state))
    answer = {"StatusCode": 202, "reprise": {"id": "call-1", "outcome": {"kind": "throttled"}}}

    class KeepingApp(MotoApp):
        @cached_property
        def aws(self) -> Any:
            found = super().aws
            reply = {"Payload": io.BytesIO(json.dumps(answer).encode())}
            found.__dict__["calls"] = SimpleNamespace(invoke=lambda **_: reply)
            return found

    waited = CliRunner().invoke(app, ["invoke", "orders", *arguments, "--json"], obj=KeepingApp)
    assert waited.exit_code == code, waited.stderr
    document = document_of(waited)
    assert document["state"] == state.value if arguments else document == answer


@pytest.mark.usefixtures("cloud")
def test_who_stops_waiting_stops_nothing_else() -> None:
    class Impatient(MotoApp):
        @property
        def ledger(self) -> Any:
            return SimpleNamespace(get=_interrupt)

    result = CliRunner().invoke(app, ["wait", "call-1"], obj=Impatient)
    assert result.exit_code == 130
    assert "the call goes on" in result.stderr


def _interrupt(_call_id: str) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        (["wait", "nobody", "--timeout", "0s"], 1, "ID"),
        (["wait", ""], 2, "ID"),
        (["wait", "call-1", "--timeout", "soon"], 2, "--timeout"),
        (["status", "nobody"], 1, "ID"),
        (["status", ""], 2, "ID"),
        (["status", "reprise://reprise/calls/"], 2, "ID"),
        (["status", "x" * 2049], 1, "ID"),
        (["dlq", "show", ""], 2, "ID"),
        (["dlq", "redrive", ""], 2, "ID"),
        (["dlq", "redrive"], 2, "ID"),
        (["dlq", "list", "--older-than", "soon"], 2, "--older-than"),
        (["dlq", "show", "nobody"], 1, "ID"),
        (["dlq", "redrive", "--all", "--payload", "/nowhere"], 2, "--payload"),
        (["dlq", "redrive", "a", "b", "--payload", "/dev/null"], 2, "--payload"),
        (["chaos"], 2, "--target"),
        (["chaos", "--hold", "soon"], 2, "--hold"),
        (["chaos", "--target", "reprise-replayer"], 2, "--target"),
        (["chaos", "--target", "strangers"], 1, "FunctionName"),
        (["chaos", "--account-limit", "10"], 2, "--account-limit"),
        (["chaos", "--account-limit", "9", "--restore-concurrency", "5"], 2, "--account-limit"),
        (["chaos", "--account-limit", "9", "--history", "/dev/null"], 2, "--account-limit"),
        (["chaos", "--history", "/nowhere/history"], 2, "--history"),
        (["chaos", "--nemesis", "kill"], 2, "--nemesis"),
        (["chaos", "--nemesis", "flood", "--history", "/dev/null"], 2, "--nemesis"),
        (["chaos", "--check", "/dev/null"], 1, "/dev/null"),
        (["schedule", "list"], 4, "--schedules-stack"),
        (["schedule", "run", "nightly"], 4, "--schedules-stack"),
        (["warm", "report"], 1, "--function"),
        (["invoke", "f", "--payload-file", "/nowhere"], 2, "--payload-file"),
        (["invoke", "f", "--payload", "x", "--payload-file", "y"], 2, "--payload-file"),
        (["invoke", "f", "--not-after", "soon"], 2, "--not-after"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("cloud")
def test_an_error_is_one_line_that_names_the_field(
    arguments: list[str], code: int, field: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: {field}: ")
    assert document_of(run(*arguments, "--json"))["error"]["field"] == field


def test_every_command_explains_itself() -> None:
    commands = (
        "invoke",
        "status",
        "wait",
        "calls list",
        "calls show",
        "calls cancel",
        "calls wait",
        "dlq list",
        "dlq show",
        "dlq redrive",
        "dlq discard",
        "audit",
        "chaos",
        "demo",
        "sources",
    )
    for command in (*commands, "top", "dashboard"):
        assert run(*command.split(), "--help").exit_code == 0
    assert run("--version").stdout.startswith("reprise ")


def test_live_traffic_needs_a_concurrency_to_share() -> None:
    result = run("chaos", "--live", "5")
    assert result.exit_code == 2
    assert "--restore-concurrency" in result.stderr


@pytest.mark.parametrize(("runs", "code", "lost"), [(1, 0, 0), (0, 1, 1)])
def test_a_history_is_judged_without_a_stack(
    runs: int, code: int, lost: int, tmp_path: Path
) -> None:
    ends: list[dict[str, object]] = [
        {"event": "execution", "call": 1, "ok": True},
        {"event": "end", "id": "id-1", "state": "succeeded"},
    ]
    events: list[dict[str, object]] = [
        {"event": "begin", "history": 1, "run": "chaos-1", "calls": 1, "bound_s": 60},
        {"event": "call", "call": 1},
        {"event": "answer", "call": 1, "kind": "captured", "id": "id-1"},
        {"event": "healed"},
        *ends * runs,
        {"event": "done"},
    ]
    path = tmp_path / "history.jsonl"
    path.write_text("".join(f"{json.dumps({'at_s': 1.0, **event})}\n" for event in events))
    result = run("chaos", "--check", str(path), "--json")
    assert result.exit_code == code
    assert document_of(result)["lost"] == lost
    people = run("chaos", "--check", str(path))
    assert ("DOES NOT HOLD" in people.stderr + people.stdout) is bool(lost)


def test_an_error_that_nobody_foresaw_is_told_whole_and_is_not_obeyed() -> None:
    class BrokenApp(App):
        @property
        def stack(self) -> Stack:
            raise ValueError("\x1b]0;mine\x07")

    result = CliRunner().invoke(app, ["status", "call-1"], obj=BrokenApp)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "ValueError: \\x1b]0;mine\\x07" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.usefixtures("cloud")
def test_what_libraries_log_goes_the_command_s_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "lastResort", None)
    run("dlq", "list")
    assert isinstance(logging.lastResort, LogWarnings)


def read_all(terminal: int) -> str:
    """Return what comes out of a terminal until nobody can write to it: Linux tells that by an error."""
    found = b""
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 65_536):
            found += piece
    return found.decode()


def on_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Run a command on a pseudo-terminal; return all that the terminal was sent."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen, ours = os.openpty()
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(read_all, screen)
        with monkeypatch.context() as patch, os.fdopen(ours, "w", encoding="utf-8") as terminal:
            patch.setattr("sys.stdout", terminal)
            patch.setattr("sys.stderr", terminal)
            get_command(app).main(list(arguments), obj=MotoApp, standalone_mode=False)
    os.close(screen)
    return sent.result()


@pytest.mark.parametrize(
    "command", [("status", "call-1"), ("dlq", "list"), ("dlq", "show", "call-1")], ids=" ".join
)
def test_what_a_target_says_cannot_speak_to_the_terminal(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Whoever makes a target fail has its error's text."""
    clipboard, title, up = "\x1b]52;c;Y3VybA==\x1b\\", "\x1b]0;mine\x07", "\x9b1A\u202e"
    row = dead_row(id="call-1", message=f"{clipboard}{title}{up} [bold]boom", letter_sent=True)
    cloud.ledger.record(row)
    cloud.send("DeadLetterQueueUrl", dead_letter(make_record(id="call-1"), row, now=NOW))
    sent = on_terminal(monkeypatch, *command)
    assert "\x1b[" in sent, "a terminal has styles"
    # Styles, and what the progress bar takes itself away with: the planted text has none of these.
    plain = re.sub(r"\x1b\[[?0-9;]*[A-Zhlm]|[\r\n]", "", sent)
    assert plain.isprintable()
    assert "\\x1b]52" in plain

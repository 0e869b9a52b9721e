"""`reprise cleanup` on moto's services."""

from __future__ import annotations

from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError
from moto import mock_aws
from typer.testing import CliRunner

from functional.cli.test_commands import document_of
from reprise_cli.app import App
from reprise_cli.aws import Aws
from reprise_cli.cleanup import remains
from reprise_cli.cleanup.plan import kept_of
from reprise_cli.main import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typer.testing import Result

    from reprise_cli.cleanup.plan import Found

    type Run = Callable[..., Result]

ACCOUNT, REGION, STACK = "123456789012", "eu-west-1", "reprise"
BUCKET, CAPTURE_DLQ, DEAD_LETTER, JOBS_DLQ, REPLIES_DLQ, LEDGER = [
    thing.name for thing in kept_of(STACK, ACCOUNT, REGION)
]
KEPT = {BUCKET, CAPTURE_DLQ, DEAD_LETTER, JOBS_DLQ, LEDGER}
NEIGHBOURS = {f"{STACK}-two-dead-letter", f"{STACK}-replay"}


class Left:
    """What a deleted stack left behind, and what others have."""

    def __init__(self) -> None:
        self.stacks = Stacks()
        self.s3 = boto3.client("s3")
        self.sqs = boto3.client("sqs")
        self.dynamodb = boto3.client("dynamodb")
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for name in (CAPTURE_DLQ, DEAD_LETTER, JOBS_DLQ, *NEIGHBOURS):
            self.sqs.create_queue(QueueName=name)
        self.dynamodb.create_table(
            TableName=LEDGER,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def fill(self) -> None:
        """Put a deleted object, a dead letter and a row where they belong."""
        self.s3.put_object(Bucket=BUCKET, Key="captured/1", Body=b"1")
        self.s3.delete_object(Bucket=BUCKET, Key="captured/1")
        url = self.sqs.get_queue_url(QueueName=DEAD_LETTER)["QueueUrl"]
        self.sqs.send_message(QueueUrl=url, MessageBody="given up")
        self.dynamodb.put_item(TableName=LEDGER, Item={"id": {"S": "a"}})

    def names(self) -> set[str]:
        """Return what exists."""
        urls = self.sqs.list_queues().get("QueueUrls", [])
        return {
            *(bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]),
            *(url.rpartition("/")[2] for url in urls),
            *self.dynamodb.list_tables()["TableNames"],
        }


class Stacks:
    """CloudFormation with at most one stack, as far as the command knows it; moto's needs half of moto."""

    meta = SimpleNamespace(endpoint_url="https://cloudformation")

    def __init__(self) -> None:
        self.status: str | None = None
        self.is_deletable = True

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if self.status is None:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError(
                {"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks"
            )
        return {"Stacks": [{"StackName": StackName, "StackStatus": self.status}]}

    def delete_stack(self, StackName: str) -> None:
        assert StackName == STACK
        self.status = None if self.is_deletable else "DELETE_FAILED"

    def get_waiter(self, name: str) -> Stacks:
        assert name == "stack_delete_complete"
        return self

    def wait(self, **_: object) -> None:
        if self.status == "DELETE_FAILED":
            raise WaiterError("StackDeleteComplete", "terminal failure", {})


@pytest.fixture
def left(aws_env: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Left]:
    del aws_env
    monkeypatch.setattr(remains, "QUEUE_WAIT_S", 0)
    with mock_aws():
        yield Left()


@pytest.fixture
def run(left: Left) -> Callable[..., Result]:
    """Run the command where the stack is whatever `left` says."""

    class StackApp(App):
        @cached_property
        def aws(self) -> Aws:
            aws = Aws(self.place)
            vars(aws)["cloudformation"] = left.stacks
            return aws

    return lambda *arguments: CliRunner().invoke(app, ["cleanup", *arguments], obj=StackApp)


def test_what_is_empty_is_deleted_and_nothing_of_others(left: Left, run: Run) -> None:
    result = run("--json")
    assert result.exit_code == 0, result.stderr
    assert {one["name"] for one in document_of(result)["delete"]} == KEPT
    assert left.names() == NEIGHBOURS


def test_what_holds_calls_stays_until_it_is_named(left: Left, run: Run) -> None:
    left.fill()
    result = run("--json")
    assert result.exit_code == 1
    filled = {BUCKET, DEAD_LETTER, LEDGER}
    assert left.names() == filled | NEIGHBOURS
    assert run(LEDGER, "--json").exit_code == 1
    assert left.names() == {BUCKET, DEAD_LETTER} | NEIGHBOURS
    assert run(BUCKET, DEAD_LETTER, "--json").exit_code == 0
    assert left.names() == NEIGHBOURS


def test_a_rehearsal_says_what_is_left_and_what_is_in_it_and_deletes_nothing(
    left: Left, run: Run
) -> None:
    left.fill()
    before = left.names()
    document = document_of(run("--dry-run", "--json"))
    assert {one["name"]: one["content"] for one in document["keep"]} == {
        BUCKET: "2 object versions",
        DEAD_LETTER: "1 message",
        LEDGER: "1 row",
    }
    assert {one["name"] for one in document["delete"]} == {CAPTURE_DLQ, JOBS_DLQ}
    assert left.names() == before
    shown = run("--dry-run")
    assert f"reprise cleanup {BUCKET} {DEAD_LETTER} {LEDGER}" in shown.stderr


def test_the_place_is_named_before_anything_is_deleted(left: Left, run: Run) -> None:
    left.fill()
    first, *rest = run().stderr.splitlines()
    assert first == f"place: AWS, {REGION}; stack {STACK}; account {ACCOUNT}"
    assert any("deleted" in line for line in rest)


def test_a_name_of_something_else_deletes_nothing(left: Left, run: Run) -> None:
    before = left.names()
    result = run(f"{STACK}-replay", "--json")
    assert (result.exit_code, document_of(result)["error"]["field"]) == (2, "NAME")
    assert left.names() == before


def test_a_second_run_finds_nothing(run: Run) -> None:
    run()
    assert "nothing is left of reprise" in run().stdout


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "DELETE_IN_PROGRESS"]
)
def test_a_stack_that_works_or_is_worked_on_keeps_everything(
    left: Left, run: Run, status: str
) -> None:
    left.stacks.status = status
    before = left.names()
    for arguments in ((), ("--dry-run",), tuple(KEPT)):
        result = run(*arguments, "--json")
        assert result.exit_code == 1
        assert f"is {status}" in document_of(result)["error"]["message"]
    assert (left.names(), left.stacks.status) == (before, status)


def test_a_stack_that_never_came_up_goes_last_and_stays_with_what_stays(
    left: Left, run: Run
) -> None:
    left.stacks.status = "ROLLBACK_FAILED"
    left.fill()
    seen = [(run(*names, "--json").exit_code, left.stacks.status) for names in ((), KEPT)]
    assert seen == [(1, "ROLLBACK_FAILED"), (0, None)]
    assert left.names() == NEIGHBOURS


def test_a_stack_that_cannot_be_deleted_is_told_with_where_to_look(left: Left, run: Run) -> None:
    left.stacks.status, left.stacks.is_deletable = "DELETE_FAILED", False
    error = document_of(run("--json"))["error"]
    assert "describe-stack-events --stack-name reprise" in error["next_step"]


def test_an_account_that_may_not_look_at_the_stack_deletes_nothing(
    left: Left, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks")

    monkeypatch.setattr(left.stacks, "describe_stacks", refuse)
    assert run().exit_code == 1
    assert left.names() == KEPT | NEIGHBOURS


def test_what_was_written_into_an_empty_bucket_meanwhile_is_not_deleted(
    left: Left, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = remains.Remains.delete

    def write_first(self: remains.Remains, found: Found) -> None:
        left.s3.put_object(Bucket=BUCKET, Key="captured/late", Body=b"1")
        delete(self, found)

    monkeypatch.setattr(remains.Remains, "delete", write_first)
    assert "Run the command again" in document_of(run("--json"))["error"]["next_step"]
    assert left.s3.get_object(Bucket=BUCKET, Key="captured/late")["Body"].read() == b"1"

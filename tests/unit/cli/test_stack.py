from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.stack import from_outputs, read_stack

OUTPUTS = {
    "InvokerFunction": "reprise-invoker",
    "UnpackerFunction": "reprise-unpacker",
    "ReplayerFunction": "reprise-replayer",
    "TargetArns": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
    "CaptureLogGroup": "/reprise/reprise/capture",
    "BucketName": "bucket",
    "CaptureQueueUrl": "https://capture",
    "CaptureDeadLetterQueueUrl": "https://capture-dlq",
    "ReplayQueueUrl": "https://replay",
    "DeadLetterQueueUrl": "https://dead",
    "LedgerTable": "reprise-ledger",
    "PolicyParameter": "/reprise/reprise/policy",
    "RunnerFunction": "reprise-runner",
    "JobsQueueArn": "arn:aws:sqs:eu-west-1:123456789012:reprise-jobs",
    "JobsQueueUrl": "https://jobs",
    "JobsDeadLetterQueueArn": "arn:aws:sqs:eu-west-1:123456789012:reprise-jobs-dlq",
    "JobsGroup": "reprise-jobs",
    "JobsSchedulerRoleArn": "arn:aws:iam::123456789012:role/jobs",
}


@dataclass
class FakeCloudFormation:
    """CloudFormation that knows no stack, for a reason."""

    code: str

    def describe_stacks(self, **_: object) -> None:
        raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "DescribeStacks")


def test_an_unknown_stack_is_out_of_reach_with_how_to_deploy_it() -> None:
    client: Any = FakeCloudFormation("ValidationError")
    with pytest.raises(
        CommandError, match=r"no stack 'x' in eu-west-1.*reprise local deploy"
    ) as caught:
        read_stack(client, "x", "eu-west-1")
    assert caught.value.code is ExitCode.UNREACHABLE


def test_any_other_refusal_is_told_as_it_is() -> None:
    client: Any = FakeCloudFormation("AccessDenied")
    with pytest.raises(ClientError):
        read_stack(client, "x", "eu-west-1")


def test_a_stack_is_read_from_its_outputs() -> None:
    stack = from_outputs("reprise", OUTPUTS | {"ChaosTargetFunction": "t"}, "CREATE_COMPLETE")
    assert stack.ledger_table == "reprise-ledger"
    assert stack.chaos_target == "t"
    assert stack.receipts_table is None
    own = {
        "reprise-invoker",
        "reprise-unpacker",
        "reprise-replayer",
        "reprise-runner",
        "reprise-observer",
    }
    assert stack.own_functions == own
    warming = from_outputs("reprise", OUTPUTS | {"WarmerFunction": "reprise-warmer"}, "OK")
    assert warming.own_functions == own | {"reprise-warmer"}
    assert warming.batch_job_definitions == ()


@pytest.mark.parametrize("key", sorted(OUTPUTS))
def test_a_missing_output_is_named_with_the_stacks_status(key: str) -> None:
    outputs = {name: value for name, value in OUTPUTS.items() if name != key}
    with pytest.raises(CommandError, match=rf"CREATE_IN_PROGRESS.*{key}") as caught:
        from_outputs("reprise", outputs, "CREATE_IN_PROGRESS")
    assert caught.value.code is ExitCode.UNREACHABLE

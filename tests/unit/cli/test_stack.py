from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.stack import (
    find_schedules,
    from_outputs,
    no_schedules,
    read_stack,
    schedules_from_outputs,
)

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
}
SCHEDULES = {
    "TargetArns": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
    "RunnerFunction": "reprise-schedules-runner",
    "JobsQueueArn": "arn:aws:sqs:eu-west-1:123456789012:reprise-schedules-jobs",
    "JobsQueueUrl": "https://jobs",
    "JobsDeadLetterQueueArn": "arn:aws:sqs:eu-west-1:123456789012:reprise-schedules-jobs-dlq",
    "JobsGroup": "reprise-schedules-jobs",
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
        "reprise-observer",
        "reprise-reconciler",
        "reprise-letter-jobs",
    }
    assert stack.own_functions == own


def test_the_add_on_is_read_from_its_own_outputs() -> None:
    schedules = schedules_from_outputs("reprise-schedules", SCHEDULES, "OK")
    assert (schedules.jobs_group, schedules.warmer) == ("reprise-schedules-jobs", None)
    assert schedules.own_functions == {"reprise-schedules-runner"}
    warmer = {"WarmerFunction": "reprise-schedules-warmer"}
    warming = schedules_from_outputs("reprise-schedules", SCHEDULES | warmer, "OK")
    assert warming.own_functions == {"reprise-schedules-runner", "reprise-schedules-warmer"}
    assert warming.warm_window == "reprise-schedules-warm"


def test_an_add_on_that_is_not_deployed_is_none_and_the_error_says_how_it_is() -> None:
    client: Any = FakeCloudFormation("ValidationError")
    assert find_schedules(client, "reprise-schedules") is None
    plain = str(no_schedules("reprise-schedules", "reprise", "eu-west-1"))
    assert "stack 'reprise' has no add-on schedules" in plain
    assert "sam deploy --config-env schedules --parameter-overrides Targets=ARN" in plain
    assert "reprise local deploy --addon schedules" in plain
    other = str(no_schedules("mine", "two", ""))
    assert "--stack-name mine --parameter-overrides RootStack=two Targets=ARN" in other


@pytest.mark.parametrize("key", sorted(SCHEDULES))
def test_a_missing_output_of_the_add_on_is_named_with_its_option(key: str) -> None:
    outputs = {name: value for name, value in SCHEDULES.items() if name != key}
    with pytest.raises(CommandError, match=rf"--schedules-stack.*{key}"):
        schedules_from_outputs("reprise-schedules", outputs, "CREATE_IN_PROGRESS")


@pytest.mark.parametrize("key", sorted(OUTPUTS))
def test_a_missing_output_is_named_with_the_stacks_status(key: str) -> None:
    outputs = {name: value for name, value in OUTPUTS.items() if name != key}
    with pytest.raises(CommandError, match=rf"CREATE_IN_PROGRESS.*{key}") as caught:
        from_outputs("reprise", outputs, "CREATE_IN_PROGRESS")
    assert caught.value.code is ExitCode.UNREACHABLE

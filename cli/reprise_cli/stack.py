"""The deployed stack and its add-on, as their CloudFormation outputs name their parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.options import DEFAULT_STACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation import CloudFormationClient

_OUTPUTS: Final = {
    "invoker": "InvokerFunction",
    "unpacker": "UnpackerFunction",
    "replayer": "ReplayerFunction",
    "target_arns": "TargetArns",
    "capture_log_group": "CaptureLogGroup",
    "bucket": "BucketName",
    "capture_queue_url": "CaptureQueueUrl",
    "capture_dlq_url": "CaptureDeadLetterQueueUrl",
    "replay_queue_url": "ReplayQueueUrl",
    "dead_letter_queue_url": "DeadLetterQueueUrl",
    "ledger_table": "LedgerTable",
    "policy_parameter": "PolicyParameter",
}
_OPTIONAL_OUTPUTS: Final = {
    "call_timeout_s": "CallTimeoutSeconds",
    "front_doors": "FrontDoors",
    "callers_parameter": "CallersParameter",
    "chaos_target": "ChaosTargetFunction",
    "receipts_table": "ReceiptsTable",
    "letter_jobs_queue_url": "LetterJobsQueueUrl",
    "scheduler_role_arn": "ChaosSchedulerRoleArn",
}
_SCHEDULES_OUTPUTS: Final = {
    "target_arns": "TargetArns",
    "runner": "RunnerFunction",
    "jobs_queue_arn": "JobsQueueArn",
    "jobs_queue_url": "JobsQueueUrl",
    "jobs_dead_letter_queue_arn": "JobsDeadLetterQueueArn",
    "jobs_group": "JobsGroup",
    "jobs_scheduler_role_arn": "JobsSchedulerRoleArn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Names and addresses of a deployed stack's parts."""

    name: str
    invoker: str
    unpacker: str
    replayer: str
    target_arns: str
    """The functions and job definitions that may be called, separated by commas."""
    capture_log_group: str
    bucket: str
    capture_queue_url: str
    capture_dlq_url: str
    replay_queue_url: str
    dead_letter_queue_url: str
    ledger_table: str
    policy_parameter: str
    call_timeout_s: str = "305"
    """How long a call may take, in seconds; a stack deployed before this was an output has the default."""
    front_doors: str = ""
    """The template's parameter of that name."""
    callers_parameter: str | None = None
    """Where it says what callers need to know; a stack deployed before this was an output says nothing."""
    letter_jobs_queue_url: str | None = None
    """Where jobs at the dead-letter queues are ordered; a stack deployed before it ran any has none."""
    chaos_target: str | None = None
    """Set if the stack was deployed with ChaosTarget=true; and so the two that follow."""
    receipts_table: str | None = None
    scheduler_role_arn: str | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Return what may be called, by ARN; one that ends in `*` stands for all that begin so."""
        return tuple(arn.strip() for arn in self.target_arns.split(",") if arn.strip())

    @property
    def own_functions(self) -> frozenset[str]:
        """Return the pipeline's own functions, which no chaos test may hold."""
        return frozenset(
            {self.invoker, self.unpacker, self.replayer}
            | {f"{self.name}-{part}" for part in ("observer", "reconciler", "letter-jobs")}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """Names and addresses of the parts of the add-on schedules."""

    name: str
    """Of its own stack."""
    target_arns: str
    """What jobs may call, separated by commas."""
    runner: str
    jobs_queue_arn: str
    jobs_queue_url: str
    jobs_dead_letter_queue_arn: str
    jobs_group: str
    jobs_scheduler_role_arn: str
    warmer: str | None = None
    """Set if it keeps functions warm."""

    @property
    def warm_window(self) -> str:
        """Return the name of the schedule that pings, and of its group."""
        return f"{self.name}-warm"

    @property
    def own_functions(self) -> frozenset[str]:
        """Return the add-on's own functions, as `Stack.own_functions`."""
        return frozenset({self.runner} | ({self.warmer} if self.warmer else set()))


def read_stack(client: CloudFormationClient, name: str, region: str) -> Stack:
    """Return the stack of this name.

    Raises:
        CommandError: If there is none, it is not ready, or it is not one of ours.
    """
    found = _find(client, name)
    if found is None:
        raise no_stack(name, region)
    return from_outputs(name, *found)


def no_stack(name: str, region: str) -> CommandError:
    """Return the error that there is no such stack, and how it is deployed."""
    return CommandError(
        "--stack-name",
        f"there is no stack {name!r} in {region or 'this region'}",
        "Deploy it with `sam build && sam deploy --guided`, or locally with `reprise local deploy`",
        ExitCode.UNREACHABLE,
    )


def is_complete(outputs: Mapping[str, str]) -> bool:
    """Tell whether a stack's outputs name all of its parts: it came up, and is one of ours."""
    return all(outputs.get(key) for key in _OUTPUTS.values())


def from_outputs(name: str, outputs: Mapping[str, str], status: str) -> Stack:
    """Return the stack that outputs describe.

    Raises:
        CommandError: If an output is missing.
    """
    _check(outputs, _OUTPUTS, "--stack-name", f"stack {name!r} ({status})")
    return Stack(
        name=name,
        **{field: outputs[key] for field, key in _OUTPUTS.items()},
        **{field: outputs[key] for field, key in _OPTIONAL_OUTPUTS.items() if outputs.get(key)},
    )


def find_schedules(client: CloudFormationClient, name: str) -> Schedules | None:
    """Return the add-on schedules of which this is the stack; None if there is no such stack.

    Raises:
        CommandError: If it is not ready, or not one of ours.
    """
    found = _find(client, name)
    return None if found is None else schedules_from_outputs(name, *found)


def schedules_from_outputs(name: str, outputs: Mapping[str, str], status: str) -> Schedules:
    """Return the add-on that outputs describe.

    Raises:
        CommandError: If an output is missing.
    """
    _check(outputs, _SCHEDULES_OUTPUTS, "--schedules-stack", f"stack {name!r} ({status})")
    return Schedules(
        name=name,
        warmer=outputs.get("WarmerFunction"),
        **{field: outputs[key] for field, key in _SCHEDULES_OUTPUTS.items()},
    )


def no_schedules(name: str, root: str, region: str) -> CommandError:
    """Return the error that the add-on schedules is not deployed, and how it is."""
    named = "" if root == DEFAULT_STACK else f" RootStack={root}"
    other = "" if root == DEFAULT_STACK else f" --stack-name {name}"
    return CommandError(
        "--schedules-stack",
        f"there is no stack {name!r} in {region or 'this region'}: "
        f"stack {root!r} has no add-on schedules",
        "Deploy it with `sam build --config-env schedules && sam deploy --config-env schedules"
        f"{other} --parameter-overrides{named} Targets=ARN`, or locally with "
        "`reprise local deploy --addon schedules`",
        ExitCode.UNREACHABLE,
    )


def _find(client: CloudFormationClient, name: str) -> tuple[dict[str, str], str] | None:
    """Return outputs and status of a stack, if there is one."""
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ValidationError":
            raise
        return None
    outputs = {
        output.get("OutputKey", ""): output.get("OutputValue", "")
        for output in found.get("Outputs", [])
    }
    return outputs, found["StackStatus"]


def _check(
    outputs: Mapping[str, str], wanted: Mapping[str, str], option: str, subject: str
) -> None:
    missing = [key for key in wanted.values() if not outputs.get(key)]
    if missing:
        raise CommandError(
            option,
            f"{subject} has no output {missing[0]}",
            "Wait until it is complete, or name a stack of this project's template",
            ExitCode.UNREACHABLE,
        )

"""The deployed stack, as its CloudFormation outputs name its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from reprise_cli.exits import CommandError, ExitCode

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
    "runner": "RunnerFunction",
    "jobs_queue_arn": "JobsQueueArn",
    "jobs_queue_url": "JobsQueueUrl",
    "jobs_dead_letter_queue_arn": "JobsDeadLetterQueueArn",
    "jobs_group": "JobsGroup",
    "jobs_scheduler_role_arn": "JobsSchedulerRoleArn",
}
_OPTIONAL_OUTPUTS: Final = {
    "batch_jobs": "BatchJobDefinitions",
    "call_timeout_s": "CallTimeoutSeconds",
    "warmer": "WarmerFunction",
    "chaos_target": "ChaosTargetFunction",
    "receipts_table": "ReceiptsTable",
    "scheduler_role_arn": "ChaosSchedulerRoleArn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Names and addresses of a deployed stack's parts."""

    name: str
    invoker: str
    unpacker: str
    replayer: str
    target_arns: str
    """The functions that may be called, separated by commas."""
    capture_log_group: str
    bucket: str
    capture_queue_url: str
    capture_dlq_url: str
    replay_queue_url: str
    dead_letter_queue_url: str
    ledger_table: str
    policy_parameter: str
    runner: str
    jobs_queue_arn: str
    jobs_queue_url: str
    jobs_dead_letter_queue_arn: str
    jobs_group: str
    jobs_scheduler_role_arn: str
    batch_jobs: str = ""
    """The job definitions that may be submitted, separated by commas."""
    call_timeout_s: str = "305"
    """How long a call may take, in seconds; a stack deployed before this was an output has the default."""
    warmer: str | None = None
    """Set if the stack keeps functions warm."""
    chaos_target: str | None = None
    """Set if the stack was deployed with ChaosTarget=true; and so the two that follow."""
    receipts_table: str | None = None
    scheduler_role_arn: str | None = None

    @property
    def own_functions(self) -> frozenset[str]:
        """Return the pipeline's own functions, which no chaos test may hold."""
        own = {self.invoker, self.unpacker, self.replayer, self.runner, f"{self.name}-observer"}
        return frozenset(own | ({self.warmer} if self.warmer else set()))

    @property
    def batch_job_definitions(self) -> tuple[str, ...]:
        """Return the job definitions that may be submitted."""
        return tuple(entry for entry in self.batch_jobs.split(",") if entry)


def read_stack(client: CloudFormationClient, name: str, region: str) -> Stack:
    """Return the stack of this name.

    Raises:
        CommandError: If there is none, it is not ready, or it is not one of ours.
    """
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ValidationError":
            raise
        raise CommandError(
            "--stack-name",
            f"there is no stack {name!r} in {region or 'this region'}",
            "Deploy it with `sam build && sam deploy --guided`, or locally with `reprise local deploy`",
            ExitCode.UNREACHABLE,
        ) from error
    outputs = {
        output.get("OutputKey", ""): output.get("OutputValue", "")
        for output in found.get("Outputs", [])
    }
    return from_outputs(name, outputs, found["StackStatus"])


def from_outputs(name: str, outputs: Mapping[str, str], status: str) -> Stack:
    """Return the stack that outputs describe.

    Raises:
        CommandError: If an output is missing.
    """
    missing = [key for key in _OUTPUTS.values() if not outputs.get(key)]
    if missing:
        raise CommandError(
            "--stack-name",
            f"stack {name!r} ({status}) has no output {missing[0]}",
            "Wait until it is complete, or name a stack of this project's template",
            ExitCode.UNREACHABLE,
        )
    return Stack(
        name=name,
        **{field: outputs[key] for field, key in _OUTPUTS.items()},
        **{field: outputs[key] for field, key in _OPTIONAL_OUTPUTS.items() if outputs.get(key)},
    )

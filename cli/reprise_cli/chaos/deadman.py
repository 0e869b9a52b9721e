"""The dead-man switch: a one-time schedule that lets the target go if this process cannot."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from reprise.ports import Clock

_TARGET: Final = "arn:{partition}:scheduler:::aws-sdk:lambda:{action}"
"""EventBridge Scheduler user guide, "Using universal targets": any API call, by its SDK name."""


class DeadMan:
    """One schedule; without a role for it, or refused, there is none, and `tell` says so."""

    def __init__(
        self,
        client: EventBridgeSchedulerClient,
        role_arn: str | None,
        *,
        after_s: float,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        """Prepare a schedule.

        Args:
            client: EventBridge Scheduler.
            role_arn: Role that may change the target's concurrency; None if there is none.
            after_s: When the switch acts, from `arm`.
            clock: Tells the time.
            tell: Takes a sentence for people.
        """
        self._client = client
        self._role_arn = role_arn
        self._after_s = after_s
        self._clock = clock
        self._tell = tell
        self._name: str | None = None

    def arm(self, function: str, reserved: int | None) -> None:
        """Schedule the restore of a function's concurrency; best effort."""
        if self._role_arn is None:
            self._tell(
                "no dead-man switch: the stack has no output ChaosSchedulerRoleArn; "
                "the target is let go by this process only"
            )
            return
        name = f"reprise-chaos-{uuid.uuid4().hex[:12]}"
        at = self._clock() + timedelta(seconds=self._after_s)
        request: Any = {
            "Name": name,
            "ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Description": f"Lets {function} go if the chaos test that holds it dies",
            "Target": restore_target(function, reserved, self._role_arn),
        }
        try:
            self._client.create_schedule(**request)
        except (ClientError, BotoCoreError) as error:
            self._tell(f"no dead-man switch: {error}; the target is let go by this process only")
        else:
            self._name = name

    def disarm(self) -> None:
        """Delete the schedule: the target has been let go."""
        if self._name is None:
            return
        try:
            self._client.delete_schedule(Name=self._name)
        except (ClientError, BotoCoreError) as error:
            # Harmless: it sets what is set already, and deletes itself.
            self._tell(f"the schedule {self._name} could not be deleted: {error}")
        self._name = None


def restore_target(function: str, reserved: int | None, role_arn: str) -> dict[str, Any]:
    """Return the schedule's target: the API call that restores a function's concurrency."""
    request: dict[str, Any] = {"FunctionName": function}
    action = "deleteFunctionConcurrency"
    if reserved is not None:
        action = "putFunctionConcurrency"
        request["ReservedConcurrentExecutions"] = reserved
    partition = role_arn.split(":")[1]
    return {
        "Arn": _TARGET.format(partition=partition, action=action),
        "RoleArn": role_arn,
        "Input": json.dumps(request),
    }

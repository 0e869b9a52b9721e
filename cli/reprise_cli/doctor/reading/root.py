"""The stack itself: what it says of its parts, and what time AWS has."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from reprise_cli.doctor.read import NotRead
from reprise_cli.stack import no_stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reprise_cli.aws import Aws
    from reprise_cli.doctor.read import Read


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The root stack."""

    outputs: dict[str, str]
    parameters: dict[str, str]
    ahead_s: Read[float]
    """How far our clock is ahead."""


def read_root(aws: Aws, stack: str, now: Callable[[], datetime]) -> Root:
    """Return the stack of this name.

    Raises:
        CommandError: If there is none.
    """
    try:
        answer = aws.cloudformation.describe_stacks(StackName=stack)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ValidationError":
            raise
        raise no_stack(stack, aws.region) from error
    (found,) = answer["Stacks"]
    outputs = {
        each.get("OutputKey", ""): each.get("OutputValue", "") for each in found.get("Outputs", [])
    }
    parameters = {
        each.get("ParameterKey", ""): each.get("ParameterValue", "")
        for each in found.get("Parameters", [])
    }
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    return Root(outputs=outputs, parameters=parameters, ahead_s=_ahead(now(), date))


def _ahead(now: datetime, date: str) -> Read[float]:
    try:
        return (now - parsedate_to_datetime(date)).total_seconds()
    except (TypeError, ValueError):
        return NotRead("AWS's answer had no date")

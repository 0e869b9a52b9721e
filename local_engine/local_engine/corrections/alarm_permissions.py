"""Restore the resource of CloudWatch's DescribeAlarms: alarms, not everything.

Stock ministack, with IAM enforced, checks it against ``*``, which only a policy for
every resource allows.

Source: Service Authorization Reference, "Actions, resources, and condition keys for
Amazon CloudWatch" (resource type ``alarm``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_ACTIONS = Seam("core.iam_actions")


def apply(_options: EngineOptions) -> None:
    """Name the account's alarms where ministack names nothing."""
    stock = _ACTIONS["extract_resource_arn"]

    def extract(service: str, *request: Any) -> str:
        arn: str = stock(service, *request)
        if service != "monitoring" or arn != "*":
            return arn
        *asked, region, account = request
        if _ACTIONS["extract_iam_action"](service, *asked) != "cloudwatch:DescribeAlarms":
            return arn
        return f"arn:aws:cloudwatch:{region}:{account}:alarm:*"

    _ACTIONS.replace("extract_resource_arn", extract)

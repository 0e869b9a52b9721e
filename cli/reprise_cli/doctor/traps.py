"""What AWS says at a first deployment, and what to do: the sections of docs/howto/first-deployment.md."""

from __future__ import annotations

from typing import Final

PAGE: Final = "howto/first-deployment.md"
_START_OVER: Final = "`reprise cleanup --dry-run`, `reprise cleanup`, then deploy again"
TRAPS: Final = (
    (
        ("already exists", "ResourceExistenceCheck"),
        f"Something of that name was kept of an earlier stack: {_START_OVER}",
    ),
    (
        ("bucket you tried to delete is not empty",),
        "`reprise cleanup --dry-run` names the bucket; `reprise cleanup BUCKET`, then deploy again",
    ),
    (
        ("Could not deliver test message",),
        f"Stream or role was too young, or a policy of your organisation denies it. {_START_OVER}",
    ),
    (
        ("cannot be assumed by", "unable to assume role", "security token included"),
        f"The role was too young: IAM takes seconds to tell of it. {_START_OVER}",
    ),
    (
        ("is not authorized to perform", "AccessDenied"),
        "Allow that action to whoever deploys, or `sam deploy --role-arn` a service role; then start over",
    ),
    (
        ("requires capabilities", "InsufficientCapabilities"),
        "sam deploy --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND",
    ),
    (
        ("UnreservedConcurrentExecution",),
        "Deploy with InvokerReservedConcurrency=none, or ask Service Quotas for `Concurrent executions`",
    ),
    (
        ("LimitExceeded", "ResourceLimitExceeded", "ServiceLimitExceeded"),
        "Ask Service Quotas for more of what the message names, then start over",
    ),
    (
        ("Unrecognized resource types",),
        "Deploy without SlackWebhookUrl: the region has no API destinations",
    ),
    (("No export named",), "Deploy the root stack first, or say RootStack=NAME"),
    (
        ("cannot be deleted as it is in use", "Cannot delete export"),
        "Delete the add-ons' stacks first",
    ),
)
"""Parts of messages, and the mend; the first that fits."""


def find_trap(message: str) -> tuple[str, str] | None:
    """Return the mend and the page for what an event of CloudFormation says; None if it is none of these."""
    for parts, mend in TRAPS:
        if any(part.lower() in message.lower() for part in parts):
            return mend, PAGE
    return None

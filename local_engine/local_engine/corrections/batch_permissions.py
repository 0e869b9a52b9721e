"""Restore the permissions of SQS's batch operations: those of the single ones.

Stock ministack, with IAM enforced, asks for ``sqs:SendMessageBatch`` and the like, which
no policy on AWS can grant.

Source: Service Authorization Reference, "Actions, resources, and condition keys for
Amazon SQS"; SQS Developer Guide, "Amazon SQS API permissions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_ACTIONS = Seam("core.iam_actions")
_PERMISSIONS = {
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}


def apply(_options: EngineOptions) -> None:
    """Ask for the single operation's permission."""
    stock = _ACTIONS["extract_iam_action"]

    def extract(*arguments: Any) -> str | None:
        action: str | None = stock(*arguments)
        return _PERMISSIONS.get(action, action) if action else action

    _ACTIONS.replace("extract_iam_action", extract)

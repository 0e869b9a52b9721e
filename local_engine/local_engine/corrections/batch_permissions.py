"""Restore the permissions of batch operations: those of the single ones.

Stock ministack, with IAM enforced, asks for ``sqs:SendMessageBatch``,
``dynamodb:BatchExecuteStatement`` and the like, which no policy on AWS can grant, and
does not see which table a statement names.

Source: Service Authorization Reference, "Actions, resources, and condition keys for
Amazon SQS" and "... for Amazon DynamoDB" (PartiQLInsert and the like); SQS Developer
Guide, "Amazon SQS API permissions"; DynamoDB Developer Guide, "IAM security policies with
PartiQL for DynamoDB".
"""

from __future__ import annotations

import json
import re
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
_VERBS = {"INSERT": "Insert", "UPDATE": "Update", "DELETE": "Delete", "SELECT": "Select"}
_STATEMENT = re.compile(r'\s*(?P<verb>\w+)[^"]*"(?P<table>[^"]+)"')


def apply(_options: EngineOptions) -> None:
    """Ask for the single operation's permission, on the table of each statement."""
    stock = _ACTIONS["extract_iam_action"]
    stock_arns = _ACTIONS["dynamodb_resource_arns"]

    def extract(
        service: str,
        method: str,
        path: str,
        headers: Any,
        body: bytes,
        query: Any,
    ) -> str | None:
        action: str | None = stock(service, method, path, headers, body, query)
        if action == "dynamodb:BatchExecuteStatement" and (found := _statements(body)):
            # A batch that reads and writes is refused: one verb stands for all.
            return f"dynamodb:PartiQL{_VERBS.get(found[0]['verb'].upper(), 'Select')}"
        return _PERMISSIONS.get(action, action) if action else action

    def arns(body: bytes, region: str, account_id: str) -> list[str]:
        tables = {match["table"] for match in _statements(body)}
        if not tables:
            found: list[str] = stock_arns(body, region, account_id)
            return found
        return [_ACTIONS["_dynamodb_table_arn"](table, region, account_id) for table in tables]

    _ACTIONS.replace("extract_iam_action", extract)
    _ACTIONS.replace("dynamodb_resource_arns", arns)


def _statements(body: bytes) -> list[re.Match[str]]:
    """Return verb and table of a request's PartiQL statements."""
    try:
        statements = json.loads(body or b"{}").get("Statements") or []
        found = [_STATEMENT.match(statement["Statement"]) for statement in statements]
    except (ValueError, AttributeError, KeyError, TypeError):
        return []
    return [match for match in found if match is not None]

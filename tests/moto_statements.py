"""PartiQL's INSERT and UPDATE in batches on moto, whose own parser takes no parameters there.

Answers as DynamoDB does: an item that is there already is that one statement's error, by the codes of the
API reference's BatchStatementError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import DynamoDBBackend

from simulation.dynamodb import read_statement

if TYPE_CHECKING:
    import pytest


def run_statements(patch: pytest.MonkeyPatch) -> None:
    """Let moto run the statements that the ledger enters and leases its rows by."""
    patch.setattr(DynamoDBBackend, "batch_execute_statement", _execute)


def _execute(backend: DynamoDBBackend, statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_run(backend, statement) for statement in statements]


def _run(backend: DynamoDBBackend, statement: dict[str, Any]) -> dict[str, Any]:
    found = read_statement(statement)
    if found is None:
        return {"Error": {"Code": "ValidationError", "Message": "Statement wasn't well formed"}}
    item = backend.get_item(found.table, {"id": {"S": found.key}})
    before = item.to_json()["Attributes"] if item is not None else {}
    if found.where is None and before:
        message = "Duplicate primary key exists in table"
        return {"TableName": found.table, "Error": {"Code": "DuplicateItem", "Message": message}}
    if found.where is not None and not found.where.items() <= before.items():
        message, code = "The conditional request failed", "ConditionalCheckFailed"
        return {"TableName": found.table, "Error": {"Code": code, "Message": message}}
    backend.put_item(found.table, found.after(before))
    return {"TableName": found.table}

"""PartiQL's INSERT in batches on moto, whose own parser takes no parameters there.

Answers as DynamoDB does: an item that is there already is that one statement's error, by the codes of the
API reference's BatchStatementError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import DynamoDBBackend

from simulation.dynamodb import INSERT, NAME

if TYPE_CHECKING:
    import pytest


def insert_in_batches(patch: pytest.MonkeyPatch) -> None:
    """Let moto run the statements that the ledger enters its rows by."""
    patch.setattr(DynamoDBBackend, "batch_execute_statement", _execute)


def _execute(backend: DynamoDBBackend, statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_insert(backend, statement) for statement in statements]


def _insert(backend: DynamoDBBackend, statement: dict[str, Any]) -> dict[str, Any]:
    match = INSERT.fullmatch(statement["Statement"])
    if match is None:
        return {"Error": {"Code": "ValidationError", "Message": "Statement wasn't well formed"}}
    names, table = NAME.findall(match["attributes"]), match["table"]
    item = dict(zip(names, statement["Parameters"], strict=True))
    if backend.get_item(table, {"id": item["id"]}) is not None:
        message = "Duplicate primary key exists in table"
        return {"TableName": table, "Error": {"Code": "DuplicateItem", "Message": message}}
    backend.put_item(table, item)
    return {"TableName": table}

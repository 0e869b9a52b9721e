"""A DynamoDB in this process: the client's own methods and errors, real expressions, and no request.

One table for all: what is here is made for ids as keys. Faster than moto by far, and checked against it in
tests/functional/aws/test_simulated_table.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from simulation.expression import Bound, ExpressionError, parse_condition, parse_update, tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_ITEM_BYTES: Final = 400 * 1024
KEY: Final = "id"
MAX_KEYS: Final = 100
MAX_STATEMENTS: Final = 25
INSERT: Final = re.compile(r'INSERT INTO "(?P<table>[^"]+)" VALUE \{(?P<attributes>[^{}]+)\}')
UPDATE: Final = re.compile(
    r'UPDATE "(?P<table>[^"]+)" (?P<sets>(?:SET "\w+" = \? )+)(?P<removes>(?:REMOVE "\w+" )*)'
    r'WHERE (?P<where>"\w+" = \?(?: AND "\w+" = \?)*)'
)
REMOVED: Final = re.compile(r'REMOVE "(\w+)"')
NAME: Final = re.compile(r"""['"](\w+)['"](?::| =) \?""")


type Item = dict[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Statement:
    """One PartiQL statement as the ledger writes it."""

    table: str
    key: str
    item: Item
    """What it writes."""
    where: Item | None
    """What must be so before; None for an INSERT, for which nothing may be."""
    removes: tuple[str, ...] = ()
    """Attributes that it takes away."""

    def after(self, before: Item) -> Item:
        """Return the item as it is then."""
        made = {**before, **self.item}
        return {name: value for name, value in made.items() if name not in self.removes}


def read_statement(statement: Mapping[str, Any]) -> Statement | None:
    """Return what a statement says; None if it is neither of the two that are known here."""
    text, parameters = statement["Statement"], statement["Parameters"]
    if match := INSERT.fullmatch(text):
        item: Item = dict(zip(NAME.findall(match["attributes"]), parameters, strict=True))
        return Statement(match["table"], item[KEY]["S"], item, None)
    if match := UPDATE.fullmatch(text):
        names = NAME.findall(match["sets"])
        where = dict(zip(NAME.findall(match["where"]), parameters[len(names) :], strict=True))
        item = dict(zip(names, parameters, strict=False))
        removes = tuple(REMOVED.findall(match["removes"]))
        return Statement(match["table"], where[KEY]["S"], item, where, removes)
    return None


@dataclass(slots=True)
class DynamoDB:
    """One table, whose key is `id`."""

    items: dict[str, Item] = field(default_factory=dict)
    refuses: Callable[[str], bool] = lambda _: False
    """Tells whether the statement of a batch about this key fails, and it alone."""
    leaves: Callable[[str], bool] = lambda _: False
    """Tells whether this key of a BatchGetItem is not read."""

    def put_item(self, **request: Any) -> dict[str, Any]:
        request.pop("TableName")
        item: Item = request.pop("Item")
        before = self.items.get(item[KEY]["S"])
        bound = self._bound(request, "ConditionExpression")
        self._check("PutItem", before, bound, request)
        self._keep("PutItem", item)
        return self._answer(request, before, None)

    def get_item(self, **request: Any) -> dict[str, Any]:
        item = self.items.get(request["Key"][KEY]["S"])
        return {} if item is None else {"Item": item}

    def update_item(self, **request: Any) -> dict[str, Any]:
        request.pop("TableName")
        key: Item = request.pop("Key")
        before = self.items.get(key[KEY]["S"])
        text = request.get("UpdateExpression", "")
        bound = self._bound(request, "ConditionExpression", "UpdateExpression")
        self._check("UpdateItem", before, bound, request)
        try:
            update = parse_update(text)
            names = [bound.name(name) for name, _ in (*update.sets, *update.adds)]
            names += [bound.name(name) for name in update.removes]
            if len(set(names)) != len(names) or KEY in names:
                raise _invalid("UpdateItem", f"two paths overlap, or the key is changed: {names}")
            after = update.apply(before or key, bound)
        except ExpressionError as error:
            raise _invalid("UpdateItem", str(error)) from error
        self._keep("UpdateItem", after)
        changed = {name: after[name] for name in names if name in after}
        return self._answer(request, before, after, changed)

    def delete_item(self, **request: Any) -> dict[str, Any]:
        request.pop("TableName")
        name = request.pop("Key")[KEY]["S"]
        before = self.items.get(name)
        bound = self._bound(request, "ConditionExpression")
        self._check("DeleteItem", before, bound, request)
        self.items.pop(name, None)
        return self._answer(request, before, None)

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        found: dict[str, list[Item]] = {}
        left: dict[str, Any] = {}
        for table, wanted in request["RequestItems"].items():
            names = [key[KEY]["S"] for key in wanted["Keys"]]
            if len(set(names)) < len(names) or len(names) > MAX_KEYS:
                raise _invalid("BatchGetItem", "duplicates, or too many keys")
            unread = {name for name in names if self.leaves(name)}
            if unread:
                left[table] = {**wanted, "Keys": [{KEY: {"S": name}} for name in sorted(unread)]}
            found[table] = [
                self.items[name] for name in names if name in self.items and name not in unread
            ]
        return {"Responses": found, "UnprocessedKeys": left}

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        for entries in request["RequestItems"].values():
            for entry in entries:
                if "PutRequest" in entry:
                    self._keep("BatchWriteItem", entry["PutRequest"]["Item"])
                else:
                    self.items.pop(entry["DeleteRequest"]["Key"][KEY]["S"], None)
        return {"UnprocessedItems": {}}

    def batch_execute_statement(self, **request: Any) -> dict[str, Any]:
        statements = request["Statements"]
        if len(statements) > MAX_STATEMENTS:
            raise _invalid("BatchExecuteStatement", "too many statements")
        read = [found for each in statements if (found := read_statement(each)) is not None]
        if len({found.key for found in read}) < len(read):
            # What DynamoDB says to two writes of one item is not documented: nobody may rely on it.
            raise _invalid("BatchExecuteStatement", "several statements of one item")
        return {"Responses": [self._execute(statement) for statement in statements]}

    # ----------------------------------------------------------------------------------------------

    def _execute(self, statement: dict[str, Any]) -> dict[str, Any]:
        """Insert or update one item on its conditions, unless this statement alone is to fail."""
        found = read_statement(statement)
        if found is None:
            return {"Error": {"Code": "ValidationError", "Message": "cannot be read"}}
        if self.refuses(found.key):
            return {"Error": {"Code": "ThrottlingError", "Message": "simulated"}}
        before = self.items.get(found.key)
        if found.where is None and before is not None:
            message = "Duplicate primary key exists in table"
            return {
                "TableName": found.table,
                "Error": {"Code": "DuplicateItem", "Message": message},
            }
        if found.where is not None and not found.where.items() <= (before or {}).items():
            message = "The conditional request failed"
            code = "ConditionalCheckFailed"
            return {"TableName": found.table, "Error": {"Code": code, "Message": message}}
        try:
            self._keep("BatchExecuteStatement", found.after(before or {}))
        except ClientError as error:
            message = error.response["Error"]["Message"]
            return {
                "TableName": found.table,
                "Error": {"Code": "ValidationError", "Message": message},
            }
        return {"TableName": found.table}

    def _keep(self, operation: str, item: Item) -> None:
        # Measured only where it may be: spelled out it is longer.
        if len(str(item)) > MAX_ITEM_BYTES and _size_of(item) > MAX_ITEM_BYTES:
            raise _invalid(operation, "Item size has exceeded the maximum allowed size")
        self.items[item[KEY]["S"]] = dict(item)

    @staticmethod
    def _bound(request: dict[str, Any], *expressions: str) -> Bound:
        """Return names and values; refuse, as DynamoDB does, those that no expression uses."""
        names = request.pop("ExpressionAttributeNames", {})
        values = request.pop("ExpressionAttributeValues", {})
        try:
            used = frozenset().union(
                *(tokens_of(request[name]) for name in expressions if name in request)
            )
        except ExpressionError as error:
            raise _invalid("Request", str(error)) from error
        given = {*names, *values}
        if used != given:
            raise _invalid("Request", f"unused or missing placeholders: {sorted(used ^ given)}")
        return Bound(names, values)

    @staticmethod
    def _check(operation: str, before: Item | None, bound: Bound, request: dict[str, Any]) -> None:
        text = request.get("ConditionExpression")
        if text is None:
            return
        try:
            holds = parse_condition(text)(before or {}, bound)
        except ExpressionError as error:
            raise _invalid(operation, str(error)) from error
        if holds:
            return
        answer: Any = {
            "Error": {
                "Code": "ConditionalCheckFailedException",
                "Message": "The conditional request failed",
            }
        }
        if request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before is not None:
            answer["Item"] = before
        raise ClientError(answer, operation)

    @staticmethod
    def _answer(
        request: dict[str, Any],
        before: Item | None,
        after: Item | None,
        changed: Item | None = None,
    ) -> dict[str, Any]:
        match request.get("ReturnValues", "NONE"):
            case "ALL_OLD":
                return {} if before is None else {"Attributes": before}
            case "ALL_NEW":
                return {"Attributes": after}
            case "UPDATED_NEW":
                return {"Attributes": changed}
            case _:
                return {}


def _size_of(item: Item) -> int:
    return sum(len(name) + len(str(next(iter(value.values())))) for name, value in item.items())


def _invalid(operation: str, message: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": "ValidationException", "Message": message}},
        operation,
    )

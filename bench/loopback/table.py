"""DynamoDB as the product uses it: one table, conditional writes, PartiQL's INSERT and UPDATE in batches.

Conditions are evaluated: a bench whose writes were all let through would measure another product.
"""

from __future__ import annotations

import re
from typing import Any, Final

type Item = dict[str, dict[str, Any]]

_TOKEN: Final = re.compile(r"\s*(<=|>=|<>|[()=<>,]|[#:]?[A-Za-z_][A-Za-z0-9_]*)")
_INSERT: Final = re.compile(r"'(\w+)': \?")


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request that AWS would refuse."""

    def __init__(self, code: str, item: Item | None = None) -> None:
        """Refuse with a code; the item is what stood in the way."""
        super().__init__(code)
        self.code = code
        self.answer: dict[str, Any] = {
            "__type": f"com.amazonaws.dynamodb.v20120810#{code}",
            "message": code,
        }
        if item is not None:
            self.answer["Item"] = item


class Table:
    """One table, whatever it is called."""

    def __init__(self) -> None:
        """Begin empty."""
        self.items: dict[str, Item] = {}

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """GetItem."""
        item = self.items.get(request["Key"]["id"]["S"])
        return {"Item": item} if item is not None else {}

    def batch_get(self, request: dict[str, Any]) -> dict[str, Any]:
        """BatchGetItem."""
        ((table, asked),) = request["RequestItems"].items()
        ids = [key["id"]["S"] for key in asked["Keys"]]
        return {"Responses": {table: [self.items[each] for each in ids if each in self.items]}}

    def put(self, request: dict[str, Any]) -> dict[str, Any]:
        """PutItem."""
        name = request["Item"]["id"]["S"]
        self._check(name, request)
        self.items[name] = request["Item"]
        return {}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """UpdateItem."""
        name = request["Key"]["id"]["S"]
        self._check(name, request)
        before = self.items.get(name, {})
        after = _updated({**before, "id": {"S": name}}, request)
        self.items[name] = after
        wanted = {"ALL_OLD": before, "ALL_NEW": after}.get(request.get("ReturnValues", ""))
        return {"Attributes": wanted} if wanted else {}

    def execute(self, request: dict[str, Any]) -> dict[str, Any]:
        """BatchExecuteStatement."""
        return {"Responses": [self._execute(statement) for statement in request["Statements"]]}

    def _execute(self, statement: dict[str, Any]) -> dict[str, Any]:
        names = _INSERT.findall(statement["Statement"])
        item = dict(zip(names, statement["Parameters"], strict=True))
        name = item["id"]["S"]
        if name in self.items:
            return {
                "Error": {
                    "Code": "DuplicateItem",
                    "Message": "Duplicate primary key exists in table",
                }
            }
        self.items[name] = item
        return {"TableName": "ledger"}

    def _check(self, name: str, request: dict[str, Any]) -> None:
        condition, item = request.get("ConditionExpression"), self.items.get(name, {})
        if condition and not _Condition(condition, request, item).holds():
            is_told = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            raise Refused("ConditionalCheckFailedException", item if is_told and item else None)


def _name(token: str, request: dict[str, Any]) -> str:
    return str(request["ExpressionAttributeNames"][token]) if token.startswith("#") else token


def _plain(attribute: dict[str, Any] | None) -> Any:  # noqa: ANN401 - any attribute's value
    if attribute is None:
        return None
    ((kind, value),) = attribute.items()
    return float(value) if kind == "N" else value


class _Condition:
    """A condition expression: comparisons, IN, attribute_exists and its opposite, AND, OR, NOT, brackets."""

    def __init__(self, text: str, request: dict[str, Any], item: Item) -> None:
        self._tokens = _TOKEN.findall(text)
        self._request, self._item = request, item

    def holds(self) -> bool:
        result = self._either()
        if self._tokens:
            msg = f"cannot read the rest of a condition: {self._tokens}"
            raise ValueError(msg)
        return result

    def _take(self) -> str:
        return str(self._tokens.pop(0))

    def _next_is(self, word: str) -> bool:
        return bool(self._tokens) and self._tokens[0] == word

    def _either(self) -> bool:
        result = self._both()
        while self._next_is("OR"):
            self._take()
            result = self._both() or result
        return result

    def _both(self) -> bool:
        result = self._single()
        while self._next_is("AND"):
            self._take()
            result = self._single() and result
        return result

    def _single(self) -> bool:
        token = self._take()
        if token == "NOT":
            return not self._single()
        if token == "(":
            result = self._either()
            self._take()
            return result
        if token in {"attribute_exists", "attribute_not_exists"}:
            self._take()
            is_there = _name(self._take(), self._request) in self._item
            self._take()
            return is_there == (token == "attribute_exists")
        left, relation = self._value(token), self._take()
        if relation == "IN":
            self._take()
            found = [self._value(self._take())]
            while self._take() == ",":
                found.append(self._value(self._take()))
            return left in found
        right = self._value(self._take())
        if relation in {"=", "<>"}:
            return (left == right) == (relation == "=")
        if left is None or right is None:
            return False
        return bool(
            {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[
                relation
            ]
        )

    def _value(self, token: str) -> Any:  # noqa: ANN401 - any attribute's value
        if token.startswith(":"):
            return _plain(self._request["ExpressionAttributeValues"][token])
        return _plain(self._item.get(_name(token, self._request)))


_CLAUSE: Final = re.compile(r"\b(SET|ADD|REMOVE)\b")
_COMMA: Final = re.compile(r",\s*(?![^()]*\))")
_DEFAULTED: Final = re.compile(r"if_not_exists\((\S+), (\S+)\)")


def _updated(before: Item, request: dict[str, Any]) -> Item:
    """Return an item as an update expression makes it; right-hand sides see it as it was."""
    after = dict(before)
    values = request.get("ExpressionAttributeValues", {})

    def value(text: str) -> dict[str, Any]:
        if match := _DEFAULTED.fullmatch(text):
            return before.get(_name(match[1], request)) or value(match[2])
        if text.startswith(":"):
            return dict(values[text])
        return before[_name(text, request)]

    parts = _CLAUSE.split(request["UpdateExpression"])[1:]
    for clause, body in zip(parts[::2], parts[1::2], strict=True):
        for step in _COMMA.split(body.strip()):
            if clause == "REMOVE":
                after.pop(_name(step.strip(), request), None)
            elif clause == "ADD":
                name, _, amount = step.strip().partition(" ")
                after[_name(name, request)] = _sum(before.get(_name(name, request)), value(amount))
            else:
                name, _, right = (each.strip() for each in step.partition("="))
                first, plus, second = (each.strip() for each in right.partition(" + "))
                after[_name(name, request)] = (
                    _sum(value(first), value(second)) if plus else value(first)
                )
    return after


def _sum(left: dict[str, Any] | None, right: dict[str, Any]) -> dict[str, Any]:
    total = float(left["N"] if left else 0) + float(right["N"])
    return {"N": str(int(total) if total.is_integer() else round(total, 6))}

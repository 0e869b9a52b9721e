"""The simulation's DynamoDB answers as moto's does, whatever it is asked of what it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprise.aws.gate_table import GateTable
from reprise.gate.state import Change, Condition
from simulation.dynamodb import DynamoDB

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAMES = ("a", "b", "n")
VALUES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.integers(-3, 3).map(lambda number: {"N": str(number)}),
    st.sampled_from(["", "x", "xy"]).map(lambda text: {"S": text}),
)
"""No flags: moto takes 0 for false, which DynamoDB does not."""
NUMBERS = st.integers(-3, 3).map(lambda number: {"N": str(number)})


class Expressions:
    """Draws expressions, and keeps the names and values that they use."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def name(self, name: str | None = None) -> str:
        name = name or self.draw(st.sampled_from(NAMES))
        self.names[f"#{name}"] = name
        return f"#{name}"

    def value(self, values: st.SearchStrategy[dict[str, Any]] = VALUES) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = self.draw(values)
        return placeholder

    def condition(self, depth: int = 2) -> str:
        kinds = ["exists", "equal", "order", "in"] + ["and", "or", "not"] * (depth > 0)
        match self.draw(st.sampled_from(kinds)):
            case "exists":
                word = self.draw(st.sampled_from(["attribute_exists", "attribute_not_exists"]))
                return f"{word}({self.name()})"
            case "equal":
                relation = self.draw(st.sampled_from(["=", "<>"]))
                return f"{self.name()} {relation} {self.value()}"
            case "order":
                # Moto breaks where two types are put in order.
                relation = self.draw(st.sampled_from(["<", "<=", ">", ">="]))
                return f"{self.name('n')} {relation} {self.value(NUMBERS)}"
            case "in":
                return f"{self.name()} IN ({self.value()}, {self.value()})"
            case "not":
                return f"NOT ({self.condition(depth - 1)})"
            case word:
                sides = self.condition(depth - 1), self.condition(depth - 1)
                return f"({sides[0]}) {word.upper()} ({sides[1]})"

    def update(self) -> str:
        names = self.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
        clauses: dict[str, list[str]] = {}
        for name in names:
            clause, text = self.change(name)
            clauses.setdefault(clause, []).append(text)
        return " ".join(f"{clause} {', '.join(texts)}" for clause, texts in clauses.items())

    def change(self, name: str) -> tuple[str, str]:
        kinds = ["put", "sum", "default", "remove", "add"] + ["copy"] * (name != "n")
        match self.draw(st.sampled_from(kinds)):
            case "put":
                values = NUMBERS if name == "n" else VALUES
                return "SET", f"{self.name(name)} = {self.value(values)}"
            case "copy":
                return "SET", f"{self.name(name)} = {self.name()}"
            case "sum":
                sign = self.draw(st.sampled_from("+-"))
                return "SET", f"{self.name(name)} = {self.name('n')} {sign} {self.value(NUMBERS)}"
            case "default":
                found = f"if_not_exists({self.name('n')}, {self.value(NUMBERS)})"
                return "SET", f"{self.name(name)} = {found} + {self.value(NUMBERS)}"
            case "remove":
                return "REMOVE", self.name(name)
            case _:
                return "ADD", f"{self.name(name)} {self.value(NUMBERS)}"


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Return an operation of the client, and what it is asked with."""
    key = {"id": {"S": draw(st.sampled_from(["1", "2"]))}}
    expressions = Expressions(draw)
    request: dict[str, Any] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    operation = draw(st.sampled_from(["put_item", "update_item", "update_item", "delete_item"]))
    if operation == "put_item":
        item = draw(st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES, "n": NUMBERS}))
        request |= {"Item": {**key, **item}, "ReturnValues": "ALL_OLD"}
    else:
        request["Key"] = key
        request["ReturnValues"] = draw(st.sampled_from(["ALL_OLD", "NONE"]))
    if operation == "update_item":
        request["UpdateExpression"] = expressions.update()
        request["ReturnValues"] = draw(st.sampled_from(["ALL_OLD", "ALL_NEW", "NONE"]))
    if operation != "put_item" or draw(st.booleans()):
        request["ConditionExpression"] = expressions.condition()
    if expressions.names:
        request["ExpressionAttributeNames"] = expressions.names
    if expressions.values:
        request["ExpressionAttributeValues"] = expressions.values
    return operation, request


def _asked(client: Any, table: str, operation: str, request: dict[str, Any]) -> object:
    """Return what the answer says: the item, or the code of the error and the item in the way."""
    try:
        answer = getattr(client, operation)(TableName=table, **request)
    except ClientError as error:
        response: Any = error.response
        return response["Error"]["Code"], response.get("Item")
    return answer.get("Attributes") or {}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(requests(), min_size=1, max_size=6))
def test_any_sequence_of_requests_is_answered_as_by_moto(
    dynamodb: DynamoDBClient, table: str, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    ours = DynamoDB()
    for number in ("1", "2"):
        dynamodb.delete_item(TableName=table, Key={"id": {"S": number}})
    for operation, request in asked:
        answer = _asked(ours, table, operation, dict(request))
        assert answer == _asked(dynamodb, table, operation, request), request
        if answer == ("ValidationException", None):
            # Moto may have carried out half of what it refuses; DynamoDB does nothing of it.
            return
    kept = {
        number: dynamodb.get_item(TableName=table, Key={"id": {"S": number}}).get("Item")
        for number in ("1", "2")
    }
    assert {number: ours.items.get(number) for number in ("1", "2")} == kept


@pytest.mark.parametrize(
    "request_",
    [
        {"UpdateExpression": "SET #a = :v", "ExpressionAttributeNames": {"#a": "a"}},
        {
            "UpdateExpression": "SET a = :v",
            "ExpressionAttributeValues": {":v": {"S": "x"}, ":w": {"S": "y"}},
        },
        {"UpdateExpression": "SET a = b"},
        {"UpdateExpression": "SET a = :v, a = :v", "ExpressionAttributeValues": {":v": {"S": ""}}},
        {"UpdateExpression": "SET id = :v", "ExpressionAttributeValues": {":v": {"S": ""}}},
        {"UpdateExpression": "SET a ="},
        {"UpdateExpression": "SET a = :v + :v", "ExpressionAttributeValues": {":v": {"S": "x"}}},
    ],
    ids=["no value", "unused", "missing", "twice", "key", "cut", "no number"],
)
def test_what_dynamodb_refuses_is_refused(
    dynamodb: DynamoDBClient, table: str, request_: dict[str, Any]
) -> None:
    request = {"Key": {"id": {"S": str(uuid4())}}, **request_}
    expected = _asked(dynamodb, table, "update_item", request)
    assert expected == ("ValidationException", None)
    assert _asked(DynamoDB(), table, "update_item", dict(request)) == expected


def test_what_the_parser_does_not_know_is_refused_and_not_passed_over() -> None:
    request = {
        "Key": {"id": {"S": "1"}},
        "UpdateExpression": "SET a.b = :v",
        "ExpressionAttributeValues": {":v": {"S": "x"}},
    }
    assert _asked(DynamoDB(), "t", "update_item", request) == ("ValidationException", None)


def test_the_gates_own_expressions_work_on_it() -> None:
    client: Any = DynamoDB()
    gates = GateTable(client, "t", lambda: 0.0)
    first = Change(
        put={"turn": 1}, add={"in_flight": 2}, when=(Condition(name="turn", relation="=", value=0),)
    )
    assert gates.update("f", first).image.in_flight == 2
    assert not gates.update("f", first).applied

"""One contract for the books in DynamoDB and for the double that stands in for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doubles import InMemoryCounters
from reprise.aws.counters_table import CountersTable, StateItem
from reprise.errors import StoreError
from reprise.monitor.counters import BacklogCounters
from reprise.monitor.snapshot import MonitorState, Snapshot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.monitor.counters import CounterStore


@pytest.fixture(params=["double", "table"])
def books(request: pytest.FixtureRequest) -> CounterStore:
    if request.param == "double":
        return InMemoryCounters()
    dynamodb: DynamoDBClient = request.getfixturevalue("dynamodb")
    return CountersTable(dynamodb, request.getfixturevalue("table"))


def test_totals_add_up(books: CounterStore) -> None:
    assert books.add("orders", BacklogCounters(known=5)) == BacklogCounters(known=5)
    added = books.add("orders", BacklogCounters(ended=2, dead={"expired": 1}))
    assert added == BacklogCounters(known=5, ended=2, dead={"expired": 1})
    books.add("orders", BacklogCounters(dead={"expired": 1, "unknown": 1}))
    assert books.read(["orders"]) == {
        "orders": BacklogCounters(known=5, ended=2, dead={"expired": 2, "unknown": 1})
    }


def test_totals_lie_where_stacks_of_earlier_versions_have_them(
    dynamodb: DynamoDBClient, table: str
) -> None:
    CountersTable(dynamodb, table).add("orders", BacklogCounters(known=5))

    item = dynamodb.get_item(TableName=table, Key={"id": {"S": "book#orders"}})["Item"]
    assert item == {"id": {"S": "book#orders"}, "known": {"N": "5"}, "ended": {"N": "0"}}


def test_only_the_books_that_there_are_are_read(books: CounterStore) -> None:
    for number in range(3):
        books.add(f"f{number}", BacklogCounters(known=number + 1))
    wanted = [f"f{number}" for number in range(150)]
    assert {label: book.known for label, book in books.read(wanted).items()} == {
        "f0": 1,
        "f1": 2,
        "f2": 3,
    }
    assert books.read([]) == {}


def test_a_book_is_closed_if_nothing_has_changed_since(books: CounterStore) -> None:
    seen = books.add("orders", BacklogCounters(known=5, ended=3))
    changed = books.add("orders", BacklogCounters(ended=1))
    assert not books.close("orders", seen)
    assert books.close("orders", changed)
    assert books.read(["orders"])["orders"].backlog == 0


def test_a_missing_table_is_a_store_error(dynamodb: DynamoDBClient) -> None:
    books = CountersTable(dynamodb, "nowhere")
    for ask in (
        lambda: books.add("orders", BacklogCounters(known=1)),
        lambda: books.read(["orders"]),
        lambda: books.close("orders", BacklogCounters()),
    ):
        with pytest.raises(StoreError):
            ask()


def test_memory_is_empty_at_first_and_then_as_it_was_kept(
    dynamodb: DynamoDBClient, table: str
) -> None:
    item = StateItem(dynamodb, table, "memory", MonitorState)
    assert item.load() == MonitorState()
    memory = MonitorState(
        looks=[Snapshot(at_s=1.5, known={"orders": 2}, ended={"orders": 1}, is_idle=True)],
        open={"waiting": 2.0},
        dead={"orders": {"expired": 1}},
    )
    item.save(memory)
    assert item.load() == memory


def test_memory_of_another_version_is_forgotten(dynamodb: DynamoDBClient, table: str) -> None:
    item = {"id": {"S": "observer#memory"}, "memory": {"S": '{"looks": 7}'}}
    dynamodb.put_item(TableName=table, Item=item)
    assert StateItem(dynamodb, table, "memory", MonitorState).load() == MonitorState()

"""One contract for the books in DynamoDB and for the double that stands in for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reprise.aws.counters_table import BooksTable, MemoryItem
from reprise.errors import StoreError
from reprise.monitor.check import Memory, Past
from reprise.monitor.counters import Book
from reprise.testing import InMemoryBooks

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.monitor.counters import Books


@pytest.fixture(params=["double", "table"])
def books(request: pytest.FixtureRequest) -> Books:
    if request.param == "double":
        return InMemoryBooks()
    dynamodb: DynamoDBClient = request.getfixturevalue("dynamodb")
    return BooksTable(dynamodb, request.getfixturevalue("table"))


def test_totals_add_up(books: Books) -> None:
    assert books.add("orders", Book(known=5)) == Book(known=5)
    added = books.add("orders", Book(ended=2, dead={"expired": 1}))
    assert added == Book(known=5, ended=2, dead={"expired": 1})
    books.add("orders", Book(dead={"expired": 1, "unknown": 1}))
    assert books.read(["orders"]) == {
        "orders": Book(known=5, ended=2, dead={"expired": 2, "unknown": 1})
    }


def test_only_the_books_that_there_are_are_read(books: Books) -> None:
    for number in range(3):
        books.add(f"f{number}", Book(known=number + 1))
    wanted = [f"f{number}" for number in range(150)]
    assert {label: book.known for label, book in books.read(wanted).items()} == {
        "f0": 1,
        "f1": 2,
        "f2": 3,
    }
    assert books.read([]) == {}


def test_a_book_is_closed_if_nothing_has_changed_since(books: Books) -> None:
    seen = books.add("orders", Book(known=5, ended=3))
    changed = books.add("orders", Book(ended=1))
    assert not books.close("orders", seen)
    assert books.close("orders", changed)
    assert books.read(["orders"])["orders"].backlog == 0


def test_a_missing_table_is_a_store_error(dynamodb: DynamoDBClient) -> None:
    books = BooksTable(dynamodb, "nowhere")
    for ask in (
        lambda: books.add("orders", Book(known=1)),
        lambda: books.read(["orders"]),
        lambda: books.close("orders", Book()),
    ):
        with pytest.raises(StoreError):
            ask()


def test_memory_is_empty_at_first_and_then_as_it_was_kept(
    dynamodb: DynamoDBClient, table: str
) -> None:
    item = MemoryItem(dynamodb, table, "memory", Memory)
    assert item.load() == Memory()
    memory = Memory(
        looks=[Past(at_s=1.5, known={"orders": 2}, ended={"orders": 1}, is_idle=True)],
        open={"waiting": 2.0},
        dead={"orders": {"expired": 1}},
    )
    item.save(memory)
    assert item.load() == memory


def test_memory_of_another_version_is_forgotten(dynamodb: DynamoDBClient, table: str) -> None:
    item = {"id": {"S": "observer#memory"}, "memory": {"S": '{"looks": 7}'}}
    dynamodb.put_item(TableName=table, Item=item)
    assert MemoryItem(dynamodb, table, "memory", Memory).load() == Memory()

"""One contract for the book of failed jobs in DynamoDB, and for the double that stands in for it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from doubles import InMemoryJobBook
from reprise.aws.job_book import FULL_S, NAMED, FailedJobTable
from reprise.errors import StoreError
from reprise.given_up import LINES_A_MINUTE, GivenUpJob, UntoldJobs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.given_up import JobBook


@pytest.fixture(params=["double", "table"])
def book(request: pytest.FixtureRequest) -> JobBook:
    if request.param == "double":
        return InMemoryJobBook()
    dynamodb: DynamoDBClient = request.getfixturevalue("dynamodb")
    return never_believing(dynamodb, request.getfixturevalue("table"))


def never_believing(dynamodb: DynamoDBClient, table: str) -> FailedJobTable:
    """Return a book that asks each time whether it is full."""
    return FailedJobTable(dynamodb, table, count(step=FULL_S).__next__)


def job(number: int) -> GivenUpJob:
    return GivenUpJob(
        job=f"nightly-{number:03}", reason="exit code 3", attempts=3, id=f"j{number}", function="f"
    )


def test_book_is_empty_at_first(book: JobBook) -> None:
    assert book.read() == UntoldJobs()


def test_jobs_are_kept_once_until_they_are_taken(book: JobBook) -> None:
    for number in (1, 2, 1):
        book.add(job(number))
    untold = book.read()
    assert untold == UntoldJobs(jobs=(job(1), job(2)))
    book.take(untold)
    assert book.read() == UntoldJobs()


def test_jobs_beyond_the_limit_are_counted(book: JobBook) -> None:
    for number in range(LINES_A_MINUTE + 5):
        book.add(job(number))
    untold = book.read()
    assert (len(untold.jobs), untold.count) == (LINES_A_MINUTE, 5)
    book.add(job(0))
    assert book.read() == untold


def test_what_comes_between_reading_and_taking_is_told_next_time(book: JobBook) -> None:
    for number in range(LINES_A_MINUTE + 1):
        book.add(job(number))
    untold = book.read()
    book.add(job(77))
    book.take(untold)
    assert book.read() == UntoldJobs(count=1)
    book.add(job(78))
    assert book.read() == UntoldJobs(jobs=(job(78),), count=1)


def test_taking_twice_takes_nothing_that_came_since(dynamodb: DynamoDBClient, table: str) -> None:
    """An SDK that lost the answer asks again."""
    book = never_believing(dynamodb, table)
    for number in range(LINES_A_MINUTE + 3):
        book.add(job(number))
    untold = book.read()
    book.take(untold)
    book.take(untold)
    book.add(job(9))
    assert book.read() == UntoldJobs(jobs=(job(9),))


def test_full_book_is_left_alone_for_a_while(dynamodb: DynamoDBClient, table: str) -> None:
    """What is written to the set costs as much as all of it, though it be refused."""
    now_s = 0.0
    book = FailedJobTable(dynamodb, table, lambda: now_s)
    for number in range(LINES_A_MINUTE + 1):
        book.add(job(number))
    book.take(book.read())
    now_s = FULL_S - 1
    book.add(job(50))
    assert book.read() == UntoldJobs(count=1)
    now_s = FULL_S
    book.add(job(51))
    assert book.read() == UntoldJobs(jobs=(job(51),), count=1)


def test_job_that_cannot_be_read_stands_in_nobodys_way(
    dynamodb: DynamoDBClient, table: str
) -> None:
    item: dict[str, Any] = {"id": {"S": NAMED}, "jobs": {"SS": ["nonsense", "{}"]}}
    dynamodb.put_item(TableName=table, Item=item)
    book = FailedJobTable(dynamodb, table)
    book.add(job(1))
    assert book.read() == UntoldJobs(jobs=(job(1),))
    there = dynamodb.get_item(TableName=table, Key={"id": {"S": NAMED}})["Item"]
    assert len(there["jobs"]["SS"]) == 1


def test_a_missing_table_is_a_store_error(dynamodb: DynamoDBClient) -> None:
    book = FailedJobTable(dynamodb, "nowhere")
    for ask in (book.read, lambda: book.add(job(1)), lambda: book.take(UntoldJobs(count=1))):
        with pytest.raises(StoreError):
            ask()

"""One contract for marks and listing in AWS, and for the doubles that stand in for them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from doubles import InMemoryListing, InMemoryMarks
from reprise.aws.clients import Clients
from reprise.aws.counters_table import MarkTable
from reprise.aws.s3 import S3Listing
from reprise.errors import StoreError
from scripted_server import Answer, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from reprise.monitor.reconcile import Listing
    from reprise.ports import Marks

NOW_S = 1_795_000_000.0


@pytest.fixture(params=["double", "table"])
def marks(request: pytest.FixtureRequest) -> Marks:
    if request.param == "double":
        return InMemoryMarks()
    dynamodb: DynamoDBClient = request.getfixturevalue("dynamodb")
    return MarkTable(dynamodb, request.getfixturevalue("table"))


def test_what_is_marked_is_not_missing_until_its_mark_has_run_out(marks: Marks) -> None:
    marks.put("s3://bucket/captured/b", NOW_S + 10)
    marks.put("s3://bucket/captured/d", NOW_S)
    urls = [f"s3://bucket/captured/{name}" for name in "abcd"]
    assert marks.missing(urls, NOW_S) == [urls[0], urls[2], urls[3]]
    assert marks.missing(urls, NOW_S + 10) == urls
    marks.put(urls[0], NOW_S + 10)
    assert marks.missing(urls[:1], NOW_S) == []
    assert marks.missing([], NOW_S) == []


def test_more_objects_than_one_request_takes_are_asked_for(marks: Marks) -> None:
    urls = [f"s3://bucket/captured/{number}" for number in range(250)]
    for url in urls[::2]:
        marks.put(url, NOW_S + 1)
    assert marks.missing(urls, NOW_S) == urls[1::2]


def test_a_missing_table_is_a_store_error(dynamodb: DynamoDBClient) -> None:
    marks = MarkTable(dynamodb, "nowhere")
    for ask in (lambda: marks.put("u", NOW_S), lambda: marks.missing(["u"], NOW_S)):
        with pytest.raises(StoreError):
            ask()


@pytest.fixture(params=["double", "bucket"])
def listing_of(request: pytest.FixtureRequest) -> Callable[[list[str]], Listing]:
    def double(keys: list[str]) -> Listing:
        return InMemoryListing(dict.fromkeys(keys, time.time()))

    def bucket(keys: list[str]) -> Listing:
        clients: Clients = request.getfixturevalue("clients")
        s3, name = clients.s3(), f"bucket-{uuid4()}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for key in keys:
            s3.put_object(Bucket=name, Key=key, Body=b"x")
        return S3Listing(s3, name)

    return double if request.param == "double" else bucket


def test_a_page_begins_after_a_key_and_stays_below_its_prefix(
    listing_of: Callable[[list[str]], Listing],
) -> None:
    keys = ["captured/1/a", "captured/2/b c+ü", "captured/3/d", "batch-events/2/x", "parked/2/y"]
    listing = listing_of(keys)
    page = listing.page("captured/", "captured/1/b")
    assert list(page.modified_at_s) == ["captured/2/b c+ü", "captured/3/d"]
    assert all(abs(at_s - time.time()) < 3600 for at_s in page.modified_at_s.values())
    assert page.is_last
    assert listing.page("captured/", "captured/3/d").modified_at_s == {}
    assert list(listing.page("batch-events/", "batch-events/").modified_at_s) == keys[3:4]


def test_a_full_page_is_not_the_last(listing_of: Callable[[list[str]], Listing]) -> None:
    keys = [f"captured/{number:04d}" for number in range(1001)]
    listing = listing_of(keys)
    page = listing.page("captured/", "captured/")
    assert (list(page.modified_at_s), page.is_last) == (keys[:1000], False)
    assert listing.page("captured/", keys[999]).is_last


def test_what_dynamodb_leaves_out_this_time_is_not_taken_for_missing(
    aws_env: pytest.MonkeyPatch,
) -> None:
    left_out = {"ledger": {"Keys": [{"id": {"S": "object#s3://bucket/captured/b"}}]}}
    body = json.dumps({"Responses": {"ledger": []}, "UnprocessedKeys": left_out}).encode()
    with ScriptedServer(Answer(body=body)) as server:
        aws_env.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        try:
            marks = MarkTable(Clients().dynamodb(), "ledger")
            missing = marks.missing(["s3://bucket/captured/a", "s3://bucket/captured/b"], NOW_S)
        finally:
            aws_env.delenv("AWS_ENDPOINT_URL_DYNAMODB")
    assert missing == ["s3://bucket/captured/a"]

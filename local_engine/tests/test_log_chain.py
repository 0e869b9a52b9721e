"""Canaries of the corrections ``subscriptions``, ``log_search`` and ``firehose``."""

from __future__ import annotations

import gzip
import json
import time
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local_engine.testing import ACCOUNT, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_engine.testing import Aws


@dataclass(frozen=True, slots=True)
class Chain:
    """A log group with a filter to a delivery stream to a bucket."""

    aws: Aws
    name: str
    group: str

    def log(self, *messages: str) -> None:
        now_ms = time.time_ns() // 1_000_000
        self.aws.client("logs").put_log_events(
            logGroupName=self.group,
            logStreamName="stream",
            logEvents=[{"timestamp": now_ms, "message": message} for message in messages],
        )

    def objects(self) -> dict[str, bytes]:
        s3 = self.aws.client("s3")
        found = s3.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {
            item["Key"]: s3.get_object(Bucket=self.name, Key=item["Key"])["Body"].read()
            for item in found
        }

    def envelopes(self) -> list[dict[str, Any]]:
        return [json.loads(m) for body in self.objects().values() for m in members(body)]

    def wait_for_data(self, count: int) -> list[dict[str, Any]]:
        def enough() -> list[dict[str, Any]]:
            found = [e for e in self.envelopes() if e["messageType"] == "DATA_MESSAGE"]
            return found if sum(len(e["logEvents"]) for e in found) >= count else []

        return wait_for(enough)


@pytest.fixture
def make_chain(aws: Aws) -> Callable[..., Chain]:
    def make(pattern: str = "", *, interval_s: int = 60, **settings: Any) -> Chain:
        name = f"c-{uuid.uuid4().hex[:8]}"
        chain = Chain(aws, name, f"/chain/{name}")
        role = f"arn:aws:iam::{ACCOUNT}:role/r"
        aws.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        stream = aws.client("firehose").create_delivery_stream(
            DeliveryStreamName=name,
            ExtendedS3DestinationConfiguration={
                "BucketARN": f"arn:aws:s3:::{name}",
                "RoleARN": role,
                "BufferingHints": {"IntervalInSeconds": interval_s, "SizeInMBs": 1},
                **settings,
            },
        )
        logs = aws.client("logs")
        logs.create_log_group(logGroupName=chain.group)
        logs.create_log_stream(logGroupName=chain.group, logStreamName="stream")
        logs.put_subscription_filter(
            logGroupName=chain.group,
            filterName="captured",
            filterPattern=pattern,
            destinationArn=stream["DeliveryStreamARN"],
            roleArn=role,
        )
        return chain

    return make


def members(body: bytes) -> list[bytes]:
    """Return the gzip members of an object that was glued together."""
    found = []
    while body:
        reader = zlib.decompressobj(wbits=31)
        found.append(reader.decompress(body))
        body = reader.unused_data
    return found


def test_matching_lines_reach_the_bucket_in_the_envelope(make_chain: Callable[..., Chain]) -> None:
    chain = make_chain('{ $.event = "invocation.captured" }')
    line = json.dumps({"event": "invocation.captured", "id": 1})
    chain.log(json.dumps({"event": "other"}), line, f"INFO {line}")
    (envelope,) = chain.wait_for_data(1)
    (event,) = envelope.pop("logEvents")
    assert envelope == {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": chain.group,
        "logStream": "stream",
        "subscriptionFilters": ["captured"],
    }
    assert event["message"] == line
    assert isinstance(event["id"], str)
    assert len(event["id"]) == 56
    assert isinstance(event["timestamp"], int)


def test_control_message_comes_first(make_chain: Callable[..., Chain]) -> None:
    chain = make_chain()
    (envelope,) = wait_for(chain.envelopes)
    assert envelope["messageType"] == "CONTROL_MESSAGE"
    assert envelope["owner"] == "CloudwatchLogs"
    assert envelope["logEvents"][0]["id"] == ""


def test_records_of_an_interval_are_members_of_one_object(make_chain: Callable[..., Chain]) -> None:
    chain = make_chain()
    for number in range(5):
        chain.log(f"line {number}")
    found = chain.wait_for_data(5)
    # Each is delivered by itself: nobody promises their order.
    assert {e["logEvents"][0]["message"] for e in found} == {f"line {n}" for n in range(5)}
    (body,) = chain.objects().values()
    assert len(members(body)) == 6


def test_full_buffer_is_written_before_its_interval(make_chain: Callable[..., Chain]) -> None:
    chain = make_chain(interval_s=900)
    noise = "".join(uuid.uuid4().hex for _ in range(6_000))
    for _ in range(16):
        chain.log(noise + uuid.uuid4().hex)
    started = time.monotonic()
    assert chain.wait_for_data(8)
    assert time.monotonic() - started < 5


def test_interval_of_zero_writes_at_once(make_chain: Callable[..., Chain]) -> None:
    chain = make_chain(interval_s=0)
    chain.log("now")
    started = time.monotonic()
    chain.wait_for_data(1)
    assert time.monotonic() - started < 0.4


def test_prefix_expressions_and_compression_are_honoured(make_chain: Callable[..., Chain]) -> None:
    chain = make_chain(
        Prefix="captured/!{timestamp:yyyy/MM/dd/HH}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        CompressionFormat="GZIP",
    )
    ((key, body),) = wait_for(chain.objects).items()
    assert key.startswith(time.strftime("captured/%Y/", time.gmtime()))
    assert key.endswith(".gz")
    assert b"CONTROL_MESSAGE" in gzip.decompress(gzip.decompress(body))


def test_bucket_that_appears_later_gets_the_records(
    aws: Aws, make_chain: Callable[..., Chain]
) -> None:
    chain = make_chain(interval_s=0)
    wait_for(chain.envelopes)
    s3 = aws.client("s3")
    for key in chain.objects():
        s3.delete_object(Bucket=chain.name, Key=key)
    s3.delete_bucket(Bucket=chain.name)
    chain.log("kept")
    time.sleep(0.3)  # noqa: TID251 - the first attempt has to fail
    s3.create_bucket(
        Bucket=chain.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    assert chain.wait_for_data(1)


def test_function_lines_reach_the_bucket(aws: Aws, make_chain: Callable[..., Chain]) -> None:
    chain = make_chain("captured")
    name = aws.make_function(
        "def handle(event, context):\n  for n in range(3): print('captured', n)",
        LoggingConfig={"LogFormat": "JSON", "LogGroup": chain.group},
    )
    aws.invoke(name, {})
    found = chain.wait_for_data(3)
    assert [event["message"] for event in found[0]["logEvents"]] == [
        "captured 0",
        "captured 1",
        "captured 2",
    ]


def test_malformed_pattern_and_third_filter_are_refused(make_chain: Callable[..., Chain]) -> None:
    chain = make_chain()
    logs = chain.aws.client("logs")
    (subscription,) = logs.describe_subscription_filters(logGroupName=chain.group)[
        "subscriptionFilters"
    ]
    common = {
        "logGroupName": chain.group,
        "destinationArn": subscription["destinationArn"],
        "roleArn": subscription["roleArn"],
    }
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.put_subscription_filter(filterName="bad", filterPattern="{ $.x = ", **common)
    logs.put_subscription_filter(filterName="second", filterPattern="", **common)
    with pytest.raises(ClientError, match="LimitExceededException"):
        logs.put_subscription_filter(filterName="third", filterPattern="", **common)


def test_search_follows_the_grammar_and_pages(make_chain: Callable[..., Chain]) -> None:
    chain = make_chain()
    chain.log(*(json.dumps({"n": number}) for number in range(50)))
    logs = chain.aws.client("logs")
    first = logs.filter_log_events(
        logGroupName=chain.group, filterPattern="{ $.n >= 10 }", limit=30
    )
    second = logs.filter_log_events(
        logGroupName=chain.group, filterPattern="{ $.n >= 10 }", nextToken=first["nextToken"]
    )
    found = [json.loads(event["message"])["n"] for event in first["events"] + second["events"]]
    assert found == list(range(10, 50))
    assert "nextToken" not in second


def test_lines_that_the_log_path_drops_stay_in_their_group_and_reach_no_object(
    make_chain: Callable[..., Chain],
) -> None:
    chain = make_chain("{ $.kind = 1 }")
    chain.aws.admin("POST", "log-path", drop=0.5, seed=1)
    try:
        chain.log(*[json.dumps({"kind": 1, "number": number}) for number in range(40)])
        chain.log(*["other"] * 40)
        path = chain.aws.admin("GET", "log-path")
    finally:
        chain.aws.admin("DELETE", "log-path")
    assert path["passed"] + path["dropped"] == 40
    assert 10 < path["dropped"] < 30
    chain.log(json.dumps({"kind": 1, "number": 40}))
    found = chain.wait_for_data(path["passed"] + 1)
    assert sum(len(envelope["logEvents"]) for envelope in found) == path["passed"] + 1
    kept = chain.aws.client("logs").filter_log_events(
        logGroupName=chain.group, filterPattern="{ $.kind = 1 }"
    )
    assert len(kept["events"]) == 41


def test_share_that_is_none_is_refused(aws: Aws) -> None:
    with pytest.raises(OSError, match="400"):
        aws.admin("POST", "log-path", drop=2)

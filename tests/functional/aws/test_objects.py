"""One contract for the bucket and for the double that stands in for it, and S3's own refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.stub import Stubber

from doubles import InMemoryObjects
from reprise.aws.clients import Clients
from reprise.aws.s3 import CHUNK_BYTES, S3Objects
from reprise.call.payload import ClaimCheck
from reprise.errors import ObjectDeniedError, ObjectMissingError, StoreError
from scripted_server import Answer, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from reprise.ports import Objects

DATA = bytes(range(256)) * 3000


@pytest.fixture(scope="module")
def s3(clients: Clients) -> S3Client:
    client = clients.s3()
    client.create_bucket(
        Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    client.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture(params=["double", "bucket"])
def objects(request: pytest.FixtureRequest) -> Objects:
    if request.param == "double":
        return InMemoryObjects()
    client: S3Client = request.getfixturevalue("s3")
    return S3Objects(client, "bucket")


def test_bytes_come_out_as_they_were_put(objects: Objects) -> None:
    claim_check = objects.put("payloads/a b+c/ü", DATA)
    assert (claim_check.bucket, claim_check.key) == ("bucket", "payloads/a b+c/ü")
    assert claim_check.version_id
    assert objects.get(claim_check) == DATA
    assert b"".join(objects.stream("bucket", "payloads/a b+c/ü")) == DATA


def test_an_empty_object_is_empty(objects: Objects) -> None:
    assert objects.get(objects.put("empty", b"")) == b""


def test_what_is_gone_is_missing(objects: Objects) -> None:
    for bucket, key in (("bucket", "nowhere"), ("other-bucket", "nowhere")):
        with pytest.raises(ObjectMissingError):
            list(objects.stream(bucket, key))
        with pytest.raises(ObjectMissingError):
            objects.get(ClaimCheck(bucket=bucket, key=key))


def test_neither_a_record_nor_a_notice_can_make_us_read_other_buckets(s3: S3Client) -> None:
    s3.create_bucket(Bucket="others", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="others", Key="secret", Body=b"x")
    with pytest.raises(ObjectMissingError, match="ForeignBucket"):
        S3Objects(s3, "bucket").get(ClaimCheck(bucket="others", key="secret"))
    with pytest.raises(ObjectMissingError, match="ForeignBucket"):
        list(S3Objects(s3, "bucket").stream("others", "secret"))


def test_a_claim_check_names_one_version(s3: S3Client) -> None:
    objects = S3Objects(s3, "bucket")
    first = objects.put("same", b"first")
    second = objects.put("same", b"second")
    assert (objects.get(first), objects.get(second)) == (b"first", b"second")


def test_the_version_of_a_bucket_without_versions_is_none(s3: S3Client) -> None:
    objects = S3Objects(s3, "bucket")
    objects.put("plain", b"x")
    assert b"".join(objects.stream("bucket", "plain", "null")) == b"x"


def test_a_long_object_comes_in_pieces(s3: S3Client) -> None:
    objects = S3Objects(s3, "bucket")
    objects.put("long", DATA)
    pieces = list(objects.stream("bucket", "long"))
    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) <= CHUNK_BYTES


def test_a_reader_may_stop_early(s3: S3Client) -> None:
    objects = S3Objects(s3, "bucket")
    objects.put("long", DATA)
    stream = objects.stream("bucket", "long")
    assert next(stream) == DATA[:CHUNK_BYTES]
    stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NoSuchKey", ObjectMissingError),
        ("NoSuchVersion", ObjectMissingError),
        ("NoSuchBucket", ObjectMissingError),
        ("AccessDenied", ObjectDeniedError),
        ("InvalidObjectState", ObjectDeniedError),
        ("SlowDown", StoreError),
        ("InternalError", StoreError),
    ],
)
def test_a_refusal_has_its_own_error(clients: Clients, code: str, kind: type[StoreError]) -> None:
    client = clients.s3()
    with Stubber(client) as stubber:
        stubber.add_client_error("get_object", code)
        with pytest.raises(StoreError, match=code) as caught:
            list(S3Objects(client, "bucket").stream("bucket", "key"))
        assert type(caught.value) is kind


def test_what_is_not_kept_is_a_store_error(clients: Clients) -> None:
    client = clients.s3()
    with Stubber(client) as stubber:
        stubber.add_client_error("put_object", "SlowDown")
        with pytest.raises(StoreError, match=r"s3\.PutObject"):
            S3Objects(client, "bucket").put("key", b"")


def test_an_object_that_ends_early_is_a_store_error(aws_env: pytest.MonkeyPatch) -> None:
    """Half an object unpacked as a whole one would lose the other half."""
    del aws_env
    with ScriptedServer(Answer(body=b"half", cut_body=True)) as server:
        with pytest.MonkeyPatch.context() as env:
            env.setenv("AWS_ENDPOINT_URL_S3", server.url)
            client = Clients().s3()
        with pytest.raises(StoreError, match=r"s3\.GetObject"):
            list(S3Objects(client, "bucket").stream("bucket", "key"))


@pytest.mark.parametrize("operation", ["put", "get"])
def test_the_double_fails_when_it_is_told_to(operation: str) -> None:
    objects = InMemoryObjects()
    claim_check = objects.put("key", b"x")
    objects.faults.fail(operation)
    calls: dict[str, Callable[[], object]] = {
        "put": lambda: objects.put("key", b"x"),
        "get": lambda: objects.get(claim_check),
    }
    with pytest.raises(StoreError):
        calls[operation]()
    calls[operation]()

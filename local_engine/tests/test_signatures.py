"""Who signed a request, and what: the owner and the functions of this run, and nothing changed since."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local_engine.control import Engine
from local_engine.raw_requests import Raw, client, owner_of
from local_engine.testing import ACCOUNT, REGION, Aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

JSON = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ListQueues"}
LIST_QUEUES = Raw("POST", "/", b"{}", JSON)
#: A call of each protocol: JSON, XML, query, REST, CBOR.
CALLS = [
    ("sqs", "list_queues"),
    ("s3", "list_buckets"),
    ("sns", "list_topics"),
    ("sts", "get_caller_identity"),
    ("lambda", "list_functions"),
    ("cloudwatch", "list_dashboards"),
    ("dynamodb", "list_tables"),
    ("cloudformation", "list_stacks"),
]
ENVIRONMENT = "import os\ndef handle(event, context): return dict(os.environ)"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, *, is_stock: bool) -> Iterator[Aws]:
    """Run an engine with IAM enforced, where functions have credentials of their own."""
    engine = Engine(state_dir=tmp_path_factory.mktemp("guarded"))
    engine.start(auth=True, stock=is_stock)
    aws = Aws.at(engine)
    principal = {"Service": "lambda.amazonaws.com"}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    aws.client("iam").create_role(RoleName="test", AssumeRolePolicyDocument=document)
    yield aws
    engine.stop()


@pytest.fixture(scope="module")
def address(aws: Aws) -> str:
    """Put an object, and return bucket and key."""
    s3, bucket = aws.client("s3"), f"b-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="a b/é", Body=b"kept")
    return bucket


@pytest.mark.parametrize(("service", "action"), CALLS, ids=[service for service, _ in CALLS])
def test_each_protocol_tells_who_is_refused(aws: Aws, service: str, action: str) -> None:
    getattr(aws.client(service), action)()
    stranger = client(aws.url, Credentials("test", "test"), service)
    with pytest.raises(ClientError, match="reprise local up") as caught:
        getattr(stranger, action)()
    assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("access_key", ["test", ACCOUNT, "123456789012", "AKIAIOSFODNN7EXAMPLE"])
def test_what_stock_takes_for_the_owner_is_refused(aws: Aws, access_key: str) -> None:
    for secret in ("test", aws.engine.key.secret_access_key):
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            client(aws.url, Credentials(access_key, secret), "sqs").list_queues()


def test_the_owners_name_without_his_secret_is_refused(aws: Aws) -> None:
    name = aws.engine.key.access_key_id
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(aws.url, Credentials(name, "test"), "sqs").list_queues()
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        client(
            aws.url, Credentials(name, aws.engine.key.secret_access_key, "token"), "sqs"
        ).list_queues()


def test_the_key_of_another_run_is_refused(aws: Aws, guarded: Aws) -> None:
    assert aws.engine.key != guarded.engine.key
    for one, other in ((aws, guarded), (guarded, aws)):
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            client(one.url, owner_of(other), "sqs").list_queues()


@pytest.mark.parametrize(
    "changed",
    [
        {"body": b'{"QueueNamePrefix": "a"}'},
        {"path": "/?a=b"},
        {"path": "/a"},
        {"method": "PUT"},
        {"target": "AmazonSQS.PurgeQueue"},
    ],
    ids=str,
)
def test_what_was_changed_after_it_was_signed_is_refused(aws: Aws, changed: dict[str, Any]) -> None:
    request = LIST_QUEUES.signed(aws.url, owner_of(aws), "sqs")
    assert request.send(aws.url).status == HTTPStatus.OK
    headers = dict(request.headers)
    headers["X-Amz-Target"] = changed.pop("target", headers["X-Amz-Target"])
    fields = {"method": request.method, "path": request.path, "body": request.body, **changed}
    reply = Raw(**fields, headers=headers).send(aws.url)
    assert (reply.status, reply.code) == (HTTPStatus.FORBIDDEN, "SignatureDoesNotMatch")


@pytest.mark.parametrize("hours", [-1, 1])
def test_what_was_signed_at_another_time_is_refused(aws: Aws, hours: int) -> None:
    at = datetime.now(UTC) + timedelta(hours=hours)
    reply = LIST_QUEUES.signed(aws.url, owner_of(aws), "sqs", at=at).send(aws.url)
    assert (reply.status, reply.code) == (HTTPStatus.FORBIDDEN, "RequestTimeTooSkewed")


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential={owner}",
        "AWS4-HMAC-SHA256 Credential={owner}/x, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential={owner}/20260101/r/sqs/aws4_request, SignedHeaders=host, Signature=",
        "AWS4-ECDSA-P256-SHA256 Credential={owner}/20260101/sqs/aws4_request, Signature=0",
        "AWS {owner}:c2lnbmF0dXJl",
        "AWS {owner}",
        "Bearer {token}",
        "Basic {owner}",
    ],
)
def test_no_half_of_a_signature_is_taken(aws: Aws, authorization: str) -> None:
    key = aws.engine.key
    given = authorization.format(owner=key.access_key_id, token=key.token)
    reply = Raw("POST", "/", b"{}", {**JSON, "Authorization": given}).send(aws.url)
    assert reply.status == HTTPStatus.FORBIDDEN


def test_one_key_cannot_sign_for_another(guarded: Aws) -> None:
    name = guarded.make_function(ENVIRONMENT)
    seen = guarded.invoke(name, {})
    role = Credentials(
        seen["AWS_ACCESS_KEY_ID"], seen["AWS_SECRET_ACCESS_KEY"], seen["AWS_SESSION_TOKEN"]
    )
    signed = LIST_QUEUES.signed(guarded.url, role, "sqs")
    own, owner = signed.headers["Authorization"], guarded.engine.key.access_key_id
    scope = own.partition("Credential=")[2].partition(",")[0].partition("/")[2]
    renamed = own.replace(f"Credential={role.access_key}", f"Credential={owner}")
    two = own.replace("Credential=", f"Credential={owner}/{scope}, Credential=", 1)
    for given in (own, renamed, two, f"{own}, Credential={owner}/{scope}"):
        headers = {**signed.headers, "Authorization": given}
        if given == renamed:
            del headers["X-Amz-Security-Token"]
        reply = Raw("POST", "/", b"{}", headers).send(guarded.url)
        # The role may list no queues; that is for IAM to say.
        wanted = "AccessDeniedException" if given == own else "SignatureDoesNotMatch"
        assert (reply.status, reply.code) == (HTTPStatus.FORBIDDEN, wanted)


@pytest.mark.parametrize("version", [None, "s3v4"], ids=["boto3's default", "Version 4"])
def test_presigned_address_opens_its_object_until_it_expires(
    aws: Aws, address: str, version: str | None
) -> None:
    s3 = aws.client("s3", signature_version=version)
    url = presigned(s3, address, "a b/é", expires_s=60)
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.read() == b"kept"
    other, _, query = url.partition("?")
    for refused in (
        f"{other}x?{query}",
        presigned(s3, address, "a b/é", expires_s=-60),
        f"{other}?{query.replace(aws.engine.key.access_key_id, 'test')}",
    ):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(refused, timeout=10)


def presigned(s3: S3Client, bucket: str, key: str, *, expires_s: int) -> str:
    parameters = {"Bucket": bucket, "Key": key}
    return s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=expires_s)


def test_role_credentials_cannot_be_told_from_its_name(guarded: Aws) -> None:
    name = guarded.make_function(ENVIRONMENT)
    guarded.invoke(name, {})
    found = guarded.client("lambda").get_function_configuration(FunctionName=name)
    digest = hashlib.sha256(f"{found['FunctionArn']}:{found['Role']}".encode()).hexdigest()
    secret, token = (
        hashlib.sha256(f"{word}:{digest}".encode()).hexdigest() for word in ("secret", "token")
    )
    guess = Credentials(f"ASIA{digest[:16].upper()}", secret, token)
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        client(guarded.url, guess, "sts").get_caller_identity()


def test_without_iam_a_function_has_the_owners_key(aws: Aws) -> None:
    seen = aws.invoke(aws.make_function(ENVIRONMENT), {})
    assert seen["AWS_ACCESS_KEY_ID"] == aws.engine.key.access_key_id
    assert aws.engine.key.token not in json.dumps(seen)

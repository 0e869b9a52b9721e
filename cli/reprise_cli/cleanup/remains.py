"""Look at what a stack left behind, and delete it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, WaiterError

from reprise_cli.cleanup.plan import Found, Kept, ResourceKind
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import WaiterConfigTypeDef
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import GetQueueAttributesResultTypeDef

_MISSING: Final = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)
_PATIENCE: Final[WaiterConfigTypeDef] = {"Delay": 1, "MaxAttempts": 900}
QUEUE_WAIT_S = 1
"""How long to listen at a queue that says it is empty: its counts are approximate, a long poll is not."""


class Remains:
    """The kept things of one account and region."""

    def __init__(
        self,
        *,
        s3: S3Client,
        sqs: SQSClient,
        dynamodb: DynamoDBClient,
        cloudformation: CloudFormationClient,
        account: str,
    ) -> None:
        """Use these clients; of the bucket only if it is this account's, since its name is the world's."""
        self._s3, self._sqs, self._dynamodb = s3, sqs, dynamodb
        self._cloudformation = cloudformation
        self._owner: dict[str, Any] = {"ExpectedBucketOwner": account}

    # --- the stack ---

    def status(self, stack: str) -> str | None:
        """Return the stack's status; None if there is none of this name."""
        try:
            (found,) = self._cloudformation.describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            # "ValidationError" is said of other things, too.
            if "does not exist" in error.response.get("Error", {}).get("Message", ""):
                return None
            raise
        return found["StackStatus"]

    def delete_stack(self, stack: str) -> None:
        """Delete a stack, and wait until it is gone.

        Raises:
            CommandError: If CloudFormation cannot delete it.
        """
        self._cloudformation.delete_stack(StackName=stack)
        waiter = self._cloudformation.get_waiter("stack_delete_complete")
        try:
            waiter.wait(StackName=stack, WaiterConfig=_PATIENCE)
        except WaiterError as error:
            raise CommandError(
                "--stack-name",
                f"CloudFormation did not delete stack {stack!r}",
                f"See why: aws cloudformation describe-stack-events --stack-name {stack}",
            ) from error

    # --- what it kept ---

    def find_all(self, things: Sequence[Kept]) -> list[Found]:
        """Return those that exist, and what is in them."""
        with ThreadPoolExecutor(len(things)) as pool:
            return [found for found in pool.map(self.find, things) if found is not None]

    def find(self, thing: Kept) -> Found | None:
        """Return a kept thing and what is in it; None if it does not exist."""
        look: dict[ResourceKind, Callable[[str], str]] = {
            ResourceKind.BUCKET: self._in_bucket,
            ResourceKind.QUEUE: self._in_queue,
            ResourceKind.TABLE: self._in_table,
        }
        try:
            return Found(thing=thing, content=look[thing.kind](thing.name))
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise

    def delete(self, found: Found) -> None:
        """Delete a kept thing with what was found in it; a bucket that was empty, only if it still is.

        Raises:
            CommandError: If something was written into the bucket meanwhile.
        """
        name = found.thing.name
        match found.thing.kind:
            case ResourceKind.BUCKET:
                self._delete_bucket(name, is_emptied=bool(found.content))
            case ResourceKind.QUEUE:
                self._sqs.delete_queue(QueueUrl=self._url(name))
            case ResourceKind.TABLE:
                self._dynamodb.delete_table(TableName=name)
                waiter = self._dynamodb.get_waiter("table_not_exists")
                waiter.wait(TableName=name, WaiterConfig=_PATIENCE)

    def _in_bucket(self, name: str) -> str:
        page = self._s3.list_object_versions(Bucket=name, **self._owner)
        count = len(page.get("Versions", [])) + len(page.get("DeleteMarkers", []))
        return _count(count, "object version", is_more=page["IsTruncated"])

    def _in_queue(self, name: str) -> str:
        url = self._url(name)
        found: GetQueueAttributesResultTypeDef = self._sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=list(_COUNTS)
        )
        count = sum(int(found["Attributes"][attribute]) for attribute in _COUNTS)
        if not count:
            heard = self._sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=0,
                WaitTimeSeconds=QUEUE_WAIT_S,
            )
            count = len(heard.get("Messages", []))
        return _count(count, "message")

    def _in_table(self, name: str) -> str:
        page = self._dynamodb.scan(TableName=name, Select="COUNT", ConsistentRead=True, Limit=1000)
        return _count(page["Count"], "row", is_more="LastEvaluatedKey" in page)

    def _delete_bucket(self, name: str, *, is_emptied: bool) -> None:
        if is_emptied:
            pages = self._s3.get_paginator("list_object_versions").paginate(
                Bucket=name, **self._owner
            )
            for page in pages:
                versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                if versions:
                    self._delete_versions(name, versions)
        try:
            self._s3.delete_bucket(Bucket=name, **self._owner)
        except ClientError as error:
            if _code(error) != "BucketNotEmpty":
                raise
            raise CommandError(
                "NAME", f"something was written into {name} meanwhile", "Run the command again"
            ) from error

    def _delete_versions(self, bucket: str, versions: list[Any]) -> None:
        objects: Any = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions]
        answer = self._s3.delete_objects(
            Bucket=bucket, Delete={"Objects": objects, "Quiet": True}, **self._owner
        )
        if problems := answer.get("Errors", []):
            raise CommandError(
                "DeleteObjects",
                f"{problems[0].get('Code')} for {problems[0].get('Key')} in {bucket}",
                "Allow s3:DeleteObject and s3:DeleteObjectVersion to your identity",
            )

    def _url(self, queue: str) -> str:
        return self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _count(count: int, what: str, *, is_more: bool = False) -> str:
    if not count:
        return ""
    return f"{count:,}{' or more' if is_more else ''} {what}{'' if count == 1 else 's'}"

"""Keep, read and list the objects of the stack's bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError

from reprise.aws.fault import code_of, store_errors
from reprise.call.payload import ClaimCheck
from reprise.errors import ObjectDeniedError, ObjectMissingError, StoreError
from reprise.monitor.reconcile import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, GetObjectRequestTypeDef

CHUNK_BYTES: Final = 256 * 1024
_MISSING: Final = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NoSuchBucket"})
_DENIED: Final = frozenset({"AccessDenied", "403", "InvalidObjectState"})


def _http_error() -> type[Exception]:
    """Return what urllib3 raises; asked for only when something was raised."""
    # The command's help names this module's callers, and does not wait for urllib3.
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see above

    return HTTPError


class S3Objects:
    """The stack's bucket."""

    __slots__ = ("_bucket", "_client")

    def __init__(self, client: S3Client, bucket: str) -> None:
        """Keep in this bucket."""
        self._client = client
        self._bucket = bucket

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep bytes under a key.

        Raises:
            StoreError: If they are not kept.
        """
        with store_errors("s3", "PutObject"):
            response = self._client.put_object(Bucket=self._bucket, Key=key, Body=data)
        return ClaimCheck(bucket=self._bucket, key=key, version_id=response.get("VersionId"))

    def get(self, claim_check: ClaimCheck) -> bytes:
        """Return what a claim check refers to.

        Raises:
            ObjectMissingError: If it is gone, or is not in the stack's own bucket.
            StoreError: If it cannot be read now.
        """
        return b"".join(self.stream(claim_check.bucket, claim_check.key, claim_check.version_id))

    def stream(self, bucket: str, key: str, version_id: str | None = None) -> Iterator[bytes]:
        """Yield an object's bytes in pieces of 256 KB.

        Raises:
            ObjectMissingError: If it is gone, or is not in the stack's own bucket.
            ObjectDeniedError: If it may not be read.
            StoreError: If it cannot be read now, or ends early.
        """
        if bucket != self._bucket:
            # Neither a record nor a notice may make us read other people's buckets.
            raise ObjectMissingError(
                "s3", "GetObject", "ForeignBucket", f"{bucket!r} is not this stack's"
            )
        request: GetObjectRequestTypeDef = {"Bucket": bucket, "Key": key}
        if version_id is not None and version_id != "null":
            request["VersionId"] = version_id
        body = self._open(request)["Body"]
        try:
            yield from body.iter_chunks(CHUNK_BYTES)
        except (BotoCoreError, IncompleteReadError, _http_error(), OSError) as error:
            raise StoreError("s3", "GetObject", type(error).__name__, str(error)) from error
        finally:
            body.close()

    def _open(self, request: GetObjectRequestTypeDef) -> GetObjectOutputTypeDef:
        where = f"s3://{request['Bucket']}/{request['Key']}"
        with store_errors("s3", "GetObject"):
            try:
                return self._client.get_object(**request)
            except ClientError as error:
                code = code_of(error)
                if code in _MISSING:
                    raise ObjectMissingError("s3", "GetObject", code, where) from error
                if code in _DENIED:
                    raise ObjectDeniedError("s3", "GetObject", code, where) from error
                raise


class S3Listing:
    """The stack's bucket, as a list."""

    __slots__ = ("_bucket", "_client")

    def __init__(self, client: S3Client, bucket: str) -> None:
        """List this bucket."""
        self._client = client
        self._bucket = bucket

    def page(self, prefix: str, after: str) -> Page:
        """Return the objects below a prefix whose keys come after a key, at most 1,000."""
        with store_errors("s3", "ListObjectsV2"):
            found = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=prefix, StartAfter=after
            )
        return Page(
            modified_at_s={
                entry["Key"]: entry["LastModified"].timestamp()
                for entry in found.get("Contents", [])
            },
            is_last=not found["IsTruncated"],
        )

"""List the objects of the stack's bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise.aws.fault import store_errors
from reprise.observe.reconcile import Page

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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

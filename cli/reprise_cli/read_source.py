"""Where `reprise read` gets its bytes from: a file, standard input, or S3, in pieces of 1 MiB."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from reprise_cli.exits import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

CHUNK_BYTES: Final = 1024 * 1024
STDIN: Final = "-"
_S3: Final = "s3://"
_VERSION: Final = "?versionId="


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSource:
    """An object that is being read."""

    name: str
    size_bytes: int | None
    """None if nobody knows."""
    chunks: Iterator[bytes]


@contextmanager
def open_source(name: str, s3: Callable[[], S3Client]) -> Iterator[ReadSource]:
    """Open an object by its name.

    Args:
        name: A path, `-` for standard input, or an `s3://bucket/key` URL.
        s3: Makes the client; asked for S3 URLs only.

    Raises:
        CommandError: If there is no such object, or it may not be read.
    """
    if name.startswith(_S3):
        yield _open_s3(name, s3())
    elif name == STDIN:
        yield ReadSource(name="stdin", size_bytes=None, chunks=_pieces(sys.stdin.buffer))
    else:
        path = Path(name)
        try:
            file = path.open("rb")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            step = "Name files, s3:// URLs, or - for standard input"
            raise CommandError("OBJECT", f"{name!r}: {why}", step) from error
        with file:
            yield ReadSource(name=name, size_bytes=path.stat().st_size, chunks=_pieces(file))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(CHUNK_BYTES):
        yield piece


def _open_s3(url: str, client: S3Client) -> ReadSource:
    # By hand: a key may hold whatever a URL may not, and is not encoded here.
    bucket, _, rest = url.removeprefix(_S3).partition("/")
    key, mark, version = rest.rpartition(_VERSION)
    if not mark:
        key = rest
    if not bucket or not key:
        raise UsageError("OBJECT", f"{url!r} names no object", "Write s3://bucket/key")
    if mark:
        answer = client.get_object(Bucket=bucket, Key=key, VersionId=version)
    else:
        answer = client.get_object(Bucket=bucket, Key=key)
    body = answer["Body"]
    return ReadSource(
        name=url, size_bytes=answer["ContentLength"], chunks=body.iter_chunks(CHUNK_BYTES)
    )

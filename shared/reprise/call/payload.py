"""Carry a payload byte for byte: inline text, compressed text, or a claim check in S3."""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import zlib
from typing import Final

import msgspec

from reprise.errors import PayloadError

MAX_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
"""Lambda's limit of a synchronous request (Lambda quotas: 6 MB)."""
_UNSET_WAYS: Final = 2
"""Of the three ways to carry a payload, all but one."""


class ClaimCheck(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A reference to a payload kept in S3."""

    bucket: str
    key: str
    version_id: str | None = None


class Payload(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payload as it travels in a record: exactly one of the first three fields is set."""

    inline: str | None = None
    """The payload as text, when it is UTF-8."""
    gzip_base64: str | None = None
    """The payload compressed, when it is not text or is too long as text."""
    claim_check: ClaimCheck | None = None
    """Where the payload is kept, when it fits no line."""
    size_bytes: int
    """Length of the original bytes."""
    sha256: str
    """Hex digest of the original bytes."""

    def __post_init__(self) -> None:
        """Refuse a payload that is carried in no way or in two."""
        # Spelt out: this runs for every line that is read, and a generator takes longer than decoding.
        unset = (self.inline is None) + (self.gzip_base64 is None) + (self.claim_check is None)
        if unset != _UNSET_WAYS:
            msg = "exactly one of inline, gzip_base64 and claim_check must be set"
            raise ValueError(msg)


def digest(data: bytes) -> str:
    """Return the hex SHA-256 of a payload."""
    return hashlib.sha256(data).hexdigest()


def pack(data: bytes, budget_bytes: int) -> Payload | None:
    """Return a payload that adds at most `budget_bytes` to a line, or None if it needs a claim check.

    Text is kept as text so that people can read it in the log. What is no text, or is too long as
    text, is compressed when that makes it fit: it saves an S3 write, and so one way to fail.
    """
    size_bytes, sha256 = len(data), digest(data)
    text = _text(data)
    if text is not None and len(json.dumps(text)) <= budget_bytes:
        return Payload(inline=text, size_bytes=size_bytes, sha256=sha256)
    # mtime=0: the same payload always gives the same line.
    packed = base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0))
    if len(packed) + 2 <= budget_bytes:
        return Payload(gzip_base64=packed.decode("ascii"), size_bytes=size_bytes, sha256=sha256)
    return None


def unpack(payload: Payload, fetched: bytes | None = None) -> bytes:
    """Return the original bytes of a payload, checked against its size and digest.

    Args:
        payload: What travelled.
        fetched: The object's bytes, when the payload is a claim check.

    Raises:
        PayloadError: If the bytes cannot be restored or are not the captured ones.
    """
    data = _restore(payload, fetched)
    if len(data) != payload.size_bytes:
        msg = f"payload has {len(data)} bytes where {payload.size_bytes} were captured"
        raise PayloadError(msg)
    if digest(data) != payload.sha256:
        msg = "payload's sha256 is not the captured one"
        raise PayloadError(msg)
    return data


def _restore(payload: Payload, fetched: bytes | None) -> bytes:
    if payload.inline is not None:
        try:
            return payload.inline.encode()
        except UnicodeEncodeError as error:
            msg = "inline payload holds a lone surrogate"
            raise PayloadError(msg) from error
    if payload.gzip_base64 is not None:
        return _inflate(payload.gzip_base64, payload.size_bytes)
    if fetched is None:
        msg = "payload is a claim check and was not fetched"
        raise PayloadError(msg)
    return fetched


def _inflate(packed: str, size_bytes: int) -> bytes:
    """Inflate at most one byte more than announced, so that a forged record is no gzip bomb."""
    try:
        inflater = zlib.decompressobj(wbits=31)
        longest_bytes = min(max(size_bytes, 0), MAX_PAYLOAD_BYTES) + 1
        return inflater.decompress(base64.b64decode(packed, validate=True), longest_bytes)
    except (binascii.Error, zlib.error, ValueError) as error:
        msg = f"gzip_base64 payload cannot be inflated: {error}"
        raise PayloadError(msg) from error


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None

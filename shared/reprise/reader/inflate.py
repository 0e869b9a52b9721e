"""Undo gzip by sniffing: concatenated members, and members inside members.

CloudWatch Logs compresses what it sends, Firehose concatenates it and may compress again, so an
object is zero to three layers of gzip, each of any number of members (RFC 1952, section 2.2).
`gzip.decompress` is no help here: it copies the rest of the object for every member.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAGIC: Final = b"\x1f\x8b"
MAX_LAYERS: Final = 3
_SLICE_BYTES: Final = 32 * 1024
_MAX_STEP_BYTES: Final = 1024 * 1024
_BETWEEN_MEMBERS: Final = b"\r\n\x00"
MAX_INFLATED_BYTES: Final = 4 * 1024 * 1024 * 1024
"""Most bytes one object may inflate to; beyond that it is taken for a gzip bomb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Bytes that cannot be inflated; what follows them in the stream is unknown."""

    offset: int
    """Where the broken member starts, in the bytes given to this layer."""
    reason: str


def inflate(chunks: Iterable[bytes], layers: int = MAX_LAYERS) -> Iterator[bytes | Break]:
    """Yield the bytes under all gzip layers, or the bytes as they are if they are no gzip.

    Args:
        chunks: The object's bytes in order, in pieces of any size.
        layers: How many layers to undo at most.

    Yields:
        Pieces of at most about 1 MB, and a Break as the last item where the gzip is damaged.
    """
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= len(MAGIC):
            break
    if not head:
        return
    joined = _chain(head, source)
    if layers == 0 or not head.startswith(MAGIC):
        yield from joined
        return
    breaks: list[Break] = []
    yield from inflate(_members(joined, breaks), layers - 1)
    yield from breaks


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _members(chunks: Iterable[bytes], breaks: list[Break]) -> Iterator[bytes]:
    """Inflate member after member; note in `breaks` where that stops being possible."""
    inflater = None
    offset = member_at = inflated = 0
    for piece_in in _slices(chunks):
        data = piece_in
        while data:
            if inflater is None:
                # Glue between members: newlines of other tools, zeros of block devices.
                stripped = data.lstrip(_BETWEEN_MEMBERS)
                offset += len(data) - len(stripped)
                data = stripped
                if not data:
                    break
                inflater, member_at = zlib.decompressobj(wbits=31), offset
            try:
                piece = inflater.decompress(data, _MAX_STEP_BYTES)
            except zlib.error as error:
                breaks.append(Break(offset=member_at, reason=f"gzip member: {error}"))
                return
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            offset += len(data) - len(rest)
            inflated += len(piece)
            if inflated > MAX_INFLATED_BYTES:
                breaks.append(Break(offset=member_at, reason="inflates beyond 4 GiB"))
                return
            yield piece
            data = rest
            inflater = None if inflater.eof else inflater
    if inflater is not None:
        breaks.append(Break(offset=member_at, reason="gzip member: ends before its end"))


def _slices(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut chunks small, because `unused_data` copies the rest of its input at every member."""
    for chunk in chunks:
        for start in range(0, len(chunk), _SLICE_BYTES):
            yield chunk[start : start + _SLICE_BYTES]

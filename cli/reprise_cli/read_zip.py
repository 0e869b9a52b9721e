"""Undo ZIP from its beginning to its end, as it streams: entry by entry, without its directory.

`zipfile` looks for the directory at the end, and finds nothing in an archive that is cut. Firehose writes one
deflated entry an object; others add entries, store them, or join archives.

Source: PKWARE, APPNOTE.TXT, sections 4.3 (records) and 4.4 (their fields).
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

from reprise.logreader.items import MAX_TOTAL_BYTES, MAX_TOTAL_RATIO
from reprise_cli.read_stream import PIECE_BYTES, Lost

if TYPE_CHECKING:
    from reprise_cli.read_stream import Stream, Undone

_ENTRY: Final = b"PK\x03\x04"
_DESCRIPTOR: Final = b"PK\x07\x08"
_HEAD: Final = struct.Struct("<4xHHHxxxxIIIHH")
"""Of an entry: version, flags, method, checksum, both sizes, lengths of name and extra field."""
_DIRECTORY: Final = {
    b"PK\x01\x02": (46, "<28xHHH"),
    b"PK\x05\x06": (22, "<20xH"),
    b"PK\x06\x06": (12, "<4xQ"),
    b"PK\x06\x07": (20, ""),
}
"""Records behind the entries: their least size, and where the lengths of what follows stand in them."""
_STORED, _DEFLATED = 0, 8
_ENCRYPTED: Final = 0x1
_SIZES_FOLLOW: Final = 0x8
_LARGE: Final = 0xFFFF_FFFF
"""Stands for a size that an extra field says."""
_RAW: Final = -15
"""zlib's `wbits` of deflate without a header."""
_FIRST_BYTES: Final = 4 * 1024
"""First input of an entry, which may be small; twice as much each time."""
_DAMAGED: Final = "damaged entry of a ZIP archive"
_CUT: Final = "ZIP archive ends before its end"


def is_zip(head: bytes) -> bool:
    """Tell whether an object begins with an entry of a ZIP archive."""
    return head.startswith(_ENTRY)


def undo_zip(stream: Stream) -> Undone:
    """Yield what the entries hold, one after the other."""
    while signature := stream.peek(4):
        if signature == _ENTRY:
            yield from _entry(stream)
        elif signature in _DIRECTORY:
            yield from _directory(stream, *_DIRECTORY[signature])
        else:
            yield from stream.lose("no record of a ZIP archive begins here")


def _directory(stream: Stream, size: int, lengths: str) -> Undone:
    record = stream.take(size)
    if len(record) < size:
        yield Lost(record, stream.at - len(record), _CUT)
        return
    more = sum(struct.unpack_from(lengths, record)) if lengths else 0
    while more > 0 and (piece := stream.take(min(more, PIECE_BYTES))):
        more -= len(piece)
    if more > 0:
        yield Lost(b"", stream.at, _CUT)


def _entry(stream: Stream) -> Undone:
    at = stream.at
    head = stream.take(_HEAD.size)
    if len(head) < _HEAD.size:
        yield Lost(head, at, _CUT)
        return
    _, flags, method, checksum, packed_bytes, held_bytes, *lengths = _HEAD.unpack(head)
    names = stream.take(sum(lengths))
    is_known = not flags & _SIZES_FOLLOW and packed_bytes != _LARGE
    if (
        flags & _ENCRYPTED
        or method not in {_STORED, _DEFLATED}
        or (method == _STORED and not is_known)
    ):
        why = "encrypted" if flags & _ENCRYPTED else f"of compression method {method}"
        reason = f"entry of a ZIP archive is {why}, which is not read"
        yield Lost(head + names, at, reason)
        yield from _lose_entry(stream, packed_bytes if is_known else None, reason)
        return
    inflated = _Sum()
    if method == _STORED:
        yield from _stored(stream, packed_bytes, inflated)
    else:
        yield from _deflated(stream, inflated)
    if flags & _SIZES_FOLLOW and inflated.is_whole:
        checksum, held_bytes = _descriptor(stream, inflated)
    is_right = inflated.checksum == checksum and held_bytes in {inflated.bytes, _LARGE}
    if inflated.is_whole and not is_right:
        yield Lost(b"", stream.at, "checksum of an entry of a ZIP archive is wrong")


class _Sum:
    """What came out of an entry."""

    def __init__(self) -> None:
        self.bytes = 0
        self.checksum = 0
        self.is_whole = False

    def add(self, piece: bytes) -> bytes:
        self.bytes += len(piece)
        self.checksum = zlib.crc32(piece, self.checksum)
        return piece


def _stored(stream: Stream, size: int, inflated: _Sum) -> Undone:
    while inflated.bytes < size and (piece := stream.take(min(size - inflated.bytes, PIECE_BYTES))):
        yield inflated.add(piece)
    inflated.is_whole = inflated.bytes == size
    if not inflated.is_whole:
        yield Lost(b"", stream.at, _CUT)


def _deflated(stream: Stream, inflated: _Sum) -> Undone:
    inflater = zlib.decompressobj(_RAW)
    size = _FIRST_BYTES
    while not inflater.eof:
        at = stream.at
        # Looked at, and taken only as far as it is the entry's.
        packed = stream.peek(size)
        size = min(2 * size, PIECE_BYTES)
        if not packed:
            yield Lost(b"", at, _CUT)
            return
        waiting, is_full = packed, True
        while waiting or is_full:
            try:
                piece = inflater.decompress(waiting, PIECE_BYTES)
            except zlib.error as error:
                yield Lost(stream.take(len(packed)), at, f"{_DAMAGED}: {error}")
                yield from stream.lose_until(_ENTRY, _DAMAGED)
                return
            # What is full may hold more, though all that came in is used.
            waiting, is_full = inflater.unconsumed_tail, len(piece) == PIECE_BYTES
            yield inflated.add(piece)
            if inflated.bytes > max(MAX_TOTAL_BYTES, MAX_TOTAL_RATIO * (at + len(packed))):
                stream.take(len(packed) - len(waiting))
                yield from stream.lose("the object inflates beyond 1 GiB and 200 times its size")
                return
        stream.take(len(packed) - len(inflater.unused_data))
    inflated.is_whole = True


def _descriptor(stream: Stream, inflated: _Sum) -> tuple[int, int]:
    """Take what follows an entry whose sizes were not known before it; the signature may be left out."""
    signature = _DESCRIPTOR if stream.peek(4) == _DESCRIPTOR else b""
    for size_of_each, kind in ((4, "I"), (8, "Q")):
        size = len(signature) + 4 + 2 * size_of_each
        record = stream.peek(size + 2)
        if len(record) >= size and b"PK".startswith(record[size:]):
            checksum, _, held_bytes = struct.unpack_from(f"<I{kind}{kind}", record, len(signature))
            if held_bytes == inflated.bytes:
                stream.take(size)
                return checksum, held_bytes
    return 0, -1


def _lose_entry(stream: Stream, size: int | None, reason: str) -> Undone:
    """Yield what an entry holds as lost; without a size, all up to the next entry."""
    if size is None:
        yield from stream.lose_until(_ENTRY, reason)
        return
    at = stream.at
    while size > 0 and (piece := stream.take(min(size, PIECE_BYTES))):
        size -= len(piece)
        yield Lost(piece, at, reason)
        at = stream.at

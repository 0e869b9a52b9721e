"""Undo Snappy as Java writes it: blocks of the raw format, in xerial's frames or in Hadoop's.

Source: snappy-java, SnappyOutputStream (magic, two version numbers, then each block after its length);
Hadoop, BlockCompressorStream (the length of what each block holds, then its parts, each after its length).
All numbers are of four bytes, the highest first. Snappy, format_description.txt, section 1 (a raw block
begins with the length of what it holds).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise_cli.read_stream import Lost

if TYPE_CHECKING:
    from reprise_cli.read_stream import Stream, Undone

_MAGIC: Final = b"\x82SNAPPY\x00"
_HEADER_BYTES: Final = 16
_NUMBER_BYTES: Final = 4
_MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one block, and of what it holds: they are written in blocks of 32 to 256 KiB."""
_MOST_RATIO: Final = 32
"""A copy of three bytes gives 64 at most: a block that claims more than this is none."""
_VARINT_BYTES: Final = 5
_CUT: Final = "snappy data ends before its end"


def is_xerial(head: bytes) -> bool:
    """Tell whether an object begins as snappy-java begins it."""
    return head.startswith(_MAGIC)


def is_hadoop(head: bytes) -> bool:
    """Tell whether an object begins with lengths that fit each other, as only Hadoop's blocks do.

    No text does: such lengths begin with a byte below 5.
    """
    whole, part = _number(head), _number(head[_NUMBER_BYTES:])
    held = _held_bytes(head[2 * _NUMBER_BYTES :])
    return (
        0 < whole <= _MOST_BYTES
        and held is not None
        and 0 < held <= whole
        and 0 < part <= _longest(held)
    )


def undo_xerial(stream: Stream) -> Undone:
    """Yield what xerial's blocks hold; a header may come again where streams are joined."""
    while head := stream.peek(_NUMBER_BYTES):
        if _MAGIC.startswith(head):
            header = stream.take(_HEADER_BYTES)
            if len(header) < _HEADER_BYTES:
                yield Lost(header, stream.at - len(header), _CUT)
        elif 0 < _number(head) <= _MOST_BYTES:
            yield _block(stream)
        else:
            yield from stream.lose("no snappy block begins here")


def undo_hadoop(stream: Stream) -> Undone:
    """Yield what Hadoop's blocks hold."""
    while head := stream.peek(_NUMBER_BYTES):
        left = _number(head)
        if len(head) < _NUMBER_BYTES or left > _MOST_BYTES:
            yield from stream.lose("no snappy block begins here")
            return
        stream.take(_NUMBER_BYTES)
        while left > 0 and (part := stream.peek(_NUMBER_BYTES + _VARINT_BYTES)):
            held = _held_bytes(part[_NUMBER_BYTES:])
            if held is None or not 0 < held <= left or not 0 < _number(part) <= _longest(held):
                yield from stream.lose("no snappy block begins here")
                return
            yield _block(stream)
            left -= held
        if left > 0:
            yield Lost(b"", stream.at, _CUT)


def _block(stream: Stream) -> bytes | Lost:
    """Return what a block holds that follows its length."""
    # Late: only such objects need it.
    import cramjam  # noqa: PLC0415

    at = stream.at
    size = _number(stream.take(_NUMBER_BYTES))
    block = stream.take(size)
    lost = _written(size) + block
    if len(block) < size:
        return Lost(lost, at, _CUT)
    held = _held_bytes(block)
    if held is None or held > _MOST_RATIO * size:
        return Lost(lost, at, "damaged snappy block")
    try:
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        return Lost(lost, at, f"damaged snappy block: {error}")


def _written(number: int) -> bytes:
    """Return a length as it stands before a block."""
    return number.to_bytes(_NUMBER_BYTES, "big")


def _number(data: bytes) -> int:
    """Return the length that bytes begin with; 0 if there are too few."""
    number = data[:_NUMBER_BYTES]
    return int.from_bytes(number, "big") if len(number) == _NUMBER_BYTES else 0


def _held_bytes(block: bytes) -> int | None:
    """Return how long that is what a raw block holds, as it says itself."""
    held = 0
    for place, byte in enumerate(block[:_VARINT_BYTES]):
        held |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the last byte of the number
            return held
    return None


def _longest(held_bytes: int) -> int:
    """Return how long a raw block is at most (snappy's own MaxCompressedLength)."""
    return 32 + held_bytes + held_bytes // 6

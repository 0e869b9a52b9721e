"""Inflate one gzip member, hold what it inflates to until its checksum is right, and give it up if it fails.

A member is trusted when its checksum is right. So its content is held until then, if it is of the size of
CloudWatch Logs' own. Larger ones, which only Firehose's own compression makes, and members of members, which
have checksums of their own, are passed on as they inflate.

ISA-L inflates at about twice the speed of zlib (docs/adr/0009); what comes out is the same.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.logreader.items import LayerAccount

try:
    from isal import isal_zlib as _library
except ImportError:  # pragma: no cover - the pinned sets have it; the tests run zlib, too
    _library = zlib  # type: ignore[misc]

_GZIP: Final = 31
"""zlib's `wbits` of exactly one gzip member, header and checksum included."""
MAGIC: Final = b"\x1f\x8b\x08"
"""The beginning of every member: gzip's two bytes, and the only method there is (RFC 1952, section 2.3.1).

No UTF-8 text holds them: 8B is no character's first byte.
"""
STEP_BYTES: Final = 256 * 1024
"""Most bytes to inflate at once."""
_MAX_HELD_BYTES: Final = 12 * 1024 * 1024
_MAX_KEPT_BYTES: Final = 4 * 1024 * 1024
"""Members beyond either are passed on unchecked: CloudWatch Logs sends at most 1,000 KiB compressed."""
_MAX_SMALL_BYTES: Final = 16 * 1024
"""So are members of members beyond this: those inside have checksums of their own."""
BOMB_BYTES: Final = 64 * 1024 * 1024
BOMB_RATIO: Final = 200
"""A member that inflates beyond both is a bomb: logs inflate tenfold, the most monotonous a hundredfold."""
_FREE_WORK_BYTES: Final = 32 * 1024 * 1024
_WORK: Final = 16
"""Bytes that may be looked at in vain, per byte of the layer."""


class Inflater(Protocol):
    """Inflates one gzip member, piece by piece."""

    @property
    def eof(self) -> bool:
        """Whether the member is complete, its checksum right."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the member's end."""

    @property
    def unconsumed_tail(self) -> bytes:
        """What was given and waits, because the output was long enough."""

    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes:
        """Return at most so many bytes of what the member holds."""


def with_zlib() -> Inflater:
    """Return the standard library's inflater of one member."""
    return zlib.decompressobj(_GZIP)


def new_inflater() -> Inflater:
    """Return the fastest inflater of one member that there is."""
    return _library.decompressobj(_GZIP)


ERRORS: Final[tuple[type[Exception], ...]] = (zlib.error, cast("type[Exception]", _library.error))
"""What an inflater raises for damaged data."""
FIRST_INPUT_BYTES: Final = 16 * 1024
"""First input of a member; an inflater copies what follows its member in the input, so it is kept short."""
SUSPECT_INPUT_BYTES: Final = 256
"""First input of what may be a member, after one that failed."""
_MOST_INPUT_BYTES: Final = 256 * 1024
_PASSED_INPUT_BYTES: Final = 2 * 1024
"""The last input of a member that is passed on is lost if the member breaks in it."""


class Member:
    """One member: where it starts, and what of it is kept until its checksum is known."""

    def __init__(self, at: int, input_bytes: int) -> None:
        """Begin at an offset of the layer, with a first input of this length."""
        self.at = at
        self.end = at
        """How far it has been inflated."""
        self.inflated_bytes = 0
        self.given_bytes = 0
        """Length of the last input."""
        self.held = bytearray()
        """What it inflates to, as long as it is not passed on."""
        self.kept = bytearray()
        """Its own bytes; of a member that is passed on only the last ones."""
        self.is_passed_on = False
        self._inflater = new_inflater()
        self._input_bytes = input_bytes

    @property
    def is_whole(self) -> bool:
        """Tell whether it has come to its end, its checksum right."""
        return self._inflater.eof

    @property
    def is_bomb(self) -> bool:
        """Tell whether it inflates to more than any log does."""
        own_bytes = self.end - self.at
        return self.inflated_bytes > max(BOMB_BYTES, BOMB_RATIO * own_bytes)

    @property
    def holds_members(self) -> bool:
        """Tell whether what is held begins like a member itself."""
        return self.held.startswith(MAGIC[:2])

    def inflate(self, data: memoryview, position: int) -> tuple[bytes, int]:
        """Return what the next step from a position inflates to, and the position behind it.

        Raises:
            ERRORS: If the member is damaged.
        """
        if self.is_passed_on:
            self._input_bytes = _PASSED_INPUT_BYTES
        given = data[position : position + self._input_bytes]
        self.given_bytes = len(given)
        piece = self._inflater.decompress(given, STEP_BYTES)
        left = self._inflater.unused_data if self.is_whole else self._inflater.unconsumed_tail
        used = len(given) - len(left)
        self.end += used
        self.inflated_bytes += len(piece)
        # If it fails, nobody says where: it has looked at half of what it was given, or more.
        self._input_bytes = min(2 * self._input_bytes, _MOST_INPUT_BYTES)
        return piece, position + used

    def hold(self, piece: bytes) -> bool:
        """Hold a piece until the checksum is known; return False if that is too much to hold."""
        self.held += piece
        own_bytes = self.end - self.at
        return not (
            len(self.held) > _MAX_HELD_BYTES
            or own_bytes > _MAX_KEPT_BYTES
            or (own_bytes > _MAX_SMALL_BYTES and self.holds_members)
        )

    def release(self) -> Iterator[bytes]:
        """Yield what is held, step by step, and hold it no longer."""
        held, self.held = self.held, bytearray()
        while held:
            yield bytes(held[:STEP_BYTES])
            del held[:STEP_BYTES]

    def keep(self, own: memoryview) -> None:
        """Keep the member's own bytes of an input: they are looked through if it proves damaged."""
        if self.is_passed_on:
            self.kept.clear()
        self.kept += own


def next_magic(data: bytes | bytearray, position: int) -> int:
    """Return where from a position on a member begins, or may begin where the data end."""
    at = data.find(MAGIC, position)
    if at >= 0:
        return at
    partial_bytes = 2 if data.endswith(MAGIC[:2]) else int(data.endswith(MAGIC[:1]))
    return min(max(len(data) - partial_bytes, position), len(data))


def next_after(
    member: Member, data: bytes | bytearray, start: int, *, is_head: bool, layer: LayerAccount
) -> int:
    """Return where the next member after one that fails may begin, within its own bytes.

    Compressed bytes hold gzip's magic bytes by chance, and a hostile object holds them on purpose: each
    begins what inflates for a while and then fails. So what is looked at in vain is counted, and beyond a
    budget a part of it is skipped.

    Args:
        member: The member.
        data: Its bytes that are kept, and all input that follows.
        start: Where in the data they begin.
        is_head: Whether the member itself begins there, and not only what is kept of it.
        layer: Tells how long the layer is, and what was wasted in it.
    """
    # It may have looked at less of its last input.
    looked_at = member.end - member.at + member.given_bytes + member.inflated_bytes // _WORK
    layer.wasted_bytes += looked_at
    skip = start + 1 if is_head else start
    if layer.wasted_bytes > _FREE_WORK_BYTES + _WORK * layer.bytes_in:
        rest = len(data) - start
        skip += looked_at // _WORK if looked_at < rest else rest
    return next_magic(data, skip)

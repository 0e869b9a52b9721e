"""Inflate one gzip member, and find the next one within a member that proves damaged.

Compressed bytes hold gzip's magic bytes by chance, and a hostile object holds them on purpose: each begins
what inflates for a while and then fails. So what is looked at in vain is counted, and beyond a budget the
search skips a part of it.

Choose what inflates a gzip member: Intel's ISA-L where it is installed, else zlib. ISA-L inflates at about
twice the speed of zlib (docs/adr/0009); what comes out is the same.
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

GZIP: Final = 31
"""zlib's `wbits` of exactly one gzip member, header and checksum included."""


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
        """Return what some bytes inflate to, at most so much of it."""


def with_zlib() -> Inflater:
    """Return the standard library's inflater of one member."""
    return zlib.decompressobj(GZIP)


def new_inflater() -> Inflater:
    """Return the fastest inflater of one member that there is."""
    return _library.decompressobj(GZIP)


ERRORS: Final[tuple[type[Exception], ...]] = (zlib.error, cast("type[Exception]", _library.error))
"""What an inflater raises for damaged data."""


MAGIC: Final = b"\x1f\x8b\x08"
"""How a member begins: gzip's two bytes, and the only method there is (RFC 1952, section 2.3.1).

No UTF-8 text holds them: 8B is no character's first byte.
"""
STEP_BYTES: Final = 256 * 1024
"""Most bytes to inflate at once."""
MAX_HELD_BYTES: Final = 12 * 1024 * 1024
MAX_KEPT_BYTES: Final = 4 * 1024 * 1024
"""Members beyond either are passed on unchecked: CloudWatch Logs sends at most 1,000 KiB compressed."""
MAX_SMALL_BYTES: Final = 16 * 1024
"""So are members of members beyond this: those inside have checksums of their own."""
BOMB_BYTES: Final = 64 * 1024 * 1024
BOMB_RATIO: Final = 200
"""A member that inflates beyond both is a bomb: logs inflate tenfold, the most monotonous a hundredfold."""
_LEAST_INPUT_BYTES: Final = 16 * 1024
"""Sizes vary tenfold: most members should find room, since a second step costs more than 16 KiB copied."""
MOST_INPUT_BYTES: Final = 256 * 1024
"""An inflater copies what follows its member in the input, so the input is kept short."""
SUSPECT_INPUT_BYTES: Final = 256
"""First input of what may be a member, after one that failed."""
PASSED_INPUT_BYTES: Final = 2 * 1024
"""The last input of a member that is passed on is lost if the member breaks in it."""
_SHORT_MAGIC: Final = MAGIC[:2]


def partial_magic(data: bytes | bytearray) -> int:
    """Return how many bytes at the end may be the beginning of a member."""
    if data.endswith(_SHORT_MAGIC):
        return 2
    return 1 if data.endswith(MAGIC[:1]) else 0


def input_bytes_after(size_bytes: int) -> int:
    """Return how much input a member gets at once after one of this size: it is probably not much larger."""
    return max(_LEAST_INPUT_BYTES, min(4 * size_bytes, MOST_INPUT_BYTES))


class Member:
    """One member: where it starts, and what of it is kept until its checksum is known."""

    __slots__ = ("at", "end", "held", "inflated_bytes", "inflater", "is_passed_on", "kept")

    def __init__(self, at: int, inflater: Inflater) -> None:
        """Begin at an offset of the layer."""
        self.at = at
        self.end = at
        """How far it has been inflated."""
        self.inflater = inflater
        self.inflated_bytes = 0
        self.held = bytearray()
        """What it inflates to, as long as it is not passed on."""
        self.kept = bytearray()
        """Its own bytes; of a member that is passed on only the last ones."""
        self.is_passed_on = False

    def hold(self, piece: bytes, end: int) -> bool:
        """Keep a piece; False if it is to be passed on, with all that is held."""
        self.end = end
        self.inflated_bytes += len(piece)
        if self.is_passed_on:
            return False
        self.held += piece
        return not (
            len(self.held) > MAX_HELD_BYTES
            or end - self.at > MAX_KEPT_BYTES
            or (end - self.at > MAX_SMALL_BYTES and self.holds_members)
        )

    @property
    def holds_members(self) -> bool:
        """Tell whether what is held begins like a member itself."""
        return self.held.startswith(_SHORT_MAGIC)

    def release(self) -> Iterator[bytes]:
        """Yield what is held, step by step, and hold it no longer."""
        held, self.held = self.held, bytearray()
        while held:
            yield bytes(held[:STEP_BYTES])
            del held[:STEP_BYTES]

    def keep(self, data: bytes | bytearray, start: int) -> None:
        """Keep the member's own bytes of an input: they are looked through if it proves damaged."""
        if self.is_passed_on:
            self.kept.clear()
        self.kept += memoryview(data)[start:]

    @property
    def is_bomb(self) -> bool:
        """Tell whether it inflates to more than any log does."""
        return self.inflated_bytes > BOMB_BYTES and self.inflated_bytes > BOMB_RATIO * (
            self.end - self.at
        )


_FREE_WORK_BYTES: Final = 32 * 1024 * 1024
_WORK: Final = 16
"""Bytes that may be looked at in vain, per byte of the layer."""


class Search:
    """The search in one layer."""

    __slots__ = ("_books",)

    def __init__(self, books: LayerAccount) -> None:
        """Begin; the books tell how long the layer is, and what was wasted in it."""
        self._books = books

    def after_failure(
        self, member: Member, data: bytes | bytearray, start: int, *, is_head: bool, given: int
    ) -> int:
        """Return up to where in the data a member that fails is to be given up.

        Args:
            member: The member.
            data: Its bytes that are kept, and all input that follows.
            start: Where in the data they begin.
            is_head: Whether the member itself begins there, and not only what is kept of it.
            given: Bytes that it was given when it failed; it may have looked at fewer.
        """
        looked_at = member.end - member.at + given + member.inflated_bytes // _WORK
        self._books.wasted_bytes += looked_at
        skip = start + 1 if is_head else start
        if self._is_exhausted:
            skip += looked_at // _WORK
        end = data.find(MAGIC, skip)
        return end if end >= 0 else max(len(data) - partial_magic(data), min(start + 1, len(data)))

    def after_cut(self, rest: bytes) -> int:
        """Return how many bytes are to be given up of a member that the layer ends in."""
        end = -1 if self._is_exhausted else rest.find(MAGIC, 1)
        self._books.wasted_bytes += len(rest)
        return end if end >= 0 else len(rest)

    @property
    def _is_exhausted(self) -> bool:
        books = self._books
        return books.wasted_bytes > _FREE_WORK_BYTES + _WORK * books.bytes_in

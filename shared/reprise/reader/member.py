"""A gzip member that is being inflated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.reader.inflater import Inflater

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

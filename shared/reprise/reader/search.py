"""Find the next gzip member within the bytes of one that proves damaged, in linear time.

Compressed bytes hold gzip's magic bytes by chance, and a hostile object holds them on purpose: each begins
what inflates for a while and then fails. So what is looked at in vain is counted, and beyond a budget the
search skips a part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.reader.member import MAGIC, partial_magic

if TYPE_CHECKING:
    from reprise.reader.account import LayerAccount
    from reprise.reader.member import Member

_FREE_WORK_BYTES: Final = 32 * 1024 * 1024
_WORK: Final = 16
"""Bytes that may be looked at in vain, per byte of the layer."""


class Search:
    """The search in one layer, and what it has cost so far."""

    __slots__ = ("_books", "_wasted_bytes")

    def __init__(self, books: LayerAccount) -> None:
        """Begin with nothing wasted; the books tell how long the layer is."""
        self._books = books
        self._wasted_bytes = 0

    def after_failure(self, member: Member, rest: bytes, first_at: int) -> int:
        """Return how many bytes of a member that fails are to be given up.

        Args:
            member: The member.
            rest: Its bytes that are kept, and all input that follows.
            first_at: Their offset in the layer.
        """
        looked_at = first_at + len(rest) if member.is_passed_on else member.end
        self._wasted_bytes += looked_at - member.at + member.inflated_bytes // _WORK
        skip = 1 if first_at == member.at else 0
        if self._is_exhausted:
            skip += (member.end - member.at) // _WORK
        end = rest.find(MAGIC, skip)
        return end if end >= 0 else max(len(rest) - partial_magic(rest), min(1, len(rest)))

    def after_cut(self, rest: bytes) -> int:
        """Return how many bytes are to be given up of a member that the layer ends in."""
        end = -1 if self._is_exhausted else rest.find(MAGIC, 1)
        self._wasted_bytes += len(rest)
        return end if end >= 0 else len(rest)

    @property
    def _is_exhausted(self) -> bool:
        return self._wasted_bytes > _FREE_WORK_BYTES + _WORK * self._books.bytes_in

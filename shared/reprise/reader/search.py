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

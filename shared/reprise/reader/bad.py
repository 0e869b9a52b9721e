"""Collect damaged bytes that follow each other, and tell them as one damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.reader.items import Batch, Damage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.reader.account import Account

MAX_PART_BYTES: Final = 4 * 1024 * 1024
"""Longer damage is told in parts, so that memory stays bounded."""


class BadBytes:
    """The damage of one layer that is being collected."""

    __slots__ = ("_account", "_at", "_data", "_depth", "_origin", "_reason", "is_open", "member_at")

    def __init__(self, depth: int, account: Account) -> None:
        """Begin with none."""
        self._depth = depth
        self._account = account
        self._data = bytearray()
        self._at = 0
        self._reason = ""
        self._origin = 0
        self.member_at: int | None = None
        """Where in the object the member starts that holds what comes."""
        self.is_open = False

    def enter(self, member_at: int, origin: int) -> None:
        """Note which member of the object what comes is the content of, and where that begins."""
        self.member_at = member_at
        self._origin = origin

    def add(self, data: bytes, at: int, reason: str = "") -> Iterator[Batch]:
        """Take bytes that follow those so far; the first reason stays."""
        if not self.is_open:
            self.is_open = True
            self._at = at
            self._reason = reason
        self._data += data
        while len(self._data) >= MAX_PART_BYTES:
            yield (self._tell(MAX_PART_BYTES),)

    def close(self) -> Iterator[Batch]:
        """Yield what is collected."""
        if self.is_open:
            self.is_open = False
            yield (self._tell(len(self._data)),)

    def _tell(self, length: int) -> Damage:
        data = bytes(self._data[:length])
        del self._data[:length]
        at, self._at = self._at, self._at + length
        self._account.layer(self._depth).damaged_bytes += length
        self._account.damages += 1
        return Damage(
            offset=at - self._origin,
            length=length,
            reason=self._reason,
            data=data,
            layer=self._depth,
            member_at=self.member_at,
        )

"""Undo gzip by sniffing: members after members, members inside members, and text where there are none.

CloudWatch Logs compresses what it sends, Firehose concatenates it and may compress again, so an
object is zero to three layers of gzip, each of any number of members (RFC 1952, section 2.2).
`gzip.decompress` is no help here: it copies the rest of the object for every member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise.reader.inside import Inside
from reprise.reader.member import MAGIC, partial_magic
from reprise.reader.members import Members
from reprise.reader.outside import MAX_LAYERS, Outside

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from reprise.reader.account import Account
    from reprise.reader.items import Batch


class Layer:
    """The bytes under a number of gzip layers, in order; feed it, and items come out."""

    __slots__ = ("_account", "_books", "_carry", "_depth", "_inside", "_members", "_outside")

    def __init__(self, depth: int, account: Account) -> None:
        """Begin.

        Args:
            depth: Gzip layers above these bytes; 0 for the object itself.
            account: Where every byte is accounted for.
        """
        self._depth = depth
        self._account = account
        self._books = account.layer(depth)
        self._inside = Inside(lambda account: Layer(depth + 1, account), account)
        # Base64 inside base64 for ever is nobody's log.
        unwrapped = self._inside.nested if depth < MAX_LAYERS else None
        self._outside = Outside(depth, account, unwrapped)
        self._members = Members(depth, account, self._inside, self._outside)
        self._carry = b""

    def enter(self, member_at: int) -> None:
        """Note that what comes next is the content of the member at this byte of the object."""
        self._outside.enter(member_at, self._members.at + len(self._carry))

    def quick(self, data: bytes | bytearray) -> Batch | None:
        """Return what a member's whole content holds that is one document; None if it must be fed."""
        if self._carry or self._members.open is not None:
            return None
        items = self._outside.quick(data)
        if items is not None:
            self._books.bytes_in += len(data)
            self._members.at += len(data)
        return items

    def feed(self, data: bytes | bytearray) -> Iterator[Batch]:
        """Yield the items that end within the bytes so far."""
        self._books.bytes_in += len(data)
        if self._carry:
            data, self._carry = self._carry + data, b""
        yield from self._run(data, 0)

    def settle(self) -> Iterator[Batch]:
        """Yield a document that waits for its end, if it is whole: the member that holds it has ended."""
        return self._outside.settle()

    def end(self, *, is_cut: bool = False) -> Iterator[Batch]:
        """Yield what is left: the bytes end here, or are cut off."""
        members, first = self._books.members, self._members.open
        while self._members.open is not None:
            again = yield from self._members.cut(self._members.open)
            if again is not None:
                yield from self._run(*again)
        if self._carry:
            rest, self._carry = self._carry, b""
            self._members.at += len(rest)
            yield from self._outside.take(rest, self._members.at - len(rest))
        if first is not None and first.held and self._books.members == members:
            yield from self._inside.salvage(first.release())
        yield from self._outside.accept(self._inside.end(is_cut=True), is_cut=is_cut)
        yield from self._inside.end(is_cut=is_cut)

    def _run(self, data: bytes | bytearray, position: int) -> Iterator[Batch]:
        members = self._members
        while position < len(data):
            if members.open is not None:
                data, position = yield from members.go_on(members.open, data, position)
            elif data.startswith(MAGIC, position) and self._has_members:
                data, position = yield from members.read(data, position)
            else:
                position = yield from self._between(data, position)
        members.at += len(data) - len(self._carry)

    @property
    def _has_members(self) -> bool:
        """Tell whether members are looked for."""
        return self._depth < MAX_LAYERS and not self._account.is_bomb

    def _between(self, data: bytes | bytearray, position: int) -> Generator[Batch, None, int]:
        """Deal with what stands before the next member; return where that starts."""
        at = data.find(MAGIC, position) if self._has_members else -1
        end = at if at >= 0 else len(data) - (partial_magic(data) if self._has_members else 0)
        end = max(end, position)
        if end > position:
            yield from self._outside.take(bytes(data[position:end]), self._members.at + position)
        if at < 0:
            self._carry = bytes(data[end:])
            return len(data)
        return at

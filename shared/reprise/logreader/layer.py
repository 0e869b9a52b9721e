"""Undo gzip by sniffing: members after members, members inside members, and text where there are none.

Undo gzip by sniffing: members after members, members inside members, and text where there are none.
CloudWatch Logs compresses what it sends, Firehose concatenates it and may compress again, so an object is
zero to three layers of gzip, each of any number of members (RFC 1952, section 2.2). `gzip.decompress` is no
help here: it copies the rest of the object for every member.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from reprise.logreader.items import Account, Damage
from reprise.logreader.member import MAGIC, partial_magic
from reprise.logreader.members import Members
from reprise.logreader.outside import MAX_LAYERS, Outside

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from reprise.logreader.items import Batch, Item


class Inside:
    """What the members of one layer hold; one layer of its own, made when the first member is read."""

    __slots__ = ("_account", "_layer", "_new_layer")

    def __init__(self, new_layer: Callable[[Account], Layer], account: Account) -> None:
        """Begin.

        Args:
            new_layer: Makes the layer below, which keeps its books in an account.
            account: Where every byte is accounted for.
        """
        self._new_layer = new_layer
        self._account = account
        self._layer: Layer | None = None

    @property
    def layer(self) -> Layer:
        """Return the layer below."""
        if self._layer is None:
            self._layer = self._new_layer(self._account)
        return self._layer

    def enter(self, member_at: int) -> None:
        """Note that what comes next is the content of the member at this byte of the object."""
        self.layer.enter(member_at)

    def quick(self, content: bytes | bytearray, member_at: int) -> Batch | None:
        """Enter a member and return what it holds, if that is one document; None: it must be fed."""
        layer = self._layer or self.layer
        layer.enter(member_at)
        return layer.quick(content)

    def feed(self, piece: bytes) -> Iterator[Batch]:
        """Yield what ends within a part of a member."""
        return self.layer.feed(piece)

    def whole(self, content: bytes | bytearray) -> Iterator[Batch]:
        """Yield what ends within a member's content, or its last part."""
        yield from self.layer.feed(content)
        yield from self.layer.settle()

    def end(self, *, is_cut: bool) -> Iterator[Batch]:
        """Yield what is left: the members end here, or are cut off."""
        if self._layer is not None:
            yield from self._layer.end(is_cut=is_cut)

    def salvage(self, held: Iterator[bytes]) -> Iterator[Batch]:
        """Yield the whole events of a member that the object ends in; its bytes are damage all the same."""
        scratch = Account()
        layer = self._new_layer(scratch)
        for batch in chain(chain.from_iterable(map(layer.feed, held)), layer.end(is_cut=True)):
            yield [item for item in batch if not isinstance(item, Damage)]
        self._account.add_items(scratch)

    def nested(self, data: bytes) -> Iterator[Batch]:
        """Read gzip that text carries as base64."""
        layer = self._new_layer(self._account)
        yield from layer.feed(data)
        yield from layer.end()


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


SLICE_BYTES: Final = 256 * 1024


def read_events(chunks: Iterable[bytes], account: Account | None = None) -> Iterator[Item]:
    """Return everything that an object holds, in order; never raise for what is in it.

    What comes out does not depend on how the object is cut into chunks.

    Args:
        chunks: The object's bytes in order, in pieces of any size, best 256 KiB to 1 MiB.
        account: Takes what became of every byte, complete when the last item is out.
    """
    return chain.from_iterable(_batches(chunks, Account() if account is None else account))


def _batches(chunks: Iterable[bytes], account: Account) -> Iterator[Batch]:
    layer = Layer(0, account)
    for piece in _slices(chunks):
        yield from layer.feed(piece)
    yield from layer.end()


def _slices(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut an object at multiples of 256 KiB, wherever its chunks end."""
    rest = b""
    for chunk in chunks:
        data = rest + chunk if rest else chunk
        whole = len(data) - len(data) % SLICE_BYTES
        for start in range(0, whole, SLICE_BYTES):
            yield data[start : start + SLICE_BYTES]
        rest = data[whole:]
    if rest:
        yield rest

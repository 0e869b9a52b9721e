"""Hand on what gzip members hold: to the layer below, which sniffs again."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from reprise.reader.account import Account
from reprise.reader.items import Damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reprise.reader.items import Batch
    from reprise.reader.layer import Layer


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

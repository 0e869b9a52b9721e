"""Read the items of a capture object."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from reprise.reader.account import Account
from reprise.reader.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reprise.reader.items import Batch, Item

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

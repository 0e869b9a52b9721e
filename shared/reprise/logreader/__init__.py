"""Read capture objects: whatever CloudWatch Logs and Firehose write, in bounded memory.

One public function, `read_events`. Behind it every reader has `feed(data)`, which yields what ends within the
bytes so far, and `end()`, which yields what is left; what comes out does not depend on how the bytes are cut.

    layer     gzip members one after the other; what they hold is fed to the layer below
    member    one member: inflated, held until its checksum is right, given up if it fails
    between   what stands in no member: gaps, text, damage
    text      text, cut into documents and lines
    parts     those, decoded; gzip in base64 goes to a layer of its own
    envelope  one document's events, in a function
    repair    a stretch that is no document, taken apart
    attempt   JSON tried anywhere in such a stretch, on a budget; an envelope's events saved

A layer is told, besides, where a member's content begins (`enter`) and ends (`feed_last`): a whole document
does not wait for the next one. That is also the short way, tried first: nearly all members hold one envelope.
What is neither is `Damage`, with its place; the `Account` knows every byte of every layer.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from reprise.logreader.items import Account, Control, Damage, Event, Item, Origin, UnknownLine
from reprise.logreader.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reprise.logreader.items import Batch

__all__ = ["Account", "Control", "Damage", "Event", "Item", "Origin", "UnknownLine", "read_events"]

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

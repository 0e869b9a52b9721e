"""Undo what Firehose compresses whole objects with besides gzip: ZIP, `Snappy` and `HADOOP_SNAPPY`.

The reader in the layer knows gzip alone, which is what CloudWatch Logs and our own stream write. Here an
object is undone piece by piece before it is read; what cannot be undone is damage, block by block, and every
byte of the object is accounted for as layer 0.

Source: Firehose API reference, ExtendedS3DestinationConfiguration (CompressionFormat). What AWS writes for
each: floci-io/floci#2410; opensearch-project/data-prepper#4406, intake/python-snappy#99,
xerial/snappy-java#235.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from reprise.logreader import Account, Damage, read_events
from reprise.logreader.items import LayerAccount
from reprise_cli.read_snappy import is_hadoop, is_xerial, undo_hadoop, undo_xerial
from reprise_cli.read_stream import PIECE_BYTES, Lost, Stream
from reprise_cli.read_zip import is_zip, undo_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reprise.logreader import Item
    from reprise_cli.read_stream import Undone

_HEAD_BYTES: Final = 32
_FORMATS: Final[tuple[tuple[str, Callable[[bytes], bool], Callable[[Stream], Undone]], ...]] = (
    ("ZIP", is_zip, undo_zip),
    ("Snappy", is_xerial, undo_xerial),
    ("HADOOP_SNAPPY", is_hadoop, undo_hadoop),
)


class Reading:
    """One object, whatever it is compressed with."""

    def __init__(self, chunks: Iterable[bytes], account: Account) -> None:
        """Look at the object's beginning.

        Args:
            chunks: The object's bytes in order.
            account: Takes what became of every byte, complete when the last item is out.
        """
        self._stream = Stream(chunks)
        self._account = account
        head = self._stream.peek(_HEAD_BYTES)
        found = next(((name, undo) for name, fits, undo in _FORMATS if fits(head)), None)
        self.compression: str | None = None
        """Firehose's name of what the object is compressed with, besides gzip."""
        self._undo: Callable[[Stream], Undone] | None = None
        if found is not None:
            self.compression, self._undo = found

    def items(self) -> Iterator[Item]:
        """Return what the object holds, in order; never raise for what is in it."""
        if self._undo is None:
            return read_events(self._stream.rest(), self._account)
        return self._items_of(self._undo(self._stream))

    def _items_of(self, undone: Undone) -> Iterator[Item]:
        lost: list[Lost] = []
        inner = Account()
        own = LayerAccount()

        def pieces() -> Iterator[bytes]:
            # Handed on in few pieces: those of an archive may be tiny.
            waiting = bytearray()
            for piece in undone:
                if isinstance(piece, Lost):
                    lost.append(piece)
                    # Else what stands before it and behind it might be read as one.
                    waiting += b"\n"
                else:
                    waiting += piece
                if len(waiting) >= PIECE_BYTES:
                    yield bytes(waiting)
                    waiting.clear()
            yield bytes(waiting)

        def damages() -> Iterator[Damage]:
            while lost:
                gone = lost.pop(0)
                own.damaged_bytes += len(gone.data)
                inner.damages += 1
                yield Damage(
                    offset=gone.at, length=len(gone.data), reason=gone.reason, data=gone.data
                )

        for item in read_events(pieces(), inner):
            yield from damages()
            if isinstance(item, Damage):
                # What the object holds is a layer below it.
                yield msgspec.structs.replace(item, layer=item.layer + 1)
            else:
                yield item
        yield from damages()
        own.bytes_in = self._stream.at
        own.member_bytes = own.bytes_in - own.damaged_bytes
        self._account.layers = [own, *inner.layers]
        self._account.damages = inner.damages
        self._account.add_items(inner)

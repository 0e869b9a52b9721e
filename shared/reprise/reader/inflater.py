"""Choose what inflates a gzip member: Intel's ISA-L where it is installed, else zlib.

ISA-L inflates at about twice the speed of zlib (docs/adr/0009); what comes out is the same.
"""

from __future__ import annotations

import zlib
from typing import Final, Protocol, cast

try:
    from isal import isal_zlib as _library
except ImportError:  # pragma: no cover - the pinned sets have it; the tests run zlib, too
    _library = zlib  # type: ignore[misc]

GZIP: Final = 31
"""zlib's `wbits` of exactly one gzip member, header and checksum included."""


class Inflater(Protocol):
    """Inflates one gzip member, piece by piece."""

    @property
    def eof(self) -> bool:
        """Whether the member is complete, its checksum right."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the member's end."""

    @property
    def unconsumed_tail(self) -> bytes:
        """What was given and waits, because the output was long enough."""

    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes:
        """Return what some bytes inflate to, at most so much of it."""


def with_zlib() -> Inflater:
    """Return the standard library's inflater of one member."""
    return zlib.decompressobj(GZIP)


def new_inflater() -> Inflater:
    """Return the fastest inflater of one member that there is."""
    return _library.decompressobj(GZIP)


ERRORS: Final[tuple[type[Exception], ...]] = (zlib.error, cast("type[Exception]", _library.error))
"""What an inflater raises for damaged data."""

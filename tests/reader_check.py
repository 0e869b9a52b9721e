"""What holds for every reading of every object; shared by the fuzzer and the replay of its corpus."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from typing import TYPE_CHECKING

from reprise.errors import BadRecordError
from reprise.logreader import Account, Control, Damage, LogEvent, UnknownLine, read_events
from reprise_cli.capture_line import decode_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.logreader import Item


def read_all(data: bytes, size: int = 64 * 1024) -> tuple[list[Item], Account]:
    """Return the items of an object and its account."""
    account = Account()
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    return list(read_events(chunks, account)), account


def check(data: bytes) -> None:
    """Read an object, and fail if anything is not as it always is."""
    items, account = read_all(data)
    assert account.is_complete, account
    own_bytes = account.layers[0].bytes_in if account.layers else 0
    assert own_bytes == len(data), account
    counts = (account.events, account.controls, account.foreign, account.damages)
    kinds = (LogEvent, Control, UnknownLine, Damage)
    assert counts == tuple(sum(isinstance(item, kind) for item in items) for kind in kinds)
    damage = [item for item in items if isinstance(item, Damage)]
    assert sum(item.length for item in damage) == sum(
        layer.damaged_bytes for layer in account.layers
    )
    for lost in damage:
        assert len(lost.data) == lost.length
        assert lost.offset >= 0
        if lost.layer == 0:
            assert data[lost.offset : lost.offset + lost.length] == lost.data
    for item in items:
        if isinstance(item, LogEvent | UnknownLine):
            with contextlib.suppress(BadRecordError):
                decode_line(item.message if isinstance(item, LogEvent) else item.text)
    assert read_all(data, 1 + len(data) // 3)[0] == items


def mutate(data: bytes, max_size: int, seed: int, mutate_bytes: Callable[..., bytes]) -> bytes:
    """Mutate what is inside gzip as well as gzip itself, which chance alone never gets past."""
    if seed % 3 == 0 and data.startswith(b"\x1f\x8b"):
        with contextlib.suppress(zlib.error, EOFError):
            inflater = zlib.decompressobj(31)
            inner = inflater.decompress(data, 1 << 16)
            rest = inflater.unused_data or inflater.unconsumed_tail
            changed = bytes(mutate_bytes(inner, max_size))
            return (gzip.compress(changed, 1, mtime=0) + rest)[:max_size]
    if seed % 31 == 0:
        return gzip.compress(data, 1, mtime=0)[:max_size]
    return bytes(mutate_bytes(data, max_size))

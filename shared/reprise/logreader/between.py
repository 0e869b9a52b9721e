"""Read what stands in no gzip member: gaps, text, or damage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reprise.logreader.member import MAGIC
from reprise.logreader.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.logreader.items import Batch, ByteAccounting, Damage
    from reprise.logreader.parts import Parts

MAX_LAYERS: Final = 3
_TOO_MANY_LAYERS: Final = f"gzip inside {MAX_LAYERS} layers of gzip"
_GAP: Final = b" \t\r\n\x0b\x0c\x00"
"""What may stand between members: blanks, and zeros of block devices."""
_MAX_DAMAGE_BYTES: Final = 4 * 1024 * 1024
"""Longer damage is told in parts, so that memory stays bounded."""
_SAMPLE_BYTES: Final = 1024
_STRANGE: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_MOST_STRANGE: Final = 0.1
"""Text may be damaged; binary data is strange in half of its bytes."""
_FORMATS: Final = {
    re.compile(pattern): name
    for pattern, name in (
        (rb"PK\x03\x04", "a zip archive"),
        (rb"\x82SNAPPY\x00", "snappy data"),
        (rb"\xff\x06\x00\x00sNaPpY", "snappy-framed data"),
        (rb"\x28\xb5\x2f\xfd", "zstd data"),
        (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "bzip2 data"),
        (rb"\xfd7zXZ", "xz data"),
        # Words begin like these two, but hold no control characters.
        (rb"PAR1[^\x00-\x1f]{0,4}+[\x00-\x08\x0e-\x1a]", "a Parquet file"),
        (rb"ORC[^\x00-\x1f]{0,8}+[\x00-\x08\x0e-\x1a]", "an ORC file"),
        (rb"Obj\x01", "an Avro file"),
    )
}
"""What Firehose, or those who copy its objects, write besides gzip and text."""


class Between:
    """The bytes of one layer that are in none of its members; feed it between them, end it before each."""

    def __init__(self, accounting: ByteAccounting, parts: Parts) -> None:
        """Begin with neither text nor damage; the parts of the text are read there."""
        self._accounting = accounting
        self._bad = bytearray()
        self._bad_at = 0
        self._reason = ""
        self.text: Final = Text(accounting, parts)
        self.is_text = False
        """Whether text is being read that has not come to its end."""
        self.is_bad = False
        """Whether damage is being collected."""
        self.after_members = False
        """Whether members were read; the account counts those of all layers of this depth."""

    def feed(self, data: bytes, at: int) -> Iterator[Batch]:
        """Yield what ends within the bytes so far; `at` is their offset in the layer."""
        reason = ""
        if not (self.is_text or self.is_bad):
            gap_bytes = len(data) - len(data.lstrip(_GAP))
            # It may end in the indentation of a line of text.
            yield from self.text.feed(data[:gap_bytes], at)
            data, at = data[gap_bytes:], at + gap_bytes
            if not data:
                return
            reason = self._why_bad(data)
            self.is_text = not reason
        if self.is_text:
            yield from self.text.feed(data, at)
        else:
            yield from self.feed_bad(data, at, reason)

    def feed_bad(self, data: bytes, at: int, reason: str) -> Iterator[Batch]:
        """Take damage, such as the bytes of a member that proves to be none; the first reason stays."""
        if not self.is_bad:
            self.is_bad = True
            self._bad_at, self._reason = at, reason
        self._bad += data
        while len(self._bad) >= _MAX_DAMAGE_BYTES:
            yield (self._tell(_MAX_DAMAGE_BYTES),)

    def end(self, *, is_cut: bool = False) -> Iterator[Batch]:
        """Yield what is left, before a member that proves good or at the end of the layer.

        Args:
            is_cut: Whether the text is cut off here, so that its last line is not whole.
        """
        self.is_text = False
        yield from self.text.end(is_cut=is_cut)
        if self.is_bad:
            self.is_bad = False
            yield (self._tell(len(self._bad)),)

    def _tell(self, length: int) -> Damage:
        data = bytes(self._bad[:length])
        del self._bad[:length]
        at, self._bad_at = self._bad_at, self._bad_at + length
        return self._accounting.damage(data, at, self._reason)

    def _why_bad(self, data: bytes) -> str:
        """Return why bytes are not to be read as text, or nothing; after gzip members only JSON is text."""
        if self._accounting.depth == MAX_LAYERS and data.startswith(MAGIC):
            return _TOO_MANY_LAYERS
        if data.startswith(b"{"):
            return ""
        for magic, name in _FORMATS.items():
            if magic.match(data):
                reason = f"{name}, which is not read"
                break
        else:
            sample = data[:_SAMPLE_BYTES].decode("utf-8", "replace")
            is_strange = len(_STRANGE.findall(sample)) > _MOST_STRANGE * len(sample)
            if not (is_strange or self.after_members):
                return ""
            reason = "bytes between gzip members" if self.after_members else "neither gzip nor text"
        if self._accounting.account.is_bomb:
            return "the object inflates beyond 1 GiB and 200 times its size"
        return reason

"""Deal with what stands in no gzip member: gaps, text, or damage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reprise.logreader.grammar import GAP, MOST_INDENT_BYTES
from reprise.logreader.items import Batch, Damage
from reprise.logreader.member import MAGIC
from reprise.logreader.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reprise.logreader.items import Account

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


def looks_like_text(data: bytes, *, after_members: bool) -> bool:
    """Tell whether bytes are to be read as text; after gzip members only JSON is."""
    if after_members or data.startswith(b"{"):
        return data.startswith(b"{")
    if name_format(data):
        return False
    sample = data[:_SAMPLE_BYTES].decode("utf-8", "replace")
    return len(_STRANGE.findall(sample)) <= _MOST_STRANGE * len(sample)


def name_format(data: bytes) -> str | None:
    """Return what bytes are that are neither gzip nor text, if that is known."""
    for magic, name in _FORMATS.items():
        if magic.match(data):
            return f"{name}, which is not read"
    return None


MAX_LAYERS: Final = 3
_TOO_MANY_LAYERS: Final = f"gzip inside {MAX_LAYERS} layers of gzip"


class Outside:
    """The bytes of a layer that are in none of its members."""

    __slots__ = (
        "_account",
        "_bad",
        "_books",
        "_depth",
        "_indent",
        "_indent_to",
        "_text",
        "after_members",
        "is_text",
    )

    def __init__(
        self, depth: int, account: Account, unwrapped: Callable[[bytes], Iterator[Batch]] | None
    ) -> None:
        """Begin; the arguments are those of `Text`."""
        self._depth = depth
        self._account = account
        self._books = account.layer(depth)
        self._text = Text(depth, account, unwrapped)
        self._bad = BadBytes(depth, account)
        self._indent = b""
        self._indent_to = 0
        self.is_text = False
        """Whether text is being read that has not come to its end."""
        self.after_members = False
        """Whether members were read; the books count those of all layers of this depth."""

    @property
    def is_open(self) -> bool:
        """Tell whether text or damage waits for its end."""
        return self.is_text or self._bad.is_open

    @property
    def member_at(self) -> int:
        """Return where in the object the member starts that this layer's bytes are the content of."""
        return self._bad.member_at or 0

    def enter(self, member_at: int, origin: int) -> None:
        """Note which member of the object what comes is the content of, and where that begins."""
        self._bad.enter(member_at, origin)
        self._text.enter(member_at, origin)

    def quick(self, data: bytes | bytearray) -> Batch | None:
        """Return what a member's whole content holds that is one document; None if it must be fed."""
        if self._bad.is_open or data[:1] != b"{":
            return None
        return self._text.quick(data)

    def take(self, data: bytes, at: int) -> Iterator[Batch]:
        """Take bytes that are in no member."""
        if self._bad.is_open:
            yield from self._bad.add(data, at)
            return
        if not self.is_text:
            rest = data.lstrip(GAP)
            gap = data[: len(data) - len(rest)]
            self._books.blank_bytes += len(gap)
            at += len(gap)
            self._indent_before(at, gap)
            if not rest:
                return
            data = rest
            if self._depth == MAX_LAYERS and data.startswith(MAGIC):
                yield from self._bad.add(data, at, _TOO_MANY_LAYERS)
                return
            if not looks_like_text(data, after_members=self.after_members):
                yield from self._bad.add(data, at, self._why_bad(data))
                return
            self.is_text = True
            if not data.startswith(b"{"):
                self._books.blank_bytes -= len(self._indent)
                data, at = self._indent + data, at - len(self._indent)
        yield from self._text.feed(data, at)

    def _indent_before(self, at: int, gap: bytes) -> None:
        """Note the indentation that a gap ends in: if a line of text follows, it is part of the line."""
        is_same_line = self._indent_to == at - len(gap) and not gap.strip(b" \t")
        indent = self._indent + gap if is_same_line else gap[len(gap.rstrip(b" \t")) :]
        self._indent = indent if len(indent) <= MOST_INDENT_BYTES else b""
        self._indent_to = at

    def give_up(self, data: bytes, at: int, reason: str, *, may_be_text: bool) -> Iterator[Batch]:
        """Take the bytes of a member that proves to be none."""
        if self.is_text and may_be_text:
            # Text that holds gzip's magic bytes, which text does not do: the lines decide.
            return self._text.feed(data, at)
        return self._bad.add(data, at, reason)

    def settle(self) -> Iterator[Batch]:
        """Yield a document that waits for its end, if it is whole: the member that holds it has ended."""
        return self._text.settle()

    def accept(self, inside: Iterator[Batch], *, is_cut: bool = False) -> Iterator[Batch]:
        """End what stood before a member that proves good, or before the end.

        Args:
            inside: Ends what the members before any damage hold.
            is_cut: Whether the text is cut off here, so that its last line is not whole.
        """
        if self.is_text:
            self.is_text = False
            yield from self._text.end(is_cut=is_cut)
        if self._bad.is_open:
            yield from inside
            yield from self._bad.close()

    def _why_bad(self, data: bytes) -> str:
        if self._account.is_bomb:
            return "the object inflates beyond 1 GiB and 200 times its size"
        return name_format(data) or (
            "bytes between gzip members" if self.after_members else "neither gzip nor text"
        )

"""Undo gzip by sniffing: members after members, members inside members, and text where there are none.

CloudWatch Logs compresses what it sends, Firehose concatenates it and may compress again, so an
object is zero to three layers of gzip, each of any number of members (RFC 1952, section 2.2).
`gzip.decompress` is no help here: it copies the rest of the object for every member.

A member is trusted when its checksum is right. So what it inflates to is held until then, if it is of the
size of CloudWatch Logs' own. Larger ones, which only Firehose's own compression makes, and members of
members, which have checksums of their own, are passed on as they inflate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.reader import inflater
from reprise.reader.account import Account
from reprise.reader.bad import BadBytes
from reprise.reader.grammar import GAP
from reprise.reader.items import Batch, Damage
from reprise.reader.member import MAGIC, STEP_BYTES, Member, partial_magic
from reprise.reader.sniff import looks_like_text, name_format
from reprise.reader.text import Text

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

MAX_LAYERS: Final = 3
_FREE_WORK_BYTES: Final = 32 * 1024 * 1024
_WORK: Final = 16
"""Bytes that may be inflated in vain, per byte: what keeps the search for the next member linear."""
_LEAST_INPUT_BYTES: Final = 1024
_MOST_INPUT_BYTES: Final = 256 * 1024
"""An inflater copies what follows its member in the input, so the input is kept short."""
_PASSED_INPUT_BYTES: Final = 2 * 1024
"""The last input of a member that is passed on is lost if the member breaks in it."""
_TOO_MANY_LAYERS: Final = f"gzip inside {MAX_LAYERS} layers of gzip"
_CUT: Final = "gzip member ends before its end"


class Layer:
    """The bytes under a number of gzip layers, in order; feed it, and items come out."""

    __slots__ = (
        "_account",
        "_at",
        "_bad",
        "_books",
        "_carry",
        "_depth",
        "_inner",
        "_input_bytes",
        "_is_text",
        "_member",
        "_text",
        "_wasted_bytes",
    )

    def __init__(self, depth: int, account: Account) -> None:
        """Begin.

        Args:
            depth: Gzip layers above these bytes; 0 for the object itself.
            account: Where every byte is accounted for.
        """
        self._depth = depth
        self._account = account
        self._books = account.layer(depth)
        # Base64 inside base64 for ever is nobody's log.
        unwrapped = self._read_nested if depth < MAX_LAYERS else None
        self._text = Text(depth, account, unwrapped)
        self._bad = BadBytes(depth, account)
        self._inner: Layer | None = None
        self._member: Member | None = None
        self._carry = b""
        self._at = 0
        self._is_text = False
        self._input_bytes = 32 * 1024
        self._wasted_bytes = 0

    def enter(self, member_at: int) -> None:
        """Note that what comes next is the content of the member at this byte of the object."""
        self._bad.enter(member_at, self._at + len(self._carry))
        if self._text.is_empty:
            self._text.member_at = member_at
            self._text.origin = self._at + len(self._carry)

    def quick(self, data: bytes | bytearray) -> Batch | None:
        """Return what a member's whole content holds that is one document; None if it must be fed."""
        if self._member or self._carry or self._bad.is_open or data[:1] != b"{":
            return None
        items = self._text.quick(data)
        if items is not None:
            self._books.bytes_in += len(data)
            self._at += len(data)
        return items

    def feed(self, data: bytes | bytearray) -> Iterator[Batch]:
        """Yield the items that end within the bytes so far."""
        self._books.bytes_in += len(data)
        if self._carry:
            data, self._carry = self._carry + data, b""
        yield from self._run(data, 0)

    def settle(self) -> Iterator[Batch]:
        """Yield a document that waits for its end, if it is whole: the member that holds it has ended."""
        yield from self._text.settle()

    def end(self, *, is_cut: bool = False) -> Iterator[Batch]:
        """Yield what is left: the bytes end here, or are cut off."""
        members, first = self._books.members, self._member
        while self._member is not None:
            yield from self._unfinished(self._member)
        if self._carry:
            rest, self._carry = self._carry, b""
            self._at += len(rest)
            yield from self._aside(rest, self._at - len(rest))
        if first is not None and first.held and self._books.members == members:
            yield from self._salvage(first.held)
        yield from self._accept(is_cut=is_cut)
        if self._inner is not None:
            yield from self._inner.end(is_cut=is_cut)

    def _run(self, data: bytes | bytearray, position: int) -> Iterator[Batch]:
        while position < len(data):
            if self._member is not None:
                data, position = yield from self._inflate(self._member, data, position)
            elif data.startswith(MAGIC, position) and self._is_open:
                data, position = yield from self._begin(data, position)
            else:
                position = yield from self._between(data, position)
        self._at += len(data) - len(self._carry)

    @property
    def _is_open(self) -> bool:
        """Tell whether members are looked for."""
        return self._depth < MAX_LAYERS and not self._account.is_bomb

    def _begin(
        self, data: bytes | bytearray, position: int
    ) -> Generator[Batch, None, tuple[bytes | bytearray, int]]:
        """Read members that lie whole in the input and inflate in one step, as most do; begin any other."""
        inner = self._inner or self._inner_layer()
        books, at = self._books, self._at
        view = memoryview(data)
        while True:
            inflate = inflater.new_inflater()
            given = view[position : position + self._input_bytes]
            try:
                content = inflate.decompress(given, STEP_BYTES)
            except inflater.ERRORS:
                self._member = Member(at + position, inflater.new_inflater())
                return data, position
            if not inflate.eof:
                self._member = Member(at + position, inflate)
                return (yield from self._inflate(self._member, data, position, (content, given)))
            size = len(given) - len(inflate.unused_data)
            books.members += 1
            books.member_bytes += size
            if self._is_text or self._bad.is_open:
                yield from self._accept()
            inner.enter(at + position if self._depth == 0 else self._bad.member_at or 0)
            position += size
            # Its neighbour is probably not much larger.
            self._input_bytes = max(_LEAST_INPUT_BYTES, min(4 * size, _MOST_INPUT_BYTES))
            items = inner.quick(content)
            if items is None:
                yield from inner.feed(content)
                yield from inner.settle()
            else:
                del content
                yield items
            if not data.startswith(MAGIC, position) or self._account.is_bomb:
                return data, position

    def _between(self, data: bytes | bytearray, position: int) -> Generator[Batch, None, int]:
        """Deal with what stands before the next member; return where that starts."""
        at = data.find(MAGIC, position) if self._is_open else -1
        end = at if at >= 0 else len(data) - (partial_magic(data) if self._is_open else 0)
        end = max(end, position)
        if end > position:
            yield from self._aside(bytes(data[position:end]), self._at + position)
        if at < 0:
            self._carry = bytes(data[end:])
            return len(data)
        return at

    def _aside(self, data: bytes, at: int) -> Iterator[Batch]:
        """Take bytes that are in no member: gaps, text, or damage."""
        if self._bad.is_open:
            yield from self._bad.add(data, at)
            return
        if not self._is_text:
            rest = data.lstrip(GAP)
            self._books.blank_bytes += len(data) - len(rest)
            if not rest:
                return
            at += len(data) - len(rest)
            data = rest
            if self._depth == MAX_LAYERS and data.startswith(MAGIC):
                yield from self._bad.add(data, at, _TOO_MANY_LAYERS)
                return
            if not looks_like_text(data, after_members=self._books.members > 0):
                yield from self._bad.add(data, at, self._why_bad(data))
                return
            self._is_text = True
        yield from self._text.feed(data, at)

    def _why_bad(self, data: bytes) -> str:
        if self._account.is_bomb:
            return "the object inflates beyond 1 GiB and 200 times its size"
        return name_format(data) or (
            "bytes between gzip members" if self._books.members else "neither gzip nor text"
        )

    def _inflate(
        self,
        member: Member,
        data: bytes | bytearray,
        position: int,
        done: tuple[bytes, memoryview] | None = None,
    ) -> Generator[Batch, None, tuple[bytes | bytearray, int]]:
        """Go on with a member; return what is to be looked at next, and from where.

        Args:
            member: The member.
            data: The input.
            position: Where in it the member begins or goes on.
            done: What came out of its first step, and what went in.
        """
        start = position
        inflate = member.inflater
        input_bytes = _PASSED_INPUT_BYTES if member.is_passed_on else self._input_bytes
        view = memoryview(data)
        while True:
            if done is not None:
                (piece, given), done = done, None
            else:
                given = view[position : position + input_bytes]
                try:
                    piece = inflate.decompress(given, STEP_BYTES)
                except inflater.ERRORS as error:
                    return (yield from self._fail(member, data, start, f"gzip member: {error}"))
            if inflate.eof:
                position += len(given) - len(inflate.unused_data)
                yield from self._finish(member, piece, self._at + position)
                return data, position
            position += len(given) - len(inflate.unconsumed_tail)
            yield from self._hold(member, piece, self._at + position)
            if member.is_bomb or (member.is_passed_on and self._account.is_bomb):
                why = "gzip member inflates beyond 64 MiB and 200 times its size"
                return (yield from self._fail(member, data, start, why))
            if position >= len(data) and len(piece) < STEP_BYTES:
                member.keep(data, start)
                return data, position
            input_bytes = _PASSED_INPUT_BYTES if member.is_passed_on else _MOST_INPUT_BYTES

    def _hold(self, member: Member, piece: bytes, at: int) -> Iterator[Batch]:
        """Keep what an unfinished member inflates to, or pass it on if it is no batch of logs."""
        if member.hold(piece, at):
            return
        inner = self._inner_layer()
        if not member.is_passed_on:
            yield from self._accept()
            member.is_passed_on = True
            inner.enter(self._object_offset(member))
            piece, member.held = bytes(member.held), bytearray()
        yield from inner.feed(piece)

    def _finish(self, member: Member, piece: bytes, end: int) -> Iterator[Batch]:
        """Read a member's content: the member is whole and its checksum right."""
        self._member = None
        self._books.members += 1
        self._books.member_bytes += end - member.at
        size = 4 * (end - member.at)
        self._input_bytes = max(_LEAST_INPUT_BYTES, min(size, _MOST_INPUT_BYTES))
        inner = self._inner or self._inner_layer()
        if member.is_passed_on:
            yield from inner.feed(piece)
            yield from inner.settle()
            return
        if self._is_text or self._bad.is_open:
            yield from self._accept()
        content: bytes | bytearray = piece
        if member.held:
            content, member.held = member.held, bytearray()
            content += piece
        inner.enter(self._object_offset(member))
        items = inner.quick(content)
        if items is None:
            yield from inner.feed(content)
            yield from inner.settle()
        else:
            del content, piece
            yield items

    def _fail(
        self, member: Member, data: bytes | bytearray, start: int, reason: str
    ) -> Generator[Batch, None, tuple[bytes | bytearray, int]]:
        """Give a member up, and look for the next one within its bytes."""
        self._member = None
        rest = bytes(member.kept + data[start:])
        first_at = self._at + start - len(member.kept)
        if member.is_passed_on:
            self._books.member_bytes += first_at - member.at
        self._wasted_bytes += (
            first_at + len(rest) - member.at + member.inflated_bytes // _WORK
            if member.is_passed_on
            else member.end - member.at + member.inflated_bytes // _WORK
        )
        skip = 1 if first_at == member.at else 0
        allowed = _FREE_WORK_BYTES + _WORK * self._books.bytes_in
        if self._wasted_bytes > allowed:
            skip += (member.end - member.at) // _WORK
        end = rest.find(MAGIC, skip)
        if end < 0:
            end = max(len(rest) - partial_magic(rest), min(1, len(rest)))
        yield from self._give_up(member, rest[:end], first_at, reason)
        self._at = first_at
        return rest, end

    def _give_up(self, member: Member, data: bytes, at: int, reason: str) -> Iterator[Batch]:
        if self._is_text and not member.is_passed_on:
            # Text that holds gzip's magic bytes, which text does not do: the lines decide.
            yield from self._text.feed(data, at)
        else:
            yield from self._bad.add(data, at, reason)

    def _unfinished(self, member: Member) -> Iterator[Batch]:
        """Deal with a member that the bytes end in."""
        self._member = None
        if member.is_passed_on:
            self._books.member_bytes += self._at - member.at
            yield from self._inner_layer().end(is_cut=True)
            yield from self._bad.add(b"", self._at, f"{_CUT}; it starts at byte {member.at}")
            return
        rest = bytes(member.kept)
        after = rest.find(MAGIC, 1)
        if self._wasted_bytes > _FREE_WORK_BYTES + _WORK * self._books.bytes_in:
            after = -1
        self._wasted_bytes += len(rest)
        yield from self._give_up(member, rest[:after] if after >= 0 else rest, member.at, _CUT)
        if after >= 0:
            self._at = member.at
            yield from self._run(rest, after)

    def _accept(self, *, is_cut: bool = False) -> Iterator[Batch]:
        """End what stood before a member that proves good, or before the end."""
        if self._is_text:
            self._is_text = False
            yield from self._text.end(is_cut=is_cut)
        if self._bad.is_open:
            if self._inner is not None:
                yield from self._inner.end(is_cut=True)
            yield from self._bad.close()

    def _salvage(self, held: bytearray) -> Iterator[Batch]:
        """Yield the whole events of a member that the object ends in; its bytes are damage all the same."""
        scratch = Account()
        layer = Layer(self._depth + 1, scratch)
        for batches in (layer.feed(held), layer.end(is_cut=True)):
            for batch in batches:
                yield [item for item in batch if not isinstance(item, Damage)]
        self._account.add_items(scratch)

    def _read_nested(self, data: bytes) -> Iterator[Batch]:
        """Read gzip that text carries as base64."""
        nested = Layer(self._depth + 1, self._account)
        yield from nested.feed(data)
        yield from nested.end()

    def _object_offset(self, member: Member) -> int:
        return member.at if self._depth == 0 else self._bad.member_at or 0

    def _inner_layer(self) -> Layer:
        if self._inner is None:
            self._inner = Layer(self._depth + 1, self._account)
        return self._inner

"""Undo gzip by sniffing: members after members, members inside members, and text where there are none.

CloudWatch Logs compresses what it sends, Firehose concatenates it and may compress again, so an object is
zero to three layers of gzip, each of any number of members (RFC 1952, section 2.2). `gzip.decompress` is no
help here: it copies the rest of the object for every member.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from reprise.logreader.between import MAX_LAYERS, Between
from reprise.logreader.items import Account, ByteAccounting, Damage
from reprise.logreader.member import (
    ERRORS,
    FIRST_INPUT_BYTES,
    MAGIC,
    STEP_BYTES,
    SUSPECT_INPUT_BYTES,
    Member,
    next_after,
    next_magic,
)
from reprise.logreader.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from reprise.logreader.items import Batch, Item

    Data = bytes | bytearray
    Reading = Generator[Batch, None, tuple[Data, int]]
    """Reads from some input; returns the input to go on with, and from where."""

_BOMB: Final = "gzip member inflates beyond 64 MiB and 200 times its size"
_CUT: Final = "gzip member ends before its end"

SLICE_BYTES: Final = 256 * 1024


class Layer:
    """The bytes under a number of gzip layers, in order; feed it, and items come out."""

    def __init__(self, depth: int, account: Account) -> None:
        """Begin.

        Args:
            depth: Gzip layers above these bytes; 0 for the object itself.
            account: Where every byte is accounted for.
        """
        # Base64 inside base64 for ever is nobody's log.
        read_packed = self._read_packed if depth < MAX_LAYERS else None
        self._accounting = ByteAccounting(account, depth, read_packed)
        self._parts = Parts(self._accounting)
        self._between = Between(self._accounting, self._parts)
        # What the members hold, once there is one.
        self._below: Layer | None = None
        self._open: Member | None = None
        self._input_bytes = FIRST_INPUT_BYTES
        # The last bytes, which may be the beginning of a member.
        self._rest = b""
        # Offset in the layer of the input that is being read.
        self._at = 0

    def enter(self, member_at: int | None) -> None:
        """Note that what comes next is the content of the member at this byte of the object."""
        self._accounting.members.append((self._at + len(self._rest), member_at))

    def feed(self, data: Data) -> Iterator[Batch]:
        """Yield the items that end within the bytes so far."""
        self._accounting.layer.bytes_in += len(data)
        if self._rest:
            data, self._rest = self._rest + data, b""
        yield from self._run(data, 0)

    def feed_last(self, content: Data) -> Iterator[Batch]:
        """Yield what ends within a member's content, or its last part.

        Mostly the content is one document, which is decoded without a search for its end.
        """
        is_begun = self._rest or self._open or self._between.is_bad or self._between.text.waiting
        is_tried = content.startswith(b"{") and not is_begun
        items = self._parts.document(content) if is_tried else None
        if items is None:
            yield from self.feed(content)
        else:
            self._accounting.layer.bytes_in += len(content)
            self._at += len(content)
            yield items
        yield from self._between.text.settle()

    def end(self, *, is_cut: bool = False) -> Iterator[Batch]:
        """Yield what is left: the bytes end here, or are cut off."""
        members, first = self._accounting.layer.members, self._open
        while self._open is not None:
            data, position = yield from self._cut(self._open)
            yield from self._run(data, position)
        if self._rest:
            rest, self._rest = self._rest, b""
            self._at += len(rest)
            yield from self._between.feed(rest, self._at - len(rest))
        if first is not None and first.held and self._accounting.layer.members == members:
            yield from self._salvage(first)
        yield from self._end_between(is_cut=is_cut)
        if self._below is not None:
            yield from self._below.end(is_cut=is_cut)

    def _run(self, data: Data, position: int) -> Iterator[Batch]:
        while position < len(data):
            if self._open is None:
                start, position = position, self._next_member(data, position)
                if position > start:
                    yield from self._between.feed(bytes(data[start:position]), self._at + start)
                if not data.startswith(MAGIC, position):
                    self._rest = bytes(data[position:])
                    break
                self._open = Member(self._at + position, self._input_bytes)
            data, position = yield from self._inflate(self._open, data, position)
        self._at += len(data) - len(self._rest)

    def _next_member(self, data: Data, position: int) -> int:
        if self._accounting.depth == MAX_LAYERS or self._accounting.account.is_bomb:
            return len(data)
        return next_magic(data, position)

    def _inflate(self, member: Member, data: Data, position: int) -> Reading:
        """Inflate a member as far as the input goes."""
        start = position
        view = memoryview(data)
        while True:
            try:
                piece, position = member.inflate(view, position)
            except ERRORS as error:
                return (yield from self._fail(member, data, start, f"gzip member: {error}"))
            if member.is_whole:
                yield from self._finish(member, piece)
                return data, position
            if member.is_passed_on and self._below is not None:
                yield from self._below.feed(piece)
            elif not member.hold(piece):
                yield from self._pass_on(member)
            if member.is_bomb or (member.is_passed_on and self._accounting.account.is_bomb):
                member.given_bytes = 0
                return (yield from self._fail(member, data, start, _BOMB))
            if position >= len(data) and len(piece) < STEP_BYTES:
                member.keep(view[start:])
                return data, position

    def _enter(self, member: Member) -> Layer:
        """Return the layer below, told that this member's content comes next."""
        if self._below is None:
            self._below = Layer(self._accounting.depth + 1, self._accounting.account)
        outer = self._accounting.members
        member_at = member.at if self._accounting.depth == 0 else outer[-1][1] if outer else None
        self._below.enter(member_at)
        return self._below

    def _finish(self, member: Member, piece: bytes) -> Iterator[Batch]:
        """Read a member's content: the member is whole and its checksum right."""
        self._open = None
        self._input_bytes = FIRST_INPUT_BYTES
        self._accounting.layer.members += 1
        self._accounting.layer.member_bytes += member.end - member.at
        self._between.after_members = True
        if member.is_passed_on and self._below is not None:
            yield from self._below.feed_last(piece)
            return
        yield from self._end_between()
        content: Data = piece
        if member.held:
            content, member.held = member.held, bytearray()
            content += piece
        yield from self._enter(member).feed_last(content)

    def _pass_on(self, member: Member) -> Iterator[Batch]:
        """Hand on what is held of a member that is no batch of logs, and from now on what follows."""
        yield from self._end_between()
        member.is_passed_on = True
        yield from chain.from_iterable(map(self._enter(member).feed, member.release()))

    def _end_between(self, *, is_cut: bool = False) -> Iterator[Batch]:
        """End what stood before a member that proves good, or before the end."""
        if self._between.is_bad and self._below is not None:
            # What the members before the damage hold does not go on behind it.
            yield from self._below.end(is_cut=True)
        yield from self._between.end(is_cut=is_cut)

    def _fail(self, member: Member, data: Data, start: int, reason: str) -> Reading:
        """Give a member up, and look for the next one within its bytes.

        Args:
            member: The member.
            data: The input.
            start: Where in it the member begins, or goes on after what is kept of it.
            reason: Why it is given up.
        """
        self._open = None
        self._input_bytes = SUSPECT_INPUT_BYTES
        if member.kept:
            self._at += start - len(member.kept)
            data, start = bytes(member.kept + memoryview(data)[start:]), 0
        first_at = self._at + start
        if member.is_passed_on:
            self._accounting.layer.member_bytes += first_at - member.at
        is_head = first_at == member.at
        end = next_after(member, data, start, is_head=is_head, layer=self._accounting.layer)
        given_up = bytes(memoryview(data)[start:end])
        yield from self._give_up(member, given_up, first_at, reason)
        return data, end

    def _give_up(self, member: Member, data: bytes, at: int, reason: str) -> Iterator[Batch]:
        if self._between.is_text and not member.is_passed_on:
            # Text that holds gzip's magic bytes, which text does not do: the lines decide.
            return self._between.text.feed(data, at)
        return self._between.feed_bad(data, at, reason)

    def _cut(self, member: Member) -> Reading:
        """Deal with a member that the layer ends in."""
        if member.holds_members and not member.is_passed_on:
            yield from self._pass_on(member)
        if not member.is_passed_on or self._below is None:
            return (yield from self._fail(member, b"", 0, _CUT))
        self._open = None
        self._accounting.layer.member_bytes += self._at - member.at
        yield from self._below.end(is_cut=True)
        yield from self._give_up(member, b"", self._at, f"{_CUT}; it starts at byte {member.at}")
        return b"", 0

    def _salvage(self, member: Member) -> Iterator[Batch]:
        """Yield the whole events of a member that the object ends in; its bytes are damage all the same."""
        scratch = Account()
        layer = Layer(self._accounting.depth + 1, scratch)
        fed = chain.from_iterable(map(layer.feed, member.release()))
        for batch in chain(fed, layer.end(is_cut=True)):
            yield [item for item in batch if not isinstance(item, Damage)]
        self._accounting.account.add_items(scratch)

    def _read_packed(self, data: bytes) -> Iterator[Batch]:
        """Read gzip that text carries as base64."""
        layer = Layer(self._accounting.depth + 1, self._accounting.account)
        yield from layer.feed(data)
        yield from layer.end()


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

"""Inflate the gzip members of a layer, one after the other.

A member is trusted when its checksum is right. So what it inflates to is held until then, if it is of the
size of CloudWatch Logs' own. Larger ones, which only Firehose's own compression makes, and members of
members, which have checksums of their own, are passed on as they inflate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.logreader import member as inflater
from reprise.logreader.member import (
    MAGIC,
    MOST_INPUT_BYTES,
    PASSED_INPUT_BYTES,
    STEP_BYTES,
    SUSPECT_INPUT_BYTES,
    Member,
    Search,
    input_bytes_after,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from reprise.logreader.items import Account, Batch
    from reprise.logreader.layer import Inside
    from reprise.logreader.outside import Outside

    Data = bytes | bytearray
    Reading = Generator[Batch, None, tuple[Data, int]]
    """Reads from some input; returns the input to go on with, and from where."""

_BOMB: Final = "gzip member inflates beyond 64 MiB and 200 times its size"
_CUT: Final = "gzip member ends before its end"


class Members:
    """The members of one layer, one after the other."""

    __slots__ = (
        "_account",
        "_books",
        "_depth",
        "_input_bytes",
        "_inside",
        "_outside",
        "_search",
        "at",
        "open",
    )

    def __init__(self, depth: int, account: Account, inside: Inside, outside: Outside) -> None:
        """Begin below some gzip layers; `inside` reads what members hold, `outside` what is between."""
        self._depth = depth
        self._account = account
        self._books = account.layer(depth)
        self._inside = inside
        self._outside = outside
        self._input_bytes = 32 * 1024
        self._search = Search(self._books)
        self.at = 0
        """Offset in the layer of the input that is being read."""
        self.open: Member | None = None
        """The member that the input so far ended in."""

    def read(self, data: Data, position: int) -> Reading:
        """Read members that lie whole in the input and inflate in one step, as most do; begin any other."""
        inside, outside, books, at = self._inside, self._outside, self._books, self.at
        view = memoryview(data)
        while True:
            inflate = inflater.new_inflater()
            given = view[position : position + self._input_bytes]
            try:
                content = inflate.decompress(given, STEP_BYTES)
            except inflater.ERRORS as error:
                member = Member(at + position, inflate)
                return (yield from self._fail(member, data, position, error, len(given)))
            if not inflate.eof:
                self.open = Member(at + position, inflate)
                return (yield from self.go_on(self.open, data, position, (content, given)))
            size = len(given) - len(inflate.unused_data)
            books.members += 1
            books.member_bytes += size
            outside.after_members = True
            if outside.is_open:
                yield from outside.accept(inside.end(is_cut=True))
            start, position = position, position + size
            self._input_bytes = input_bytes_after(size)
            items = inside.quick(content, at + start if self._depth == 0 else outside.member_at)
            if items is None:
                yield from inside.whole(content)
            else:
                del content
                yield items
            if not data.startswith(MAGIC, position) or self._account.is_bomb:
                return data, position

    def go_on(
        self,
        member: Member,
        data: Data,
        position: int,
        done: tuple[bytes, memoryview] | None = None,
    ) -> Reading:
        """Go on with a member; `done` is what came out of its first step, and what went in."""
        start = position
        inflate = member.inflater
        input_bytes = PASSED_INPUT_BYTES if member.is_passed_on else self._input_bytes
        view = memoryview(data)
        while True:
            if done is not None:
                (piece, given), done = done, None
            else:
                given = view[position : position + input_bytes]
                try:
                    piece = inflate.decompress(given, STEP_BYTES)
                except inflater.ERRORS as error:
                    return (yield from self._fail(member, data, start, error, len(given)))
            if inflate.eof:
                position += len(given) - len(inflate.unused_data)
                yield from self._finish(member, piece, self.at + position)
                return data, position
            position += len(given) - len(inflate.unconsumed_tail)
            yield from self._hold(member, piece, self.at + position)
            if member.is_bomb or (member.is_passed_on and self._account.is_bomb):
                return (yield from self._fail(member, data, start, None))
            if position >= len(data) and len(piece) < STEP_BYTES:
                member.keep(data, start)
                return data, position
            # If it fails, nobody says where: it has looked at half of what it was given, or more.
            input_bytes = min(2 * input_bytes, MOST_INPUT_BYTES)
            if member.is_passed_on:
                input_bytes = PASSED_INPUT_BYTES

    def cut(self, member: Member) -> Generator[Batch, None, tuple[Data, int] | None]:
        """Deal with a member that the layer ends in; return what is to be looked at again, if anything."""
        self.open = None
        if member.holds_members and not member.is_passed_on:
            yield from self._pass_on(member)
        if member.is_passed_on:
            self._books.member_bytes += self.at - member.at
            yield from self._inside.end(is_cut=True)
            why = f"{_CUT}; it starts at byte {member.at}"
            yield from self._outside.give_up(b"", self.at, why, may_be_text=False)
            return None
        rest = bytes(member.kept)
        after = self._search.after_cut(rest)
        yield from self._outside.give_up(rest[:after], member.at, _CUT, may_be_text=True)
        if after == len(rest):
            return None
        self.at = member.at
        return rest, after

    def _hold(self, member: Member, piece: bytes, end: int) -> Iterator[Batch]:
        """Keep what an unfinished member inflates to, or pass it on if it is no batch of logs."""
        if member.hold(piece, end):
            return
        if member.is_passed_on:
            yield from self._inside.feed(piece)
        else:
            yield from self._pass_on(member)

    def _pass_on(self, member: Member) -> Iterator[Batch]:
        yield from self._outside.accept(self._inside.end(is_cut=True))
        member.is_passed_on = True
        self._inside.enter(self._object_offset(member))
        for held in member.release():
            yield from self._inside.feed(held)

    def _finish(self, member: Member, piece: bytes, end: int) -> Iterator[Batch]:
        """Read a member's content: the member is whole and its checksum right."""
        self.open = None
        self._books.members += 1
        self._books.member_bytes += end - member.at
        self._outside.after_members = True
        self._input_bytes = input_bytes_after(end - member.at)
        if member.is_passed_on:
            yield from self._inside.whole(piece)
            return
        if self._outside.is_open:
            yield from self._outside.accept(self._inside.end(is_cut=True))
        content: Data = piece
        if member.held:
            content, member.held = member.held, bytearray()
            content += piece
        items = self._inside.quick(content, self._object_offset(member))
        if items is None:
            yield from self._inside.whole(content)
        else:
            del content, piece
            yield items

    def _fail(
        self, member: Member, data: Data, start: int, why: Exception | None, given: int = 0
    ) -> Reading:
        """Give a member up, and look for the next one within its bytes.

        Args:
            member: The member.
            data: The input.
            start: Where in it the member begins, or goes on after what is kept of it.
            why: What its inflater raised; None if it inflates to too much.
            given: Bytes that the inflater was given then.
        """
        self.open = None
        if member.kept:
            self.at += start - len(member.kept)
            data, start = bytes(member.kept + memoryview(data)[start:]), 0
        first_at = self.at + start
        if member.is_passed_on:
            self._books.member_bytes += first_at - member.at
        is_head = first_at == member.at
        end = self._search.after_failure(member, data, start, is_head=is_head, given=given)
        self._input_bytes = SUSPECT_INPUT_BYTES
        reason = _BOMB if why is None else f"gzip member: {why}"
        may_be_text = not member.is_passed_on
        given_up = bytes(memoryview(data)[start:end])
        yield from self._outside.give_up(given_up, first_at, reason, may_be_text=may_be_text)
        return data, end

    def _object_offset(self, member: Member) -> int:
        return member.at if self._depth == 0 else self._outside.member_at

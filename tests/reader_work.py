"""Count what reading an object costs: bytes decoded, inflated, searched and copied, and not time."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reprise.logreader import Account, layer, parts, read_events
from reprise.logreader import member as inflater
from reprise.logreader.envelope import JSON, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Work:
    """What was looked at so far, in bytes; the functions that look are replaced by ones that count."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.bytes = 0
        for name, module in list(sys.modules.items()):
            if not name.startswith("reprise.logreader."):
                continue
            for attribute, value in list(vars(module).items()):
                if isinstance(value, re.Pattern):
                    patch.setattr(module, attribute, CountingPattern(value, self))
                elif value is JSON:
                    patch.setattr(module, attribute, CountingDecoder(self))
        new_inflater = inflater.new_inflater
        patch.setattr(inflater, "new_inflater", lambda: CountingInflater(new_inflater(), self))
        patch.setattr(parts, "decode", self._counting(decode))
        patch.setattr(layer, "bytes", self._counting(bytes), raising=False)
        # What is free in a large object hides everything in a small one.
        patch.setattr("reprise.logreader.member._FREE_WORK_BYTES", 0)

    def _counting(self, look: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def count(data: bytes) -> Any:
            self.bytes += len(data)
            return look(data)

        return count


class CountingPattern:
    """A regular expression that counts the characters it looks at."""

    def __init__(self, pattern: re.Pattern[Any], work: Work) -> None:
        self._pattern = pattern
        self._work = work

    def _found(self, match: re.Match[Any] | None, start: int, end: int) -> re.Match[Any] | None:
        self._work.bytes += max(0, (match.end() if match else end) - start)
        return match

    def search(self, where: Any, start: int = 0, end: int = sys.maxsize) -> re.Match[Any] | None:
        return self._found(self._pattern.search(where, start, end), start, min(end, len(where)))

    def match(self, where: Any, start: int = 0, end: int = sys.maxsize) -> re.Match[Any] | None:
        return self._found(self._pattern.match(where, start, end), start, start + 1)

    def fullmatch(self, where: Any) -> re.Match[Any] | None:
        return self._found(self._pattern.fullmatch(where), 0, len(where))

    def findall(self, where: Any) -> list[Any]:
        self._work.bytes += len(where)
        return self._pattern.findall(where)

    def finditer(self, where: Any) -> Iterator[re.Match[Any]]:
        self._work.bytes += len(where)
        return self._pattern.finditer(where)


class CountingDecoder:
    """A JSON decoder that counts the characters it looks at, and those that its errors look at."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def decode(self, document: str) -> Any:
        self._work.bytes += len(document)
        return JSON.decode(document)

    def raw_decode(self, document: str, start: int) -> tuple[Any, int]:
        try:
            value, end = JSON.raw_decode(document, start)
        except RecursionError:
            self._work.bytes += len(document) - start
            raise
        except json.JSONDecodeError as error:
            is_open = error.msg.startswith("Unterminated")
            self._work.bytes += (len(document) if is_open else error.pos) - start + 1
            if type(document).count is str.count:
                # To say in which line it is.
                self._work.bytes += error.pos
            raise
        self._work.bytes += end - start
        return value, end


class CountingInflater:
    """An inflater that counts what goes in and what comes out."""

    def __init__(self, inflate: inflater.Inflater, work: Work) -> None:
        self._inflate = inflate
        self._work = work

    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes:
        try:
            content = self._inflate.decompress(data, max_length)
        except inflater.ERRORS:
            self._work.bytes += len(data)
            raise
        # What it does not use it only copies, and is given little of.
        left = len(self._inflate.unused_data) + len(self._inflate.unconsumed_tail)
        self._work.bytes += len(data) - left + len(content)
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inflate, name)


def measure(data: bytes) -> tuple[int, Account]:
    """Return what reading an object costs, in bytes, and its account."""
    account = Account()
    scratch: list[Account] = []

    def new_account() -> Account:
        scratch.append(Account())
        return scratch[-1]

    with pytest.MonkeyPatch.context() as patch:
        work = Work(patch)
        patch.setattr(layer, "Account", new_account)
        pieces = (data[start : start + 65_536] for start in range(0, len(data), 65_536))
        for _ in read_events(pieces, account):
            pass
    # What is saved of a member that the object ends in is read, too, and may be many times its bytes.
    for other in scratch:
        account.layers += other.layers
    return work.bytes, account

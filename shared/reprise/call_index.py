"""The index of captured calls: pages in the stack's bucket that say which calls were captured, when and why.

A page is written with each hundred calls that are entered in the ledger, so that a call costs a hundredth of
a PUT and the ledger's table needs no index. Pages say what never changes; how a call stands is the ledger's
to say. Their keys begin with the day and time of their youngest call.
See docs/adr/0032-pages-list-the-calls.md.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Final

import msgspec

from reprise.errors import BadRecordError
from reprise.instant import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise.capturing.record import Record

PREFIX: Final = "calls/"
MAX_MESSAGE_CHARS: Final = 200
SHA256_CHARS: Final = 16
"""As in the id of a call whose key names another payload, `conflict_id`."""
_LEVEL: Final = 6


class IndexEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One capture of a call."""

    id: str
    """As it was captured; one whose key names another payload has another in the ledger."""
    target: str
    """Unqualified function ARN."""
    captured_at: str
    sha256: str
    """Beginning of its payload's digest."""
    source: str
    """Who captured it."""
    kind: str
    """Outcome of the caller's own try."""
    code: str = ""
    message: str = ""
    """How it failed."""

    @property
    def why(self) -> str:
        """Return why it was captured, for people."""
        return ": ".join(part for part in (self.kind, self.code, self.message) if part)


class IndexPage(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that came in one capture object."""

    version: int = 1
    object: str
    """S3 URL of the capture object."""
    calls: tuple[IndexEntry, ...]


def entry_of(record: Record) -> IndexEntry:
    """Return what the index says of a captured call; nothing of its payload."""
    outcome = record.outcome
    said = " ".join((outcome.message or outcome.reason or "").split())
    return IndexEntry(
        id=record.id,
        target=record.target.function,
        captured_at=record.captured_at,
        sha256=record.payload.sha256[:SHA256_CHARS],
        source=record.source.name,
        kind=outcome.kind.value,
        code=outcome.code or "",
        message=said[:MAX_MESSAGE_CHARS],
    )


def page_key(page: IndexPage) -> str:
    """Return where a page is kept: the same place whenever the same calls are read again."""
    at = format_instant(max(parse_instant(entry.captured_at) for entry in page.calls))
    day, _, time = at.removesuffix("Z").partition("T")
    identity = json.dumps([page.object, [entry.id for entry in page.calls]])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return f"{PREFIX}{day}/{time}-{digest}.json.gz"


def key_at(key: str) -> str:
    """Return the instant of a page's youngest call, ISO 8601, from its key; empty if that is no page's."""
    day, _, rest = key.removeprefix(PREFIX).partition("/")
    time, dash, _ = rest.partition("-")
    return f"{day}T{time}Z" if dash else ""


def write_page(page: IndexPage) -> bytes:
    """Return a page's bytes; the same page gives the same."""
    return gzip.compress(msgspec.json.encode(page), _LEVEL, mtime=0)


def read_page(data: bytes) -> IndexPage:
    """Return the page of these bytes.

    Raises:
        BadRecordError: `invalid_page`, if they are none.
    """
    try:
        return msgspec.json.decode(gzip.decompress(data), type=IndexPage)
    except (msgspec.DecodeError, OSError, EOFError, ValueError) as error:
        raise BadRecordError("invalid_page", str(error)) from error


def page_of(records: Sequence[Record], url: str) -> IndexPage:
    """Return the page of calls that came in one capture object."""
    return IndexPage(object=url, calls=tuple(entry_of(record) for record in records))

"""Find the call that somebody names, in the ledger and in the index."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from reprise.instant import utc_now
from reprise_cli.calls.desk import call_pages
from reprise_cli.calls.ids import Matches, some_of, unknown, window
from reprise_cli.calls.read_back import read_back_of
from reprise_cli.exits import NotFoundError, UsageError
from reprise_cli.options import DEFAULT_STACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.app import App

MAX_KEY_BYTES: Final = 2048
"""DynamoDB developer guide, Quotas: the longest partition key. No call has a longer id."""
_MOST: Final = 200_000
"""Calls that a short id is looked for among, the youngest."""
_SCHEME: Final = "reprise://"
_PATH: Final = "/calls/"


class NotArrivedError(NotFoundError):
    """A call is not known, and its id is so young that it may be on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRef:
    """A call, and the stack that its URL names."""

    call_id: str
    stack_name: str | None = None


def read_call_ref(text: str) -> CallRef:
    """Return the call that an id or a URL such as `reprise://stack/calls/ID` names.

    An id may hold any printable character, in a URL with `%` and two digits for most; all after the first
    `/calls/` is the id.
    """
    if "://" not in text:
        return CallRef(call_id=text)
    _, _, after = text.partition("://")
    authority, found, call_id = after.partition(_PATH)
    if not found:
        return CallRef(call_id=text)
    return CallRef(
        call_id=unquote(call_id), stack_name=authority if text.startswith(_SCHEME) else None
    )


def stack_of(reprise: App, ref: CallRef) -> App:
    """Return the command at the stack that a reference names, unless another one was asked for."""
    if ref.stack_name and reprise.options.stack_name == DEFAULT_STACK:
        return reprise.for_stack(ref.stack_name)
    return reprise


def call_named(reprise: App, text: str) -> str:
    """Return the id of the one call that a text names: its id, a beginning of it, or its caller's key.

    Raises:
        UsageError: If it is empty, or names several.
        NotArrivedError: If none is known, and the id says that it was made just now.
        NotFoundError: If none is known.
        StoreError: If ledger or index cannot be read.
    """
    if not text:
        raise UsageError("ID", "is empty", "Name the call by the id of its 202")
    if _is_key(text) and reprise.ledger.get(text) is not None:
        return text
    since, until = window(text) or (None, None)
    with reprise.out.progress("looking for the call") as advance:
        calls = islice(call_pages(reprise, advance).calls(since, until), _MOST)
        matches = Matches(text).look(listed.entry.id for listed in calls)
    found = matches.best
    # One that is listed in full, and has no row, was not entered yet, or has expired.
    if len(found) == 1 and found != [text]:
        return found[0]
    if len(found) > 1:
        raise UsageError(
            "ID", f"{text!r} names {len(found):,} calls: {some_of(found)}", "Name one in full"
        )
    message, step, is_young = unknown(text, utc_now(), read_back_of(reprise))
    if matches.near:
        step = f"Did you mean {' or '.join(matches.near)}?"
    raise (NotArrivedError if is_young else NotFoundError)("ID", message, step)


def _is_key(text: str) -> bool:
    """Tell whether a text may be a row's key.

    Raises:
        UsageError: If it is no text at all: a shell may hand over any bytes.
    """
    try:
        return len(text.encode()) <= MAX_KEY_BYTES
    except UnicodeEncodeError as error:
        raise UsageError(
            "ID", "is no text in UTF-8", "Name the call by the id of its 202"
        ) from error


def letters_named(reprise: App, names: Sequence[str]) -> list[str]:
    """Return the ids that dead letters are named by; what names no call may be a message's, and stays.

    Raises:
        UsageError: If one is empty, or names several calls.
    """
    found: list[str] = []
    for name in names:
        try:
            found.append(call_named(reprise, name))
        except NotFoundError:
            found.append(name)
    return found

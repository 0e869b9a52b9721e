"""Find calls that were named in the capture objects that their rows tell."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reprise.instant import parse_instant
from reprise_cli.calls.lookup import call_named
from reprise_cli.exits import CommandError
from reprise_cli.replay.window import Window, first_life

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise.call.target import Target
    from reprise.ledger import Row
    from reprise_cli.app import App
    from reprise_cli.replay.window import States


def window_named(reprise: App, names: Sequence[str], states: States, into: Target | None) -> Window:
    """Return a window that holds the calls that are named, and no others.

    Raises:
        UsageError: If a name is empty, or of several calls.
        CommandError: If one is not known, or where it was captured is not.
        StoreError: If ledger or index cannot be read.
    """
    return window_of_calls(reprise, [call_named(reprise, name) for name in names], states, into)


def window_of_calls(
    reprise: App, ids: Sequence[str], states: States, into: Target | None
) -> Window:
    """Return the same for whole ids.

    Raises:
        CommandError: If where one was captured is not known.
        StoreError: If the ledger cannot be read.
    """
    rows = reprise.ledger.get_all(list(dict.fromkeys(ids)))
    keys = {_key_of(call_id, rows.get(call_id), reprise.stack.bucket) for call_id in ids}
    captured = sorted(parse_instant(row.captured_at) for row in rows.values())
    return Window(
        begin_at=captured[0],
        end_at=captured[-1] + timedelta(microseconds=1),
        states=states,
        into=into,
        ids=frozenset(ids),
        keys=tuple(sorted(keys)),
    )


def _key_of(call_id: str, row: Row | None, bucket: str) -> str:
    life = first_life(call_id)
    if life is not None:
        raise CommandError(
            "--call", f"{call_id!r} is a later life of {life[0]!r}, whose line it has", "Name that"
        )
    if row is None:
        raise CommandError(
            "--call",
            f"the ledger has no row of {call_id!r}",
            "Name the time of its capture: --from 3h",
        )
    url = urlsplit(row.capture_object or "")
    if url.netloc != bucket:
        raise CommandError(
            "--call",
            f"where {call_id!r} was captured is not known",
            "Its dead letter may have it: reprise dlq redrive ID",
        )
    return url.path.lstrip("/")

"""The dead letters: listed, grouped, and one of them with each of its tries; payloads stay where they are."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from reprise.instant import format_instant, utc_now
from reprise.retry.decision import Reason
from reprise_cli.dlq.desk import peek
from reprise_cli.dlq.view import describe, group_documents
from reprise_cli.exits import NotFoundError
from reprise_cli.page.forms import count_of, read_selection
from reprise_letters.job import LetterQueue, planned
from reprise_letters.letter import Selection, select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from reprise_cli.app import App
    from reprise_cli.page.heard import HeardOutput
    from reprise_letters.letter import Letter

_SAME_S: Final = 30.0
"""How long what was seen is filtered again without another look: each look hides letters from others."""
LIMIT: Final = 1_000
_SHOWN: Final = 500
_MOST: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a look saw, bodies left out."""

    letters: list[Letter]
    tries: Mapping[str, list[dict[str, Any]]]
    limit: int
    at: datetime
    at_s: float

    @property
    def is_all(self) -> bool:
        return len(self.letters) < self.limit


class LetterPages:
    """Shows one stack's dead letters; looks take turns, since each hides letters from the others."""

    def __init__(self, reprise: App, out: HeardOutput) -> None:
        """Show this stack's; its output is heard."""
        self._reprise = reprise
        self._out = out
        self._lock = Lock()
        self._seen: _Seen | None = None

    def forget(self) -> None:
        """Look again when somebody asks: something was done."""
        self._seen = None

    def list(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return letters, those that were given up last first, and their groups.

        Raises:
            UsageError: If a filter cannot be understood.
            StoreError: If the queue cannot be read.
        """
        selection = read_selection(asked, is_all=True)
        limit = min(count_of(asked, "limit") or LIMIT, _MOST)
        with self._lock:
            seen = self._look(limit, is_fresh=bool(asked.get("fresh")))
        now = utc_now()
        letters = sorted(
            select(seen.letters, selection, now), key=lambda letter: letter.at, reverse=True
        )
        grouped = [planned(letter) for letter in letters]
        return {
            "count": len(letters),
            "seen": len(seen.letters),
            "is_all": seen.is_all,
            "looked_at": format_instant(seen.at),
            "letters": [describe(letter) for letter in letters[:_SHOWN]],
            "groups": [
                group | {"filter": error_filter(group["error"])}
                for group in group_documents(grouped)
            ],
            "targets": sorted({letter.target for letter in seen.letters} - {""}),
            "reasons": list(Reason),
            "notes": self._out.take(),
        }

    def one(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return one letter, by the id of its call or message, and its tries.

        Raises:
            NotFoundError: If it is not there.
        """
        wanted = Selection(ids=frozenset({str(asked["id"])} - {""}))
        with self._lock:
            seen = self._seen
            found = select(seen.letters, wanted, utc_now()) if seen is not None else []
            if not found:
                found = select(self._peek(_MOST, wanted), wanted, utc_now())
                seen = None
        if not found:
            raise NotFoundError("ID", "no dead letter of this id was seen", "Look at /letters")
        letter = found[0]
        tries = tries_of(letter) if seen is None else seen.tries[letter.message_id]
        return describe(letter) | {"tries": tries, "object": letter.capture_object}

    def _look(self, limit: int, *, is_fresh: bool) -> _Seen:
        seen, at_s = self._seen, time.monotonic()
        is_known = seen is not None and seen.limit >= limit and at_s - seen.at_s < _SAME_S
        if seen is not None and is_known and not is_fresh:
            return seen
        letters = self._peek(limit)
        self._seen = _Seen(
            # A body may have 256 KB, and all of them are in this process as long as it runs.
            letters=[replace(letter, body="", record=None) for letter in letters],
            tries={letter.message_id: tries_of(letter) for letter in letters},
            limit=limit,
            at=utc_now(),
            at_s=at_s,
        )
        return self._seen

    def _peek(self, limit: int, until: Selection | None = None) -> Sequence[Letter]:
        return peek(self._reprise, LetterQueue.CALLS, limit, until)


def tries_of(letter: Letter) -> list[dict[str, Any]]:
    """Return the tries that a letter tells of, the first first; none of what is no letter of ours."""
    try:
        history = json.loads(letter.body)["reprise"]["history"]
        return [
            {
                "at": str(one.get("at", "")),
                "kind": str(one["outcome"].get("kind", "")),
                "error": ": ".join(
                    str(one["outcome"][name])
                    for name in ("code", "message")
                    if one["outcome"].get(name)
                ),
            }
            for one in history
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def error_filter(signature: str) -> str:
    """Return the filter that finds the errors of a group: `#` stands for what differs between them."""
    pieces = signature.removesuffix("…").split("#")
    escaped = [r"\s+".join(re.escape(word) for word in piece.split(" ")) for piece in pieces]
    return f"/{r'\S+'.join(escaped)}/" if signature else ""

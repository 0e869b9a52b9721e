"""The targets as `reprise top` shows them, for everybody who has the page open."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from reprise.instant import format_instant, utc_now
from reprise_cli.top.board import lines, what_is_wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reprise_cli.top.board import Line, Look

_SAME_S: Final = 2.0
"""Readers who ask within it share a look: a rate needs two, and each costs requests."""


class LiveTargets:
    """Looks at the targets for as many readers as there are."""

    def __init__(
        self,
        look: Callable[[], Look],
        *,
        refresh_s: int,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Look by this."""
        self._look = look
        self._refresh_s = refresh_s
        self._monotonic = monotonic
        self._clock = clock
        self._lock = Lock()
        self._last: Look | None = None
        self._shown: dict[str, Any] = {}
        self._shown_at_s = float("-inf")

    def top(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return how the targets stand, and what is wrong.

        Raises:
            StoreError: If the ledger's table cannot be read.
        """
        with self._lock:
            if self._monotonic() - self._shown_at_s >= _SAME_S:
                now = self._look()
                self._shown = self._document(now, lines(now, self._last))
                self._last, self._shown_at_s = now, self._monotonic()
            return self._shown

    def _document(self, now: Look, found: list[Line]) -> dict[str, Any]:
        return {
            "targets": [line.document() for line in found],
            "dead_letters": now.dead_letters,
            "wrong": [
                {"text": text, "href": way_on(text, [line.target for line in found])}
                for text in what_is_wrong(found, now)
            ],
            "policy_problem": now.policy.problem,
            "at": format_instant(self._clock()),
            "refresh_s": self._refresh_s,
        }


def way_on(text: str, targets: list[str]) -> str:
    """Return the address where a line of what is wrong goes on."""
    if any(text.startswith(f"{target} has held for ") for target in targets):
        return "/runbooks/holding"
    return "/letters" if "dead letter" in text.partition(":")[0] else "/policy"

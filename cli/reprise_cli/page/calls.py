"""The calls: listed by what is known of them, and one's story; payload and result only if asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reprise.instant import utc_now
from reprise.ledger import State
from reprise.retry.decision import Reason
from reprise_cli.calls.desk import find_calls
from reprise_cli.calls.lookup import call_named, read_call_ref
from reprise_cli.calls.options import Typed, call_filter
from reprise_cli.calls.selection import StateChoice
from reprise_cli.calls.view import describe, groups
from reprise_cli.exits import UsageError
from reprise_cli.page.forms import count_of, text_of
from reprise_cli.story.reader import StoryReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.app import App
    from reprise_cli.page.heard import HeardOutput

_LIMIT: Final = 200
_MOST: Final = 2_000
_TYPED: Final = ("target", "reason", "key", "error", "older_than", "newer_than")


class CallViews:
    """Shows one stack's calls."""

    def __init__(self, reprise: App, out: HeardOutput, *, shows_payload: bool) -> None:
        """Show this stack's; payloads only if that is allowed."""
        self._reprise = reprise
        self._out = out
        self._reader = StoryReader(reprise)
        self._shows_payload = shows_payload

    def list(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return calls, the youngest first; the open ones, if nothing else is asked for.

        Raises:
            UsageError: If a filter cannot be understood.
            StoreError: If index or ledger cannot be read.
        """
        state = text_of(asked, "state") or StateChoice.OPEN
        if state not in set(StateChoice):
            raise UsageError("state", f"{state!r} is none", f"One of {', '.join(StateChoice)}")
        typed = {name: text_of(asked, name) or None for name in _TYPED}
        wanted = call_filter(self._reprise, StateChoice(state), Typed(**typed))
        limit = min(count_of(asked, "limit") or _LIMIT, _MOST)
        found = find_calls(self._reprise, wanted, limit)
        now = utc_now()
        return {
            "count": len(found),
            "groups": groups(found),
            "calls": [describe(call, now) for call in found],
            "states": list(StateChoice),
            "reasons": list(Reason),
            "limit": limit,
            "most": _MOST,
            # The option is the command's: here there is a button.
            "notes": [note.replace(" (--limit)", "") for note in self._out.take()],
        }

    def call(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call's story, by its id, a beginning of it, or its caller's key.

        Raises:
            CommandError: If no such call is known, or its payload may not be shown.
        """
        show = text_of(asked, "show")
        if show == "payload" and not self._shows_payload:
            step = "Start it with --show-payload"
            raise UsageError("payload", "is not shown by this page", step)
        call_id = call_named(self._reprise, read_call_ref(str(asked["id"])).call_id)
        story = self._reader.read(call_id, shows_payload=show == "payload")
        has_result = story.row.result is not None or story.row.result_key is not None
        return story.document() | {
            "has_letter": story.row.state is State.DEAD_LETTERED
            and story.row.reason != Reason.CANCELLED,
            "has_result": has_result,
            "result": self._reader.result(story.row) if show == "result" else None,
            "may_show_payload": self._shows_payload,
        }

"""The calls: one's story; its payload and its result only if they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reprise_cli.exits import UsageError
from reprise_cli.page.forms import text_of
from reprise_cli.story.reader import StoryReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.app import App


class CallViews:
    """Shows one stack's calls."""

    def __init__(self, reprise: App, *, shows_payload: bool) -> None:
        """Show this stack's; payloads only if that is allowed."""
        self._reader = StoryReader(reprise)
        self._shows_payload = shows_payload

    def call(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call's story.

        Raises:
            CommandError: If no call of that id is known, or its payload may not be shown.
        """
        show = text_of(asked, "show")
        if show == "payload" and not self._shows_payload:
            raise UsageError("payload", "is not shown by this page", "Start it with --show-payload")
        story = self._reader.read(str(asked["id"]), shows_payload=show == "payload")
        told = story.document()
        return told | {
            "target": story.row.target,
            "has_result": told["result"] is not None,
            "result": told["result"] if show == "result" else None,
            "may_show_payload": self._shows_payload,
        }

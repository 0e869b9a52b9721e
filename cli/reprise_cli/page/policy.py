"""The policy document, its history, and the switch: pause and resume, with who and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.exits import UsageError
from reprise_cli.page.forms import text_of
from reprise_cli.policy.document import check, differences, problem_of, switched, target_named
from reprise_cli.policy.parameter import PolicyParameter
from reprise_cli.policy.pauses import describe, policy_watch
from reprise_cli.policy.view import changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.app import App

_SHOWN: Final = 20


class PolicyPages:
    """Shows and switches one stack's policy."""

    def __init__(self, reprise: App) -> None:
        """Show this stack's."""
        stack = reprise.stack
        self._allowed = list(stack.targets)
        self._parameter = PolicyParameter(client=reprise.aws.ssm, name=stack.policy_parameter)
        self._watch = policy_watch(reprise)

    def show(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document in force, what it pauses, and what was done to it."""
        version = self._parameter.read()
        state = self._watch.look()
        return {
            "version": version.number,
            "at": version.at,
            "parameter": self._parameter.name,
            "text": version.text,
            "problem": problem_of(version.text),
            "paused": {name: pause.document() for name, pause in state.pauses.items()},
            "history": changes(self._parameter.history())[:_SHOWN],
        }

    def pause(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Stop the replays of one target, or of every one.

        Raises:
            CommandError: If it cannot be done, or somebody changed the policy meanwhile.
        """
        return self._switch(asked, is_on=False)

    def resume(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Let the replays of one target, or of every one, go on.

        Raises:
            CommandError: If it cannot be done, or somebody changed the policy meanwhile.
        """
        return self._switch(asked, is_on=True)

    def _switch(self, asked: Mapping[str, Any], *, is_on: bool) -> dict[str, Any]:
        target, reason = text_of(asked, "target"), text_of(asked, "reason")
        if bool(target) == (asked.get("all") is True):
            raise UsageError("target", "or all must be said, and not both", "Choose one")
        before = self._parameter.read()
        document = check(before.text).document
        name = target_named(target, self._allowed, document) if target else None
        checked = check(json.dumps(switched(document, name, is_on=is_on)))
        lines, number = differences(document, checked.document), before.number
        if lines:
            why = describe("resume" if is_on else "pause", name, reason)
            number = self._parameter.write(checked.text(), before, why)
        return {"version": number, "changes": lines}

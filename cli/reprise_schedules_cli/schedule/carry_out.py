"""Carry a plan out: each step on its own, so that one that was interrupted is finished by the next run."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, assert_never

from reprise_cli.policy.document import changed, check
from reprise_cli.policy.parameter import PolicyParameter
from reprise_schedules_cli.schedule.group import THREADS, Group
from reprise_schedules_cli.schedule.plan import PlanStep, SchedulePlan, Verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ssm import SSMClient


def carry_out(
    plan: SchedulePlan, group: Group, policies: Policies, done: Callable[[int], None]
) -> None:
    """Make every change of a plan; policies first, so that no run starts without its own."""
    first = [step for step in plan.steps if step.verb is Verb.POLICY]
    policies.set({step.name: step.wanted for step in first})
    done(len(first))

    def change(step: PlanStep) -> None:
        match step.verb:
            case Verb.CREATE:
                group.create(step.wanted)
            case Verb.UPDATE:
                group.update(step.wanted)
            case Verb.DELETE:
                group.delete(step.name)
            case Verb.POLICY:
                return
            case _:
                assert_never(step.verb)
        done(1)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(change, plan.steps))


class Policies:
    """The stack's policy document."""

    def __init__(self, client: SSMClient, parameter: str) -> None:
        """Use this parameter."""
        self._parameter = PolicyParameter(client=client, name=parameter)

    def read(self) -> dict[str, Any]:
        """Return the document in force."""
        return check(self._parameter.read().text).document

    def set(self, changes: dict[str, dict[str, Any]]) -> None:
        """Set fields of targets' policies; all others stay as they are.

        Raises:
            CommandError: If the document would not be valid, or too long, or somebody else writes it now.
                Nothing is changed then.
        """
        if not changes:
            return
        before = self._parameter.read()
        document = check(before.text).document
        for name, fields in changes.items():
            document = changed(document, name, fields)
        text = check(json.dumps(document)).text()
        self._parameter.write(text, before, f"schedule apply: {', '.join(changes)}")

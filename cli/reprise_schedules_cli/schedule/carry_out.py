"""Carry a plan out: each step on its own, so that one that was interrupted is finished by the next run."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, assert_never

from reprise.retry.policy import with_new_names
from reprise_cli.exits import CommandError
from reprise_schedules_cli.schedule.group import THREADS, Group
from reprise_schedules_cli.schedule.plan import PlanStep, SchedulePlan, Verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ssm import SSMClient

MAX_CHARACTERS: Final = 4096
"""Of a parameter of the standard tier (Systems Manager user guide, "Managing parameter tiers")."""


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
        self._client = client
        self._parameter = parameter

    def read(self) -> dict[str, Any]:
        """Return the document in force."""
        text = self._client.get_parameter(Name=self._parameter)["Parameter"]["Value"]
        document: dict[str, Any] = json.loads(text)
        return document

    def set(self, changes: dict[str, dict[str, Any]]) -> None:
        """Set fields of targets' policies; all others stay as they are.

        Raises:
            CommandError: If the document would be longer than a standard parameter may be. Nothing
                is changed then.
        """
        if not changes:
            return
        document = self.read()
        targets = document.setdefault("targets", {})
        for name, fields in changes.items():
            # By its present name: beside an old one that stayed, nobody could tell which is meant.
            found = with_new_names(targets.get(name, {}), f"targets.{name}", is_told=False)
            targets[name] = {**found, **fields}
        text = json.dumps(document, separators=(",", ":"))
        if len(text) > MAX_CHARACTERS:
            raise CommandError(
                "policy",
                f"the document in {self._parameter} would have {len(text):,} characters, "
                f"and may have {MAX_CHARACTERS:,}",
                "Move what many jobs share into `default`, or give them one target",
            )
        self._client.put_parameter(Name=self._parameter, Value=text, Type="String", Overwrite=True)

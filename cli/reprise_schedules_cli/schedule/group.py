"""A stack's schedule group: what is in it, and single changes of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from reprise_cli.app import App

MARKER: Final = "[reprise schedule]"
"""Begins the description of every schedule that is ours; schedules carry no tags of their own."""
THREADS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One schedule group."""

    client: EventBridgeSchedulerClient
    name: str

    def read(self) -> dict[str, dict[str, Any]]:
        """Return every schedule of the group by name, as GetSchedule tells it."""
        pages = self.client.get_paginator("list_schedules").paginate(GroupName=self.name)
        names = [found["Name"] for page in pages for found in page["Schedules"]]
        with ThreadPoolExecutor(THREADS) as pool:
            return dict(zip(names, pool.map(self._get, names), strict=True))

    def look_up(self, name: str) -> dict[str, Any]:
        """Return one schedule, whoever made it.

        Raises:
            CommandError: If there is none.
        """
        try:
            return self._get(name)
        except self.client.exceptions.ResourceNotFoundException as error:
            raise CommandError(
                "NAME", f"there is no job {name!r}", "Look at `reprise schedule list`"
            ) from error

    def find(self, name: str) -> dict[str, Any]:
        """Return one schedule of ours.

        Raises:
            CommandError: If there is none.
        """
        found = self.look_up(name)
        if not is_ours(found):
            raise CommandError(
                "NAME", f"schedule {name!r} is not of a file of jobs", "Change it where it was made"
            )
        return found

    def create(self, wanted: dict[str, Any]) -> None:
        """Make a schedule; one that is there already, as after an interruption, is brought up to date."""
        try:
            self.client.create_schedule(**wanted)
        except self.client.exceptions.ConflictException:
            self.client.update_schedule(**wanted)

    def update(self, wanted: dict[str, Any]) -> None:
        """Change a schedule, all of it: UpdateSchedule forgets what it is not told."""
        self.client.update_schedule(**wanted)

    def delete(self, name: str) -> None:
        """Delete a schedule; one that is gone already is fine."""
        try:
            self.client.delete_schedule(Name=name, GroupName=self.name)
        except self.client.exceptions.ResourceNotFoundException:
            return

    def _get(self, name: str) -> dict[str, Any]:
        return dict(self.client.get_schedule(GroupName=self.name, Name=name))


def group_of(reprise: App) -> Group:
    """Return the schedule group of the stack's jobs."""
    return Group(client=reprise.aws.scheduler, name=reprise.schedules.jobs_group)


def described(text: str) -> str:
    """Return the description of a schedule of ours."""
    return f"{MARKER} {text}".strip()


def is_ours(schedule: dict[str, Any]) -> bool:
    """Tell whether a schedule was made from a file of jobs."""
    return str(schedule.get("Description", "")).startswith(MARKER)

"""What a stack leaves behind, and what of it may be deleted: pure rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reprise_cli.exits import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

NEVER_CAME_UP: Final = frozenset(
    {"CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
)
"""CloudFormation API reference, StackStatus: nothing works, and no deployment can update it."""


class ResourceKind(StrEnum):
    """What a kept thing is."""

    BUCKET = "bucket"
    QUEUE = "queue"
    TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One thing that outlives its stack."""

    kind: ResourceKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A kept thing that exists."""

    thing: Kept
    content: str = ""
    """What is in it, such as `3 messages`; empty if nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupPlan:
    """What to do with what was found."""

    delete: tuple[Found, ...]
    keep: tuple[Found, ...]
    """What holds something and was not named."""


def kept_of(stack: str, account: str, region: str) -> tuple[Kept, ...]:
    """Return what the templates retain of a stack, root or add-on; each name is made of the stack's.

    `dlq` is that of the add-on replies. A root kept a queue of jobs, too, before schedules became an add-on.
    """
    queues = ("capture-dlq", "dead-letter", "jobs-dlq", "dlq")
    return (
        Kept(kind=ResourceKind.BUCKET, name=f"{stack}-{account}-{region}"),
        *(Kept(kind=ResourceKind.QUEUE, name=f"{stack}-{queue}") for queue in queues),
        Kept(kind=ResourceKind.TABLE, name=f"{stack}-ledger"),
    )


def check_status(stack: str, status: str | None) -> None:
    """Let only a stack pass that is gone (no status) or never came up.

    Raises:
        CommandError: If the stack is in use, or CloudFormation works on it.
    """
    if status is None or status in NEVER_CAME_UP:
        return
    if status.endswith("_IN_PROGRESS"):
        raise CommandError(
            "--stack-name",
            f"stack {stack!r} is {status}",
            "Wait until that has ended, then try again",
        )
    raise CommandError(
        "--stack-name",
        f"stack {stack!r} is {status}, so what it keeps is in use",
        f"Delete it first, if that is meant: sam delete --stack-name {stack}",
    )


def plan(found: Sequence[Found], named: Collection[str], known: Sequence[Kept]) -> CleanupPlan:
    """Return what to delete: what is empty, and, with what is in it, what was named.

    Raises:
        CommandError: If a name is not one that the stack may have kept.
    """
    names = {thing.name for thing in known}
    if strangers := sorted(set(named) - names):
        raise UsageError(
            "NAME",
            f"{strangers[0]!r} is nothing that this stack keeps",
            f"Name some of {', '.join(sorted(names))}",
        )
    return CleanupPlan(
        delete=tuple(one for one in found if not one.content or one.thing.name in named),
        keep=tuple(one for one in found if one.content and one.thing.name not in named),
    )

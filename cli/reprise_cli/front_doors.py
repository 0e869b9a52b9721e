"""The invoker's aliases as FrontDoors has them: what is there, what is to change, and how."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from reprise.errors import BadRequestError
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import AliasConfigurationTypeDef

    from reprise.doors.alias import Doors

LATEST: Final = "$LATEST"
"""What every door's alias points to, so that it follows each deployment of the stack by itself."""
_OURS: Final = "front door: "
"""How the description of an alias begins that this command made."""


class DoorState(Enum):
    """How a door and its alias stand to each other."""

    OPEN = "open"
    MISSING = "no alias yet"
    STUCK = "alias is of a version"
    """Somebody's own alias, that no deployment of the stack changes."""
    GONE = "not in FrontDoors"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontDoor:
    """One door."""

    alias: str
    calls: str
    """What it calls, as Lambda's Invoke API takes a FunctionName."""
    state: DoorState
    arn: str | None = None


def look_at(doors: Doors, aliases: Iterable[AliasConfigurationTypeDef]) -> tuple[FrontDoor, ...]:
    """Return every door, and every alias that was one, by name."""
    there = {alias["Name"]: alias for alias in aliases}
    wanted = [
        FrontDoor(
            alias=name,
            calls=calls,
            state=_state(there.get(name)),
            arn=there[name]["AliasArn"] if name in there else None,
        )
        for name, calls in doors.called.items()
    ]
    gone = [
        FrontDoor(
            alias=name,
            calls=alias["Description"].removeprefix(_OURS),
            state=DoorState.GONE,
            arn=alias["AliasArn"],
        )
        for name, alias in there.items()
        if name not in doors.called and alias.get("Description", "").startswith(_OURS)
    ]
    return tuple(sorted([*wanted, *gone], key=lambda door: door.alias))


def _state(alias: Mapping[str, object] | None) -> DoorState:
    if alias is None:
        return DoorState.MISSING
    return DoorState.OPEN if alias["FunctionVersion"] == LATEST else DoorState.STUCK


def check_targets(doors: Doors) -> None:
    """Accept doors whose targets may be called.

    Raises:
        CommandError: Naming the first that may not.
    """
    for alias in doors.called:
        try:
            doors.target(alias)
        except BadRequestError as error:
            raise CommandError("FrontDoors", error.message, error.next_step) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """The aliases of a stack's invoker."""

    client: LambdaClient
    invoker: str

    def all(self) -> list[AliasConfigurationTypeDef]:
        """Return all aliases, whoever made them."""
        pages = self.client.get_paginator("list_aliases").paginate(FunctionName=self.invoker)
        return [alias for page in pages for alias in page["Aliases"]]

    def open(self, door: FrontDoor) -> str:
        """Make a door's alias, and return its ARN."""
        made = self.client.create_alias(
            FunctionName=self.invoker,
            Name=door.alias,
            FunctionVersion=LATEST,
            Description=f"{_OURS}{door.calls}"[:256],
        )
        return made["AliasArn"]

    def remove(self, door: FrontDoor) -> None:
        """Delete a door's alias: whoever calls it is told that there is none."""
        self.client.delete_alias(FunctionName=self.invoker, Name=door.alias)

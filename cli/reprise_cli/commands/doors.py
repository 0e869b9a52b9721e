"""`reprise doors`: aliases of the invoker that stand for one target each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from reprise.doors.alias import Doors
from reprise_cli.app import app_of
from reprise_cli.front_doors import Aliases, DoorState, check_targets, look_at
from reprise_cli.output import counted

if TYPE_CHECKING:
    from reprise_cli.app import App
    from reprise_cli.front_doors import FrontDoor

app = typer.Typer(
    help="Front doors: aliases of the invoker, each called in the place of one target.",
    no_args_is_help=True,
)


@app.command("list")
def list_doors(context: typer.Context) -> None:
    """List the stack's front doors, what each calls, and whether its alias is there."""
    reprise = app_of(context)
    _show(reprise, look_at(_doors_of(reprise), _aliases_of(reprise).all()))


@app.command("apply")
def apply_doors(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option(help="Say what would change, and change nothing.")
    ] = False,
) -> None:
    """Make the aliases that the stack's FrontDoors names, and delete those that it does not name any more.

    Only once after FrontDoors has changed: an alias points to what was deployed last.
    """
    reprise = app_of(context)
    doors, aliases = _doors_of(reprise), _aliases_of(reprise)
    check_targets(doors)
    reprise.say_place()
    found = look_at(doors, aliases.all())
    if dry_run:
        _show(reprise, found)
        return
    after: list[FrontDoor] = []
    for door in found:
        if door.state is DoorState.MISSING:
            after.append(replace(door, state=DoorState.OPEN, arn=aliases.open(door)))
        elif door.state is DoorState.GONE:
            aliases.remove(door)
        else:
            after.append(door)
    _show(reprise, tuple(after))


def _show(reprise: App, doors: tuple[FrontDoor, ...]) -> None:
    table = Table("door", "calls", "state", title=counted(len(doors), "front door"))
    for door in doors:
        table.add_row(door.alias, door.calls, door.state.value)
    reprise.out.show(table)
    # To be copied: no table would leave these whole.
    if arns := [door.arn for door in doors if door.arn is not None]:
        reprise.out.copyable(*arns)
    documents = [
        {"alias": door.alias, "calls": door.calls, "state": door.state.value, "arn": door.arn}
        for door in doors
    ]
    reprise.out.result({"doors": documents})


def _doors_of(reprise: App) -> Doors:
    stack = reprise.stack
    targets = stack.targets
    return Doors.read(stack.front_doors, targets, invoker=stack.invoker)


def _aliases_of(reprise: App) -> Aliases:
    return Aliases(client=reprise.aws.functions, invoker=reprise.stack.invoker)

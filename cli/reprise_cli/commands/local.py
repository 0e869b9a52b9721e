"""`reprise local`: the local engine of this repository, and the stack in it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from local_engine.control import IS_CHECKOUT
from reprise_cli.app import app_of
from reprise_cli.deploy import Deployment, read_changes
from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.page.detached import stop_page
from reprise_cli.place import exports, local_place

if TYPE_CHECKING:
    from reprise_cli.app import App

app = typer.Typer(help="The local engine: AWS's behaviour on this machine.", no_args_is_help=True)

_AuthOption = Annotated[bool, typer.Option("--auth", help="Enforce IAM.")]
_ScaleOption = Annotated[
    float | None,
    typer.Option(help="Factor on waits inside services; the default lets 60 s pass in 1."),
]


class AddOn(StrEnum):
    """An add-on that the local engine can run; of batch it knows too little."""

    SCHEDULES = "schedules"


_AddOnOption = Annotated[
    AddOn | None, typer.Option(help="Deploy this add-on beside the stack, instead of the stack.")
]
_ParameterOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Parameter of the template, again for more; wins over samconfig.toml.",
    ),
]


@app.command()
def up(
    context: typer.Context, *, auth: _AuthOption = False, time_scale: _ScaleOption = None
) -> None:
    """Start the engine, and print what points AWS's own tools to it."""
    reprise = app_of(context)
    if reprise.engine.health() is None:
        with reprise.out.progress("starting the local engine"):
            reprise.engine.start(auth=auth, time_scale=time_scale)
    else:
        reprise.out.note("the engine runs already")
    environment = exports(local_place(reprise.engine))
    reprise.out.show("\n".join(f"export {name}={value}" for name, value in environment.items()))
    reprise.out.note(
        'for this shell: eval "$(reprise local up)"; without it: --local. Next: reprise local deploy'
    )
    reprise.out.result({"url": reprise.engine.url, "environment": environment})


@app.command()
def down(context: typer.Context) -> None:
    """Stop the engine, and the page if `reprise demo` left one; everything in them is gone."""
    reprise = app_of(context)
    if stop_page(reprise.engine.state_dir):
        reprise.out.note("the dashboard page is stopped")
    was_running = reprise.engine.stop()
    reprise.out.note("the engine is stopped" if was_running else "no engine was running")
    reprise.out.result({"was_running": was_running})


@app.command()
def status(context: typer.Context) -> None:
    """Tell whether the engine runs; the exit code is 4 if it does not."""
    reprise = app_of(context)
    health = reprise.engine.health()
    if health is None:
        raise CommandError(
            "engine", "does not run", "Start it: reprise local up", ExitCode.UNREACHABLE
        )
    facts = {"url": reprise.engine.url, **health}
    table = Table("what", "value", title="local engine")
    for name, value in facts.items():
        table.add_row(name, ", ".join(value) if isinstance(value, list) else str(value))
    reprise.out.show(table)
    reprise.out.result(facts)


@app.command()
def deploy(
    context: typer.Context,
    *,
    addon: _AddOnOption = None,
    parameter: _ParameterOption = None,
) -> None:
    """Build the unchanged template and deploy it into the engine, by the real SAM CLI."""
    reprise = app_of(context)
    changes = read_changes(parameter or [])
    name = deploy_locally(reprise, changes, addon)
    reprise.out.show(f"stack {name} is deployed at {reprise.engine.url}")
    reprise.out.result({"stack_name": name, "url": reprise.engine.url})


def deploy_locally(reprise: App, changes: tuple[str, ...] = (), addon: AddOn | None = None) -> str:
    """Build and deploy, with a bar for each; return the name of the stack.

    Raises:
        CommandError: If the engine does not run, or the SAM CLI fails.
    """
    if not IS_CHECKOUT:
        raise CommandError(
            "template",
            "is not in an installed package",
            "Run `reprise local deploy` in a checkout of the repository, after `make setup`",
        )
    health = reprise.engine.health()
    if health is None:
        raise CommandError(
            "engine", "does not run", "Start it: reprise local up", ExitCode.UNREACHABLE
        )
    deployment = Deployment(
        place=local_place(reprise.engine),
        stack_name=reprise.options.stack_name,
        runtime=health["runtimes"][0],
        changes=() if addon else changes,
    )
    if addon:
        name = reprise.options.schedules_name
        deployment = deployment.beside(addon.value, stack_name=name, changes=changes)
    with reprise.out.progress("sam build"):
        deployment.build()
    with reprise.out.progress("sam deploy"):
        deployment.deploy()
    return deployment.stack_name

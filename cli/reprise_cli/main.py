"""Assemble the command `reprise`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from reprise import __version__
from reprise_cli.app import App
from reprise_cli.exits import ExitCode, explain
from reprise_cli.lazy import LazyCommands
from reprise_cli.options import DEFAULT_STACK, Options, hoist
from reprise_cli.output import LogWarnings, Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.core import Context as CoreContext  # type: ignore[attr-defined]

_EPILOG = (
    "Exit codes: 0 ok, 1 failed or proof failed, 2 usage, 3 captured, 4 cannot be reached, 5 damaged input. "
    "The options above may stand anywhere on the line."
)


COMMANDS: Final = {
    "local": "reprise_cli.commands.local:app",
    "invoke": "reprise_cli.commands.invoke:invoke",
    "status": "reprise_cli.commands.show:show",
    "wait": "reprise_cli.commands.wait:wait",
    "calls": "reprise_cli.commands.calls:app",
    "top": "reprise_cli.commands.top:top",
    "dashboard": "reprise_cli.commands.dashboard:dashboard",
    "dlq": "reprise_cli.commands.dlq:app",
    "audit": "reprise_cli.commands.audit:audit",
    "policy": "reprise_cli.commands.policy:app",
    "sources": "reprise_cli.commands.sources:app",
    "doors": "reprise_cli.commands.doors:app",
    "read": "reprise_cli.read:read",
    # The add-on's own, and all that the command knows of the package.
    "schedule": "reprise_schedules_cli.schedule.command:app",
    "warm": "reprise_schedules_cli.warm.command:app",
    "chaos": "reprise_cli.commands.chaos:chaos",
    "cost": "reprise_cli.commands.cost:cost",
    "cleanup": "reprise_cli.commands.cleanup:cleanup",
    "demo": "reprise_cli.commands.demo:demo",
}
"""Where the commands are, in the order of the help."""


class RootGroup(TyperGroup):
    """Imports the command that is run, lets global options stand anywhere, ends known errors in one line."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - typer's own
        """Take what typer gives to groups."""
        super().__init__(**settings)
        self.commands = LazyCommands(COMMANDS)

    def list_commands(self, ctx: CoreContext) -> list[str]:
        """Return the names; imports nothing."""
        del ctx
        return list(self.commands)

    def parse_args(self, ctx: CoreContext, args: list[str]) -> list[str]:
        """Read the command line."""
        return super().parse_args(ctx, hoist(args))

    def invoke(self, ctx: CoreContext) -> Any:  # noqa: ANN401 - typer's own
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException, BrokenPipeError):
            raise
        except Exception as error:
            out = ctx.obj.out if isinstance(ctx.obj, App) else Output(is_json=False)
            told = explain(error)
            if told is None:
                out.defect(error)
                raise typer.Exit(ExitCode.FAILED) from error
            out.fail(told)
            is_about_aws = told.code is not ExitCode.USAGE
            if is_about_aws and isinstance(ctx.obj, App) and (where := ctx.obj.known_place):
                out.note(f"place: {where}")
            raise typer.Exit(told.code) from error


app = typer.Typer(
    cls=RootGroup,
    name="reprise",
    help="Captured calls: make them, look at them, redrive them, and prove that none is lost.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer's own
    if value:
        typer.echo(f"reprise {__version__}")
        raise typer.Exit


@app.callback()
def prepare(
    context: typer.Context,
    *,
    stack_name: Annotated[str, typer.Option(help="CloudFormation stack.")] = DEFAULT_STACK,
    schedules_stack: Annotated[
        str | None,
        typer.Option(
            envvar="REPRISE_SCHEDULES_STACK",
            show_envvar=False,
            help="Stack of the add-on schedules; default: the stack's name and -schedules. "
            "(env: REPRISE_SCHEDULES_STACK)",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")
    ] = False,
    local: Annotated[
        bool, typer.Option("--local", help="The local engine, whatever AWS settings there are.")
    ] = False,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Where AWS is, instead of AWS. (env: AWS_ENDPOINT_URL)")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS region. (env: AWS_REGION)")] = None,
    profile: Annotated[str | None, typer.Option(help="AWS profile. (env: AWS_PROFILE)")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """Take what every command takes."""
    del version
    options = Options(
        stack_name=stack_name,
        schedules_stack=schedules_stack,
        is_json=json,
        is_local=local,
        endpoint_url=endpoint_url,
        region=region,
        profile=profile,
    )
    # Whoever runs the command in process may say what it works on.
    make: Callable[[Options, Output], App] = context.obj or App
    context.obj = make(options, out := Output(is_json=json))
    logging.lastResort = LogWarnings(out)

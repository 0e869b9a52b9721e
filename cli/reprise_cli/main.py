"""Assemble the command `reprise`."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from reprise import __version__
from reprise_cli.app import App
from reprise_cli.exits import ExitCode, explain
from reprise_cli.lazy import LazyCommands
from reprise_cli.options import DEFAULT_STACK, Options, hoist
from reprise_cli.output import LogWarnings, Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typer.core import CompletionItem, HelpFormatter  # type: ignore[attr-defined]
    from typer.core import Context as CoreContext  # type: ignore[attr-defined]

_EPILOG = (
    "Exit codes: 0 ok, 1 failed or proof failed, 2 usage, 3 captured, 4 cannot be reached, 5 damaged input. "
    "The options above may stand anywhere on the line."
)


class ListedCommand(NamedTuple):
    """A command in the list of commands, which imports none of them."""

    place: str
    """Where it is, as `module:attribute`."""
    help: str
    """What its own help begins with."""


COMMANDS: Final = {
    "local": ListedCommand(
        "reprise_cli.commands.local:app",
        "The local engine: AWS's behaviour on this machine.",
    ),
    "invoke": ListedCommand(
        "reprise_cli.commands.invoke:invoke",
        "Call a function; exit code 0: it answered, 3: captured for a replay, 1: refused or failed.",
    ),
    "status": ListedCommand(
        "reprise_cli.commands.show:show",
        "Tell a captured call's story; exit code 1 if the ledger does not know it.",
    ),
    "wait": ListedCommand(
        "reprise_cli.commands.wait:wait",
        "Wait until a call has ended; exit code 0: succeeded, 1: given up or not known, 3: still kept.",
    ),
    "calls": ListedCommand(
        "reprise_cli.commands.calls:app",
        "Captured calls: list, show, cancel, and wait for them.",
    ),
    "top": ListedCommand(
        "reprise_cli.commands.top:top",
        "Show each target's gate, backlog, rate, oldest call and time to go; --json shows it once.",
    ),
    "dashboard": ListedCommand(
        "reprise_cli.commands.dashboard:dashboard",
        "Show targets, charts, calls, letters and policy on a page of 127.0.0.1, until Ctrl-C.",
    ),
    "dlq": ListedCommand(
        "reprise_cli.commands.dlq:app",
        "Dead letters: calls that were given up, each with its reason.",
    ),
    "audit": ListedCommand(
        "reprise_cli.commands.audit:audit",
        "List what was done with dead letters and calls, or show one job with each of them.",
    ),
    "policy": ListedCommand(
        "reprise_cli.commands.policy:app",
        "The rules of replaying: look, change, stop and start targets.",
    ),
    "sources": ListedCommand(
        "reprise_cli.commands.sources:app",
        "Sources: each library user and decorated target signs with a key of its own.",
    ),
    "doors": ListedCommand(
        "reprise_cli.commands.doors:app",
        "Front doors: aliases of the invoker, each called in the place of one target.",
    ),
    "read": ListedCommand(
        "reprise_cli.read:read",
        "Read capture objects: records as JSON lines, whatever their layers, glue and damage.",
    ),
    "replay": ListedCommand(
        "reprise_cli.commands.replay:replay",
        "Replay captured calls, named or of a window of time; what has ended runs again only if you say so.",
    ),
    # The add-on's own, and all that the command knows of the package.
    "schedule": ListedCommand(
        "reprise_schedules_cli.schedule.command:app",
        "Scheduled jobs: a file of jobs is what the stack's schedules become.",
    ),
    "warm": ListedCommand(
        "reprise_schedules_cli.warm.command:app",
        "Warm windows: what they save, and what they cost.",
    ),
    "chaos": ListedCommand(
        "reprise_cli.commands.chaos:chaos",
        "Prove on a live stack that nothing is lost and nothing runs twice; exit code 1 if not so.",
    ),
    "cost": ListedCommand(
        "reprise_cli.commands.cost:cost",
        "Say what it costs: list prices of us-east-1, counted requests; asks no AWS and needs no stack.",
    ),
    "doctor": ListedCommand(
        "reprise_cli.commands.doctor:doctor",
        "Say what is wrong with the stack and what to do; exit code 1 if anything is.",
    ),
    "cleanup": ListedCommand(
        "reprise_cli.commands.cleanup:cleanup",
        "Delete what a stack left behind, so that one of its name can be deployed again.",
    ),
    "demo": ListedCommand(
        "reprise_cli.commands.demo:demo",
        "Show the whole pipeline on this machine; nothing is left running unless asked.",
    ),
}
"""The commands, in the order of the help."""


class RootGroup(TyperGroup):
    """Imports the command that is run, lets global options stand anywhere, ends known errors in one line."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - typer's own
        """Take what typer gives to groups."""
        super().__init__(**settings)
        self.commands = LazyCommands({name: listed.place for name, listed in COMMANDS.items()})

    def list_commands(self, ctx: CoreContext) -> list[str]:
        """Return the names; imports nothing."""
        del ctx
        return list(self.commands)

    def format_help(self, ctx: CoreContext, formatter: HelpFormatter) -> None:
        """Write the help; imports no command."""
        with self._listing():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: CoreContext, incomplete: str) -> list[CompletionItem]:
        """Return what may stand here; imports no command."""
        with self._listing():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _listing(self) -> Iterator[None]:
        """Let commands be names and a line of help for a while."""
        real = self.commands
        self.commands = {
            name: TyperCommand(name, help=listed.help) for name, listed in COMMANDS.items()
        }
        try:
            yield
        finally:
            self.commands = real

    def parse_args(self, ctx: CoreContext, args: list[str]) -> list[str]:
        """Read the command line; `help COMMAND` is `COMMAND --help`."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
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
)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer's own
    if value:
        typer.echo(f"reprise {__version__}")
        raise typer.Exit


@app.callback()
def prepare(
    context: typer.Context,
    *,
    stack_name: Annotated[
        str,
        typer.Option(
            envvar="REPRISE_STACK",
            show_envvar=False,
            help="CloudFormation stack. (env: REPRISE_STACK)",
        ),
    ] = DEFAULT_STACK,
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
    wide: Annotated[
        bool,
        typer.Option("--wide", help="Tables as wide as they are: no column is cut, or left out."),
    ] = False,
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            envvar="REPRISE_LOCAL",
            show_envvar=False,
            help="The local engine, whatever AWS settings there are. (env: REPRISE_LOCAL)",
        ),
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
    context.obj = make(options, out := Output(is_json=json, is_wide=wide))
    logging.lastResort = LogWarnings(out)

"""`reprise demo`: engine, real deployment, chaos test, and a short tour of what to look at next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from reprise_cli.app import app_of
from reprise_cli.chaos.setup import ChaosOptions
from reprise_cli.commands.chaos import run_chaos
from reprise_cli.commands.local import deploy_locally
from reprise_cli.dlq.view import show_letters
from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.interrupt import interruptible
from reprise_cli.page.detached import start_page
from reprise_cli.place import local_place
from reprise_cli.story.reader import StoryReader
from reprise_cli.story.view import show_story
from reprise_letters.browser import Browser

if TYPE_CHECKING:
    from reprise_cli.app import App
    from reprise_cli.chaos.proof import Proof


def demo(
    context: typer.Context,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the engine running.")] = False,
    calls: Annotated[int, typer.Option(min=1, help="Calls to make.")] = 2000,
    hold: Annotated[float, typer.Option(min=0, help="Seconds to hold the target.")] = 20.0,
) -> None:
    """Show the whole pipeline on this machine; nothing is left running unless asked."""
    outer = app_of(context)
    if outer.engine.health() is not None:
        raise CommandError(
            "engine",
            f"one runs already at {outer.engine.url}",
            "Use it with `reprise chaos`, or stop it with `reprise local down`",
        )
    is_kept = False
    with interruptible():
        try:
            with outer.out.progress("starting the local engine"):
                outer.engine.start()
            reprise = outer.at(local_place(outer.engine))
            deploy_locally(reprise)
            proof = _prove(reprise, calls, hold)
            is_kept = keep
        finally:
            if not is_kept:
                outer.engine.stop()
    if is_kept:
        place = local_place(outer.engine)
        page = start_page(outer.engine.state_dir, place, outer.options.stack_name)
        outer.out.show(f"the dashboard: {page.address('range=5m&period=5s')}")
        outer.out.show(
            'the commands above, on this engine: with --local, or after  eval "$(reprise local up)"'
        )
        outer.out.note("`reprise local down` stops page and engine")
    else:
        outer.out.note("the engine is stopped; `reprise demo --keep` leaves it for a look around")
    outer.out.result(proof.document())
    if not proof.holds:
        raise typer.Exit(ExitCode.FAILED)


def _prove(reprise: App, calls: int, hold_s: float) -> Proof:
    proof = run_chaos(reprise, ChaosOptions(calls=calls, hold_s=hold_s))
    take_tour(reprise)
    return proof


def take_tour(reprise: App) -> None:
    """Show one call, the dead letters, and the commands that go on from there."""
    out, stack = reprise.out, reprise.stack
    with Browser(reprise.aws.sqs, stack.dead_letter_queue_url) as browser:
        letters = next(browser.letters(), [])
    show_letters(out, letters[:3], "some dead letters: reprise dlq list")
    if letters:
        show_story(out, StoryReader(reprise).read(letters[0].id))
    table = Table("look at", "by", title="where to go from here")
    for what, how in (
        ("one call", f"reprise status {letters[0].id if letters else 'ID'}"),
        ("the targets, live", "reprise top"),
        ("the dashboard, on this machine", "reprise dashboard"),
        ("what was given up", "reprise dlq list"),
        ("the way back, as a rehearsal", "reprise dlq redrive --all --dry-run"),
        ("a call of your own", f"reprise invoke {stack.chaos_target} --payload '{{...}}'"),
        ("the ledger", f"DynamoDB table {stack.ledger_table}"),
        ("the capture lines", f"log group {stack.capture_log_group}"),
        ("the captured calls", f"s3://{stack.bucket}/captured/"),
        ("the policies", f"SSM parameter {stack.policy_parameter}"),
    ):
        table.add_row(what, how)
    out.show(table)

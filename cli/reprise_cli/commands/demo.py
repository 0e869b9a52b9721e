"""`reprise demo`: engine, real deployment, chaos test, and a short tour of what to look at next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reprise_cli.app import app_of
from reprise_cli.chaos.interrupt import interruptible
from reprise_cli.chaos.setup import ChaosOptions
from reprise_cli.commands.chaos import run_chaos
from reprise_cli.commands.local import deploy_locally
from reprise_cli.dashboard.detached import start_page
from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.place import local_place
from reprise_cli.tour import take_tour

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

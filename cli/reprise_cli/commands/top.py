"""`reprise top`: how the targets stand, live."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.live import Live

from reprise_cli.app import app_of
from reprise_cli.top.board import lines, screen, what_is_wrong
from reprise_cli.top.watch import Watch

if TYPE_CHECKING:
    from rich.console import Console

    from reprise_cli.top.board import Look

_RATE_S: Final = 1.0
"""Between the two looks that a single picture takes: a rate needs two."""


def top(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it once, and end.")] = False,
    every: Annotated[
        float, typer.Option(min=0.5, max=3600, help="Seconds from one look to the next.")
    ] = 2.0,
) -> None:
    """Show each target's gate, backlog, rate, oldest call and time to go; --json shows it once."""
    reprise = app_of(context)
    watch = Watch(reprise)
    before, title = watch.look(), f"targets of {reprise.stack.name}"
    if once or reprise.out.is_json or not reprise.out.people.is_terminal:
        time.sleep(_RATE_S)
        now = watch.look()
        found = lines(now, before)
        reprise.out.show(screen(found, title, now))
        documents = [line.document() for line in found]
        paused = {name: pause.document() for name, pause in now.policy.pauses.items()}
        reprise.out.result(
            {
                "targets": documents,
                "dead_letters": now.dead_letters,
                "wrong": what_is_wrong(found, now),
                "paused": paused,
                "policy_problem": now.policy.problem,
            }
        )
        return
    title = f"{title} (every {every:g} s; Ctrl-C ends)"
    try:
        _follow(reprise.out.people, watch, before, every, title)
    except KeyboardInterrupt:
        return


def _follow(console: Console, watch: Watch, before: Look, every_s: float, title: str) -> None:
    with Live(
        screen(lines(before, None), title, before), console=console, auto_refresh=False
    ) as live:
        while True:
            time.sleep(every_s)
            now = watch.look()
            live.update(screen(lines(now, before), title, now), refresh=True)
            before = now

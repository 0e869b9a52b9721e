"""`reprise wait`: until a captured call has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from reprise.capturing.wait import Waiter, has_ended
from reprise.ledger import State
from reprise_cli.app import app_of
from reprise_cli.commands.status import read_call_ref, row_document
from reprise_cli.duration import read_duration
from reprise_cli.exits import ExitCode
from reprise_cli.options import DEFAULT_STACK
from reprise_cli.story.reader import StoryReader
from reprise_cli.story.view import show_story

if TYPE_CHECKING:
    from reprise_cli.app import App

_INTERRUPTED = 130
"""What shells make of Ctrl-C: 128 and the number of SIGINT (POSIX shell, "Exit Status for Commands")."""


def wait(
    context: typer.Context,
    call: Annotated[str, typer.Argument(help="Id or reprise:// URL of a captured call.")],
    *,
    timeout: Annotated[str, typer.Option(help="How long at most, such as 30s or 2h.")] = "15m",
) -> None:
    """Wait until a call has ended; exit code 0: succeeded, 1: given up or not known, 3: still kept."""
    reprise, timeout_s = app_of(context), read_duration("--timeout", timeout)
    ref = read_call_ref(call)
    if ref.stack_name and reprise.options.stack_name == DEFAULT_STACK:
        reprise = reprise.for_stack(ref.stack_name)
    wait_for_end(reprise, ref.call_id, timeout_s)


def wait_for_end(reprise: App, call_id: str, timeout_s: float) -> NoReturn:
    """Wait until a call has ended, tell its story, and end the command by how it stands.

    Raises:
        Exit: With the exit code that `reprise wait` promises.
    """
    reader = StoryReader(reprise)
    waiter = Waiter(pause=time.sleep, monotonic=time.monotonic)
    try:
        with reprise.out.progress(f"waiting for {call_id}"):
            waiter.until(lambda: reader.row(call_id), has_ended, timeout_s=timeout_s)
    except KeyboardInterrupt:
        reprise.out.note("the call goes on; only the waiting has ended")
        raise typer.Exit(_INTERRUPTED) from None
    story = reader.read(call_id)
    show_story(reprise.out, story)
    told = story.document()
    reprise.out.result(
        row_document(story.row) | {name: told[name] for name in ("steps", "replies")}
    )
    raise typer.Exit(_EXITS.get(story.row.state, ExitCode.CAPTURED))


_EXITS = {State.SUCCEEDED: ExitCode.OK, State.DEAD_LETTERED: ExitCode.FAILED}

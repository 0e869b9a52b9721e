"""`reprise wait`: until a captured call has ended."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from reprise.capturing.wait import Waiter, has_ended
from reprise.ledger import State
from reprise_cli.app import app_of
from reprise_cli.calls.ids import bare
from reprise_cli.calls.lookup import NotArrivedError, call_named, read_call_ref, stack_of
from reprise_cli.commands.show import CallArgument, story_document
from reprise_cli.duration import read_duration
from reprise_cli.exits import ExitCode, NotFoundError
from reprise_cli.interrupt import INTERRUPTED
from reprise_cli.story.reader import StoryReader
from reprise_cli.story.view import show_story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise_cli.app import App

_INTERRUPTED = 130
"""What shells make of Ctrl-C: 128 and the number of SIGINT (POSIX shell, "Exit Status for Commands")."""


def wait(
    context: typer.Context,
    call: CallArgument,
    *,
    timeout: Annotated[str, typer.Option(help="How long at most, such as 30s or 2h.")] = "15m",
    result: Annotated[bool, typer.Option("--result", help="Show the late result, too.")] = False,
) -> None:
    """Wait until a call has ended; exit code 0: succeeded, 1: given up or not known, 3: still kept."""
    timeout_s = read_duration("--timeout", timeout)
    ref = read_call_ref(call)
    reprise = stack_of(app_of(context), ref)
    with _stopping_nothing(reprise):
        call_id = _meant(reprise, ref.call_id)
    wait_for_end(reprise, call_id, timeout_s, shows_result=result)


def wait_for_end(
    reprise: App, call_id: str, timeout_s: float, *, shows_result: bool = False
) -> NoReturn:
    """Wait until a call has ended, tell its story, and end the command by how it stands.

    Raises:
        Exit: With the exit code that `reprise wait` promises.
    """
    reader = StoryReader(reprise)
    waiter = Waiter(pause=time.sleep, monotonic=time.monotonic)
    with _stopping_nothing(reprise), reprise.out.progress(f"waiting for {call_id}"):
        waiter.until(lambda: reader.row(call_id), has_ended, timeout_s=timeout_s)
    story = reader.read(call_id, shows_result=False)
    if shows_result:
        story = replace(story, result=reader.result(story.row))
    show_story(reprise.out, story)
    reprise.out.result(story_document(story, has_payload=False, has_result=shows_result))
    raise typer.Exit(_EXITS.get(story.row.state, ExitCode.CAPTURED))


@contextmanager
def _stopping_nothing(reprise: App) -> Iterator[None]:
    """End the command on Ctrl-C, and say that the call goes on."""
    try:
        yield
    except KeyboardInterrupt:
        reprise.out.note("the call goes on; only the waiting has ended")
        raise typer.Exit(INTERRUPTED) from None


def _meant(reprise: App, text: str) -> str:
    """Return the id of a call; one that may be on its way is waited for, too.

    Raises:
        NotFoundError: If it would have arrived, or if this is no whole id.
    """
    try:
        return call_named(reprise, text)
    except NotArrivedError:
        return text
    except NotFoundError:
        # An id with a key tells no time.
        if bare(text) == text:
            raise
        return text


_EXITS = {State.SUCCEEDED: ExitCode.OK, State.DEAD_LETTERED: ExitCode.FAILED}

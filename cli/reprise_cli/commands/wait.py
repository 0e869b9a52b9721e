"""`reprise wait`: until a captured call has ended."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from reprise.capturing.wait import Waiter, has_ended
from reprise.ledger import State
from reprise_cli.app import app_of
from reprise_cli.calls.lookup import NotArrivedError, call_named, read_call_ref, stack_of
from reprise_cli.commands.show import CallArgument, story_document
from reprise_cli.duration import parse_duration
from reprise_cli.exits import ExitCode, UsageError
from reprise_cli.story.reader import StoryReader
from reprise_cli.story.view import show_story

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
    ref = read_call_ref(call)
    reprise = stack_of(app_of(context), ref)
    try:
        timeout_s = parse_duration(timeout)
    except ValueError as error:
        raise UsageError("--timeout", str(error), "Write 30s, 15m or 2h") from error
    try:
        call_id = call_named(reprise, ref.call_id)
    except NotArrivedError:
        # It is waited for, too.
        call_id = ref.call_id
    reader = StoryReader(reprise)
    waiter = Waiter(pause=time.sleep, monotonic=time.monotonic)
    try:
        with reprise.out.progress(f"waiting for {call_id}"):
            waiter.until(lambda: reader.row(call_id), has_ended, timeout_s=timeout_s)
    except KeyboardInterrupt:
        reprise.out.note("the call goes on; only the waiting has ended")
        raise typer.Exit(_INTERRUPTED) from None
    story = reader.read(call_id, shows_result=result)
    show_story(reprise.out, story)
    reprise.out.result(story_document(story, has_payload=False, has_result=result))
    raise typer.Exit(_EXITS.get(story.row.state, ExitCode.CAPTURED))


_EXITS = {State.SUCCEEDED: ExitCode.OK, State.DEAD_LETTERED: ExitCode.FAILED}

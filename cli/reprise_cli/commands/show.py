"""`reprise calls show`, and `reprise status`, its alias: a captured call's story."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from reprise_cli.app import app_of
from reprise_cli.calls.lookup import call_named, read_call_ref, stack_of
from reprise_cli.story.reader import StoryReader
from reprise_cli.story.view import show_story

if TYPE_CHECKING:
    from reprise.ledger import Row
    from reprise_cli.story.parts import Story

CallArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="Id of a captured call, a beginning of it, its caller's own key, or a reprise:// URL.",
    ),
]


def show(
    context: typer.Context,
    call: CallArgument,
    *,
    payload: Annotated[
        bool, typer.Option("--payload", "--show-payload", help="Show what the caller sent, too.")
    ] = False,
    result: Annotated[bool, typer.Option("--result", help="Show the late result, too.")] = False,
) -> None:
    """Tell a captured call's story; exit code 1 if the ledger does not know it."""
    ref = read_call_ref(call)
    reprise = stack_of(app_of(context), ref)
    call_id = call_named(reprise, ref.call_id)
    reader = StoryReader(reprise)
    story = reader.read(call_id, shows_payload=payload, shows_result=False)
    if result:
        story = replace(story, result=reader.result(story.row))
    show_story(reprise.out, story)
    reprise.out.result(story_document(story, has_payload=payload, has_result=result))


def story_document(story: Story, *, has_payload: bool, has_result: bool) -> dict[str, Any]:
    """Return a story as JSON values, its payload and its late result only if they were asked for."""
    told = story.document()
    document = row_document(story.row) | {
        name: told[name] for name in ("facts", "steps", "replies")
    }
    document["captured_for"] = story.captured_for
    del document["result"]
    if has_payload:
        document["payload"] = story.payload
    if has_result:
        document["result"] = story.result
    return document


def row_document(row: Row) -> dict[str, Any]:
    """Return a row as JSON values."""
    document = asdict(row)
    document["state"] = row.state.value
    document["history"] = msgspec.to_builtins(row.history)
    document["ends"] = msgspec.to_builtins(row.ends)
    return document

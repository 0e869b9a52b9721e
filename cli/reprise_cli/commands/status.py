"""`reprise status`: a captured call's story."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import unquote

import msgspec
import typer

from reprise_cli.app import app_of
from reprise_cli.options import DEFAULT_STACK
from reprise_cli.story.reader import StoryReader
from reprise_cli.story.view import show_story

if TYPE_CHECKING:
    from reprise.ledger import Row


def status(
    context: typer.Context,
    call: Annotated[str, typer.Argument(help="Id or reprise:// URL of a captured call.")],
    *,
    show_payload: Annotated[
        bool, typer.Option("--show-payload", help="Show what the caller sent, too.")
    ] = False,
) -> None:
    """Tell a captured call's story; exit code 1 if the ledger does not know it."""
    reprise = app_of(context)
    ref = read_call_ref(call)
    if ref.stack_name and reprise.options.stack_name == DEFAULT_STACK:
        reprise = reprise.for_stack(ref.stack_name)
    story = StoryReader(reprise).read(ref.call_id, shows_payload=show_payload)
    show_story(reprise.out, story)
    told = story.document()
    document = row_document(story.row) | {name: told[name] for name in ("steps", "replies")}
    if show_payload:
        document["payload"] = story.payload
    reprise.out.result(document)


def row_document(row: Row) -> dict[str, Any]:
    """Return a row as JSON values."""
    document = asdict(row)
    document["state"] = row.state.value
    document["history"] = msgspec.to_builtins(row.history)
    return document


_SCHEME: Final = "reprise://"
_PATH: Final = "/calls/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRef:
    """A call, and the stack that its URL names."""

    call_id: str
    stack_name: str | None = None


def read_call_ref(text: str) -> CallRef:
    """Return the call that an id or a URL such as `reprise://stack/calls/ID` names.

    An id may hold any printable character, in a URL with `%` and two digits for most; all after the first
    `/calls/` is the id.
    """
    if "://" not in text:
        return CallRef(call_id=text)
    _, _, after = text.partition("://")
    authority, found, call_id = after.partition(_PATH)
    if not found:
        return CallRef(call_id=text)
    return CallRef(
        call_id=unquote(call_id), stack_name=authority if text.startswith(_SCHEME) else None
    )

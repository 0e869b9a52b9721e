"""`reprise invoke`: one call through the stack's invoker."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from reprise.instant import utc_now
from reprise_cli.app import app_of
from reprise_cli.calling import InvokerClient
from reprise_cli.exits import ExitCode, UsageError
from reprise_cli.request import payload_fields, read_not_after

if TYPE_CHECKING:
    from reprise_cli.calling import InvokerAnswer
    from reprise_cli.output import Output


def invoke(  # noqa: PLR0913 - one option a field of the request
    context: typer.Context,
    function: Annotated[str, typer.Argument(help="Name or ARN of an allowed target.")],
    *,
    payload: Annotated[str | None, typer.Option(help="Sent byte for byte.")] = None,
    payload_file: Annotated[
        Path | None, typer.Option(help="File with the payload, sent byte for byte.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Your own name of the effect; becomes part of the id.")
    ] = None,
    scope: Annotated[
        str | None, typer.Option(help="Your own namespace of idempotency keys.")
    ] = None,
    qualifier: Annotated[str | None, typer.Option(help="Version or alias.")] = None,
    not_after: Annotated[
        str | None, typer.Option(help="Instant, or duration from now: no replay after it.")
    ] = None,
) -> None:
    """Call a function; exit code 0: it answered, 3: captured for a replay, 1: refused or failed."""
    reprise = app_of(context)
    reprise.say_place()
    request: dict[str, Any] = {"FunctionName": function}
    request |= payload_fields(_read_payload(payload, payload_file))
    options = {
        "Qualifier": qualifier,
        "IdempotencyKey": idempotency_key,
        "Scope": scope,
        "NotAfter": not_after and read_not_after(not_after, utc_now()),
    }
    request |= {name: value for name, value in options.items() if value}
    with reprise.out.progress(f"calling {function}"):
        answer = InvokerClient(reprise.aws.calls, reprise.stack.invoker).call(request)
    _show(reprise.out, answer)
    reprise.out.result(answer.document)
    raise typer.Exit(answer.exit_code)


def _read_payload(payload: str | None, path: Path | None) -> bytes:
    if payload is not None and path is not None:
        raise UsageError("--payload-file", "stands beside --payload", "Give one of the two")
    if path is None:
        return (payload or "").encode("utf-8", "surrogateescape")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            "--payload-file", f"{path} cannot be read: {error.strerror}", "Name a file"
        ) from error


def _show(out: Output, answer: InvokerAnswer) -> None:
    """Show an answer to people."""
    document = answer.document
    table = Table("what", "value", title=f"status {answer.status}")
    match answer.exit_code:
        case ExitCode.CAPTURED:
            block = document["reprise"]
            table.title = "captured: the call will be replayed"
            table.add_row("id", block["id"])
            outcome = block.get("outcome", {})
            for name, value in outcome.items():
                table.add_row(name.replace("_", " "), str(value))
            table.add_row("next", f"reprise status {block['id']}")
        case _:
            for name, value in document.items():
                if name != "StatusCode":
                    text = value if isinstance(value, str) else json.dumps(value)
                    table.add_row(name, text)
    out.show(table)

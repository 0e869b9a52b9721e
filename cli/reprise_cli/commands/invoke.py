"""`reprise invoke`: one call through the stack's invoker."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from reprise.instant import format_instant, utc_now
from reprise_cli.app import app_of
from reprise_cli.calling import InvokerClient
from reprise_cli.duration import read_duration
from reprise_cli.exits import ExitCode, UsageError
from reprise_cli.point_in_time import read_point

if TYPE_CHECKING:
    from reprise_cli.calling import InvokerAnswer
    from reprise_cli.output import Output


def invoke(
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
    wait: Annotated[
        bool, typer.Option("--wait", help="If it is captured, wait until it has ended.")
    ] = False,
    timeout: Annotated[
        str, typer.Option(help="How long --wait waits at most, such as 30s or 2h.")
    ] = "15m",
) -> None:
    """Call a function; exit code 0: it answered, 3: captured for a replay, 1: refused or failed."""
    reprise = app_of(context)
    timeout_s = read_duration("--timeout", timeout)
    reprise.say_place()
    request: dict[str, Any] = {"FunctionName": function}
    request |= payload_fields(_read_payload(payload, payload_file))
    options = {
        "Qualifier": qualifier,
        "IdempotencyKey": idempotency_key,
        "Scope": scope,
        "NotAfter": not_after
        and format_instant(read_point("--not-after", not_after, utc_now(), is_ahead=True)),
    }
    request |= {name: value for name, value in options.items() if value}
    with reprise.out.progress(f"calling {function}"):
        answer = InvokerClient(reprise.aws.calls, reprise.stack.invoker).call(request)
    show_answer(reprise.out, answer)
    if wait and answer.exit_code is ExitCode.CAPTURED:
        # What tells a story, for which a mere --help would wait.
        from reprise_cli.commands.wait import wait_for_end  # noqa: PLC0415 - see above

        wait_for_end(reprise, answer.document["reprise"]["id"], timeout_s)
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


def show_answer(out: Output, answer: InvokerAnswer) -> None:
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
                if name not in {"StatusCode", *_COPIED}:
                    _add(table, name, value)
    out.show(table)
    for name in _COPIED & document.keys():
        value = document[name]
        out.show(Text(name, "bold"))
        out.show(value if isinstance(value, str) else json.dumps(value))


def _add(table: Table, name: str, value: object) -> None:
    """Add a field; of an object, each of its own by its own name."""
    if isinstance(value, dict):
        for inner, one in value.items():
            _add(table, f"{name} {inner}".replace("_", " "), one)
    else:
        table.add_row(name, value if isinstance(value, str) else json.dumps(value))


_COPIED: Final = frozenset({"Payload", "PayloadBase64"})
"""Fields below the table, which would break their lines."""


def payload_fields(payload: bytes) -> dict[str, Any]:
    """Return the request's payload field: text goes byte for byte, anything else as base64."""
    if not payload:
        return {}
    try:
        return {"Payload": payload.decode()}
    except UnicodeDecodeError:
        return {"PayloadBase64": base64.b64encode(payload).decode("ascii")}

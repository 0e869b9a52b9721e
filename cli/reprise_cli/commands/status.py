"""`reprise status`: how a captured call stands."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.table import Table

from reprise_cli.app import app_of
from reprise_cli.call_ref import read_call_ref
from reprise_cli.exits import CommandError
from reprise_cli.options import DEFAULT_STACK

if TYPE_CHECKING:
    from reprise.ledger.row import Row
    from reprise_cli.output import Output


def status(
    context: typer.Context,
    call: Annotated[str, typer.Argument(help="Id or reprise:// URL of a captured call.")],
) -> None:
    """Tell how a captured call stands; exit code 1 if the ledger does not know it."""
    reprise = app_of(context)
    ref = read_call_ref(call)
    if ref.stack_name and reprise.options.stack_name == DEFAULT_STACK:
        reprise = reprise.for_stack(ref.stack_name)
    row = reprise.ledger.get(ref.call_id)
    if row is None:
        raise CommandError(
            "ID",
            f"no call {ref.call_id!r} is known",
            "A captured call is known once its line has been delivered and unpacked: "
            "try again in a minute",
        )
    show_row(reprise.out, row, reprise.stack.bucket)
    reprise.out.result(row_document(row))


def row_document(row: Row) -> dict[str, Any]:
    """Return a row as JSON values."""
    document = asdict(row)
    document["state"] = row.state.value
    document["history"] = msgspec.to_builtins(row.history)
    return document


def show_row(out: Output, row: Row, bucket: str) -> None:
    """Show a row and its history to people."""
    facts = {
        "state": row.state.value,
        "target": row.target,
        "attempts": f"{row.attempts} executions failed, {row.refusals} refusals",
        "captured": row.captured_at,
        "updated": row.updated_at,
        "given up": ": ".join(part for part in (row.reason, row.message) if part),
        "late result": f"s3://{bucket}/{row.result_key}" if row.result_key else row.result,
        "capture object": row.capture_object,
        "next": f"reprise dlq show {row.id}" if row.letter_sent else None,
    }
    table = Table("what", "value", title=f"call {row.id}")
    for name, value in facts.items():
        if value:
            table.add_row(name, value)
    out.show(table)
    if not row.history:
        return
    history = Table("ended", "outcome", "code", "message", title="attempts, throttles left out")
    for entry in row.history:
        outcome = entry.outcome
        history.add_row(entry.at, outcome.kind.value, outcome.code or "", outcome.message or "")
    out.show(history)

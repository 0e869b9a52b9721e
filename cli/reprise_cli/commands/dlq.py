"""`reprise dlq`: look at what was given up, and bring it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reprise.call.payload import MAX_PAYLOAD_BYTES
from reprise.instant import utc_now
from reprise.retry.decision import Reason
from reprise_cli.app import app_of
from reprise_cli.dlq.desk import Which, dry_run_selected, peek, redrive_selected
from reprise_cli.dlq.letter import Selection, select
from reprise_cli.dlq.redrive import Action
from reprise_cli.dlq.view import describe, pretty, report, show_letters
from reprise_cli.duration import parse_duration
from reprise_cli.exits import CommandError, ExitCode, UsageError
from reprise_cli.output import counted

app = typer.Typer(
    help="Dead letters: calls that were given up, each with its reason.", no_args_is_help=True
)


QueueOption = Annotated[
    Which,
    typer.Option("--queue", help="calls: calls given up; capture: objects not unpacked."),
]
ReasonOption = Annotated[str | None, typer.Option(help=f"Only this reason: {', '.join(Reason)}.")]
TargetOption = Annotated[str | None, typer.Option(help="Only calls of this function.")]
OlderOption = Annotated[str | None, typer.Option(help="Only letters older than this: 1h, 2d.")]
LimitOption = Annotated[int, typer.Option(min=1, help="Letters to look at, at most.")]


@app.command("list")
def list_letters(
    context: typer.Context,
    *,
    queue: QueueOption = Which.CALLS,
    reason: ReasonOption = None,
    target: TargetOption = None,
    older_than: OlderOption = None,
    limit: LimitOption = 1000,
) -> None:
    """List dead letters; they stay in the queue."""
    reprise = app_of(context)
    selection = Selection(
        reason=reason, target=target, older_than_s=_seconds(older_than), is_all=True
    )
    now = utc_now()
    letters = select(peek(reprise, queue, limit), selection, now)
    show_letters(reprise.out, letters, counted(len(letters), "dead letter"))
    documents = [describe(letter) for letter in letters]
    reprise.out.result({"queue": queue.value, "count": len(letters), "letters": documents})


@app.command("show")
def show_letter(
    context: typer.Context,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a call or message.")],
    *,
    queue: QueueOption = Which.CALLS,
    limit: LimitOption = 100_000,
) -> None:
    """Show one dead letter whole; it stays in the queue."""
    reprise = app_of(context)
    _check_ids(letter_id)
    selection = Selection(ids=frozenset({letter_id}))
    found = select(peek(reprise, queue, limit, selection), selection, utc_now())
    if not found:
        raise CommandError(
            "ID", f"no dead letter of {letter_id!r} was seen", "Look at `reprise dlq list`"
        )
    letter = found[0]
    show_letters(reprise.out, [letter], f"dead letter of {letter.id}")
    reprise.out.show(pretty(letter.body))
    reprise.out.result(describe(letter) | {"body": letter.body})


@app.command("redrive")
def redrive(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    *,
    queue: QueueOption = Which.CALLS,
    reason: ReasonOption = None,
    target: TargetOption = None,
    older_than: OlderOption = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would become of each.")
    ] = False,
    payload: Annotated[
        Path | None,
        typer.Option(help="File with a payload to run the one call with, signed as your edit."),
    ] = None,
) -> None:
    """Bring dead letters back: the ledger opens the calls, and they are replayed."""
    reprise = app_of(context)
    _check_ids(*(ids or ()))
    data = None if payload is None else _read(payload)
    if data is not None and (len(ids or ()) != 1 or queue is not Which.CALLS):
        raise UsageError("--payload", "replaces the payload of one call", "Name its ID")
    selection = Selection(
        ids=frozenset(ids or ()),
        reason=reason,
        target=target,
        older_than_s=_seconds(older_than),
        is_all=every,
    )
    if selection.is_empty:
        raise UsageError(
            "ID",
            "nothing says which letters are meant",
            "Name ids, --reason, --target or --older-than, or say --all; try --dry-run first",
        )
    reprise.say_place()
    work = dry_run_selected if dry_run else redrive_selected
    results = work(reprise, queue, selection, data)
    if dry_run:
        letters = [result.letter for result in results if result.action is Action.REDRIVEN]
        show_letters(reprise.out, letters, f"{counted(len(letters), 'letter')} would be redriven")
    report(reprise.out, results, is_dry_run=dry_run)
    missing = selection.ids - {
        name for result in results for name in (result.letter.id, result.letter.message_id)
    }
    if missing:
        raise CommandError(
            "ID", f"no dead letter of {min(missing)!r} was seen", "Look at `reprise dlq list`"
        )
    if any(result.action in {Action.FAILED, Action.REFUSED} for result in results):
        raise typer.Exit(ExitCode.FAILED)


def _check_ids(*ids: str) -> None:
    if not all(ids):
        raise UsageError("ID", "is empty", "Look at `reprise dlq list`")


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            "--payload", f"{path} cannot be read: {error.strerror}", "Correct it"
        ) from error
    if len(data) > MAX_PAYLOAD_BYTES:
        raise UsageError(
            "--payload",
            f"{path} has {len(data)} bytes, and Lambda takes {MAX_PAYLOAD_BYTES}",
            "Send less",
        )
    return data


def _seconds(text: str | None) -> float | None:
    try:
        return parse_duration(text) if text is not None else None
    except ValueError as error:
        raise UsageError("--older-than", str(error), "Correct it, then try again") from error

"""`reprise dlq`: look at what was given up, and bring it back."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reprise.call.payload import MAX_PAYLOAD_BYTES
from reprise.instant import utc_now
from reprise.retry.decision import Reason
from reprise_cli.app import app_of
from reprise_cli.calls.lookup import letters_named
from reprise_cli.commands.dlq_jobs import cancel, watch
from reprise_cli.dlq.conduct import Wish, fail_missing
from reprise_cli.dlq.desk import dry_run_selected, peek
from reprise_cli.dlq.in_stack import ABOVE
from reprise_cli.dlq.start import go_on, say_meant, start
from reprise_cli.dlq.view import (
    describe,
    group_documents,
    pretty,
    report_rehearsal,
    show_groups,
    show_letters,
    veil,
)
from reprise_cli.duration import parse_duration, read_rate
from reprise_cli.exits import ExitCode, UsageError
from reprise_cli.output import FormatOption, counted
from reprise_letters.job import CANARY, CANARY_ABOVE, LetterQueue, LetterVerb, planned
from reprise_letters.letter import Selection, error_pattern, select
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.app import App

app = typer.Typer(
    help="Dead letters: calls that were given up, each with its reason.", no_args_is_help=True
)


QueueOption = Annotated[
    LetterQueue,
    typer.Option("--queue", help="calls: calls given up; capture: objects not unpacked."),
]
ReasonOption = Annotated[str | None, typer.Option(help=f"Only this reason: {', '.join(Reason)}.")]
TargetOption = Annotated[str | None, typer.Option(help="Only calls of this function.")]
OlderOption = Annotated[
    str | None, typer.Option(help="Only calls given up longer ago than this: 1h, 2d.")
]
NewerOption = Annotated[str | None, typer.Option(help="Only calls given up within this time: 30m.")]
ErrorOption = Annotated[
    str | None,
    typer.Option(help="Only letters whose error or message holds this text, or matches /REGEX/."),
]
MaxOption = Annotated[int | None, typer.Option("--max", min=1, help="At most so many, the oldest.")]
EveryOption = Annotated[bool, typer.Option("--all", help="Every letter.")]
RateOption = Annotated[str | None, typer.Option(help="At most so many: 20/s, 30/m.")]
InStackOption = Annotated[
    bool | None,
    typer.Option(
        "--in-stack/--here",
        help=f"Where the job runs: in the stack, which survives this machine, or here. In the stack "
        f"if the queue has more than {ABOVE:,} letters and no ID is named.",
    ),
]
ResumeOption = Annotated[
    str | None,
    typer.Option("--resume", metavar="JOB", help="Go on with a job: see `reprise audit`."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
LimitOption = Annotated[int, typer.Option(min=1, help="Letters to look at, at most.")]


@app.command("list")
def list_letters(
    context: typer.Context,
    *,
    queue: QueueOption = LetterQueue.CALLS,
    reason: ReasonOption = None,
    target: TargetOption = None,
    error: ErrorOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    limit: LimitOption = 1000,
    output: FormatOption = None,
) -> None:
    """List dead letters; they stay in the queue."""
    reprise = app_of(context)
    reprise.out.write_as(output)
    selection = _selection(
        None,
        queue,
        reason=reason,
        target=target,
        error=error,
        older_than=older_than,
        newer_than=newer_than,
        is_all=True,
    )
    seen = peek(reprise, queue, limit)
    letters = sorted(select(seen, selection, utc_now()), key=lambda letter: letter.at)
    if letters:
        grouped = [planned(letter) for letter in letters]
        show_groups(reprise.out, grouped, "by target, reason and error")
    elif seen:
        targets = ", ".join(sorted({letter.target for letter in seen} - {""}))
        reprise.out.note(f"{counted(len(seen), 'letter')} of other kinds; targets: {targets}")
    show_letters(reprise.out, letters, counted(len(letters), "dead letter"))
    documents = [describe(letter) for letter in letters]
    reprise.out.rows(documents)
    found = {"queue": queue.value, "count": len(letters), "letters": documents}
    groups = group_documents([planned(letter) for letter in letters])
    reprise.out.result(found | {"groups": groups})


@app.command("show")
def show_letter(
    context: typer.Context,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a call or message.")],
    *,
    queue: QueueOption = LetterQueue.CALLS,
    payload: Annotated[
        bool, typer.Option("--payload", help="Show payloads and signature, too.")
    ] = False,
    limit: LimitOption = 100_000,
) -> None:
    """Show one dead letter; it stays in the queue."""
    reprise = app_of(context)
    _check_ids(letter_id)
    (letter_id,) = _named(reprise, queue, [letter_id])
    selection = Selection(ids=frozenset({letter_id}))
    found = select(peek(reprise, queue, limit, selection), selection, utc_now())
    if not found:
        fail_missing(selection.ids)
    letter = found[0]
    show_letters(reprise.out, [letter], f"dead letter of {letter.id}")
    body = letter.body if payload else veil(letter.body)
    reprise.out.show(pretty(body))
    reprise.out.result(describe(letter) | {"body": body})


@app.command("redrive")
def redrive(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    *,
    queue: QueueOption = LetterQueue.CALLS,
    reason: ReasonOption = None,
    target: TargetOption = None,
    error: ErrorOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    maximum: MaxOption = None,
    every: EveryOption = False,
    why: Annotated[str, typer.Option(help="Why you do it, for the audit.")] = "",
    rate: RateOption = None,
    in_stack: InStackOption = None,
    canary: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"So many go first, the rest if they succeed; {CANARY} if more than "
            f"{CANARY_ABOVE} letters are meant.",
        ),
    ] = None,
    no_canary: Annotated[
        bool, typer.Option("--no-canary", help="All go, whatever becomes of the first.")
    ] = False,
    canary_wait: Annotated[
        str, typer.Option(help="How long the first may take to end: 5m.")
    ] = "5m",
    resume_id: ResumeOption = None,
    yes: YesOption = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only say what would become of each; with --in-stack, leave a plan to go on with.",
        ),
    ] = False,
    payload: Annotated[
        Path | None,
        typer.Option(help="File with a payload to run the one call with, signed as your edit."),
    ] = None,
) -> None:
    """Bring dead letters back: the ledger opens the calls, and they are replayed."""
    reprise = app_of(context)
    if canary is not None and no_canary:
        raise UsageError("--canary", "and --no-canary are opposites", "Leave one out")
    selection = _selection(
        _named(reprise, queue, ids or ()),
        queue,
        reason=reason,
        target=target,
        error=error,
        older_than=older_than,
        newer_than=newer_than,
        maximum=maximum,
        is_all=every,
    )
    data = None if payload is None else _read(payload)
    if (
        resume_id is None
        and data is not None
        and (len(ids or ()) != 1 or queue is not LetterQueue.CALLS)
    ):
        raise UsageError("--payload", "replaces the payload of one call", "Name its ID")
    wish = Wish(
        verb=LetterVerb.REDRIVE,
        queue=queue,
        why=why,
        is_agreed=yes,
        canary=0 if no_canary else canary,
        canary_wait_s=_seconds("--canary-wait", canary_wait) or 0.0,
        rate_per_s=read_rate("--rate", rate) if rate is not None else None,
        payload=data,
        is_dry_run=dry_run,
        filters=_filters(context),
    )
    if resume_id is not None:
        _check_resume(selection, resume_id)
        go_on(reprise, resume_id, wish)
        return
    _check_said(selection)
    if dry_run and in_stack:
        start(reprise, selection, wish, error=error, in_stack=True)
        return
    if dry_run:
        reprise.say_place()
        _rehearse(reprise, queue, selection, data)
        return
    start(reprise, selection, wish, error=error, in_stack=in_stack)


@app.command("discard")
def discard(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    *,
    queue: QueueOption = LetterQueue.CALLS,
    reason: ReasonOption = None,
    target: TargetOption = None,
    error: ErrorOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    maximum: MaxOption = None,
    every: EveryOption = False,
    why: Annotated[str, typer.Option(help="Why: the ledger and the audit keep it. Needed.")] = "",
    rate: RateOption = None,
    in_stack: InStackOption = None,
    resume_id: ResumeOption = None,
    yes: YesOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which are meant.")] = False,
) -> None:
    """Throw dead letters away: their calls stay given up, and the ledger says by whom and why."""
    reprise = app_of(context)
    selection = _selection(
        _named(reprise, queue, ids or ()),
        queue,
        reason=reason,
        target=target,
        error=error,
        older_than=older_than,
        newer_than=newer_than,
        maximum=maximum,
        is_all=every,
    )
    wish = Wish(
        verb=LetterVerb.DISCARD,
        queue=queue,
        why=why.strip(),
        is_agreed=yes,
        rate_per_s=read_rate("--rate", rate) if rate is not None else None,
        filters=_filters(context),
    )
    if resume_id is not None:
        _check_resume(selection, resume_id)
        go_on(reprise, resume_id, wish)
        return
    _check_said(selection)
    if dry_run:
        reprise.say_place()
        say_meant(reprise, queue, selection)
        return
    if not wish.why:
        raise UsageError("--why", "is missing", "Say why: nothing else will know")
    start(reprise, selection, wish, error=error, in_stack=in_stack)


app.command("watch")(watch)
app.command("cancel")(cancel)


def _rehearse(reprise: App, queue: LetterQueue, selection: Selection, data: bytes | None) -> None:
    results = dry_run_selected(reprise, queue, selection, data)
    letters = [result.letter for result in results if result.action is Action.REDRIVEN]
    show_groups(reprise.out, [planned(letter) for letter in letters], "by target, reason and error")
    show_letters(reprise.out, letters, f"{counted(len(letters), 'letter')} would be redriven")
    report_rehearsal(reprise.out, results)
    fail_missing(
        selection.ids
        - {name for result in results for name in (result.letter.id, result.letter.message_id)}
    )
    if any(result.action in {Action.FAILED, Action.REFUSED} for result in results):
        raise typer.Exit(ExitCode.FAILED)


def _selection(
    ids: list[str] | None,
    queue: LetterQueue,
    *,
    reason: str | None,
    target: str | None,
    error: str | None,
    older_than: str | None,
    newer_than: str | None,
    maximum: int | None = None,
    is_all: bool,
) -> Selection:
    """Return what the options choose.

    Raises:
        UsageError: If one of them cannot be understood.
    """
    _check_ids(*(ids or ()))
    if reason is not None and queue is LetterQueue.CALLS and reason not in set(Reason):
        near = get_close_matches(reason, list(Reason), 1)
        meant = f"Did you mean {near[0]}?" if near else f"One of {', '.join(Reason)}"
        raise UsageError("--reason", f"{reason!r} is none", meant)
    try:
        pattern = None if error is None else error_pattern(error)
    except ValueError as wrong:
        raise UsageError("--error", str(wrong), "Correct it, then try again") from wrong
    return Selection(
        ids=frozenset(ids or ()),
        reason=reason,
        target=target,
        error=pattern,
        older_than_s=_seconds("--older-than", older_than),
        newer_than_s=_seconds("--newer-than", newer_than),
        is_all=is_all,
        max_count=maximum,
    )


def _check_said(selection: Selection) -> None:
    if selection.is_empty:
        raise UsageError(
            "ID",
            "nothing says which letters are meant",
            "Name ids, --reason, --target, --error, --older-than or --newer-than, or say --all; "
            "try --dry-run first",
        )


def _check_resume(selection: Selection, job: str) -> None:
    if not selection.is_empty or selection.max_count is not None:
        raise UsageError("--resume", f"goes on with the letters of {job}", "Choose no others")


_NOT_FILTERS: Final = frozenset(
    {"yes", "why", "payload", "dry_run", "canary_wait", "no_canary", "in_stack"}
)


def _filters(context: typer.Context) -> dict[str, str]:
    """Return what was typed, for the audit."""
    return {
        name: ", ".join(value) if isinstance(value, (list, tuple)) else str(value)
        for name, value in context.params.items()
        if value and name not in _NOT_FILTERS
    }


def _named(reprise: App, queue: LetterQueue, ids: Sequence[str]) -> list[str]:
    """Return what letters are named by: calls may be by a beginning of their id, or their caller's key."""
    _check_ids(*ids)
    return letters_named(reprise, ids) if queue is LetterQueue.CALLS else list(ids)


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


def _seconds(option: str, text: str | None) -> float | None:
    try:
        return parse_duration(text) if text is not None else None
    except ValueError as error:
        raise UsageError(option, str(error), "Correct it, then try again") from error

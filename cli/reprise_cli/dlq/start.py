"""Begin a job or go on with one, here or in the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise_cli.dlq.conduct import begin, fail_missing, resume
from reprise_cli.dlq.desk import job_store, survey
from reprise_cli.dlq.in_stack import begin_in_stack, is_for_stack, resume_in_stack
from reprise_cli.dlq.view import group_documents, show_groups
from reprise_cli.exits import UsageError
from reprise_cli.output import counted
from reprise_letters.job import LetterFilter

if TYPE_CHECKING:
    from reprise_cli.app import App
    from reprise_cli.dlq.conduct import Wish
    from reprise_letters.job import LetterQueue
    from reprise_letters.letter import Selection


def start(
    reprise: App, selection: Selection, wish: Wish, *, error: str | None, in_stack: bool | None
) -> None:
    """Begin a job where it is asked for; large ones in the stack unless it is told otherwise.

    Raises:
        UsageError: If the stack cannot be asked for what is meant.
        CommandError: As `begin` and `begin_in_stack`; and so `typer.Exit`.
    """
    is_by_name = bool(selection.ids) or wish.payload is not None
    if in_stack and is_by_name:
        raise UsageError(
            "--in-stack", "chooses by filters, and edits nothing", "Leave it out for single calls"
        )
    if is_by_name or not is_for_stack(reprise, wish.queue, in_stack):
        begin(reprise, selection, wish)
        return
    wanted = LetterFilter(
        reason=selection.reason,
        target=selection.target,
        error=error,
        older_than_s=selection.older_than_s,
        newer_than_s=selection.newer_than_s,
        max_count=selection.max_count,
    )
    begin_in_stack(reprise, wanted, wish)


def say_meant(reprise: App, queue: LetterQueue, selection: Selection) -> None:
    """Say which letters a discard would be of; nothing is touched.

    Raises:
        CommandError: If an id is not in the queue.
    """
    found = survey(reprise, queue, selection)
    show_groups(reprise.out, found.letters, f"{counted(len(found.letters), 'letter')} meant")
    documents = [{"id": letter.id, "message_id": letter.message_id} for letter in found.letters]
    reprise.out.result(
        {"dry_run": True, "selected": len(found.letters), "letters": documents}
        | {"groups": group_documents(found.letters)}
    )
    fail_missing(found.missing)


def go_on(reprise: App, name: str, wish: Wish) -> None:
    """Go on with a job where it was begun.

    Raises:
        UsageError: If it is of another kind.
        CommandError: As `resume` and `resume_in_stack`; and so `typer.Exit`.
    """
    job = job_store(reprise).job(name)
    if job.verb is not wish.verb:
        raise UsageError("--resume", f"job {job.id} is to {job.verb.value}", "Name that command")
    if job.selection is None:
        resume(reprise, job, wish)
    else:
        resume_in_stack(reprise, job, wish)

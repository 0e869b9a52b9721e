"""Have the stack run a job, and watch it: the machine that ordered it may go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import typer

from reprise.aws.sqs import SqsQueue
from reprise.errors import StoreError
from reprise.instant import format_instant, utc_now
from reprise.ports import OutMessage
from reprise.retry.decision import Reason
from reprise_cli.dlq.conduct import Wish, again, canary_asked, kept_first
from reprise_cli.dlq.desk import job_store, tools
from reprise_cli.dlq.jobs import status_of, until, watch, watch_command
from reprise_cli.dlq.view import report_plan, show_groups
from reprise_cli.exits import CommandError
from reprise_cli.interrupt import INTERRUPTED, interruptible
from reprise_cli.output import counted
from reprise_letters.job import LetterJob, LetterJobState, LetterVerb, Segment, job_id
from reprise_letters.order import Order, write_order

if TYPE_CHECKING:
    from reprise_cli.app import App
    from reprise_letters.job import LetterFilter, LetterQueue, Planned

ABOVE: Final = 1000
"""Letters in the queue from which the stack runs a job unless it is told otherwise."""


def is_for_stack(reprise: App, queue: LetterQueue, asked: bool | None) -> bool:  # noqa: FBT001 - three answers
    """Tell whether the stack is to run a job that chooses by filters.

    Raises:
        CommandError: If it is asked to, and cannot.
    """
    can = reprise.stack.letter_jobs_queue_url is not None
    if asked is not None:
        if asked and not can:
            raise CommandError(
                "--in-stack", "this stack runs no jobs yet", "Deploy it again, or leave it out"
            )
        return asked
    with tools(reprise).browser(queue) as browser:
        count = browser.count_visible()
    if count <= ABOVE:
        return False
    if not can:
        reprise.out.note(
            f"about {counted(count, 'letter')}: deployed again, the stack would run the job"
        )
        return False
    reprise.out.note(
        f"about {counted(count, 'letter')} in the queue: the stack runs the job (--here: this machine)"
    )
    return True


def begin_in_stack(reprise: App, selection: LetterFilter, wish: Wish) -> None:
    """Order a job: the stack finds the letters, and redrives or discards them once somebody agrees.

    Raises:
        CommandError: If nobody agrees, or the job cannot be ordered.
        typer.Exit: If not all went well, or Ctrl-C stopped the watching.
    """
    reprise.say_place()
    is_agreed = wish.is_agreed and not wish.is_dry_run
    reprise.need_answer(is_agreed=is_agreed or wish.is_dry_run)
    now = utc_now()
    job = LetterJob(
        id=job_id(now, os.urandom(3)),
        verb=wish.verb,
        queue=wish.queue.value,
        by=reprise.operator,
        why=wish.why,
        started_at=format_instant(now),
        filters=wish.filters,
        selection=selection,
        canary=canary_asked(wish),
        canary_wait_s=wish.canary_wait_s,
        rate_per_s=wish.rate_per_s,
    )
    with kept_first(reprise):
        job_store(reprise).announce(job)
    order_run(reprise, job, wish, is_agreed=is_agreed)
    if wish.is_dry_run:
        letters = _show_plan(reprise, job)
        reprise.out.note(f"nothing was touched; do it: {again(job)}")
        report_plan(reprise.out, job, letters)
        return
    if not is_agreed:
        _agree(reprise, job)
        order_rest(reprise, job, wish)
    watch(reprise, job.id)


def resume_in_stack(reprise: App, job: LetterJob, wish: Wish) -> None:
    """Order the rest of a job.

    Raises:
        CommandError: If a run is at it, or nobody agrees.
        typer.Exit: As `begin_in_stack`.
    """
    reprise.say_place()
    status = status_of(reprise, job)
    if status.has_run(utc_now()):
        raise CommandError(
            "--resume",
            f"job {job.id} is {status.words(utc_now())}",
            f"Watch it: {watch_command(job)}",
        )
    if status.state is LetterJobState.PLANNED and not wish.is_agreed:
        _agree(reprise, job)
    order_rest(reprise, job, wish)
    watch(reprise, job.id)


def order_rest(reprise: App, job: LetterJob, wish: Wish) -> None:
    """Order what is left of a job, whatever stopped it before; whoever watches sees it open again.

    Raises:
        CommandError: If it cannot be ordered.
    """
    store = job_store(reprise)
    cancel, last = store.cancelled(job.id), store.last_segment(job.id)
    segment = Segment(
        at=format_instant(utc_now()),
        by=reprise.operator,
        state=LetterJobState.OPEN,
        counts=last.counts if last else {},
        meant=last.meant if last else 0,
    )
    with kept_first(reprise):
        store.add(job.id, segment)
    order_run(reprise, job, wish, is_agreed=True, past_cancel=None if cancel is None else cancel.at)


def order_run(
    reprise: App, job: LetterJob, wish: Wish, *, is_agreed: bool, past_cancel: str | None = None
) -> None:
    """Order a run of a job.

    Raises:
        CommandError: If it cannot be ordered; it touches nothing then.
    """
    order = Order(
        job=job.id,
        by=reprise.operator,
        is_agreed=is_agreed,
        has_canary=wish.canary != 0,
        rate_per_s=wish.rate_per_s,
        past_cancel=past_cancel,
    )
    url = reprise.stack.letter_jobs_queue_url
    if url is None:
        raise CommandError("JOB", "this stack runs no jobs", "Deploy it again")
    try:
        SqsQueue(reprise.aws.sqs, url).send([OutMessage(body=write_order(order))])
    except StoreError as error:
        raise CommandError(
            "sqs",
            f"job {job.id} could not be ordered, and touches nothing: {error.code}",
            f"Allow sqs:SendMessage on {reprise.stack.name}-letter-jobs, then: {again(job)}",
        ) from error


def _agree(reprise: App, job: LetterJob) -> None:
    """Wait for the plan, show it, and ask.

    Raises:
        CommandError: If the answer is no, or there is no plan; nothing is touched.
    """
    count = counted(len(_show_plan(reprise, job)), "letter")
    reprise.confirm(f"{job.verb.value} {count}?", is_agreed=False)


def _show_plan(reprise: App, job: LetterJob) -> list[Planned]:
    """Wait for the plan, show it, and return its letters.

    Raises:
        CommandError: If there is none; nothing is touched.
    """
    reprise.out.note(f"job {job.id}: the stack looks for its letters")
    store = job_store(reprise)
    try:
        with interruptible():
            status = until(reprise, job, lambda status: status.state is not LetterJobState.OPEN)
    except KeyboardInterrupt:
        reprise.out.note(f"nothing was touched; go on: {again(job)}")
        raise typer.Exit(INTERRUPTED) from None
    if status.state is not LetterJobState.PLANNED:
        why = status.last.why if status.last else ""
        raise CommandError("JOB", f"{job.id} is {status.state.value}: {why}", "Mend that")
    letters = store.letters(job.id)
    show_groups(reprise.out, letters, f"{counted(len(letters), 'letter')} to {job.verb.value}")
    if status.last and status.last.why:
        reprise.out.warn(status.last.why)
    has_unknown = any(letter.reason == Reason.UNKNOWN for letter in letters)
    if has_unknown and job.verb is LetterVerb.REDRIVE:
        reprise.out.warn("calls given up as `unknown` may have run already: they may run again")
    return letters

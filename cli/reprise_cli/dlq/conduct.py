"""Take a job from its plan to its report: survey, summary, confirmation, run, and what is left to do."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
import typer

from reprise.call.payload import digest
from reprise.errors import RepriseError, StoreError
from reprise.instant import format_instant, utc_now
from reprise_cli.dlq.desk import (
    job_run,
    job_store,
    make_edit,
    note_unverified,
    survey,
)
from reprise_cli.dlq.view import report_job, show_groups
from reprise_cli.exits import CommandError, ExitCode, UsageError
from reprise_cli.interrupt import INTERRUPTED, interruptible
from reprise_cli.output import counted
from reprise_letters.job import (
    LetterJob,
    LetterJobState,
    LetterQueue,
    LetterVerb,
    canary_size,
    job_id,
    left_of,
)
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise_cli.app import App
    from reprise_cli.dlq.edit import Edit
    from reprise_letters.job import LetterOutcome, Planned
    from reprise_letters.letter import Letter, Selection
    from reprise_letters.run import LetterJobRun

_NOT_WELL: Final = frozenset({Action.FAILED, Action.REFUSED, Action.MISSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a job is to be done."""

    verb: LetterVerb
    queue: LetterQueue
    why: str = ""
    is_agreed: bool = False
    canary: int | None = None
    """None: ten, if there are more than a hundred letters."""
    canary_wait_s: float = 300.0
    rate_per_s: float | None = None
    payload: bytes | None = None
    is_dry_run: bool = False
    filters: dict[str, str] = field(default_factory=dict)


def begin(reprise: App, selection: Selection, wish: Wish) -> None:
    """Find the letters that are meant, ask, and do what is wished for with them.

    Raises:
        CommandError: If nobody agrees, an id was not seen, or the job cannot go on.
        typer.Exit: If not all went well.
    """
    reprise.say_place()
    found = survey(reprise, wish.queue, selection)
    letters = found.letters
    if not letters:
        report_job(reprise.out, None, [], [])
        if found.targets and not found.missing:
            reprise.out.note(
                f"{counted(found.seen, 'letter')} of other kinds: see `reprise dlq list`; "
                f"targets: {', '.join(sorted(found.targets))}"
            )
        fail_missing(found.missing)
        return
    show_groups(reprise.out, letters, f"{counted(len(letters), 'letter')} to {wish.verb.value}")
    if found.has_unknown and wish.verb is LetterVerb.REDRIVE:
        reprise.out.warn("calls given up as `unknown` may have run already: they may run again")
    # Who names each letter has been asked.
    is_agreed = wish.is_agreed or bool(selection.ids)
    reprise.confirm(f"{wish.verb.value} {counted(len(letters), 'letter')}?", is_agreed=is_agreed)
    # Before anything is kept: who may not edit has begun no job.
    edit = None if wish.payload is None else make_edit(reprise, wish.payload)
    now = utc_now()
    job = LetterJob(
        id=job_id(now, os.urandom(3)),
        verb=wish.verb,
        queue=wish.queue.value,
        by=reprise.operator,
        why=wish.why,
        started_at=format_instant(now),
        filters=wish.filters,
        count=len(letters),
        canary=canary_size(canary_asked(wish), len(letters)),
        canary_wait_s=wish.canary_wait_s,
        rate_per_s=wish.rate_per_s,
        payload_sha256=None if wish.payload is None else digest(wish.payload),
    )
    with kept_first(reprise):
        job_store(reprise).begin(job, letters)
    _run(reprise, job, letters, [], wish, edit)
    fail_missing(found.missing)


def resume(reprise: App, job: LetterJob, wish: Wish) -> None:
    """Go on with a job that was cut short, or that its canary stopped.

    Raises:
        CommandError: If it cannot go on.
        typer.Exit: If not all went well.
    """
    store = job_store(reprise)
    sha256 = None if wish.payload is None else digest(wish.payload)
    if sha256 != job.payload_sha256:
        raise UsageError("--payload", "is not what the job began with", "Name the same file")
    if wish.rate_per_s is not None:
        job = msgspec.structs.replace(job, rate_per_s=wish.rate_per_s)
    job = msgspec.structs.replace(job, canary_wait_s=wish.canary_wait_s)
    letters, outcomes = store.letters(job.id), store.outcomes(job.id)
    reprise.say_place()
    left = left_of(letters, outcomes)
    reprise.out.note(f"job {job.id}: {len(left)} of {counted(job.count, 'letter')} are left")
    edit = None if wish.payload is None else make_edit(reprise, wish.payload)
    _run(reprise, job, letters, outcomes, wish, edit)


@contextmanager
def kept_first(reprise: App) -> Iterator[None]:
    """Keep inside what a job is before it touches anything.

    Raises:
        CommandError: If it cannot be kept.
    """
    try:
        yield
    except StoreError as error:
        raise CommandError(
            "audit",
            f"nothing was touched, since who does it, and why, could not be kept: {error.code}",
            f"Allow s3:PutObject on {reprise.stack.bucket}/audit/*",
        ) from error


def canary_asked(wish: Wish) -> int | None:
    """Return how many go first; None if that depends on how many there are."""
    return wish.canary if wish.verb is LetterVerb.REDRIVE and wish.queue is LetterQueue.CALLS else 0


def _run(
    reprise: App,
    job: LetterJob,
    letters: list[Planned],
    outcomes: list[LetterOutcome],
    wish: Wish,
    edit: Edit | None,
) -> None:
    unverified: list[Letter] = []
    reprise.out.note(f"job {job.id}: Ctrl-C stops it, `{again(job)}` goes on")
    total = len(left_of(letters, outcomes))
    has_canary = job.canary != 0 and wish.canary != 0 and total > 0
    try:
        with interruptible(), reprise.out.progress(f"{job.verb.value}: {job.id}", total) as advance:
            run = job_run(
                reprise,
                job,
                edit=edit,
                advance=advance,
                unverified=unverified,
            )
            run.outcomes = outcomes
            try:
                state = run.run(letters, has_canary=has_canary)
            except RepriseError:
                _tell_stopped(reprise, job, letters, run)
                raise
            except KeyboardInterrupt:
                state = LetterJobState.INTERRUPTED
    finally:
        note_unverified(reprise, unverified)
    report_job(reprise.out, job, letters, run.outcomes, state, run.why)
    if state is LetterJobState.INTERRUPTED:
        _tell_stopped(reprise, job, letters, run)
        raise typer.Exit(INTERRUPTED)
    tell_end(reprise, job, state, run.why, run.counts())


def tell_end(
    reprise: App, job: LetterJob, state: LetterJobState, why: str, counts: dict[str, int]
) -> None:
    """Say what is left to do after a job.

    Raises:
        typer.Exit: If not all went well.
    """
    if state in {LetterJobState.CANARY_FAILED, LetterJobState.CANARY_OPEN}:
        _tell_canary(reprise, job, why, state)
    elif state is not LetterJobState.DONE:
        reprise.out.warn(f"{state.value}: {why}. What is left is where it was: {again(job)}")
    elif counts.get(Action.REDRIVEN) and job.queue == LetterQueue.CALLS:
        reprise.out.note("redriven is not succeeded: what fails again is in `reprise dlq list`")
    if state is not LetterJobState.DONE or counts.keys() & _NOT_WELL:
        raise typer.Exit(ExitCode.FAILED)


def _tell_stopped(reprise: App, job: LetterJob, letters: list[Planned], run: LetterJobRun) -> None:
    left = len(left_of(letters, run.outcomes))
    done = job.count - left
    reprise.out.note(f"stopped: {done} of {job.count} done, {left} left; go on: {again(job)}")


def _tell_canary(reprise: App, job: LetterJob, why: str, state: LetterJobState) -> None:
    is_open = state is LetterJobState.CANARY_OPEN
    steps = "Watch them (`reprise top`), then" if is_open else "Mend the cause, then"
    go_on = f"{again(job)}{'' if is_open else ' --no-canary'}"
    reprise.out.warn(f"canary: {why}. The rest was not touched. {steps}: {go_on}")


def again(job: LetterJob) -> str:
    """Return the command that goes on with a job."""
    return f"reprise dlq {job.verb.value} --resume {job.id}"


def fail_missing(missing: frozenset[str]) -> None:
    """Let ids that no letter had be an error, which names one.

    Raises:
        CommandError: If there are any.
    """
    if missing:
        raise CommandError(
            "ID", f"no dead letter of {min(missing)!r} was seen", "Look at `reprise dlq list`"
        )

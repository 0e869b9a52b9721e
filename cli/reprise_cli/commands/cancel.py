"""`reprise calls cancel`: end calls that wait, so that they are never replayed."""

from __future__ import annotations

import os
from itertools import batched
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reprise.aws.counters_table import CountersTable
from reprise.errors import RepriseError
from reprise.instant import format_instant, utc_now
from reprise.metric import make_labeler
from reprise_cli.app import app_of
from reprise_cli.calls.cancel import Canceller, planned_call, refusal
from reprise_cli.calls.desk import find_calls
from reprise_cli.calls.lookup import call_named, read_call_ref
from reprise_cli.calls.options import (
    ErrorOption,
    FromOption,
    KeyOption,
    NewerOption,
    OlderOption,
    TargetOption,
    ToOption,
    Typed,
    call_filter,
)
from reprise_cli.calls.selection import FoundCall, StateChoice
from reprise_cli.calls.view import describe, groups, say_groups, show_calls
from reprise_cli.dlq.conduct import kept_first
from reprise_cli.dlq.desk import job_store
from reprise_cli.exits import ExitCode, UsageError
from reprise_cli.interrupt import INTERRUPTED, interruptible
from reprise_cli.output import counted
from reprise_letters.counts import counts_of
from reprise_letters.job import (
    LEDGER,
    LetterJob,
    LetterJobState,
    LetterVerb,
    Segment,
    job_id,
)
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.app import App
    from reprise_letters.job import LetterOutcome

_MOST: Final = 1_000_000
_AT_ONCE: Final = 100
"""Calls between two notes in the audit."""
_NOT_FILTERS: Final = frozenset({"why", "yes", "dry_run"})


def cancel(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    *,
    target: TargetOption = None,
    key: KeyOption = None,
    error: ErrorOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    since: FromOption = None,
    until: ToOption = None,
    every: Annotated[bool, typer.Option("--all", help="Every open call.")] = False,
    why: Annotated[
        str,
        typer.Option("--why", "--reason", help="Why: the ledger and the audit keep it. Needed."),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which are meant.")] = False,
) -> None:
    """End calls that wait: they are never replayed, and the ledger says by whom and why."""
    reprise = app_of(context)
    typed = Typed(
        target=target,
        key=key,
        error=error,
        older_than=older_than,
        newer_than=newer_than,
        since=since,
        until=until,
    )
    has_filter = not typed.is_empty
    if not (ids or has_filter or every):
        raise UsageError(
            "ID", "nothing says which calls are meant", "Name ids or filters, or say --all"
        )
    if ids and (has_filter or every):
        raise UsageError("ID", "and filters are two ways to choose", "Leave one out")
    if not (why.strip() or dry_run):
        raise UsageError("--why", "is missing", "Say why: nothing else will know")
    reprise.say_place()
    if ids:
        found = _named(reprise, ids)
    else:
        wanted = call_filter(reprise, StateChoice.OPEN, typed)
        found = find_calls(reprise, wanted, _MOST)
    meant = [call for call in found if not refusal(call.row)]
    for call in found:
        if call not in meant:
            reprise.out.warn(f"{call.row.id}: is not cancelled: {refusal(call.row)}")
    now = utc_now()
    if dry_run or not meant:
        show_calls(reprise.out, meant, f"{counted(len(meant), 'call')} to cancel", now)
        reprise.out.result(
            {"dry_run": dry_run, "job": None, "selected": len(meant), "groups": groups(meant)}
            | {"calls": [describe(call, now) for call in meant], "cancelled": 0}
        )
        raise typer.Exit(ExitCode.OK if len(meant) == len(found) else ExitCode.FAILED)
    reprise.out.note(f"{counted(len(meant), 'call')} to cancel: {say_groups(meant)}")
    # Who names each call has been asked.
    reprise.confirm(f"cancel {counted(len(meant), 'call')}?", is_agreed=yes or bool(ids))
    job = LetterJob(
        id=job_id(now, os.urandom(3)),
        verb=LetterVerb.CANCEL,
        queue=LEDGER,
        by=reprise.operator,
        why=why.strip(),
        started_at=format_instant(now),
        filters=_filters(context.params),
        count=len(meant),
    )
    _run(reprise, job, meant, is_all=len(meant) == len(found))


def _named(reprise: App, ids: Sequence[str]) -> list[FoundCall]:
    found = [call_named(reprise, read_call_ref(text).call_id) for text in dict.fromkeys(ids)]
    rows = reprise.ledger.get_all(found)
    return [FoundCall(row=rows[call_id]) for call_id in found if call_id in rows]


def _run(reprise: App, job: LetterJob, meant: Sequence[FoundCall], *, is_all: bool) -> None:
    """Cancel calls, their names in the audit before any is touched."""
    store, stack = job_store(reprise), reprise.stack
    with kept_first(reprise):
        store.begin(job, [planned_call(call) for call in meant])
    canceller = Canceller(
        ledger=reprise.ledger,
        counters=CountersTable(reprise.aws.dynamodb, stack.ledger_table),
        label=make_labeler(stack.targets),
        clock=utc_now,
        note=f"{job.started_at}, cancelled by {job.by}, by job {job.id}: {job.why}",
    )
    outcomes: list[LetterOutcome] = []
    state, stopped = LetterJobState.INTERRUPTED, "Ctrl-C"
    try:
        with interruptible(), reprise.out.progress(f"cancel: {job.id}", len(meant)) as advance:
            for some in batched(meant, _AT_ONCE):
                fresh = canceller.run([call.row for call in some])
                outcomes += fresh
                is_last = len(outcomes) == len(meant)
                state = LetterJobState.DONE if is_last else LetterJobState.OPEN
                store.add(job.id, _segment(job, outcomes, fresh, state))
                advance(len(some))
    except KeyboardInterrupt:
        state = LetterJobState.INTERRUPTED
        store.add(job.id, _segment(job, outcomes, [], state, stopped))
    except RepriseError:
        reprise.out.note(_how_far(job, outcomes))
        raise
    counts = counts_of(outcomes)
    _show(reprise, job, outcomes, state)
    if state is LetterJobState.INTERRUPTED:
        reprise.out.note(_how_far(job, outcomes))
        raise typer.Exit(INTERRUPTED)
    if not is_all or counts.keys() - {Action.CANCELLED.value}:
        raise typer.Exit(ExitCode.FAILED)


def _show(
    reprise: App, job: LetterJob, outcomes: Sequence[LetterOutcome], state: LetterJobState
) -> None:
    counts = counts_of(outcomes)
    for one in outcomes:
        if one.action is not Action.CANCELLED:
            reprise.out.warn(f"{one.id}: {one.action.value}: {one.why}")
    done = counts.get(Action.CANCELLED.value, 0)
    reprise.out.show(f"{counted(done, 'call')} cancelled by job {job.id}: `reprise audit {job.id}`")
    documents = [{"id": one.id, "action": one.action.value, "why": one.why} for one in outcomes]
    reprise.out.result(
        {"dry_run": False, "job": job.id, "state": state.value, "selected": job.count}
        | {"calls": documents, "cancelled": done}
    )


def _segment(
    job: LetterJob,
    outcomes: Sequence[LetterOutcome],
    fresh: Sequence[LetterOutcome],
    state: LetterJobState,
    why: str = "",
) -> Segment:
    return Segment(
        at=format_instant(utc_now()),
        by=job.by,
        state=state,
        why=why,
        counts=counts_of(outcomes),
        outcomes=tuple(fresh),
    )


def _how_far(job: LetterJob, outcomes: Sequence[LetterOutcome]) -> str:
    # Those of the last hundred may be cancelled, too: the ledger says so, and doing it again is harmless.
    return f"stopped: {len(outcomes)} of {job.count} done for sure; the same command goes on"


def _filters(typed: dict[str, Any]) -> dict[str, str]:
    """Return what was typed, for the audit."""
    return {
        name: ", ".join(value) if isinstance(value, (list, tuple)) else str(value)
        for name, value in typed.items()
        if value and name not in _NOT_FILTERS
    }

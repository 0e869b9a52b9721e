"""`reprise schedule history` and `reprise schedule runs`: what was decided of runs, and how each ended."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprise.errors import BadRequestError, StoreError
from reprise.instant import utc_now
from reprise.wiring import target_types
from reprise_batch.jobs import BatchJobs
from reprise_batch.look import likeness, recent
from reprise_cli.app import App, app_of
from reprise_cli.point_in_time import read_ago
from reprise_schedules.follow import RunResolver
from reprise_schedules.run import RunEvent, RunState
from reprise_schedules.table import JobTable
from reprise_schedules_cli.schedule.all_runs import ListedRun, RunSelection, list_runs
from reprise_schedules_cli.schedule.group import THREADS, group_of
from reprise_schedules_cli.schedule.view import (
    describe_history,
    describe_runs,
    show_history,
    show_runs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reprise_batch.look import Likeness, SeenJob
    from reprise_schedules.run import JobState

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of a job.")]
_OF_BATCH = 200
"""Jobs of one definition that Batch is asked for: the youngest."""
_ENDED_BADLY = frozenset({RunState.FAILED, RunState.DEAD_LETTERED})


def history(context: typer.Context, name: NameArgument) -> None:
    """Show the last runs of a job: what was decided, and how each ended."""
    reprise = app_of(context)
    state = _followed(reprise, _table(reprise).read(name))
    if not state.runs:
        # A job that was deleted keeps its history; a name that was misspelt has neither.
        group_of(reprise).look_up(name)
    show_history(reprise.out, name, state)
    reprise.out.result(describe_history(name, state))


def runs(
    context: typer.Context,
    *,
    job: Annotated[
        list[str] | None, typer.Option(help="Only runs of this job, again for more. Default: all.")
    ] = None,
    state: Annotated[
        list[RunState] | None, typer.Option(help="Only runs in this state, again for more.")
    ] = None,
    newer_than: Annotated[str | None, typer.Option(help="Due within this time: 30m, 1d.")] = None,
    older_than: Annotated[str | None, typer.Option(help="Due longer ago than this: 1h.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Runs to list, the newest.")] = 50,
) -> None:
    """List the runs of all jobs, the newest first; batch jobs like theirs, too, that somebody submitted."""
    reprise, now = app_of(context), utc_now()
    selection = RunSelection(
        states=frozenset(state or ()),
        since=read_ago("--newer-than", newer_than, now),
        until=read_ago("--older-than", older_than, now),
    )
    schedules = group_of(reprise).read()
    states = _states(reprise, job or sorted(schedules))
    for name in job or ():
        if not states[name].runs:
            group_of(reprise).look_up(name)
    chosen = [schedules[name] for name in job or sorted(schedules) if name in schedules]
    found = list_runs(states, _seen(reprise, chosen), selection)
    shown = _with_reasons(reprise, found[:limit])
    show_runs(reprise.out, shown, len(states), len(found) - len(shown))
    reprise.out.result(describe_runs(shown, len(found) - len(shown)))


def _states(reprise: App, names: Iterable[str]) -> dict[str, JobState]:
    """Return each job's runs as they stand now."""
    table, chosen = _table(reprise), list(names)
    # Clients are made in one thread, and used in many.
    _ = reprise.aws.dynamodb, reprise.ledger
    with ThreadPoolExecutor(THREADS) as pool:
        read = pool.map(lambda name: _followed(reprise, table.read(name)), chosen)
        return dict(zip(chosen, read, strict=True))


def _seen(reprise: App, schedules: Iterable[Mapping[str, Any]]) -> list[SeenJob]:
    """Return what Batch knows of jobs like those of schedules; nothing where it may not be asked."""
    found: list[SeenJob] = []
    for like in sorted(set(_likenesses(reprise, schedules)), key=str):
        try:
            found += recent(reprise.aws.batch, like, at_most=_OF_BATCH)
        except StoreError as error:
            reprise.out.warn(f"jobs of queue {like.queue} are left out: {error}")
    return found


def _likenesses(reprise: App, schedules: Iterable[Mapping[str, Any]]) -> Iterable[Likeness]:
    allowed = tuple(reprise.schedules.target_arns.split(","))
    for schedule in schedules:
        try:
            call = json.loads(schedule["Target"]["Input"])["call"]
            meant = [each for each in target_types(allowed) if each.mark and each.is_meant(call)]
            yield from (likeness(each.read_call(call, allowed)) for each in meant)
        except (BadRequestError, KeyError, TypeError, ValueError):
            # No schedule of a job, or of one that may not run any more: it submits nothing.
            continue


def _with_reasons(reprise: App, listed: list[ListedRun]) -> list[ListedRun]:
    """Return runs, those that ended badly with what the ledger knows of why."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(partial(_with_reason, reprise), listed))


def _with_reason(reprise: App, run: ListedRun) -> ListedRun:
    if run.state not in _ENDED_BADLY or run.call_id is None:
        return run
    for call_id in (run.call_id, f"batch:{run.call_id}"):
        row = reprise.ledger.get(call_id)
        if row is not None and (row.reason or row.message):
            return replace(run, message=": ".join(filter(None, (row.reason, row.message))))
    return run


def _followed(reprise: App, state: JobState) -> JobState:
    """Return the runs as they stand now; what the runner has not looked up yet is shown, not written."""
    # The SDK, for which a mere --help would wait.
    from reprise.aws.clients import lazily  # noqa: PLC0415 - see above

    follow = RunResolver(ledger=reprise.ledger, batch=lazily(lambda: BatchJobs(reprise.aws.batch)))
    now = utc_now()
    for entry in state.runs:
        found = follow(entry, now) if entry.state in ("captured", "submitted") else None
        if isinstance(found, RunEvent):
            state = state.change(entry.scheduled_at, found, now)
    return state


def _table(reprise: App) -> JobTable:
    return JobTable(reprise.aws.dynamodb, reprise.stack.ledger_table, utc_now)

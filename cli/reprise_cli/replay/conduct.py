"""Take a replay of a window from its survey to its report."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import typer

from reprise.aws.keys import SecretKeys, secret_name
from reprise.aws.s3 import S3Listing, S3Objects
from reprise.aws.sqs import SqsQueue
from reprise.capturing.line import Verifier
from reprise.capturing.signature import OPERATOR
from reprise.errors import RepriseError, StoreError
from reprise.instant import format_instant, utc_now
from reprise_cli.dlq.conduct import kept_first
from reprise_cli.dlq.desk import job_store
from reprise_cli.exits import CommandError, ExitCode, UsageError
from reprise_cli.fitted import Column, Fitted
from reprise_cli.interrupt import INTERRUPTED, interruptible
from reprise_cli.output import counted
from reprise_cli.replay.again import Again
from reprise_cli.replay.carry_out import WindowReplayer
from reprise_cli.replay.conduct_unread import show_found, source_of, take_in
from reprise_cli.replay.job import CALLS, QUEUE, filters_of, into_of, run_again, window_of
from reprise_cli.replay.named import window_of_calls
from reprise_cli.replay.objects import CaptureObjects
from reprise_cli.replay.run import WindowRun
from reprise_cli.replay.survey import survey
from reprise_cli.replay.window import States, Step
from reprise_letters.job import (
    LetterJob,
    LetterJobState,
    LetterVerb,
    job_id,
    last_outcomes,
    left_of,
)
from reprise_letters.pace import Pacer
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.app import App
    from reprise_cli.replay.survey import WindowSurvey
    from reprise_cli.replay.unread import Unread
    from reprise_cli.replay.window import Window
    from reprise_letters.job import LetterOutcome, Planned

_BAD: Final = frozenset({Action.FAILED, Action.REFUSED, Action.SKIPPED, Action.MISSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayWish:
    """How a replay is to be done."""

    why: str = ""
    is_agreed: bool = False
    is_dry_run: bool = False
    max_count: int | None = None
    rate_per_s: float | None = None


def begin(reprise: App, window: Window, wish: ReplayWish) -> None:
    """Look through a window, ask, and replay what is meant.

    Raises:
        CommandError: If nobody agrees, or the job cannot begin or go on.
        typer.Exit: If not all went well.
    """
    reprise.say_place()
    window = replace(window, run_again=run_again(job_store(reprise), window))
    with reprise.out.progress("looking through capture objects") as advance:
        found = survey(
            _source(reprise),
            reprise.ledger,
            window,
            utc_now(),
            max_count=wish.max_count,
            advance=advance,
        )
    _show_survey(reprise, found)
    if len(window.ids) > sum(found.counts.values()):
        raise CommandError(
            "--call",
            "not every capture object holds the line of its call",
            "`reprise calls show ID` names the object, and `reprise read` what it holds",
        )
    if wish.is_dry_run or not found.planned:
        reprise.out.result(_document(found) | {"dry_run": wish.is_dry_run, "job": None})
        return
    count = counted(len(found.planned), "call")
    again = sum(call.reason == Step.AGAIN for call in found.planned)
    if again:
        reprise.out.warn(f"{counted(again, 'call')} may have run already, and will run AGAIN")
    # Who names calls has been asked, unless they may run a second time.
    is_agreed = wish.is_agreed or (bool(window.ids) and not again)
    reprise.confirm(f"replay {count}?", is_agreed=is_agreed)
    job = new_job(reprise, QUEUE, filters_of(window), len(found.planned), wish)
    replayer = _replayer(reprise, job, found.planned, window)
    with kept_first(reprise):
        job_store(reprise).begin(job, found.planned)
    _run(reprise, job, found.planned, [], window, replayer)


def begin_unread(reprise: App, place: Unread, window: Window, wish: ReplayWish) -> None:
    """Look at what lies in quarantine, or below Firehose's error prefix, ask, and take it in again.

    Raises:
        CommandError: If nobody agrees, or not all could be taken in.
    """
    reprise.say_place()
    with reprise.out.progress(f"looking below {place.value}"):
        found = source_of(reprise, place).look(window.begin_at, window.end_at, window.target)
    del found.planned[len(found.planned) if wish.max_count is None else wish.max_count :]
    show_found(reprise, found)
    if wish.is_dry_run or not found.planned:
        groups = [
            {"target": target, "why": why, "lines": count}
            for (target, why), count in sorted(found.lines.items())
        ]
        document = {"objects": len(found.planned), "others": found.others, "groups": groups}
        reprise.out.result(document | {"dry_run": wish.is_dry_run, "job": None})
        return
    what = counted(len(found.planned), "object")
    reprise.confirm(f"take in {what} again?", is_agreed=wish.is_agreed)
    job = new_job(reprise, place.name.lower(), filters_of(window), len(found.planned), wish)
    with kept_first(reprise):
        job_store(reprise).begin(job, found.planned)
    take_in(reprise, job, found.planned, [])


def resume(reprise: App, job_id_: str) -> None:
    """Go on with a replay that was cut short.

    Raises:
        CommandError: If there is no such job, or it cannot go on.
        typer.Exit: If not all went well.
    """
    store = job_store(reprise)
    job = store.job(job_id_)
    if job.verb is not LetterVerb.REPLAY:
        raise UsageError("--resume", f"job {job.id} is to {job.verb.value}", "Name that command")
    planned, outcomes = store.letters(job.id), store.outcomes(job.id)
    if job.queue != QUEUE:
        take_in(reprise, job, planned, outcomes)
        return
    if CALLS in job.filters:
        ids, states = [call.id for call in planned], States(job.filters["state"])
        window = window_of_calls(reprise, ids, states, into_of(job.filters))
    else:
        window = window_of(job.filters)
    reprise.say_place()
    left = len(left_of(planned, outcomes))
    reprise.out.note(f"job {job.id}: {left} of {counted(job.count, 'call')} are left")
    _run(reprise, job, planned, outcomes, window, _replayer(reprise, job, planned, window))


def new_job(
    reprise: App, queue: str, filters: dict[str, str], count: int, wish: ReplayWish
) -> LetterJob:
    """Return a job as it begins now."""
    now = utc_now()
    return LetterJob(
        id=job_id(now, os.urandom(3)),
        verb=LetterVerb.REPLAY,
        queue=queue,
        by=reprise.operator,
        why=wish.why,
        started_at=format_instant(now),
        filters=filters,
        count=count,
        rate_per_s=wish.rate_per_s,
    )


def _source(reprise: App) -> CaptureObjects:
    bucket = reprise.stack.bucket
    targets = reprise.stack.targets
    return CaptureObjects(
        bucket=bucket,
        listing=S3Listing(reprise.aws.s3, bucket),
        objects=S3Objects(reprise.aws.s3, bucket),
        trusted=Verifier(keys=reprise.keyring, targets=targets),
    )


def _replayer(
    reprise: App, job: LetterJob, planned: Sequence[Planned], window: Window
) -> WindowReplayer:
    """Return what replays; reads the operators' key only if something runs again.

    Raises:
        CommandError: If that may not be read.
    """
    again = None
    if any(call.reason == Step.AGAIN for call in planned):
        name = secret_name(reprise.stack.name, OPERATOR)
        try:
            keys = SecretKeys(reprise.aws.secrets, name).keys()
        except StoreError as error:
            raise CommandError(
                "--state",
                f"calls that succeeded run again as the operators' own, and secret {name!r} "
                f"cannot be read: {error.code}",
                "Only who may read it may run calls again: see the stack's output OperatorSecretArn",
            ) from error
        again = Again(job_id=job.id, keys=keys, into=window.into)
    stack, sqs = reprise.stack, reprise.aws.sqs
    return WindowReplayer(
        bucket=stack.bucket,
        ledger=reprise.ledger,
        replay_queue=SqsQueue(sqs, stack.replay_queue_url),
        capture_queue=SqsQueue(sqs, stack.capture_queue_url),
        clock=utc_now,
        since=job.started_at,
        again=again,
    )


def _run(
    reprise: App,
    job: LetterJob,
    planned: list[Planned],
    outcomes: list[LetterOutcome],
    window: Window,
    replayer: WindowReplayer,
) -> None:
    again = f"reprise replay --resume {job.id}"
    reprise.out.note(f"job {job.id}: Ctrl-C stops it, `{again}` goes on")
    total = len(left_of(planned, outcomes))
    with interruptible(), reprise.out.progress(f"replay: {job.id}", total) as advance:
        run = WindowRun(
            job=job,
            by=reprise.operator,
            store=job_store(reprise),
            source=_source(reprise),
            replayer=replayer,
            pacer=Pacer(rate_per_s=job.rate_per_s, monotonic=time.monotonic, sleep=time.sleep),
            clock=utc_now,
            advance=advance,
            outcomes=outcomes,
        )
        try:
            state = run.run(planned, window)
        except RepriseError:
            _tell_stopped(reprise, job, planned, run, again)
            raise
        except KeyboardInterrupt:
            state = LetterJobState.INTERRUPTED
    _report(reprise, job, planned, run, state)
    if state is LetterJobState.INTERRUPTED:
        _tell_stopped(reprise, job, planned, run, again)
        raise typer.Exit(INTERRUPTED)
    if any(one.action in _BAD for one in last_outcomes(run.outcomes).values()):
        raise typer.Exit(ExitCode.FAILED)


def _tell_stopped(
    reprise: App, job: LetterJob, planned: Sequence[Planned], run: WindowRun, again: str
) -> None:
    left = len(left_of(planned, run.outcomes))
    reprise.out.note(
        f"stopped: {job.count - left} of {job.count} done, {left} left; go on: {again}"
    )


def _show_survey(reprise: App, found: WindowSurvey) -> None:
    rows = sorted(found.counts.items(), key=lambda item: (-item[1], item[0]))
    columns = (
        Column(name="calls", cells=[f"{count:,}" for _, count in rows], rank=0, is_number=True),
        Column(name="target", cells=[of[0] for of, _ in rows], rank=1, least=12),
        Column(name="would", cells=[of[1].value for of, _ in rows], rank=0),
        Column(name="why", cells=[of[2] for of, _ in rows], rank=2, least=16),
    )
    title = f"{counted(sum(found.counts.values()), 'call')} in {counted(found.objects, 'object')}"
    reprise.out.show(Fitted(columns=columns, title=title, wanted=2))
    for reason, count in sorted(found.unreadable.items()):
        reprise.out.warn(
            f"{counted(count, 'line')} not believed ({reason}): see `--source quarantine`"
        )


def _document(found: WindowSurvey) -> dict[str, Any]:
    return {
        "objects": found.objects,
        "groups": [
            {"target": target, "step": step.value, "why": why, "calls": count}
            for (target, step, why), count in sorted(found.counts.items())
        ],
        "unreadable": dict(sorted(found.unreadable.items())),
        "selected": len(found.planned),
    }


def _report(
    reprise: App, job: LetterJob, planned: Sequence[Planned], run: WindowRun, state: LetterJobState
) -> None:
    last = last_outcomes(run.outcomes)
    counts = Counter(one.action for one in last.values())
    shown = [action for action in Action if counts[action]]
    columns = (
        Column(name="became", cells=[one.value.replace("_", " ") for one in shown], rank=0),
        Column(name="calls", cells=[f"{counts[one]:,}" for one in shown], rank=0, is_number=True),
    )
    reprise.out.show(Fitted(columns=columns, title=f"job {job.id}"))
    for one in last.values():
        if one.action in _BAD:
            reprise.out.warn(f"{one.id}: {one.action.value}: {one.why}")
    reprise.out.result(
        {
            "job": job.id,
            "state": state.value,
            "why": run.why,
            "dry_run": False,
            "selected": len(planned),
            "left": len(left_of(planned, run.outcomes)),
            "calls": [
                {"id": one.id, "action": one.action.value, "why": one.why} for one in last.values()
            ],
        }
        | {action.value: counts[action] for action in Action}
    )

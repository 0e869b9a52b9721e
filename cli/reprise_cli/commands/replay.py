"""`reprise replay`: captured calls of a window of time, from the capture objects."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from reprise.instant import utc_now
from reprise_cli.app import app_of
from reprise_cli.duration import read_rate
from reprise_cli.exits import UsageError
from reprise_cli.point_in_time import read_point
from reprise_cli.replay.conduct import ReplayWish, begin, begin_unread, resume
from reprise_cli.replay.job import find_target
from reprise_cli.replay.named import window_named
from reprise_cli.replay.unread import Unread
from reprise_cli.replay.window import States, Window

if TYPE_CHECKING:
    from reprise.call.target import Target
    from reprise_cli.app import App


class ReplaySource(StrEnum):
    """Where calls are looked for."""

    CAPTURED = "captured"
    ERRORS = "errors"
    QUARANTINE = "quarantine"


def replay(
    context: typer.Context,
    *,
    calls: Annotated[
        list[str] | None,
        typer.Option(
            "--call",
            metavar="ID",
            help="This call, whenever it was captured; may be given again. One that was given up or "
            "cancelled runs under its own id, one that succeeded as a new call.",
        ),
    ] = None,
    begin_at: Annotated[
        str | None,
        typer.Option("--from", help="Captured since: 2026-01-31T12:00Z, or 3h for that long ago."),
    ] = None,
    end_at: Annotated[
        str | None, typer.Option("--to", help="Captured before; default: now.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Only calls of this function.")] = None,
    state: Annotated[
        States | None,
        typer.Option(
            help="missing: calls that the ledger does not know; ended: calls that were given up or "
            "succeeded, which run again; all: both. Default: missing; with --call, ended."
        ),
    ] = None,
    ended_from: Annotated[
        str | None,
        typer.Option(help="With --state ended: only calls that ended since, as --from has it."),
    ] = None,
    ended_to: Annotated[str | None, typer.Option(help="Likewise: that ended before.")] = None,
    source: Annotated[
        ReplaySource,
        typer.Option(
            help="captured: the capture objects; errors: what Firehose could not deliver; quarantine: "
            "what was not believed or read."
        ),
    ] = ReplaySource.CAPTURED,
    into: Annotated[
        str | None,
        typer.Option(
            help="Another target, or another version or alias of theirs (orders:live), which runs them "
            "as new calls."
        ),
    ] = None,
    max_count: Annotated[
        int | None, typer.Option("--max", min=1, help="At most so many, the first captured.")
    ] = None,
    rate: Annotated[str | None, typer.Option(help="At most so many: 20/s, 30/m.")] = None,
    why: Annotated[str, typer.Option(help="Why; kept with the job.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    job: Annotated[
        str | None,
        typer.Option("--resume", metavar="JOB", help="Go on with a job: see `reprise audit`."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Replay captured calls, named or of a window of time; what has ended runs again only if you say so."""
    reprise = app_of(context)
    if job is not None:
        if begin_at is not None or end_at is not None or calls:
            raise UsageError(
                "--resume", "has calls of its own", "Leave out --call, --from and --to"
            )
        resume(reprise, job)
        return
    wish = ReplayWish(
        why=why,
        is_agreed=yes,
        is_dry_run=dry_run,
        max_count=max_count,
        rate_per_s=read_rate("--rate", rate) if rate is not None else None,
    )
    if calls:
        given = (begin_at, end_at, ended_from, ended_to, target)
        if any(given) or source is not ReplaySource.CAPTURED:
            raise UsageError(
                "--call", "names what is meant", "Leave out --from, --to, --target and --source"
            )
        begin(
            reprise, window_named(reprise, calls, state or States.ENDED, _into(reprise, into)), wish
        )
        return
    if begin_at is None:
        raise UsageError(
            "--from", "is missing", "Say since when: --from 3h; or name a call: --call ID"
        )
    now = utc_now()
    window = Window(
        begin_at=read_point("--from", begin_at, now),
        end_at=now if end_at is None else read_point("--to", end_at, now),
        target=target,
        states=state or States.MISSING,
        ended_from=None if ended_from is None else read_point("--ended-from", ended_from, now),
        ended_to=None if ended_to is None else read_point("--ended-to", ended_to, now),
    )
    if window.begin_at >= window.end_at:
        raise UsageError("--to", "is not after --from", "Give a later instant")
    if (window.ended_from or window.ended_to) and window.states is not States.ENDED:
        raise UsageError("--ended-from", "is of ended calls, so is --ended-to", "Add --state ended")
    window = dataclasses.replace(window, into=_into(reprise, into))
    if source is ReplaySource.CAPTURED:
        begin(reprise, window, wish)
    elif into is not None or window.states is not States.MISSING:
        raise UsageError(
            "--source",
            f"{source.value} is taken in again as it is",
            "Leave out --state and --into; then replay the window of --source captured",
        )
    else:
        begin_unread(reprise, Unread[source.name], window, wish)


def _into(reprise: App, text: str | None) -> Target | None:
    if text is None:
        return None
    allowed = list(reprise.stack.targets)
    return find_target(text, allowed)

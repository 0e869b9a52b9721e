"""A replay as a job: what was asked for, kept so that anybody can go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.call.target import Target, is_allowed, is_unqualified_arn
from reprise.instant import format_instant, parse_instant
from reprise_cli.exits import UsageError
from reprise_cli.replay.window import States, Step, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_letters.job_store import LetterJobStore

QUEUE: Final = "window"
"""What stands in a job of this kind where others name their dead-letter queue."""


def filters_of(window: Window) -> dict[str, str]:
    """Return a window as a job keeps it."""
    found = {
        "from": format_instant(window.begin_at),
        "to": format_instant(window.end_at),
        "state": window.states.value,
        "target": window.target or "",
        "into": window.into.function if window.into else "",
        "ended_from": format_instant(window.ended_from) if window.ended_from else "",
        "ended_to": format_instant(window.ended_to) if window.ended_to else "",
    }
    return {name: value for name, value in found.items() if value}


def window_of(filters: dict[str, str]) -> Window:
    """Return the window of a job."""
    into = filters.get("into")
    return Window(
        begin_at=parse_instant(filters["from"]),
        end_at=parse_instant(filters["to"]),
        target=filters.get("target"),
        states=States(filters["state"]),
        into=Target(function=into) if into else None,
        ended_from=parse_instant(filters["ended_from"]) if "ended_from" in filters else None,
        ended_to=parse_instant(filters["ended_to"]) if "ended_to" in filters else None,
    )


def run_again(store: LetterJobStore, window: Window) -> dict[str, str]:
    """Return the calls that an earlier job runs again where this window would, with the job of each.

    A job that was cut short counts with all that it means: whoever goes on with it runs them.

    Raises:
        StoreError: If the jobs cannot be read.
    """
    into = filters_of(window).get("into")
    found: dict[str, str] = {}
    # No job ran a call again before it was captured.
    for job_id in store.ids(f"{window.begin_at:%Y%m%dT%H%M%SZ}"):
        job = store.job(job_id)
        if job.queue == QUEUE and job.filters.get("into") == into:
            planned = store.letters(job_id)
            found |= {call.id: job_id for call in planned if call.reason == Step.AGAIN}
    return found


def find_target(text: str, allowed: Sequence[str]) -> Target:
    """Return the function that a name or an ARN means.

    Raises:
        UsageError: If it is none that the stack may call, or several have the name.
    """
    if is_unqualified_arn(text):
        if not is_allowed(text, tuple(allowed)):
            raise UsageError(
                "--into", f"{text} is not among the stack's Targets", "Name one of them"
            )
        return Target(function=text)
    found = [arn for arn in allowed if arn.rpartition(":")[2] == text and is_unqualified_arn(arn)]
    if len(found) != 1:
        what = "several targets have" if found else "no target of the stack has"
        raise UsageError("--into", f"{what} the name {text!r}", "Give its ARN, without a qualifier")
    return Target(function=found[0])

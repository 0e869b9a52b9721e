"""A replay as a job: what was asked for, kept so that anybody can go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.call.target import Target, is_unqualified_arn, resolve_target
from reprise.errors import BadRequestError
from reprise.instant import format_instant, parse_instant
from reprise_cli.exits import UsageError
from reprise_cli.replay.window import States, Step, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_letters.job_store import LetterJobStore

QUEUE: Final = "window"
"""What stands in a job of this kind where others name their dead-letter queue."""
CALLS: Final = "calls"
"""The filter of a job whose calls were named."""


def filters_of(window: Window) -> dict[str, str]:
    """Return a window as a job keeps it."""
    found = {
        "from": format_instant(window.begin_at),
        "to": format_instant(window.end_at),
        "state": window.states.value,
        "target": window.target or "",
        "into": _text_of(window.into) if window.into else "",
        "ended_from": format_instant(window.ended_from) if window.ended_from else "",
        "ended_to": format_instant(window.ended_to) if window.ended_to else "",
    }
    if window.ids:
        found = {name: found[name] for name in ("state", "into")}
        found[CALLS] = ", ".join(sorted(window.ids))
    return {name: value for name, value in found.items() if value}


def window_of(filters: dict[str, str]) -> Window:
    """Return the window of a job that has one."""
    return Window(
        begin_at=parse_instant(filters["from"]),
        end_at=parse_instant(filters["to"]),
        target=filters.get("target"),
        states=States(filters["state"]),
        into=into_of(filters),
        ended_from=parse_instant(filters["ended_from"]) if "ended_from" in filters else None,
        ended_to=parse_instant(filters["ended_to"]) if "ended_to" in filters else None,
    )


def into_of(filters: dict[str, str]) -> Target | None:
    """Return where the calls of a job go in the place of their own targets."""
    text = filters.get("into", "")
    if not text or is_unqualified_arn(text):
        return Target(function=text) if text else None
    function, _, qualifier = text.rpartition(":")
    return Target(function=function, qualifier=qualifier)


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
    """Return the target that a name or an ARN means, each with or without a version or alias.

    Raises:
        UsageError: If it is none that the stack may call, or several have the name.
    """
    try:
        found = resolve_target(text, tuple(allowed))
    except BadRequestError as error:
        raise UsageError(
            "--into", f"{text!r}: {error.message}", "Name one of the Targets"
        ) from error
    same = [arn for arn in allowed if is_unqualified_arn(arn) and arn.endswith(f":{found.name}")]
    if len(same) > 1 and not text.startswith("arn:"):
        raise UsageError("--into", f"several targets have the name {found.name!r}", "Give its ARN")
    return found


def _text_of(target: Target) -> str:
    return target.qualified if target.qualifier else target.function

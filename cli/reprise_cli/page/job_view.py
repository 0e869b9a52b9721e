"""Jobs as the page has them, as JSON values: pure rules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from reprise_letters.job import LetterJob, LetterOutcome, Planned
    from reprise_letters.redrive import RedriveResult
    from reprise_letters.status import JobStatus

SHOWN: Final = 500
"""Letters of a job that are shown one by one."""
_TOLD: Final = frozenset({Action.FAILED, Action.REFUSED, Action.SKIPPED})


def summary(job: LetterJob, status: JobStatus, now: datetime) -> dict[str, Any]:
    """Return a job, and how it stands."""
    document: dict[str, Any] = msgspec.to_builtins(job)
    last = status.last
    return document | {
        "count": status.meant,
        "state": status.words(now),
        "why_stopped": last.why if last else "",
        "counts": dict(last.counts) if last else {},
        "by_now": last.by if last else "",
        "at": last.at if last else job.started_at,
    }


def ended_letters(
    letters: Sequence[Planned], last: Mapping[str, LetterOutcome]
) -> list[dict[str, Any]]:
    """Return the first letters, each with what became of it."""
    return [
        {"id": one.id, "target": one.target, "reason": one.reason}
        | ({"action": end.action.value, "why": end.why, "at": end.at} if end else {})
        for one in letters[:SHOWN]
        for end in (last.get(one.message_id),)
    ]


def problems(results: Sequence[RedriveResult]) -> list[dict[str, str]]:
    """Return which letters could not be brought back."""
    return [
        {"id": result.letter.id, "action": result.action.value, "why": result.why}
        for result in results
        if result.action in _TOLD
    ][:SHOWN]


def ends(letters: Sequence[Planned], last: Mapping[str, LetterOutcome]) -> list[dict[str, Any]]:
    """Return how many letters of each target, reason and error came to what."""
    found = Counter(
        (
            last[one.message_id].action.value if one.message_id in last else "left",
            one.target,
            one.reason,
            one.error,
        )
        for one in letters
    )
    names = ("became", "target", "reason", "error")
    return [
        dict(zip(names, of, strict=True)) | {"letters": count} for of, count in found.most_common()
    ]

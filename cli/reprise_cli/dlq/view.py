"""Show dead letters, to people and to programs; payloads stay where they are."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from reprise.instant import format_instant, utc_now
from reprise_cli.duration import format_duration
from reprise_cli.fitted import WIDE, Column, Fitted
from reprise_cli.output import counted
from reprise_letters.job import (
    LEDGER,
    LetterJobState,
    LetterVerb,
    groups,
    last_outcomes,
    left_of,
    planned,
)
from reprise_letters.letter import Letter, LetterKind
from reprise_letters.redrive import Action, RedriveResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reprise_cli.output import Output
    from reprise_letters.job import LetterJob, LetterOutcome, Planned, Segment
    from reprise_letters.status import JobStatus


_NOT_DONE: Final = frozenset({Action.FAILED, Action.REFUSED, Action.SKIPPED, Action.MISSED})
_MOST_WARNED: Final = 100
_SECRET: Final = frozenset(
    {"payload", "requestPayload", "responsePayload", "client_context", "mac"}
)
_VEIL: Final = "(--payload shows it)"
_MOST_SHOWN: Final = 1000
"""Letters that are shown one a line."""


def describe(letter: Letter) -> dict[str, Any]:
    """Return a letter as JSON values."""
    return {
        "id": letter.id,
        "kind": letter.kind.value,
        "target": letter.target,
        "reason": letter.reason,
        "message": letter.message,
        "error": letter.error,
        "attempts": letter.attempts,
        "at": format_instant(letter.at),
        "message_id": letter.message_id,
    }


def show_letters(out: Output, letters: Sequence[Letter], title: str) -> None:
    """Show letters as a table."""
    now = utc_now()
    ages = [format_duration(max(0.0, (now - letter.at).total_seconds())) for letter in letters]
    # Ids are there to be copied: none is cut, and one that is longer than a UUID is folded if it must be.
    columns = (
        Column(name="id", cells=[letter.id for letter in letters], rank=0, folded=36),
        Column(name="target", cells=[letter.target for letter in letters], rank=4, least=12),
        Column(name="reason", cells=[_reason(letter) for letter in letters], rank=1, least=16),
        Column(
            name="attempts",
            cells=[str(letter.attempts) for letter in letters],
            rank=5,
            is_number=True,
        ),
        Column(name="given up", cells=ages, rank=2, is_number=True),
        Column(
            name="message",
            cells=[" ".join(letter.message.split()) for letter in letters],
            rank=3,
            least=10,
            is_shortened=True,
        ),
    )
    out.show(Fitted(columns=columns, title=title, wanted=3, hint=WIDE))
    if any(letter.reason == "unknown" for letter in letters):
        out.warn("letters with reason `unknown` may have run already: a redrive may run them again")


def _reason(letter: Letter) -> str:
    kind = "" if letter.kind is LetterKind.DEAD_LETTER else f" ({letter.kind.value})"
    return f"{letter.reason}{kind}"


def report_rehearsal(out: Output, results: Sequence[RedriveResult]) -> None:
    """Show what would become of letters."""
    counts = Counter(result.action for result in results)
    table = Table("what would become of them", "letters")
    for action in Action:
        if counts[action]:
            table.add_row(action.value.replace("_", " "), str(counts[action]))
    out.show(table if results else "no letter was meant")
    for result in results:
        if result.action in _NOT_DONE:
            out.warn(f"{result.letter.id}: {result.action.value}: {result.why}")
    documents = [
        describe(result.letter) | {"action": result.action.value, "why": result.why}
        for result in results
    ]
    out.result(
        {"dry_run": True, "selected": len(results), "letters": documents}
        | {"groups": group_documents([planned(result.letter) for result in results])}
        | {action.value: counts[action] for action in Action}
    )


def show_groups(out: Output, letters: Sequence[Planned], title: str) -> None:
    """Show how many letters there are of each target, reason and error."""
    found = groups(letters)
    columns = (
        Column(name="letters", cells=[str(count) for _, count in found], rank=0, is_number=True),
        Column(name="target", cells=[of[0] for of, _ in found], rank=1, least=12),
        Column(name="reason", cells=[of[1] for of, _ in found], rank=2),
        Column(name="error", cells=[of[2] for of, _ in found], rank=3, least=16, is_shortened=True),
    )
    out.show(Fitted(columns=columns, title=title, wanted=3))


def report_job(
    out: Output,
    job: LetterJob | None,
    letters: Sequence[Planned],
    outcomes: Sequence[LetterOutcome],
    state: LetterJobState = LetterJobState.DONE,
    why: str = "",
) -> None:
    """Show what became of a job's letters; no job: no letter was meant."""
    last = last_outcomes(outcomes)
    counts = Counter(one.action for one in last.values())
    _show_ends(out, letters, last)
    turned_down = [one for one in last.values() if one.action in _NOT_DONE]
    for one in turned_down[:_MOST_WARNED]:
        out.warn(f"{one.id}: {one.action.value}: {one.why}")
    if len(turned_down) > _MOST_WARNED and job is not None:
        more = len(turned_down) - _MOST_WARNED
        out.warn(f"and {more:,} more: reprise audit {job.id} --json")
    documents = [
        {"id": one.id, "action": one.action.value, "why": one.why} for one in last.values()
    ]
    out.result(
        {
            "job": None if job is None else job.id,
            "state": state.value,
            "why": why,
            "dry_run": False,
            "selected": len(letters),
            "left": len(left_of(letters, outcomes)),
            "groups": group_documents(letters),
            "letters": documents,
        }
        | {action.value: counts[action] for action in Action}
    )


def group_documents(letters: Sequence[Planned]) -> list[dict[str, Any]]:
    """Return the groups of letters as JSON values."""
    return [
        {"target": target, "reason": reason, "error": error, "letters": count}
        for (target, reason, error), count in groups(letters)
    ]


def _show_ends(out: Output, letters: Sequence[Planned], last: Mapping[str, LetterOutcome]) -> None:
    """Show how many letters of each target, reason and error came to what."""
    if not letters:
        out.show("no letter was meant")
        return
    found = Counter(
        (
            last[one.message_id].action.value.replace("_", " ")
            if one.message_id in last
            else "left",
            (one.target, one.reason, one.error),
        )
        for one in letters
    )
    rows = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    columns = (
        Column(name="letters", cells=[str(count) for _, count in rows], rank=0, is_number=True),
        Column(name="became", cells=[became for (became, _), _ in rows], rank=1),
        Column(name="target", cells=[of[0] for (_, of), _ in rows], rank=2, least=12),
        Column(name="reason", cells=[of[1] for (_, of), _ in rows], rank=3),
        Column(
            name="error",
            cells=[of[2] for (_, of), _ in rows],
            rank=4,
            least=16,
            is_shortened=True,
        ),
    )
    out.show(Fitted(columns=columns, title="what became of them", wanted=4))


def show_jobs(out: Output, found: Sequence[JobStatus], title: str) -> None:
    """Show jobs, one a line."""
    now, jobs = utc_now(), [status.job for status in found]
    columns = (
        Column(name="job", cells=[job.id for job in jobs], rank=0),
        Column(name="did", cells=[job.verb.value for job in jobs], rank=2),
        Column(name="state", cells=[status.words(now) for status in found], rank=1),
        Column(
            name="letters", cells=[str(status.meant) for status in found], rank=3, is_number=True
        ),
        Column(name="by", cells=[job.by for job in jobs], rank=4, least=20),
        Column(
            name="why",
            cells=[" ".join(job.why.split()) for job in jobs],
            rank=5,
            least=12,
            is_shortened=True,
        ),
        Column(name="became", cells=[_counts(status.last) for status in found], rank=6, least=16),
    )
    out.show(Fitted(columns=columns, title=title, wanted=1))


def show_job(
    out: Output,
    status: JobStatus,
    letters: Sequence[Planned],
    outcomes: Mapping[str, LetterOutcome],
) -> None:
    """Show one job: what was meant, how it stands, what became of its letters, and each of not too many."""
    job, last = status.job, status.last
    others = sorted({segment.by for segment in status.segments} - {job.by})
    facts = {
        "did": f"{job.verb.value} of {_what(status)}",
        "by": job.by,
        "gone on with by": ", ".join(others),
        "why": job.why,
        "began": job.started_at,
        "chosen by": ", ".join(f"{name}={value}" for name, value in job.filters.items()),
        "state": ": ".join(
            text for text in (status.words(utc_now()), last.why if last else "") if text
        ),
        "until": last.at if last else "",
        "became": _counts(last),
        "progress": _progress(status),
        "payload replaced by": job.payload_sha256 or "",
    }
    known = {name: value for name, value in facts.items() if value}
    about = (
        Column(name="what", cells=list(known), rank=0),
        Column(name="value", cells=list(known.values()), rank=0, least=24),
    )
    out.show(Fitted(columns=about, title=f"job {job.id}"))
    _show_ends(out, letters, outcomes)
    if len(letters) > _MOST_SHOWN:
        out.note(f"each of {len(letters):,} letters: reprise audit {job.id} --json")
        return
    ends = [outcomes.get(letter.message_id) for letter in letters]
    columns = (
        Column(name="id", cells=[letter.id for letter in letters], rank=0, folded=36),
        Column(name="became", cells=[one.action.value if one else "" for one in ends], rank=1),
        Column(name="at", cells=[one.at if one else "" for one in ends], rank=2),
        Column(name="reason", cells=[letter.reason for letter in letters], rank=3),
        Column(name="target", cells=[letter.target for letter in letters], rank=4, least=12),
        Column(
            name="why",
            cells=[one.why if one else "" for one in ends],
            rank=5,
            least=12,
            is_shortened=True,
        ),
    )
    title = "its calls" if job.queue == LEDGER else "its letters"
    out.show("", Fitted(columns=columns, title=title, wanted=1))


def _what(status: JobStatus) -> str:
    job = status.job
    if job.queue == LEDGER:
        return counted(status.meant, "waiting call")
    if job.verb is LetterVerb.REPLAY:
        return f"{status.meant} of {job.queue}"
    return f"{status.meant} letters of queue {job.queue}, {_where(job)}"


def _where(job: LetterJob) -> str:
    return "where it was begun" if job.selection is None else "in the stack"


def _progress(status: JobStatus) -> str:
    """Return how far a job is, and when it ends at its rate; empty once it has ended."""
    if status.has_ended(utc_now()) or not status.meant:
        return ""
    share = f"{status.done:,} of {status.meant:,}"
    rate, left_s = status.rate_per_s(), status.left_s()
    if rate is None or left_s is None:
        return share
    return f"{share}, {rate:.1f}/s, {format_duration(left_s)} left"


def _counts(last: Segment | None) -> str:
    counts = last.counts if last else {}
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())


def report_plan(out: Output, job: LetterJob, letters: Sequence[Planned]) -> None:
    """Tell programs what a job would do that nobody has agreed to."""
    out.result(
        {"dry_run": True, "job": job.id, "selected": len(letters)}
        | {"groups": group_documents(letters)}
    )


def veil(body: str) -> str:
    """Return a letter without what its caller sent, what its target answered, and its signature."""
    try:
        return json.dumps(_veiled(json.loads(body)), separators=(",", ":"))
    except (ValueError, RecursionError):
        return f"{len(body)} characters that are no JSON: --payload shows them"


def _veiled(value: object) -> object:
    match value:
        case dict():
            return {
                name: _VEIL if name in _SECRET and inner is not None else _veiled(inner)
                for name, inner in value.items()
            }
        case list():
            return [_veiled(inner) for inner in value]
        case _:
            return value


def pretty(body: str) -> str:
    """Return JSON over several lines; anything else as it is."""
    try:
        return json.dumps(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        return body

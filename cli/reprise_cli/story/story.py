"""Tell a call's story from its row: a pure rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reprise.call.outcome import OutcomeKind
from reprise.instant import format_instant, parse_instant
from reprise.ledger import MAX_HISTORY, TERMINAL, LedgerEvent, State
from reprise.retry.decision import COUNTED
from reprise_cli.duration import format_duration
from reprise_cli.output import counted
from reprise_cli.story.parts import BAD, GOOD, WAIT, Arrival, Doings, Story, StoryStep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reprise.ledger import PastAttempt, Row

_SHORT_S: Final = 1.0
"""Waits shorter than this are queues at work, and no step of their own."""


def tell(
    row: Row, arrival: Arrival | None, bucket: str, now: datetime, done: Doings | None = None
) -> Story:
    """Return a call's story.

    Args:
        row: Of the ledger.
        arrival: Its capture object.
        bucket: The stack's.
        now: The present.
        done: What operators did to it, and why it waits, beside what the row says.
    """
    # Only the end before a redrive has no time of its own, and it comes right before the redrive.
    done = done or Doings()
    steps = sorted(_steps(row, arrival, now, done), key=lambda step: step.at or row.opened_at)
    told = tuple(replace(step, after=_after(row, step)) for step in steps)
    return Story(
        row=row,
        facts=_facts(row, bucket, done),
        steps=told,
        result=row.result,
        captured_for=done.captured_for,
    )


def _steps(row: Row, arrival: Arrival | None, now: datetime, done: Doings) -> Iterator[StoryStep]:
    if row.is_live and row.state in {State.LEASED, State.SUCCEEDED}:
        yield StoryStep(
            at=row.captured_at, what="called again", how="live, by a captured call's key"
        )
    else:
        what = "captured again" if _is_captured_again(row) else "captured"
        how = done.captured_for or "the caller got 202 and the id"
        yield StoryStep(at=row.captured_at, what=what, how=how)
    if arrival is not None and arrival.at is not None:
        # S3 tells whole seconds, which can lie before the capture.
        at = max(row.captured_at, format_instant(arrival.at))
        yield StoryStep(at=at, what="in S3", how=arrival.url)
    if row.unpacked_at is not None:
        # Its message may wait in S3 for as long as its gate holds, which no row tells.
        yield StoryStep(at=row.unpacked_at, what="unpacked", how="entered in the ledger")
    yield from _ends(row, done)
    yield from _refusals(row)
    yield from _attempts(row)
    yield from _end(row, now, done.held_by)


def _is_redriven(row: Row) -> bool:
    return row.opened_at != row.captured_at


def _is_captured_again(row: Row) -> bool:
    """Tell whether attempts are kept that came before the capture: those of an earlier one of its key."""
    was_reopened = any(end.undone_by is LedgerEvent.RECAPTURE for end in row.ends)
    return was_reopened or any(attempt.at < row.captured_at for attempt in row.history)


def _ends(row: Row, done: Doings) -> Iterator[StoryStep]:
    """Yield each time that the call was given up and opened again."""
    if not row.ends and _is_redriven(row):
        # Rows of earlier versions say no more than that there was an end.
        how = "before its redrive; rows of earlier versions do not say when, or why"
        yield StoryStep(at="", what="given up", how=how, kind=BAD)
        yield _redrive(row, row.opened_at, done)
    for number, end in enumerate(row.ends):
        if number == 0 and _is_captured_again(row):
            yield StoryStep(at=end.opened_at, what="captured", how="for the first time")
        counts = f"{counted(end.attempts, 'execution')} failed, {counted(end.refusals, 'refusal')}"
        why = _given_up_for(end.reason, end.message)
        said = "; ".join(part for part in (why, counts, end.note) if part)
        yield StoryStep(at=end.ended_at, what="given up", how=said, kind=BAD)
        if end.undone_by is LedgerEvent.REDRIVE:
            later = row.ends[number + 1 :]
            yield _redrive(row, later[0].opened_at if later else row.opened_at, done)


def _redrive(row: Row, at: str, done: Doings) -> StoryStep:
    payload = "" if row.captured_sha256 is None else ", with another payload"
    how = f"{done.redrivers.get(at) or 'an operator'} opened it again{payload}"
    return StoryStep(at=at, what="redriven", how=how, kind=WAIT)


def _attempts(row: Row) -> Iterator[StoryStep]:
    """Yield the attempts that are kept, each with the wait before it."""
    ready_at = row.unpacked_at
    for number, attempt in enumerate(row.history):
        is_first = number == 0
        if _is_redriven(row) and (attempt.began_at or "") >= row.opened_at >= (ready_at or ""):
            # What lay in the dead-letter queue waited for its operator until then.
            ready_at, is_first = row.opened_at, True
        yield from _wait(row, ready_at, attempt.began_at, is_first=is_first)
        ready_at = attempt.at
        rest = row.history[number + 1 :]
        is_last = not rest and row.state in TERMINAL
        is_undone = attempt.at < row.opened_at and (not rest or rest[0].at >= row.opened_at)
        yield _attempt(attempt, is_end=is_last or (_is_redriven(row) and is_undone))


def _refusals(row: Row) -> Iterator[StoryStep]:
    """Yield the waits for the gate: throttles are counted, and only the first and last have a time."""
    if not row.refusals or row.first_refused_at is None:
        return
    times = "once" if row.refusals == 1 else f"{row.refusals} times"
    span = ""
    if row.refusals > 1 and row.last_refused_at is not None:
        length_s = _seconds_between(row.first_refused_at, row.last_refused_at)
        span = f", the last time {format_duration(length_s)} later"
    how = f"{times}{span}; the target did not run, and no attempt was spent"
    yield StoryStep(at=row.first_refused_at, what="refused", how=how, kind=WAIT)


def _wait(
    row: Row, ready_at: str | None, began_at: str | None, *, is_first: bool
) -> Iterator[StoryStep]:
    """Yield the time that a call was held back before an attempt, if it was."""
    if ready_at is None or began_at is None:
        return
    waited_s = _seconds_between(ready_at, began_at)
    if waited_s >= _SHORT_S:
        why = "for its gate" if is_first else _why_between(row, ready_at)
        yield StoryStep(
            at=ready_at, what="waited", how=f"{format_duration(waited_s)} {why}", kind=WAIT
        )


def _why_between(row: Row, ready_at: str) -> str:
    """Return what a call waited for after an attempt; a row knows only the last time it was opened."""
    if ready_at >= row.opened_at:
        return "for its backoff, and for its gate"
    other = "an earlier redrive" if _is_redriven(row) else "until it was captured again"
    return f"for its backoff, its gate, or {other}"


def _attempt(attempt: PastAttempt, *, is_end: bool) -> StoryStep:
    outcome = attempt.outcome
    said = ": ".join(part for part in (outcome.code, outcome.message) if part)
    took = ""
    if attempt.began_at is not None:
        took = f"took {format_duration(_seconds_between(attempt.began_at, attempt.at))}"
    how = "; ".join(part for part in (said, took) if part)
    is_good = outcome.kind is OutcomeKind.SUCCEEDED
    kind = GOOD if is_good else BAD if is_end else WAIT
    return StoryStep(at=attempt.at, what=outcome.kind.value.replace("_", " "), how=how, kind=kind)


def _end(row: Row, now: datetime, held_by: str) -> Iterator[StoryStep]:
    match row.state:
        case State.SUCCEEDED:
            where = row.result_key or ("in the ledger" if row.result is not None else "not kept")
            yield StoryStep(
                at=row.updated_at, what="ended well", how=f"late result: {where}", kind=GOOD
            )
        case State.DEAD_LETTERED:
            why = _given_up_for(row.reason, row.message)
            letter = "" if row.letter_sent else "; its dead letter is not in the queue yet"
            yield StoryStep(at=row.updated_at, what="given up", how=f"{why}{letter}", kind=BAD)
            if row.note is not None:
                yield StoryStep(at=format_instant(now), what="for good", how=row.note, kind=BAD)
        case State.LEASED:
            yield StoryStep(at=row.updated_at, what="being replayed", kind=WAIT)
        case State.CAPTURED | State.WAITING:
            since_s = (now - parse_instant(row.updated_at)).total_seconds()
            why = held_by or "for its gate, or its backoff"
            how = f"for {format_duration(max(0.0, since_s))}: {why}"
            yield StoryStep(at=format_instant(now), what="waiting", how=how, kind=WAIT)


def _given_up_for(reason: str | None, message: str | None) -> str:
    """Return both, and what they have in common once: an outcome may be called as its reason is."""
    if reason and message and message.startswith(f"{reason}: "):
        return message
    return ": ".join(part for part in (reason, message) if part)


def _facts(row: Row, bucket: str, done: Doings) -> dict[str, str]:
    kept = f"; the last {MAX_HISTORY} are kept" if len(row.history) >= MAX_HISTORY else ""
    failed, refused = counted(row.attempts, "execution"), counted(row.refusals, "refusal")
    facts = {
        "target": row.target,
        "captured for": done.captured_for,
        "runs again": done.first_life,
        "run again as": ", ".join(done.later_lives),
        "attempts": f"{_since(row)}{failed} failed, {refused}{kept}",
        "given up": _given_up_for(row.reason, row.message),
        "late result": f"s3://{bucket}/{row.result_key}" if row.result_key else "",
        "capture object": row.capture_object or "",
        "next": f"reprise dlq show {row.id}" if row.letter_sent and not row.note else "",
    }
    return {name: text for name, text in facts.items() if text}


def _since(row: Row) -> str:
    """Return since when failures and refusals are counted, if not from the call's beginning."""
    if _is_redriven(row):
        return "since its redrive: "
    failed = sum(attempt.outcome.kind in COUNTED for attempt in row.history)
    return "since it was captured again: " if failed > row.attempts else ""


def _after(row: Row, step: StoryStep) -> str:
    """Return the time since the capture; none for what came before it, or at a time that nobody knows."""
    if step.at < row.captured_at or step.what in {"captured", "captured again"}:
        return ""
    return f"+{format_duration(_seconds_between(row.captured_at, step.at))}"


def _seconds_between(first: str, second: str) -> float:
    return (parse_instant(second) - parse_instant(first)).total_seconds()

"""Jobs at the dead letters, from the page: tried first, begun, watched, stopped and gone on with.

A job has the plan, the run and the audit of `reprise dlq`. The stack runs it, so that nothing depends on this
process; its letters are chosen here, since the reader agreed to these.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from reprise.instant import format_instant, utc_now
from reprise.retry.decision import Reason
from reprise_cli.dlq.conduct import Wish, again, canary_asked, kept_first
from reprise_cli.dlq.desk import dry_run_selected, job_store, survey
from reprise_cli.dlq.in_stack import order_rest, order_run
from reprise_cli.dlq.jobs import status_of
from reprise_cli.dlq.view import group_documents
from reprise_cli.exits import CommandError, UsageError
from reprise_cli.page.forms import read_plea, text_of
from reprise_cli.page.job_view import ended_letters, ends, problems, summary
from reprise_letters.job import (
    LetterFilter,
    LetterJob,
    LetterQueue,
    LetterVerb,
    canary_size,
    job_id,
    last_outcomes,
    left_of,
    planned,
)
from reprise_letters.job_store import Cancel
from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reprise_cli.app import App
    from reprise_cli.page.forms import Plea
    from reprise_cli.page.heard import HeardOutput

_JOBS: Final = 20
_VERBS: Final = (LetterVerb.REDRIVE, LetterVerb.DISCARD)


class LetterJobPages:
    """Shows the jobs of one stack, and orders them."""

    def __init__(self, reprise: App, out: HeardOutput, changed: Callable[[], None]) -> None:
        """Order them as this operator; `changed` is told when letters may go."""
        self._reprise = reprise
        self._out = out
        self._changed = changed
        self._store = job_store(reprise)
        self._lock = Lock()

    # --- look ---

    def list(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the newest jobs."""
        ids = list(self._store.ids())
        found = [self._store.job(one) for one in ids[: -_JOBS - 1 : -1]]
        jobs = [summary(job, status_of(self._reprise, job), utc_now()) for job in found]
        return {"count": len(ids), "jobs": jobs}

    def one(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return one job, and what became of each letter.

        Raises:
            RepriseError: If there is none of this id.
        """
        name = str(asked["id"])
        job, letters = self._store.job(name), self._store.letters(name)
        segments = list(self._store.segments(name))
        status = replace(status_of(self._reprise, job), segments=segments)
        outcomes = [one for segment in segments for one in segment.outcomes]
        last = last_outcomes(outcomes)
        now = utc_now()
        has_ended = status.has_ended(now)
        if has_ended:
            self._changed()
        return summary(job, status, now) | {
            "left": len(left_of(letters, outcomes)),
            "left_s": status.left_s(),
            "has_ended": has_ended,
            "is_of_stack": job.selection is not None,
            "again": again(job),
            "groups": ends(letters, last),
            "letters": ended_letters(letters, last),
        }

    # --- do ---

    def dry_run(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what would become of the letters that are meant.

        Raises:
            UsageError: If the request cannot be understood.
        """
        verb, plea = _verb(asked), read_plea(asked)
        with self._lock:
            if verb is LetterVerb.DISCARD:
                letters = survey(self._reprise, LetterQueue.CALLS, plea.selection).letters
                counts, wrong = {Action.DISCARDED.value: len(letters)}, []
            else:
                results = dry_run_selected(self._reprise, LetterQueue.CALLS, plea.selection)
                counts = dict(Counter(result.action.value for result in results))
                wrong = problems(results)
                letters = [planned(result.letter) for result in results]
            notes = self._out.take()
        return {
            "count": len(letters),
            "counts": counts,
            "groups": group_documents(letters),
            "problems": wrong,
            "has_unknown": any(one.reason == Reason.UNKNOWN for one in letters),
            "canary": canary_size(canary_asked(_wish(verb, plea)), len(letters)),
            "notes": notes,
        }

    def redrive(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Have the stack bring letters back; return the job.

        Raises:
            CommandError: If nothing may be begun.
        """
        return self._begin(LetterVerb.REDRIVE, read_plea(asked))

    def discard(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Have the stack throw letters away; return the job.

        Raises:
            CommandError: If nothing may be begun, or it is not said why.
        """
        plea = read_plea(asked)
        if not plea.why:
            raise UsageError("why", "is missing", "Say why: nothing else will know")
        return self._begin(LetterVerb.DISCARD, plea)

    def _begin(self, verb: LetterVerb, plea: Plea) -> dict[str, Any]:
        if plea.agreed is None:
            raise UsageError("agreed", "is missing", "Try it first: it says how many are meant")
        if self._reprise.stack.letter_jobs_queue_url is None:
            step = f"Deploy it again, or use `reprise dlq {verb.value}`"
            raise CommandError("job", "this stack runs no jobs yet", step)
        with self._lock:
            letters = survey(self._reprise, LetterQueue.CALLS, plea.selection).letters
        if len(letters) != plea.agreed:
            raise UsageError(
                "letters",
                f"{len(letters)} are meant by now, and {plea.agreed} were agreed to",
                "Nothing was touched: try it again",
            )
        now, wish = utc_now(), _wish(verb, plea)
        job = LetterJob(
            id=job_id(now, os.urandom(3)),
            verb=verb,
            queue=LetterQueue.CALLS.value,
            by=self._reprise.operator,
            why=plea.why,
            started_at=format_instant(now),
            filters=plea.filters,
            count=len(letters),
            # The stack's, though it need not look: its letters are known.
            selection=LetterFilter(),
            canary=canary_size(canary_asked(wish), len(letters)),
            rate_per_s=plea.rate_per_s,
        )
        with kept_first(self._reprise):
            self._store.begin(job, letters)
        order_run(self._reprise, job, wish, is_agreed=True)
        self._changed()
        return {"job": job.id, "count": job.count}

    def stop(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Tell a job of the stack to stop; it does within ten seconds.

        Raises:
            CommandError: If there is none of this id, or it does not run there.
        """
        job = self._store.job(text_of(asked, "job"))
        if job.selection is None or status_of(self._reprise, job).has_ended(utc_now()):
            raise UsageError("job", "does not run in the stack", "Stop it where it was begun")
        why = text_of(asked, "why") or "from the page"
        at = format_instant(utc_now())
        self._store.cancel(job.id, Cancel(at=at, by=self._reprise.operator, why=why))
        return {"job": job.id}

    def resume(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Have the stack go on with a job that was stopped, or that its canary stopped.

        Raises:
            CommandError: If it cannot be gone on with.
        """
        job = self._store.job(text_of(asked, "job"))
        if job.selection is None:
            raise UsageError("job", "does not run in the stack", again(job))
        if status_of(self._reprise, job).has_run(utc_now()):
            raise UsageError("job", "runs", "Watch it, or stop it first")
        canary = 0 if asked.get("no_canary") is True else None
        order_rest(self._reprise, job, Wish(verb=job.verb, queue=LetterQueue.CALLS, canary=canary))
        return {"job": job.id}


def _verb(asked: Mapping[str, Any]) -> LetterVerb:
    verb = text_of(asked, "verb") or LetterVerb.REDRIVE
    if verb not in _VERBS:
        raise UsageError("verb", f"{verb!r} is none", f"One of {', '.join(_VERBS)}")
    return LetterVerb(verb)


def _wish(verb: LetterVerb, plea: Plea) -> Wish:
    return Wish(
        verb=verb,
        queue=LetterQueue.CALLS,
        why=plea.why,
        canary=plea.canary,
        rate_per_s=plea.rate_per_s,
    )

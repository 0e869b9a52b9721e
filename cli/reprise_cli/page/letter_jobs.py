"""Jobs at the dead letters, from the page: tried first, begun, watched, stopped and gone on with.

A job is what `reprise dlq` makes of it: the same plan and audit in the bucket, and the same run. It runs in
a thread of this process; if that ends, the job is gone on with by its id, from here or by the command.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reprise.errors import RepriseError, StoreError
from reprise.instant import format_instant, utc_now
from reprise_cli.dlq.conduct import Wish, canary_of
from reprise_cli.dlq.desk import Which, dry_run_selected, job_run, job_store, survey
from reprise_cli.dlq.job import (
    LetterJob,
    LetterJobState,
    LetterVerb,
    job_id,
    last_outcomes,
    left_of,
    planned,
)
from reprise_cli.dlq.redrive import Action
from reprise_cli.dlq.view import group_documents
from reprise_cli.exits import CommandError, UsageError
from reprise_cli.page.forms import read_plea, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reprise_cli.app import App
    from reprise_cli.dlq.job import LetterOutcome, Planned, Segment
    from reprise_cli.dlq.redrive import RedriveResult
    from reprise_cli.dlq.run import LetterJobRun
    from reprise_cli.page.forms import Plea
    from reprise_cli.page.heard import HeardOutput

_log = logging.getLogger(__name__)
_JOBS: Final = 20
_SHOWN: Final = 500
_TOLD: Final = frozenset({Action.FAILED, Action.REFUSED, Action.SKIPPED})


class _StoppedError(RepriseError):
    """The reader stopped the job."""


@dataclass(slots=True, kw_only=True)
class _Running:
    """A job that this process runs."""

    job: LetterJob
    letters: Sequence[Planned]
    run: LetterJobRun | None = None
    is_stopping: bool = False
    problem: str = ""
    outcomes: list[LetterOutcome] = field(default_factory=list)

    def check(self, _steps: int = 0) -> None:
        """Stop where the job can be stopped."""
        if self.is_stopping:
            msg = "stopped from the page"
            raise _StoppedError(msg)

    def sleep(self, for_s: float) -> None:
        """Wait, unless the job is to stop."""
        self.check()
        time.sleep(for_s)


class LetterJobPages:
    """Shows and runs the jobs of one stack."""

    def __init__(
        self,
        reprise: App,
        out: HeardOutput,
        changed: Callable[[], None],
        start: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """Run them for this operator.

        Args:
            reprise: The command, heard.
            out: Its output.
            changed: Is told when letters went.
            start: Runs a job; in a thread of its own if it is not given.
        """
        self._reprise = reprise
        self._out = out
        self._changed = changed
        self._work = start or _in_a_thread
        self._store = job_store(reprise)
        self._running: dict[str, _Running] = {}
        self._lock = Lock()

    # --- look ---

    def list(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the newest jobs."""
        ids = list(self._store.ids())
        newest = ids[: -_JOBS - 1 : -1]
        found = [(self._store.job(one), self._store.last_segment(one)) for one in newest]
        return {"count": len(ids), "jobs": [self._summary(job, last) for job, last in found]}

    def one(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return one job, and what became of each letter.

        Raises:
            CommandError: If there is none of this id.
        """
        name = str(asked["id"])
        job, letters = self._store.job(name), self._store.letters(name)
        segments = self._store.segments(name)
        running = self._running.get(name)
        outcomes = [one for segment in segments for one in segment.outcomes]
        if running is not None and running.run is not None:
            outcomes = list(running.run.outcomes)
        last = last_outcomes(outcomes)
        told = self._summary(job, segments[-1] if segments else None)
        return told | {
            "left": len(left_of(letters, outcomes)),
            "groups": _ends(letters, last),
            "letters": [
                {"id": one.id, "target": one.target, "reason": one.reason}
                | ({"action": end.action.value, "why": end.why, "at": end.at} if end else {})
                for one in letters[:_SHOWN]
                for end in (last.get(one.message_id),)
            ],
        }

    def _summary(self, job: LetterJob, last: Segment | None) -> dict[str, Any]:
        running = self._running.get(job.id)
        state = last.state if last else LetterJobState.OPEN
        why = last.why if last else ""
        counts = dict(last.counts) if last else {}
        if running is not None and running.run is not None:
            counts = running.run.counts()
            why = running.problem or why
        document: dict[str, Any] = msgspec.to_builtins(job)
        return document | {
            "state": "running" if running is not None and not running.problem else state.value,
            "why_stopped": why,
            "counts": counts,
            "by_now": last.by if last else "",
            "at": last.at if last else job.started_at,
        }

    # --- do ---

    def dry_run(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what would become of the letters that are meant.

        Raises:
            UsageError: If the request cannot be understood.
        """
        verb, plea = LetterVerb(text_of(asked, "verb") or "redrive"), read_plea(asked)
        with self._lock:
            if verb is LetterVerb.DISCARD:
                found = survey(self._reprise, Which.CALLS, plea.selection)
                counts, problems, letters = {"discarded": len(found.letters)}, [], found.letters
            else:
                results = dry_run_selected(self._reprise, Which.CALLS, plea.selection)
                counts = Counter(result.action.value for result in results)
                problems = _problems(results)
                letters = [planned(result.letter) for result in results]
            notes = self._out.take()
        return {
            "count": len(letters),
            "counts": dict(counts),
            "groups": group_documents(letters),
            "problems": problems,
            "has_unknown": any(one.reason == "unknown" for one in letters),
            "canary": canary_of(_wish(verb, plea), len(letters)),
            "notes": notes,
        }

    def redrive(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to bring letters back; return the job.

        Raises:
            CommandError: If nothing may be begun.
        """
        return self._begin(LetterVerb.REDRIVE, read_plea(asked))

    def discard(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to throw letters away; return the job.

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
        with self._lock:
            letters = survey(self._reprise, Which.CALLS, plea.selection).letters
        if len(letters) != plea.agreed:
            raise UsageError(
                "letters",
                f"{len(letters)} are meant by now, and {plea.agreed} were agreed to",
                "Nothing was touched: try it again",
            )
        now = utc_now()
        job = LetterJob(
            id=job_id(now, os.urandom(3)),
            verb=verb,
            queue=Which.CALLS.value,
            by=self._reprise.operator,
            why=plea.why,
            started_at=format_instant(now),
            filters=plea.filters,
            count=len(letters),
            canary=canary_of(_wish(verb, plea), len(letters)),
            rate_per_s=plea.rate_per_s,
        )
        try:
            self._store.begin(job, letters)
        except StoreError as error:
            raise CommandError(
                "audit",
                f"nothing was touched, since who does it, and why, could not be kept: {error.code}",
                f"Allow s3:PutObject on {self._reprise.stack.bucket}/audit/*",
            ) from error
        self._start(_Running(job=job, letters=letters), has_canary=job.canary > 0)
        return {"job": job.id, "count": job.count}

    def stop(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Stop a job that this page runs.

        Raises:
            UsageError: If it runs none of this id.
        """
        running = self._running.get(text_of(asked, "job"))
        if running is None:
            raise UsageError("job", "is not run by this page", "Stop it where it was begun")
        running.is_stopping = True
        return {"job": running.job.id}

    def resume(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Go on with a job that was cut short, or that its canary stopped.

        Raises:
            CommandError: If it cannot be gone on with.
        """
        name = text_of(asked, "job")
        job, letters = self._store.job(name), self._store.letters(name)
        known = self._running.get(name)
        if known is not None and not known.problem:
            raise UsageError("job", "runs", "Watch it, or stop it first")
        if job.payload_sha256 is not None:
            raise UsageError("job", "replaces a payload", f"reprise dlq redrive --resume {name}")
        running = _Running(job=job, letters=letters, outcomes=self._store.outcomes(name))
        self._start(running, has_canary=job.canary > 0 and asked.get("no_canary") is not True)
        return {"job": name}

    def _start(self, running: _Running, *, has_canary: bool) -> None:
        self._running[running.job.id] = running
        self._work(lambda: self._run(running, has_canary=has_canary))

    def _run(self, running: _Running, *, has_canary: bool) -> None:
        try:
            running.run = job_run(self._reprise, running.job, advance=running.check, unverified=[])
            running.run.outcomes = running.outcomes
            running.run.sleep = running.sleep
            running.run.run(running.letters, has_canary=has_canary)
        except _StoppedError:
            pass
        except Exception as error:  # noqa: BLE001 - it is kept for the reader
            _log.exception("a job was cut short")
            running.problem = str(error)
        finally:
            if not running.problem:
                self._running.pop(running.job.id, None)
            self._changed()


def _in_a_thread(work: Callable[[], None]) -> None:
    Thread(target=work, daemon=True).start()


def _wish(verb: LetterVerb, plea: Plea) -> Wish:
    return Wish(
        verb=verb, queue=Which.CALLS, why=plea.why, canary=plea.canary, rate_per_s=plea.rate_per_s
    )


def _problems(results: Sequence[RedriveResult]) -> list[dict[str, str]]:
    """Return which letters could not be brought back."""
    return [
        {"id": result.letter.id, "action": result.action.value, "why": result.why}
        for result in results
        if result.action in _TOLD
    ][:_SHOWN]


def _ends(letters: Sequence[Planned], last: Mapping[str, LetterOutcome]) -> list[dict[str, Any]]:
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

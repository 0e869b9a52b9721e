"""Run a job that is due: ask the guard, make the call, note how it ended.

A run is written down before its call is made. A runner that dies leaves a lease that ends, and a
message that comes again: then the call is captured as one whose outcome is unknown, and the replay
pipeline decides by its policy, as it does for every such call.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from reprise import metric
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.target_type import FUNCTION, TargetType, type_of
from reprise.errors import BadRequestError, RepriseError, ScheduleError, StoreError
from reprise.given_up import GivenUpJob
from reprise.instant import format_instant
from reprise.ports import OutMessage
from reprise_schedules.decision import AlreadyDone, Expire, Recover, Skip, Start, Stop, Wait
from reprise_schedules.elsewhere import elsewhere_of, without_answer
from reprise_schedules.message import RunRequest, read_due
from reprise_schedules.overlap import CANNOT_REPLACE, Overlap, Rules, decide
from reprise_schedules.run import OPEN, TRANSITIONS, RunEvent, RunState
from reprise_schedules.written import written

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reprise.call.request import CallRequest
    from reprise.capturing.invoker import Answer, CallInvoker
    from reprise.given_up import JobBook
    from reprise.ports import Clock, Meter, Queue
    from reprise_schedules.decision import Decision
    from reprise_schedules.ports import Begun, JobStore, ResolveRun
    from reprise_schedules.run import JobState, Run

_log = logging.getLogger(__name__)

STORE_WAIT_S: Final = 20.0
"""Wait before a run is looked at again whose store was away."""
REPLAY_ENDS_WITHIN_S: Final = 3600
"""How long after its deadline a captured run still counts as going: its last replay may have just begun."""
OVERDUE_S: Final = 86_400
"""How long after its lease an open run is given up of which nothing more was heard."""
_CONFLICTS: Final = 10
_REFUSED: Final = frozenset({OutcomeKind.THROTTLED, OutcomeKind.TRANSIENT})
_RUNNER_DIED: Final = Outcome(
    kind=OutcomeKind.UNKNOWN,
    code="LeaseExpired",
    message="the runner of this job ended without saying how its call ended",
)
_OPEN_ENDED: Final = frozenset({RunState.CAPTURED, RunState.SUBMITTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRunner:
    """Runs jobs that are due."""

    jobs: JobStore
    follow: ResolveRun
    begun: Begun
    calls: CallInvoker
    dead_letters: Queue
    failed: JobBook
    targets: tuple[str, ...]
    clock: Clock
    meter: Meter
    types: tuple[TargetType, ...] = (FUNCTION,)

    def run(self, body: str, *, owner: str, remaining_ms: Callable[[], int]) -> float | None:
        """Deal with one message.

        Args:
            body: The message.
            owner: Who we are; unique per delivery.
            remaining_ms: Milliseconds until this process is stopped.

        Returns:
            None if the message has served; else seconds until it must come again.
        """
        try:
            due = read_due(body)
        except ScheduleError as error:
            return self._dead_letter(body, "message", str(error))
        try:
            return self._run(due, body, owner, remaining_ms)
        except StoreError:
            _log.exception("store is away: the run waits", extra=_about(due))
            self.meter.count(metric.STORE_FAULTS)
            return STORE_WAIT_S

    def _run(
        self, due: RunRequest, body: str, owner: str, remaining_ms: Callable[[], int]
    ) -> float | None:
        try:
            request = _read_call(due, self.targets, self.types)
        except BadRequestError as error:
            self._note(due, RunEvent.FAIL, message=str(error))
            why = f"its run could not be made: {error.field}"
            self.failed.add(GivenUpJob(job=due.job, reason=why, attempts=0, function=""))
            return self._dead_letter(body, due.job, str(error))
        until_ms = int(self.clock().timestamp() * 1000) + remaining_ms() + 1000
        decision = self._decide(due, request, owner, until_ms)
        extra = {**_about(due), "decision": type(decision).__name__.lower()}
        _log.info("run is due", extra=extra)
        match decision:
            case Start():
                self.meter.count(metric.RUNS_STARTED)
                return self._call(due, request)
            case Recover():
                self.meter.count(metric.RUNS_RECOVERED)
                captured = self.calls.capturer.capture(request, _RUNNER_DIED)
                self._note_captured(due, captured.call_id)
            case Wait(wait_s=wait_s, is_queued=is_queued):
                self.meter.count(metric.RUNS_QUEUED, int(is_queued))
                return wait_s
            case Stop(job_ids=job_ids, wait_s=wait_s):
                # Written down already; ending a job that has ended does nothing.
                for job_id in job_ids:
                    self.begun.end(
                        job_id, f"replaced by the run of {due.scheduled_at} of {due.job}"
                    )
                return wait_s
            case Skip():
                self.meter.count(metric.RUNS_SKIPPED)
            case Expire():
                self.meter.count(metric.RUNS_EXPIRED)
            case AlreadyDone():
                self.meter.count(metric.DUPLICATES_SUPPRESSED)
            case _:
                assert_never(decision)
        return None

    def _decide(self, due: RunRequest, request: CallRequest, owner: str, until_ms: int) -> Decision:
        """Return what becomes of a run, once that is written down."""
        job = self.jobs.read(due.job)
        for _ in range(_CONFLICTS):
            now = self.clock()
            seen = self._look_up(job, due, now)
            decision = self._decide_once(seen, due, request, now)
            after = written(seen, due, decision, owner=owner, until_ms=until_ms, now=now)
            there = self.jobs.write(due.job, after) if after != job else None
            if there is None:
                return decision
            job = there
        raise StoreError("dynamodb", "PutItem", "Contention", f"job {due.job} changes all the time")

    def _decide_once(
        self, job: JobState, due: RunRequest, request: CallRequest, now: datetime
    ) -> Decision:
        """Return what becomes of a run; Batch is asked for other jobs only if it could start otherwise."""
        at = due.scheduled_at
        rules = Rules(overlap=due.overlap, catch_up=due.catch_up, deadline_at=due.deadline_at)
        decision = decide(job, at, rules, now=now)
        found = type_of(request.target.function, self.types)
        is_asked = found is not None and found.mark is not None and due.overlap is not Overlap.ALLOW
        if not isinstance(decision, Start) or not is_asked:
            return decision
        try:
            going = self.begun.going(request)
        except StoreError as error:
            _log.warning("Batch did not say which jobs are going", extra=_about(due), exc_info=True)
            self.meter.count(metric.STORE_FAULTS)
            return without_answer(job.find(at), error.code, now)
        return decide(job, at, rules, now=now, elsewhere=elsewhere_of(going, due.job))

    def _look_up(self, job: JobState, due: RunRequest, now: datetime) -> JobState:
        """Return the job with the ends of runs that went on by themselves, and of dead runners."""
        for run in job.others(due.scheduled_at):
            found = self._end_of(run, now)
            if isinstance(found, RunEvent):
                job = job.change(run.scheduled_at, found, now)
            elif found is not None:
                job = job.amend(run.scheduled_at, call_id=found)
        return job

    def _end_of(self, run: Run, now: datetime) -> RunEvent | str | None:
        """Return how another run ended meanwhile, or the name that it goes on by."""
        overdue_s = now.timestamp() - run.until_ms / 1000
        if run.state is RunState.RUNNING and overdue_s >= 0:
            return RunEvent.LOSE
        found = self.follow(run, now) if run.state in _OPEN_ENDED else None
        if found is None and run.state in OPEN and overdue_s >= OVERDUE_S:
            # Its message, or its capture line, is gone: it must not stay open for ever.
            return RunEvent.EXPIRE if run.state is RunState.QUEUED else RunEvent.FAIL
        return found

    def _call(self, due: RunRequest, request: CallRequest) -> float | None:
        """Make the call of a run that has started, and note how it ended."""
        answer = self.calls.run(request)
        outcome = answer.reply.outcome
        if answer.captured is not None:
            self._note_captured(due, answer.captured.call_id)
        elif outcome.kind is OutcomeKind.SUCCEEDED:
            self._note_success(due, request, answer)
        elif outcome.kind in _REFUSED:
            # It did not run, and could not be captured: the message keeps it.
            until_ms = int(due.deadline_at.timestamp() * 1000)
            self._note(due, RunEvent.RELEASE, until_ms=until_ms, message=answer.not_captured)
            return STORE_WAIT_S
        else:
            # It may have run, and could not be captured: when the lease ends, it is tried again to.
            now_ms = int(self.clock().timestamp() * 1000)
            until_ms = self.jobs.read(due.job).find(due.scheduled_at).until_ms
            return max(1.0, (until_ms - now_ms) / 1000)
        return None

    def _note_success(self, due: RunRequest, request: CallRequest, answer: Answer) -> None:
        found = type_of(request.target.function, self.types)
        if found is None or found.mark is None:
            self._note(due, RunEvent.SUCCEED)
            return
        job_id = str(msgspec.json.decode(answer.reply.payload)["jobId"])
        until_ms = int(due.deadline_at.timestamp() * 1000) + REPLAY_ENDS_WITHIN_S * 1000
        self._note(due, RunEvent.SUBMIT, call_id=job_id, until_ms=until_ms)

    def _note_captured(self, due: RunRequest, call_id: str) -> None:
        until_ms = int(due.deadline_at.timestamp() * 1000) + REPLAY_ENDS_WITHIN_S * 1000
        self._note(due, RunEvent.CAPTURE, call_id=call_id, until_ms=until_ms)

    def _note(self, due: RunRequest, event: RunEvent, **changes: object) -> None:
        """Write an event of a run down.

        Raises:
            StoreError: If it is not written.
        """
        job = self.jobs.read(due.job)
        for _ in range(_CONFLICTS):
            if (job.find(due.scheduled_at).state, event) not in TRANSITIONS:
                # A second delivery, or a slower runner: the run has gone on without us.
                _log.warning("run has gone on", extra=_about(due) | {"event": event.value})
                return
            there = self.jobs.write(
                due.job, job.change(due.scheduled_at, event, self.clock(), **changes)
            )
            if there is None:
                return
            job = there
        raise StoreError("dynamodb", "PutItem", "Contention", f"job {due.job} changes all the time")

    def _dead_letter(self, body: str, about: str, why: str) -> float | None:
        """Keep a message that can never be run, with its reason, where an alarm watches."""
        self.meter.count(metric.RUNS_FAILED)
        _log.error("run cannot be made", extra={"job": about, "reason": why})
        try:
            letter = OutMessage(body=body, attributes={"job": about[:64], "reason": why[:1024]})
            self.dead_letters.send([letter])
        except RepriseError:
            _log.exception("dead letter could not be sent now")
            return STORE_WAIT_S
        return None


def _read_call(
    due: RunRequest, targets: tuple[str, ...], types: tuple[TargetType, ...]
) -> CallRequest:
    """Return the call of a run, with the run's own key and deadline.

    Raises:
        BadRequestError: Naming the field.
    """
    for each in types:
        if each.is_meant(due.call):
            if due.overlap is Overlap.REPLACE and each.mark is None:
                raise BadRequestError("overlap", *CANNOT_REPLACE)
            bounds = {"IdempotencyKey": due.key, "NotAfter": format_instant(due.deadline_at)}
            request = each.read_call({**due.call, **bounds}, targets)
            return request if each.mark is None else each.mark(request, due.job)
    raise BadRequestError(
        "call", "names no target", f"Send one of {', '.join(each.marker for each in types)}"
    )


def _about(due: RunRequest) -> dict[str, str]:
    return {"job": due.job, "scheduled_at": due.scheduled_at}

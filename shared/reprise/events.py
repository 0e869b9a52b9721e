"""The events, as they stand in EventBridge's `detail`; docs/reference/events.md is made from them.

No event carries a payload, or an error's text, which may quote one: rules send events to places that we do
not know. The call's id leads to its dead letter and its row in the ledger, which have both. What Batch says
of a job's end is no such text; what it quotes there is left out (`given_up`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

import msgspec

from reprise.dead_letter import CONDITIONS, outcome_of_last
from reprise.instant import format_instant, from_ms, parse_instant
from reprise.retry.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reprise.capturing.record import Record
    from reprise.ledger import Row
    from reprise.monitor.gates import GateChange

SOURCE: Final = "reprise"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What every event is."""

    detail_type: ClassVar[str]

    version: Literal["1.0"] = "1.0"
    stack: str
    """Name of the stack."""


class ReplaySucceeded(Event, frozen=True, kw_only=True):
    """A captured call ended well."""

    detail_type: ClassVar[str] = "Replay Succeeded"

    id: str
    """The call."""
    function: str
    """Qualified ARN of the target."""
    at: str
    """ISO 8601."""
    age_s: float
    """From capture, or redrive, to now."""
    attempts: int
    """Executions that failed before, the caller's own included."""
    refusals: int
    """Tries in which the target did not run."""


class RequestContext(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """As in Lambda's own invocation records."""

    request_id: str
    function_arn: str
    condition: str
    """`RetriesExhausted`, `EventAgeExceeded`, `Permanent`, `Unknown` or `KeyConflict`."""
    approximate_invoke_count: int


class ResponseContext(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """As in Lambda's own invocation records."""

    status_code: int | None = None
    executed_version: str | None = None
    function_error: str | None = None


class DeadLetterDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What Reprise adds to Lambda's record."""

    id: str
    """The call."""
    reason: str
    """`exhausted`, `permanent`, `expired`, `unknown` or `key_conflict`."""
    attempts: int
    refusals: int
    object: str | None = None
    """S3 URL of the capture object."""


class ReplayDeadLettered(Event, frozen=True, kw_only=True, rename="camel"):
    """A captured call was given up: Lambda's invocation record without its payloads."""

    detail_type: ClassVar[str] = "Replay Dead-Lettered"

    timestamp: str
    request_context: RequestContext
    request_payload: None = None
    response_context: ResponseContext
    response_payload: None = None
    reprise: DeadLetterDetail


class GateChanged(Event, frozen=True, kw_only=True):
    """A target's gate began to hold, or flows again."""

    detail_type: ClassVar[str] = "Gate Changed"

    function: str
    """Unqualified ARN of the target."""
    state: Literal["holding", "flowing"]
    at: str
    """ISO 8601."""
    holding_since: str
    """When the hold began, ISO 8601."""
    held_s: float
    """How long it has lasted, or did."""


class Incident(Event, frozen=True, kw_only=True):
    """Something needs a person, or no longer does: once each, however many calls are concerned."""

    incident: str
    """The alarm that says so, without the stack's name: also the name of its runbook's question."""
    since: str
    """ISO 8601."""
    age_s: float
    function: str
    """The targets concerned, the worst first; empty if it is none."""
    reason: str
    count: int
    """Calls concerned; for an incident of the pipeline itself 0."""
    summary: str
    """All of it in one sentence."""
    dashboard: str
    """Address of the dashboard."""
    runbook: str
    """Address of the runbook."""


class IncidentOpened(Incident, frozen=True, kw_only=True):
    """Something needs a person."""

    detail_type: ClassVar[str] = "Incident Opened"


class IncidentClosed(Incident, frozen=True, kw_only=True):
    """It no longer does."""

    detail_type: ClassVar[str] = "Incident Closed"


class JobFailed(Event, frozen=True, kw_only=True):
    """A Batch job, or a job of a schedule, was given up.

    Comes again, with the same `id`, where the observer was interrupted, or the call failed after a redrive.
    """

    detail_type: ClassVar[str] = "Job Failed"

    job: str
    """Name of the Batch job, of the schedule, or of the definition."""
    reason: str
    """Of a Batch job its status reason, its container's, and the exit code; of a call outcome and code."""
    attempts: int
    id: str | None
    """The call; null if a scheduled run could not even be made."""
    function: str
    """ARN of the target."""
    summary: str
    """All of it in one sentence."""
    command: str
    """What shows more of it."""


class MoreJobsFailed(Event, frozen=True, kw_only=True):
    """More jobs were given up than are told by name in a minute."""

    detail_type: ClassVar[str] = "More Jobs Failed"

    count: int
    """Those that no `Job Failed` names."""
    summary: str
    command: str
    """What shows all of them."""


EVENTS: Final[tuple[type[Event], ...]] = (
    ReplaySucceeded,
    ReplayDeadLettered,
    GateChanged,
    IncidentOpened,
    IncidentClosed,
    JobFailed,
    MoreJobsFailed,
)


def replay_succeeded(stack: str, record: Record, row: Row, now: datetime) -> ReplaySucceeded:
    """Return the event of a call that ended well."""
    return ReplaySucceeded(
        stack=stack,
        id=row.id,
        function=record.target.qualified,
        at=format_instant(now),
        age_s=round(max(0.0, (now - parse_instant(row.opened_at)).total_seconds()), 3),
        attempts=row.attempts,
        refusals=row.refusals,
    )


def replay_dead_lettered(stack: str, record: Record, row: Row, now: datetime) -> ReplayDeadLettered:
    """Return the event of a call that was given up."""
    reason = Reason(row.reason or Reason.PERMANENT)
    last = outcome_of_last(record, row)
    return ReplayDeadLettered(
        stack=stack,
        timestamp=format_instant(now),
        request_context=RequestContext(
            request_id=last.request_id or row.id,
            function_arn=record.target.qualified,
            condition=CONDITIONS[reason],
            approximate_invoke_count=row.attempts,
        ),
        response_context=ResponseContext(
            status_code=last.status,
            executed_version=record.target.qualifier or "$LATEST",
            function_error=last.function_error,
        ),
        reprise=DeadLetterDetail(
            id=row.id,
            reason=reason.value,
            attempts=row.attempts,
            refusals=row.refusals,
            object=row.capture_object,
        ),
    )


def gate_changed(stack: str, change: GateChange, now: datetime) -> GateChanged:
    """Return the event of a hold that began or ended."""
    held = change.after if change.is_holding or change.before is None else change.before
    since = from_ms(held.holding_since_ms)
    return GateChanged(
        stack=stack,
        function=change.function,
        state="holding" if change.is_holding else "flowing",
        at=format_instant(now),
        holding_since=format_instant(since),
        held_s=round(max(0.0, (now - since).total_seconds()), 3),
    )


class EventPublisher:
    """Makes the events of one stack."""

    __slots__ = ("_add", "_stack")

    def __init__(self, stack: str, add: Callable[[Event], None]) -> None:
        """Hand events to this.

        Args:
            stack: Name of the stack.
            add: Gathers an event, such as `Outbox.add`; must not raise.
        """
        self._stack = stack
        self._add = add

    def succeeded(self, record: Record, row: Row, now: datetime) -> None:
        """Tell that a call ended well."""
        self._add(replay_succeeded(self._stack, record, row, now))

    def dead_lettered(self, record: Record, row: Row, now: datetime) -> None:
        """Tell that a call was given up, and that its dead letter is in its queue."""
        self._add(replay_dead_lettered(self._stack, record, row, now))

    def gate_changed(self, change: GateChange, now: datetime) -> None:
        """Tell that a hold began or ended."""
        self._add(gate_changed(self._stack, change, now))


def _ignore(event: Event) -> None:
    """Tell nobody."""


NULL_PUBLISHER: Final = EventPublisher("", _ignore)
"""Tells nobody."""

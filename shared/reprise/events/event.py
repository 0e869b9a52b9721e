"""The events, as they stand in EventBridge's `detail`; docs/reference/events.md is made from them.

No event carries a payload, or an error's text, which may quote one: rules send events to places that we do
not know. The call's id leads to its dead letter and its row in the ledger, which have both.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import msgspec

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


class RequestContext(msgspec.Struct, frozen=True, kw_only=True):
    """As in Lambda's own invocation records."""

    requestId: str  # noqa: N815 - Lambda's spelling
    functionArn: str  # noqa: N815 - as above
    condition: str
    """`RetriesExhausted`, `EventAgeExceeded`, `Permanent`, `Unknown` or `KeyConflict`."""
    approximateInvokeCount: int  # noqa: N815 - as above


class ResponseContext(msgspec.Struct, frozen=True, kw_only=True):
    """As in Lambda's own invocation records."""

    statusCode: int | None = None  # noqa: N815 - Lambda's spelling
    executedVersion: str | None = None  # noqa: N815 - as above
    functionError: str | None = None  # noqa: N815 - as above


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """What Reprise adds to Lambda's record."""

    id: str
    """The call."""
    reason: str
    """`exhausted`, `permanent`, `expired`, `unknown` or `key_conflict`."""
    attempts: int
    refusals: int
    object: str | None = None
    """S3 URL of the capture object."""


class ReplayDeadLettered(Event, frozen=True, kw_only=True):
    """A captured call was given up: Lambda's invocation record without its payloads."""

    detail_type: ClassVar[str] = "Replay Dead-Lettered"

    timestamp: str
    requestContext: RequestContext  # noqa: N815 - Lambda's spelling
    requestPayload: None = None  # noqa: N815 - as above
    responseContext: ResponseContext  # noqa: N815 - as above
    responsePayload: None = None  # noqa: N815 - as above
    reprise: Death


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


EVENTS: Final[tuple[type[Event], ...]] = (
    ReplaySucceeded,
    ReplayDeadLettered,
    GateChanged,
    IncidentOpened,
    IncidentClosed,
)

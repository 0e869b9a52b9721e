"""The metrics in one table, shared by code, docs, dashboard and alarms: name, unit, dimensions, meaning.

A metric is written once for each of its dimension sets, so that an alarm can watch the whole stack and a
graph can show one target. No dimension ever holds an id, and `target` is bounded by configuration alone, so
that all agree: a name that depended on which targets a process happens to have met would differ from one
process to the next, and all of them together would know no bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class MetricKey(NamedTuple):
    """A metric and its dimensions' values, less the stack's."""

    name: str
    target: str | None = None
    """A label, see `reprise.metric`."""
    reason: str | None = None
    outcome: str | None = None


LIMIT: Final = 100
"""Entries of the stack's Targets that get a value of their own."""
OTHER: Final = "other"
"""Where all further targets are counted together."""


def make_labeler(targets: tuple[str, ...]) -> Callable[[str], str]:
    """Return what maps a function ARN to its label, one of `labels(targets)`.

    An entry that names one function gives that function's name. An entry that ends in `*` is one label for
    all of its functions; a function that is also listed by its own name keeps that.

    Args:
        targets: The stack's Targets, in order; the first `LIMIT` entries are told apart.
    """
    shown = targets[:LIMIT]
    exact = {entry: _name(entry) for entry in shown if not entry.endswith("*")}
    # The longest first: the narrowest entry that a function falls under is the one that says most.
    stars = sorted((entry for entry in shown if entry.endswith("*")), key=len, reverse=True)

    def label(function: str) -> str:
        if function in exact:
            return exact[function]
        return next((_name(star) for star in stars if function.startswith(star[:-1])), OTHER)

    return label


def labels(targets: tuple[str, ...]) -> tuple[str, ...]:
    """Return every label that targets can have, each once."""
    return tuple(dict.fromkeys([*(_name(entry) for entry in targets[:LIMIT]), OTHER]))


def _name(entry: str) -> str:
    return entry.rpartition(":")[2]


NAMESPACE: Final = "Reprise"

STACK: Final = "stack"
"""Name of the root stack."""
TARGET: Final = "target"
REASON: Final = "reason"
OUTCOME: Final = "outcome"

COUNT: Final = "Count"
SECONDS: Final = "Seconds"
MILLISECONDS: Final = "Milliseconds"
NONE: Final = "None"

_WHOLE: Final = ((STACK,),)
_EACH: Final = ((STACK, TARGET),)
_BOTH: Final = ((STACK,), (STACK, TARGET))


class Metric(NamedTuple):
    """One row of the table."""

    name: str
    unit: str
    """As CloudWatch spells it."""
    dimensions: tuple[tuple[str, ...], ...]
    """Dimension sets; the values of one that names something unknown are left out of it."""
    meaning: str


CAPTURED: Final = "Captured"
PASSED_THROUGH: Final = "PassedThrough"
ADDED_LATENCY: Final = "AddedLatency"
CAPTURE_FAILED: Final = "CaptureFailed"
CLAIM_CHECKS: Final = "ClaimChecks"
UNLISTED_TARGETS: Final = "UnlistedTargets"
RECORDED: Final = "Recorded"
UNPACKED: Final = "Unpacked"
QUARANTINED: Final = "Quarantined"
CONTROL_MESSAGES: Final = "ControlMessages"
FOREIGN_LINES: Final = "ForeignLines"
OBJECTS_FAILED: Final = "ObjectsFailed"
LOST_NOTIFICATIONS: Final = "LostNotifications"
ERROR_OBJECTS: Final = "ErrorObjects"
LOST_LINES: Final = "LostLines"
READ_BACK_AGE: Final = "ReadBackAge"
REPLAYS: Final = "Replays"
OBJECTS_FOLDED: Final = "ObjectsFolded"
OBJECTS_PARKED: Final = "ObjectsParked"
FOLDED_LOOKS: Final = "FoldedLooks"
SUCCEEDED: Final = "Succeeded"
DEAD_LETTERED: Final = "DeadLettered"
REDRIVEN: Final = "Redriven"
RETRIED: Final = "Retried"
WASTED_REPLAYS: Final = "WastedReplays"
DUPLICATES_SUPPRESSED: Final = "DuplicatesSuppressed"
GATE_WAITS: Final = "GateWaits"
GATE_STATE: Final = "GateState"
GATE_WINDOW: Final = "GateWindow"
GATE_HOLD_AGE: Final = "GateHoldAge"
AGE_AT_SUCCESS: Final = "AgeAtSuccess"
OLDEST_WAITING_AGE: Final = "OldestWaitingAge"
BACKLOG: Final = "Backlog"
BACKLOG_TOTAL: Final = "BacklogTotal"
TIME_TO_DRAIN: Final = "TimeToDrain"
QUARANTINE_OBJECTS: Final = "QuarantineObjects"
FILTERS_MISSING: Final = "FiltersMissing"
STORE_FAULTS: Final = "StoreFaults"
EVENTS_FAILED: Final = "EventsFailed"
REPLIES_DELIVERED: Final = "RepliesDelivered"
REPLIES_FAILED: Final = "RepliesFailed"
RUNS_STARTED: Final = "RunsStarted"
RUNS_SKIPPED: Final = "RunsSkipped"
RUNS_QUEUED: Final = "RunsQueued"
RUNS_EXPIRED: Final = "RunsExpired"
RUNS_RECOVERED: Final = "RunsRecovered"
RUNS_FAILED: Final = "RunsFailed"
WARM_PINGS: Final = "WarmPings"
WARM_COLD_STARTS: Final = "WarmColdStarts"
WARM_THROTTLED: Final = "WarmThrottled"
WARM_FAILED: Final = "WarmFailed"

_ROWS: Final = (
    Metric(PASSED_THROUGH, COUNT, _BOTH, "calls whose target's own reply went straight back"),
    Metric(ADDED_LATENCY, MILLISECONDS, _BOTH, "time in the invoker that was not spent on the target"),
    Metric(CAPTURED, COUNT, _BOTH, "capture lines written"),
    Metric(CAPTURE_FAILED, COUNT, _BOTH, "calls to be captured that were not; callers were told"),
    Metric(UNLISTED_TARGETS, COUNT, _WHOLE, "calls not captured, as Targets lacks their target"),
    Metric(CLAIM_CHECKS, COUNT, _BOTH, "payloads kept in S3 because they fit no line"),
    Metric(RECORDED, COUNT, _BOTH, "calls entered in the ledger for the first time"),
    Metric(UNPACKED, COUNT, _BOTH, "replay messages sent by the unpacker"),
    Metric(DUPLICATES_SUPPRESSED, COUNT, _BOTH, "deliveries of ended calls, live calls with their keys"),
    Metric(QUARANTINED, COUNT, ((STACK,), (STACK, REASON)), "lines, bytes and messages put in quarantine"),
    Metric(QUARANTINE_OBJECTS, COUNT, _WHOLE, "objects in quarantine; 1,000 if there are more"),
    Metric(CONTROL_MESSAGES, COUNT, _WHOLE, "health checks of CloudWatch Logs found in capture objects"),
    Metric(FOREIGN_LINES, COUNT, _WHOLE, "lines in capture objects that are no capture lines"),
    Metric(OBJECTS_FAILED, COUNT, _WHOLE, "looks at a capture object that failed"),
    Metric(LOST_NOTIFICATIONS, COUNT, _WHOLE, "capture objects found that no notification had named"),
    Metric(ERROR_OBJECTS, COUNT, _WHOLE, "objects below Firehose's error prefix that were taken in"),
    Metric(LOST_LINES, COUNT, _BOTH, "captured calls that had not come by the log path, and were taken in"),
    Metric(READ_BACK_AGE, SECONDS, _WHOLE, "since the end of what was read back of the capture log groups"),
    Metric(OBJECTS_FOLDED, COUNT, _WHOLE, "capture objects left as they are until their gate asks for them"),
    Metric(OBJECTS_PARKED, COUNT, _WHOLE, "parts of capture objects kept apart, one target each"),
    Metric(FOLDED_LOOKS, COUNT, _WHOLE, "looks at a folded object that left it folded"),
    Metric(REPLAYS, COUNT, (*_BOTH, (STACK, TARGET, OUTCOME)), "replays, by how the target answered"),
    Metric(SUCCEEDED, COUNT, _BOTH, "calls that ended well, by the ledger"),
    Metric(DEAD_LETTERED, COUNT, (*_BOTH, (STACK, TARGET, REASON)), "calls given up, by the ledger"),
    Metric(REDRIVEN, COUNT, _BOTH, "calls opened again by an operator, at their first delivery"),
    Metric(RETRIED, COUNT, _BOTH, "attempts that failed and will be repeated after a backoff"),
    Metric(WASTED_REPLAYS, COUNT, _BOTH, "replays that were throttled"),
    Metric(GATE_WAITS, COUNT, _BOTH, "deliveries given back because the gate let them not through"),
    Metric(GATE_STATE, NONE, _EACH, "0 flowing, 1 probing, 2 holding"),
    Metric(GATE_WINDOW, COUNT, _EACH, "replays that the gate lets run at once"),
    Metric(GATE_HOLD_AGE, SECONDS, _BOTH, "age of the present hold; 0 while flowing"),
    Metric(AGE_AT_SUCCESS, SECONDS, _BOTH, "from capture, or redrive, to success: one value a call"),
    Metric(OLDEST_WAITING_AGE, SECONDS, _BOTH, "since its capture, of the oldest call that was given back"),
    Metric(BACKLOG, COUNT, _EACH, "calls in the ledger that have not ended"),
    Metric(BACKLOG_TOTAL, COUNT, _WHOLE, "the same for all targets together"),
    Metric(TIME_TO_DRAIN, SECONDS, _BOTH, "backlog over the calls that end a second; 0 without a backlog"),
    Metric(FILTERS_MISSING, COUNT, _WHOLE, "subscribed log groups whose filter is gone or altered"),
    Metric(STORE_FAULTS, COUNT, _WHOLE, "requests to ledger, queue or policy that failed for good"),
    Metric(EVENTS_FAILED, COUNT, _WHOLE, "events that EventBridge did not take"),
    Metric(REPLIES_DELIVERED, COUNT, _WHOLE, "late results delivered where their callers wanted them"),
    Metric(REPLIES_FAILED, COUNT, _WHOLE, "late results that could not be delivered, for good"),
    Metric(RUNS_STARTED, COUNT, _WHOLE, "runs of scheduled jobs that began"),
    Metric(RUNS_SKIPPED, COUNT, _WHOLE, "runs skipped, since the one before still ran"),
    Metric(RUNS_QUEUED, COUNT, _WHOLE, "runs that wait, since the one before still ran"),
    Metric(RUNS_EXPIRED, COUNT, _WHOLE, "runs that could not begin before their deadline"),
    Metric(RUNS_RECOVERED, COUNT, _WHOLE, "runs whose runner died, and whose lease ended"),
    Metric(RUNS_FAILED, COUNT, _WHOLE, "runs that neither began nor were captured"),
    Metric(WARM_PINGS, COUNT, _WHOLE, "pings of the warmer"),
    Metric(WARM_COLD_STARTS, COUNT, _WHOLE, "pings that met no warm environment"),
    Metric(WARM_THROTTLED, COUNT, _WHOLE, "pings that were throttled; none is captured"),
    Metric(WARM_FAILED, COUNT, _WHOLE, "pings that failed otherwise"),
)  # fmt: skip

TABLE: Final[dict[str, Metric]] = {row.name: row for row in _ROWS}

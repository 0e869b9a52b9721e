"""Write an invocation's lines to CloudWatch Logs, framed as Lambda frames them.

Source: Lambda Developer Guide, "Working with Lambda function logs" (system log
levels, LoggingConfig), "Lambda Telemetry API event schema".
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_engine.runtime.output import LogLine
from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_engine.runtime.environment import Outcome

_LOGS = Seam("services.cloudwatch_logs")
_create_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What the platform's own lines tell about an invocation."""

    config: Mapping[str, Any]
    request_id: str
    duration_ms: float
    outcome: Outcome


def write_invocation(invocation: Invocation, log_stream: str) -> None:
    """Put the lines of an invocation, with the platform's, into the function's group."""
    logging_config = invocation.config.get("LoggingConfig") or {}
    is_json = logging_config.get("LogFormat") == "JSON"
    before, after = (_json_lines if is_json else _text_lines)(invocation)
    lines = invocation.outcome.lines
    now_ms = time.time_ns() // 1_000_000
    start_ms = lines[0].timestamp_ms if lines else now_ms - int(invocation.duration_ms)
    put(
        log_group(invocation.config),
        log_stream,
        [
            *(LogLine(start_ms, text) for text in before),
            *lines,
            *(LogLine(now_ms, text) for text in after),
        ],
    )


def log_group(config: Mapping[str, Any]) -> str:
    """Return the name of a function's log group."""
    logging_config = config.get("LoggingConfig") or {}
    return logging_config.get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"


def put(group_name: str, stream_name: str, lines: list[LogLine]) -> None:
    """Append lines to a stream, making it and its group when missing."""
    if not lines:
        return
    groups = _LOGS["_log_groups"]
    now_ms = time.time_ns() // 1_000_000
    with _create_lock:
        if group_name not in groups:
            _LOGS["_create_log_group"]({"logGroupName": group_name})
        streams = groups[group_name]["streams"]
        if stream_name not in streams:
            _LOGS["_create_log_stream"]({"logGroupName": group_name, "logStreamName": stream_name})
    events = [
        {"timestamp": line.timestamp_ms, "message": line.message, "ingestionTime": now_ms}
        for line in lines
    ]
    _LOGS["_append_log_events"](streams[stream_name], events)
    _LOGS["_fanout_to_subscription_filters"](group_name, stream_name, events)


def _text_lines(invocation: Invocation) -> tuple[list[str], list[str]]:
    config, request_id = invocation.config, invocation.request_id
    outcome = invocation.outcome
    after = []
    if outcome.timed_out:
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        after.append(
            f"{stamp} {request_id} Task timed out after {config.get('Timeout', 3)}.00 seconds"
        )
    duration_ms = invocation.duration_ms
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {int(duration_ms) + 1} ms\tMemory Size: {config.get('MemorySize', 128)} MB\t"
        f"Max Memory Used: {config.get('MemorySize', 128)} MB\t"
    )
    if outcome.init_ms is not None:
        report += f"Init Duration: {outcome.init_ms:.2f} ms\t"
    return (
        [f"START RequestId: {request_id} Version: {config.get('Version', '$LATEST')}"],
        [*after, f"END RequestId: {request_id}", report],
    )


def _json_lines(invocation: Invocation) -> tuple[list[str], list[str]]:
    """Return platform events; the system log level WARN leaves those of failures only."""
    outcome = invocation.outcome
    level = (invocation.config.get("LoggingConfig") or {}).get("SystemLogLevel", "INFO")
    start = {
        "requestId": invocation.request_id,
        "version": invocation.config.get("Version", "$LATEST"),
    }
    metrics: dict[str, Any] = {"durationMs": round(invocation.duration_ms, 3)}
    if outcome.init_ms is not None:
        metrics["initDurationMs"] = round(outcome.init_ms, 3)
    status = "timeout" if outcome.timed_out else "error" if outcome.is_error else "success"
    report = {"requestId": invocation.request_id, "metrics": metrics, "status": status}
    before = [] if level == "WARN" else [_event("platform.start", start)]
    after = [] if level == "WARN" and not outcome.is_error else [_event("platform.report", report)]
    return before, after


def _event(kind: str, record: dict[str, Any]) -> str:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": stamp, "type": kind, "record": record}, separators=(",", ":"))

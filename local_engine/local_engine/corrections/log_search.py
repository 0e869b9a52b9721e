"""Restore FilterLogEvents: the pattern grammar and pages.

Stock ministack takes ``{ $.x = 1 }`` for everything and gives no nextToken, so a
group with more than 10,000 matching events cannot be read to its end.

Source: botocore 1.44.5 logs model, FilterLogEvents.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any

from local_engine.corrections.subscriptions import make_event_id
from local_engine.patterns import compile_pattern
from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_engine.options import EngineOptions

_LOGS = Seam("services.cloudwatch_logs")
_RESPONSES = Seam("core.responses")
_MAX_EVENTS = 10_000
_MAX_PAGE_BYTES = 1_048_576


def apply(_options: EngineOptions) -> None:
    """Answer FilterLogEvents ourselves."""
    _LOGS.replace("_filter_log_events", _filter_log_events)
    _LOGS.replace("_compile_filter_pattern", lambda raw: compile_pattern(raw or ""))


def _filter_log_events(data: dict[str, Any]) -> Any:
    refuse = _RESPONSES["error_response_json"]
    group_name = _LOGS["_resolve_log_group_name"](data)
    group = _LOGS["_log_groups"].get(group_name)
    if group is None:
        message = f"The specified log group does not exist: {group_name}"
        return refuse("ResourceNotFoundException", message, 400)
    try:
        matches = compile_pattern(data.get("filterPattern") or "")
        # A token is the number of events the earlier pages have looked at.
        seen = int(data.get("nextToken") or 0)
    except ValueError as error:
        return refuse("InvalidParameterException", str(error), 400)
    limit = min(int(data.get("limit") or _MAX_EVENTS), _MAX_EVENTS)
    found: list[dict[str, Any]] = []
    size = 0
    events = itertools.islice(_events(group, data), seen, None)
    for event in events:
        if len(found) >= limit or size >= _MAX_PAGE_BYTES:
            return _answer(found, next_token=str(seen))
        seen += 1
        if matches(event["message"]):
            found.append(event)
            size += len(event["message"])
    return _answer(found)


def _events(group: dict[str, Any], data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the group's events in the order of their times."""
    names = data.get("logStreamNames")
    prefix = data.get("logStreamNamePrefix") or ""
    start, end = data.get("startTime") or 0, data.get("endTime")
    streams = []
    with _LOGS["_log_events_lock"]:
        for name, stream in group["streams"].items():
            if (names and name not in names) or not name.startswith(prefix):
                continue
            streams.append([(event["timestamp"], name, event) for event in stream["events"]])
    for timestamp, name, event in heapq.merge(*streams, key=lambda entry: entry[0]):
        if timestamp < start or (end is not None and timestamp > end):
            continue
        event.setdefault("eventId", make_event_id(timestamp))
        yield {**event, "logStreamName": name}


def _answer(events: list[dict[str, Any]], next_token: str | None = None) -> Any:
    token = {} if next_token is None else {"nextToken": next_token}
    return _RESPONSES["json_response"]({"events": events, "searchedLogStreams": [], **token})

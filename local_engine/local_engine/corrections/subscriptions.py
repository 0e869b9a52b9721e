"""Restore subscription filters: Firehose destinations, the envelope, the grammar.

Stock ministack delivers to Lambda only, matches bare words, and sends no control
message. Here matching events reach a delivery stream in gzip level 6, with string
ids of 56 digits, and a CONTROL_MESSAGE comes first.

Source: aws-facts, sections 1 and 2 (CloudWatch Logs User Guide, "Log group-level
subscription filters").
"""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import logging
import time
from typing import TYPE_CHECKING, Any

from local_engine.patterns import compile_pattern
from local_engine.seams import Seam
from local_engine.switches import LOG_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local_engine.options import EngineOptions

    type Event = dict[str, Any]

_LOGS = Seam("services.cloudwatch_logs")
_FIREHOSE = Seam("services.firehose")
_CLOUDWATCH = Seam("services.cloudwatch")
_RESPONSES = Seam("core.responses")

_MAX_FILTERS = 2
_MAX_RECORD_BYTES = 1000 * 1024
_FIREHOSE_SERVICE = ":firehose:"

_log = logging.getLogger("reprise")
_sequence = itertools.count()


def apply(_options: EngineOptions) -> None:
    """Deliver to Firehose besides Lambda, and check filters when they are put."""
    stock_fanout = _LOGS["_fanout_to_subscription_filters"]
    stock_put = _LOGS["_put_subscription_filter"]

    def fanout(group_name: str, stream_name: str, events: list[Event]) -> None:
        group = _LOGS["_log_groups"].get(group_name)
        if not group or not events:
            return
        for event in events:
            event.setdefault("eventId", make_event_id(event.get("timestamp", 0)))
        for subscription in list((group.get("subscriptionFilters") or {}).values()):
            if _FIREHOSE_SERVICE in subscription["destinationArn"]:
                _deliver(subscription, group_name, stream_name, events)
        stock_fanout(group_name, stream_name, events)

    def put_filter(data: dict[str, Any]) -> Any:
        refusal = _check_filter(data)
        if refusal is not None:
            return refusal
        response = stock_put(data)
        if response[0] == 200 and _FIREHOSE_SERVICE in data.get("destinationArn", ""):  # noqa: PLR2004
            _put_record(data["destinationArn"], compress(_control_message()))
        return response

    _LOGS.replace("_fanout_to_subscription_filters", fanout)
    _LOGS.replace("_put_subscription_filter", put_filter)
    _LOGS.replace("_subscription_pattern_matches", _matches)


def make_event_id(timestamp_ms: int) -> str:
    """Return a new event id: 56 digits that begin with the event's time."""
    return f"3{timestamp_ms:015d}{next(_sequence):040d}"


def compress(envelope: dict[str, Any]) -> bytes:
    """Return an envelope as CloudWatch Logs sends it: JSON in gzip level 6."""
    return gzip.compress(json.dumps(envelope, separators=(",", ":")).encode(), 6)


def _matches(pattern: str, message: str) -> bool:
    return compile_pattern(pattern or "")(message or "")


def _deliver(
    subscription: dict[str, Any], group_name: str, stream_name: str, events: Sequence[Event]
) -> None:
    matches = compile_pattern(subscription["filterPattern"])
    matching = [
        event for event in events if matches(event.get("message", "")) and not LOG_PATH.loses()
    ]
    if not matching:
        return
    head = {
        "messageType": "DATA_MESSAGE",
        "owner": _RESPONSES["get_account_id"](),
        "logGroup": group_name,
        "logStream": stream_name,
        "subscriptionFilters": [subscription["filterName"]],
    }
    for record in _make_records(head, matching):
        _put_record(subscription["destinationArn"], record)
    dimensions = {
        "LogGroupName": group_name,
        "DestinationType": "Firehose",
        "FilterName": subscription["filterName"],
    }
    _CLOUDWATCH["record_metric"](
        "AWS/Logs", "ForwardedLogEvents", len(matching), "Count", dimensions
    )


def _make_records(head: dict[str, Any], events: Sequence[Event]) -> list[bytes]:
    """Return one record, or halves of the events while it is too large for Firehose."""
    log_events = [
        {"id": e["eventId"], "timestamp": e.get("timestamp", 0), "message": e.get("message", "")}
        for e in events
    ]
    record = compress({**head, "logEvents": log_events})
    if len(record) <= _MAX_RECORD_BYTES or len(events) == 1:
        return [record]
    half = len(events) // 2
    return _make_records(head, events[:half]) + _make_records(head, events[half:])


def _put_record(destination_arn: str, record: bytes) -> None:
    name = destination_arn.rsplit("/", 1)[-1]
    data = base64.b64encode(record).decode()
    status, _, body = _FIREHOSE["_put_record"](
        {"DeliveryStreamName": name, "Record": {"Data": data}}
    )
    if status >= 400:  # noqa: PLR2004
        _log.warning("subscription filter: delivery stream %s refused: %s", name, body)


def _control_message() -> dict[str, Any]:
    return {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [
            {
                "id": "",
                "timestamp": time.time_ns() // 1_000_000,
                "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose.",
            }
        ],
    }


def _check_filter(data: dict[str, Any]) -> Any:
    refuse = _RESPONSES["error_response_json"]
    try:
        compile_pattern(data.get("filterPattern", ""))
    except ValueError as error:
        return refuse("InvalidParameterException", str(error), 400)
    group = _LOGS["_log_groups"].get(data.get("logGroupName")) or {}
    others = set(group.get("subscriptionFilters") or {}) - {data.get("filterName")}
    if len(others) >= _MAX_FILTERS:
        return refuse("LimitExceededException", "Resource limit exceeded.", 400)
    destination = data.get("destinationArn", "")
    if _FIREHOSE_SERVICE in destination:
        name = destination.rsplit("/", 1)[-1]
        if name not in _FIREHOSE["_streams"]:
            message = (
                "Could not deliver test message to specified Firehose stream. "
                "Check if the given Firehose stream is in ACTIVE state."
            )
            return refuse("InvalidParameterException", message, 400)
    return None

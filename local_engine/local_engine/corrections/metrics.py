"""Restore metrics that come from logs and from queues.

Stock ministack ignores embedded-metric lines and metric filters, publishes nothing
for queues, and keeps one record per counted event for two weeks. Here events of
one second and value share a record.

Source: CloudWatch User Guide, "Specification: Embedded metric format"; SQS Developer
Guide, "Available CloudWatch metrics for Amazon SQS"; aws-facts, section 10.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from local_engine.patterns import compile_pattern
from local_engine.patterns.structured import compile_selector
from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_engine.options import EngineOptions

    type Event = dict[str, Any]

_LOGS = Seam("services.cloudwatch_logs")
_CLOUDWATCH = Seam("services.cloudwatch")
_SQS = Seam("services.sqs")
_RESPONSES = Seam("core.responses")

_QUEUE_CHECK_S = 1.0
_QUEUE_REPEAT_S = 30.0

_log = logging.getLogger("reprise")
_record_lock = threading.Lock()
_recent: dict[tuple[object, ...], dict[str, Any]] = {}
_recent_second = [0]


def apply(_options: EngineOptions) -> None:
    """Turn log lines into metrics, and publish the queues' depths on a clock."""
    stock_fanout = _LOGS["_fanout_to_subscription_filters"]

    def fanout(group_name: str, stream_name: str, events: list[Event]) -> None:
        for event in events:
            message = event.get("message", "")
            if message.startswith("{") and '"_aws"' in message:
                _record_embedded(message)
        _apply_metric_filters(group_name, events)
        stock_fanout(group_name, stream_name, events)

    _LOGS.replace("_fanout_to_subscription_filters", fanout)
    _CLOUDWATCH.replace("record_metric", record_metric)
    threading.Thread(target=_watch_queues, name="reprise-queue-metrics", daemon=True).start()


def record_metric(
    namespace: str,
    metric_name: str,
    value: float,
    unit: str = "None",
    dimensions: dict[str, str] | None = None,
) -> None:
    """Record a value, joined with the equal values of its second."""
    dimensions = dimensions or {}
    key = (namespace, metric_name, _CLOUDWATCH["_dims_key"](dimensions))
    second = int(time.time())
    value = round(float(value), 1)
    scope = (_RESPONSES["get_account_id"](), _RESPONSES["get_region"]())
    with _record_lock:
        if _recent_second[0] != second:
            _recent_second[0] = second
            _recent.clear()
        point = _recent.get((scope, key, value))
        if point is not None:
            point["Count"] += 1
            return
        point = {
            "Timestamp": float(second),
            "Value": value,
            "Count": 1.0,
            "Unit": unit,
            "Dimensions": dict(dimensions),
        }
        _recent[(scope, key, value)] = point
        _CLOUDWATCH["_metric_bucket"](key).append(point)


def _record_embedded(message: str) -> None:
    """Store the metrics of an embedded-metric line; a malformed one is only a log line."""
    try:
        root = json.loads(message)
        metadata = root["_aws"]
        at = metadata["Timestamp"] / 1000
        for directive in metadata["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                values = root[metric["Name"]]
                values = values if isinstance(values, list) else [values]
                for names in directive.get("Dimensions") or [[]]:
                    dimensions = {name: str(root[name]) for name in names}
                    _store(directive["Namespace"], metric, dimensions, at, values)
    except (KeyError, TypeError, ValueError):
        _log.debug("not an embedded metric: %.200s", message)


def _store(
    namespace: str,
    metric: dict[str, Any],
    dimensions: dict[str, str],
    at: float,
    values: list[float],
) -> None:
    unit = metric.get("Unit", "None")
    _CLOUDWATCH["_store_datum"](
        namespace, metric["Name"], dimensions, at, unit, None, values, None, None
    )


def _apply_metric_filters(group_name: str, events: list[Event]) -> None:
    for (group, _), metric_filter in list(_LOGS["_metric_filters"].items()):
        if group != group_name:
            continue
        matches = compile_pattern(metric_filter.get("filterPattern") or "")
        for event in events:
            if matches(event.get("message", "")):
                _transform(metric_filter, event["message"])


def _transform(metric_filter: dict[str, Any], message: str) -> None:
    for transformation in metric_filter["metricTransformations"]:
        wanted = transformation["metricValue"]
        try:
            document = json.loads(message) if "$" in str(transformation) else {}
            (value,) = compile_selector(wanted)(document) if wanted[0] == "$" else (wanted,)
            dimensions = {
                name: str(compile_selector(selector)(document)[0])
                for name, selector in (transformation.get("dimensions") or {}).items()
            }
            number = float(value)
        except (IndexError, TypeError, ValueError):
            continue
        namespace, name = transformation["metricNamespace"], transformation["metricName"]
        unit = transformation.get("unit", "None")
        record_metric(namespace, name, number, unit, dimensions)


def _watch_queues() -> None:
    """Publish each queue's depths when they change, and now and then."""
    published: dict[tuple[object, ...], tuple[float, float]] = {}
    while True:
        time.sleep(_QUEUE_CHECK_S)
        now = time.time()
        for (account, region, _), queue in list(_SQS["_queues"]._data.items()):  # noqa: SLF001
            _RESPONSES["_request_account_id"].set(account)
            _RESPONSES["_request_region"].set(region)
            dimensions = {"QueueName": queue["attributes"]["QueueArn"].rsplit(":", 1)[-1]}
            for name, value in _depths(queue, now):
                key = (account, region, dimensions["QueueName"], name)
                last_value, last_at = published.get(key, (-1.0, 0.0))
                if value != last_value or now - last_at >= _QUEUE_REPEAT_S:
                    published[key] = (value, now)
                    unit = "Seconds" if name.startswith("ApproximateAge") else "Count"
                    record_metric("AWS/SQS", name, value, unit, dimensions)


def _depths(queue: dict[str, Any], now: float) -> Iterator[tuple[str, float]]:
    visible = in_flight = delayed = 0
    oldest = now
    for message in list(queue["messages"]):
        oldest = min(oldest, message["sent_at"])
        if message.get("visible_at", now) <= now:
            visible += 1
        elif message.get("receive_count"):
            in_flight += 1
        else:
            delayed += 1
    yield "ApproximateNumberOfMessagesVisible", visible
    yield "ApproximateNumberOfMessagesNotVisible", in_flight
    yield "ApproximateNumberOfMessagesDelayed", delayed
    yield "ApproximateAgeOfOldestMessage", int(now - oldest)

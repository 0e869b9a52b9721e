"""The units of metrics that are drawn with one: GetMetricData does not tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.metric import NAMESPACE, TABLE

if TYPE_CHECKING:
    from reprise_cli.dashboard.model.rows import SeriesKey

_AWS_UNITS: Final = {
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): "Seconds",
    ("AWS/Lambda", "Duration"): "Milliseconds",
    ("AWS/Lambda", "IteratorAge"): "Milliseconds",
    ("AWS/Firehose", "DeliveryToS3.DataFreshness"): "Seconds",
    ("AWS/Firehose", "DeliveryToS3.Bytes"): "Bytes",
    ("AWS/Firehose", "IncomingBytes"): "Bytes",
    ("AWS/DynamoDB", "SuccessfulRequestLatency"): "Milliseconds",
}


def unit_of(metric: SeriesKey | None, stat: str) -> str:
    """Return a metric's unit as CloudWatch names it; empty if it is a count or not known."""
    if metric is None or stat == "SampleCount":
        return ""
    if metric.namespace == NAMESPACE:
        unit = TABLE[metric.name].unit if metric.name in TABLE else ""
        return "" if unit in {"Count", "None"} else unit
    return _AWS_UNITS.get((metric.namespace, metric.name), "")

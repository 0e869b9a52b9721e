"""The lower part: the pipeline itself, from the front door to the dead-letter queues."""

from __future__ import annotations

from typing import Final

from reprise import metric
from reprise_dashboard.incident import DEAD_LETTERS, OLDEST_WAITING_S, RUNBOOKS_AT
from reprise_dashboard.layout import Row
from reprise_dashboard.schedules import scheduled_runs, warm_pings
from reprise_dashboard.series import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    Series,
    aws,
    each,
    on_the_right,
    ours,
)
from reprise_dashboard.widget import Line, Widget, graph, text

_FUNCTIONS: Final = {"invoker": BLUE, "unpacker": ORANGE, "replayer": GREEN, "observer": GREY}
_SUBSCRIPTION: Final = (
    *("LogGroupName", "/reprise/${Name}/capture"),
    *("DestinationType", "Firehose", "FilterName", "${Name}-capture"),
)


def rows() -> list[Row]:
    """Return the rows of the lower part."""
    head = "## The pipeline\nFront door, capture path, unpacking, replay, stores: in this order."
    return [
        Row(2, (text(head),)),
        Row(6, (_front_door(), _added(), _capture_path())),
        Row(6, (_freshness(), _intake(), _quarantine())),
        Row(6, (_queue_ages(), _queue_depths(), _work())),
        Row(6, (_functions("Errors"), _functions("Throttles"), _durations())),
        Row(6, (_ledger(), _faults(), _dead_letters())),
        Row(6, (scheduled_runs(), warm_pings())),
        Row(3, (text(_DEAD_LETTER_HELP),)),
    ]


_DEAD_LETTER_HELP: Final = (
    "### Dead letters\n`reprise dlq list` shows each with its reason, `reprise dlq show ID` one with its "
    "history, `reprise dlq redrive` opens them again once the cause is gone. "
    f"[Runbook]({RUNBOOKS_AT}/dead-letters.md)"
)


def _front_door() -> Widget:
    return graph(
        "Front door: calls a minute",
        [
            ours(metric.PASSED_THROUGH, "passed through", color=GREEN),
            ours(metric.CAPTURED, "captured", color=BLUE),
            ours(metric.CAPTURE_FAILED, "not captured", color=VERMILION),
            ours(metric.UNLISTED_TARGETS, "target not listed", color=PURPLE),
            ours(metric.CLAIM_CHECKS, "claim checks", color=ORANGE),
        ],
        unit="calls a minute",
        width=8,
    )


def _added() -> Widget:
    return graph(
        "Front door: time added to a call",
        [
            ours(metric.ADDED_LATENCY, "half", "p50", GREEN),
            ours(metric.ADDED_LATENCY, "95 %", "p95", BLUE),
        ],
        unit="milliseconds",
        width=8,
    )


def _capture_path() -> Widget:
    def logs(name: str, label: str, color: str) -> Series:
        return aws(("AWS/Logs", name), _SUBSCRIPTION, label, color=color)

    return graph(
        "Log group to Firehose: lines a minute",
        [
            logs("ForwardedLogEvents", "forwarded", GREEN),
            logs("DeliveryErrors", "errors", VERMILION),
            logs("DeliveryThrottling", "throttled", ORANGE),
            ours(metric.FILTERS_MISSING, "filters missing", "Maximum", PURPLE),
        ],
        unit="lines a minute",
        width=8,
    )


def _freshness() -> Widget:
    return graph(
        "Firehose: age of the oldest line not yet in S3",
        [
            aws(
                ("AWS/Firehose", "DeliveryToS3.DataFreshness"),
                ("DeliveryStreamName", "${Name}-capture"),
                "age",
                "Maximum",
                BLUE,
            )
        ],
        unit="seconds",
        width=8,
        lines=[Line(label="alarm", value=1800)],
    )


def _intake() -> Widget:
    return graph(
        "Unpacker: what came in a minute",
        [
            ours(metric.RECORDED, "new calls", color=BLUE),
            ours(metric.UNPACKED, "sent to replay", color=GREEN),
            ours(metric.DUPLICATES_SUPPRESSED, "duplicates suppressed", color=GREY),
            ours(metric.FOREIGN_LINES, "foreign lines", color=ORANGE),
            ours(metric.CONTROL_MESSAGES, "health checks", color=SKY),
            ours(metric.OBJECTS_FAILED, "failed looks at objects", color=VERMILION),
            ours(metric.OBJECTS_FOLDED, "objects left folded", color=PURPLE),
            ours(metric.OBJECTS_PARKED, "parts parked", color=YELLOW),
            ours(metric.FOLDED_LOOKS, "looks at folded objects", color="#000080"),
            ours(metric.LOST_NOTIFICATIONS, "lost notifications", color="#800000"),
            ours(metric.LOST_LINES, "lost lines", color="#ff0000"),
            ours(metric.ERROR_OBJECTS, "objects that Firehose gave up", color="#008080"),
        ],
        unit="a minute",
        width=8,
    )


def _quarantine() -> Widget:
    return graph(
        "Quarantined, by reason",
        [
            each(metric.QUARANTINED, "Sum", by=metric.REASON),
            on_the_right(ours(metric.QUARANTINE_OBJECTS, "objects there", "Maximum", GREY)),
        ],
        unit=("a minute", "objects"),
        width=8,
    )


def _queue(name: str, label: str, metric_name: str, color: str) -> Series:
    dimensions = ("QueueName", f"${{Name}}-{name}")
    return aws(("AWS/SQS", metric_name), dimensions, label, "Maximum", color)


def _queue_ages() -> Widget:
    name = "ApproximateAgeOfOldestMessage"
    return graph(
        "Queues: age of the oldest message",
        [
            _queue("capture", "capture objects", name, ORANGE),
            _queue("replay", "calls to replay", name, BLUE),
        ],
        unit="seconds",
        width=8,
        lines=[Line(label="alarm (replay)", value=OLDEST_WAITING_S)],
    )


def _queue_depths() -> Widget:
    visible = "ApproximateNumberOfMessagesVisible"
    hidden = "ApproximateNumberOfMessagesNotVisible"
    return graph(
        "Queues: messages",
        [
            _queue("capture", "objects due", visible, ORANGE),
            _queue("capture", "objects in work or waiting", hidden, YELLOW),
            _queue("replay", "calls due", visible, BLUE),
            _queue("replay", "calls in work or waiting", hidden, SKY),
        ],
        unit="messages",
        width=8,
    )


def _work() -> Widget:
    return graph(
        "Replayer: a minute",
        [
            ours(metric.REPLAYS, "replays", color=BLUE),
            ours(metric.WASTED_REPLAYS, "of them throttled", color=PURPLE),
            ours(metric.RETRIED, "to be retried", color=ORANGE),
            ours(metric.GATE_WAITS, "given back by the gate", color=GREY),
            ours(metric.REDRIVEN, "redriven", color=SKY),
        ],
        unit="a minute",
        width=8,
    )


def _functions(name: str) -> Widget:
    return graph(
        f"Functions: {name.lower()} a minute",
        [
            aws(("AWS/Lambda", name), ("FunctionName", f"${{Name}}-{function}"), function, color=c)
            for function, c in _FUNCTIONS.items()
        ],
        unit=f"{name.lower()} a minute",
        width=8,
    )


def _durations() -> Widget:
    return graph(
        "Functions: duration, 95 %",
        [
            aws(
                ("AWS/Lambda", "Duration"),
                ("FunctionName", f"${{Name}}-{function}"),
                function,
                "p95",
                color,
            )
            for function, color in _FUNCTIONS.items()
        ],
        unit="milliseconds",
        width=8,
    )


def _ledger() -> Widget:
    def table(name: str, label: str, color: str) -> Series:
        return aws(("AWS/DynamoDB", name), ("TableName", "${Name}-ledger"), label, color=color)

    return graph(
        "Ledger: capacity used and throttles",
        [
            table("ConsumedWriteCapacityUnits", "write units", BLUE),
            table("ConsumedReadCapacityUnits", "read units", SKY),
            on_the_right(table("WriteThrottleEvents", "throttled writes", VERMILION)),
            on_the_right(table("ReadThrottleEvents", "throttled reads", ORANGE)),
        ],
        unit=("units a minute", "throttles a minute"),
        width=8,
    )


def _faults() -> Widget:
    return graph(
        "Faults: requests that failed for good; late results",
        [
            ours(metric.STORE_FAULTS, "ledger, queue or policy", color=VERMILION),
            ours(metric.EVENTS_FAILED, "events", color=ORANGE),
            ours(metric.REPLIES_FAILED, "late results, not delivered", color=PURPLE),
            ours(metric.REPLIES_DELIVERED, "late results, delivered", color=GREEN),
            aws(
                ("AWS/Lambda", "Errors"),
                ("FunctionName", "${Name}-observer"),
                "observer's errors",
                color=GREY,
            ),
        ],
        unit="a minute",
        width=8,
    )


def _dead_letters() -> Widget:
    return graph(
        "Dead-letter queues",
        [
            DEAD_LETTERS,
            _queue("capture-dlq", "capture objects", "ApproximateNumberOfMessagesVisible", ORANGE),
        ],
        unit="messages",
        width=8,
        lines=[Line(label="alarm above", value=0)],
    )

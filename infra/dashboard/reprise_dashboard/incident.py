"""The upper part: what an engineer must see in ten seconds, and the graphs that explain it."""

from __future__ import annotations

from typing import Final

from reprise import metric
from reprise_dashboard.layout import Row
from reprise_dashboard.series import BLUE, GREEN, VERMILION, aws, each, ours
from reprise_dashboard.widget import Line, Widget, alarms, graph, number, text

RUNBOOKS: Final = {
    "dead-letters": "calls were given up",
    "waiting": "calls wait too long",
    "holding": "a gate holds too long",
    "capture-path": "captured calls do not arrive",
    "invoker-throttled": "calls are refused before they are captured",
    "quarantine": "something could not be read or trusted",
    "ledger": "the ledger is throttled",
    "observer": "the observer is silent",
}
"""Files in docs/runbooks, each with its question."""
ALARMS: Final = (
    "dead-letters",
    "waiting",
    "holding",
    "invoker-throttled",
    "quarantine",
    "filters-missing",
    "lines-lost",
    "read-back-late",
    "letter-jobs-failed",
    "letter-jobs-stuck",
    "capture-dead-letters",
    "capture-delivery-errors",
    "capture-delivery-throttled",
    "capture-delivery-late",
    "replay-stuck",
    "ledger-throttled",
    "observer-silent",
    "observer-errors",
    "observer-undelivered",
)
"""Alarms that every stack has, without the stack's name. Those of add-ons are told of by the observer."""
RUNBOOKS_AT: Final = "docs/runbooks"
"""Where runbooks are, in the repository."""
OLDEST_WAITING_S: Final = 3600
"""Threshold of the alarm `waiting` (infra/alarms.yaml)."""
DEAD_LETTERS: Final = aws(
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    ("QueueName", "${Name}-dead-letter"),
    "dead letters",
    "Maximum",
    VERMILION,
)


def rows() -> list[Row]:
    """Return the rows of the upper part."""
    links = " · ".join(
        f"[{question}]({RUNBOOKS_AT}/{name}.md)" for name, question in RUNBOOKS.items()
    )
    arn = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:${Name}-"
    return [
        Row(2, (text(f"# Captured calls of ${{Name}}\n**Runbooks**: {links}"),)),
        Row(4, _numbers()),
        Row(2, (alarms("What is wrong?", [arn + name for name in ALARMS]),)),
        Row(6, (_backlog(), _age())),
        Row(6, (_flow(), _replays())),
        Row(6, (_gate(), _window(), _failures())),
    ]


def _numbers() -> tuple[Widget, ...]:
    last = "Maximum"
    return (
        number("How many calls wait?", [ours(metric.BACKLOG_TOTAL, "calls", last, BLUE)]),
        number("How old is the oldest?", [ours(metric.OLDEST_WAITING_AGE, "seconds", last, BLUE)]),
        number("How long until all are done?", [ours(metric.TIME_TO_DRAIN, "seconds", last, BLUE)]),
        number("How long has a gate held?", [ours(metric.GATE_HOLD_AGE, "seconds", last, BLUE)]),
        number("How many need a person?", [DEAD_LETTERS]),
        number(
            "How many were captured?",
            [ours(metric.CAPTURED, "calls", "Sum", BLUE)],
            whole_range=True,
        ),
    )


def _backlog() -> Widget:
    return graph(
        "Backlog: calls that have not ended, by target",
        [each(metric.BACKLOG, "Maximum")],
        unit="calls",
        stacked=True,
    )


def _age() -> Widget:
    return graph(
        "Age of the oldest waiting call, by target",
        [each(metric.OLDEST_WAITING_AGE, "Maximum")],
        unit="seconds",
        lines=[Line(label="alarm", value=OLDEST_WAITING_S)],
    )


def _flow() -> Widget:
    return graph(
        "Flow: calls a minute",
        [
            ours(metric.CAPTURED, "captured", "Sum", BLUE),
            ours(metric.SUCCEEDED, "succeeded", "Sum", GREEN),
            ours(metric.DEAD_LETTERED, "dead-lettered", "Sum", VERMILION),
        ],
        unit="calls a minute",
        stacked=True,
    )


def _replays() -> Widget:
    return graph(
        "Replays a minute, by target and outcome",
        [each(metric.REPLAYS, "Sum", by=f"{metric.TARGET},{metric.OUTCOME}")],
        unit="replays a minute",
        stacked=True,
    )


def _gate() -> Widget:
    return graph(
        "Gate by target: 0 flows, 1 probes, 2 holds",
        [each(metric.GATE_STATE, "Maximum")],
        unit="state",
        width=8,
        lines=[Line(label="holds", value=2)],
    )


def _window() -> Widget:
    return graph(
        "Gate's window by target: replays at once",
        [each(metric.GATE_WINDOW, "Maximum")],
        unit="replays",
        width=8,
    )


def _failures() -> Widget:
    return graph(
        "Dead-lettered by target and reason",
        [each(metric.DEAD_LETTERED, "Sum", by=f"{metric.TARGET},{metric.REASON}")],
        unit="calls a minute",
        width=8,
        stacked=True,
    )

"""The middle part: one target, chosen by the dashboard's variable."""

from __future__ import annotations

from typing import Any

from reprise import metric
from reprise_dashboard.layout import Row
from reprise_dashboard.series import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    STACK,
    TARGET,
    VERMILION,
    chosen,
    on_the_right,
)
from reprise_dashboard.widget import Line, graph, text


def variable() -> dict[str, Any]:
    """Return the variable that replaces the value of every dimension `target`."""
    search = f'{{{metric.NAMESPACE},{metric.STACK},{metric.TARGET}}} {metric.STACK}="{STACK}"'
    return {
        "type": "property",
        "property": metric.TARGET,
        "inputType": "select",
        "id": metric.TARGET,
        "label": "Target",
        "defaultValue": TARGET,
        "visible": True,
        "search": f'{search} MetricName="{metric.RECORDED}"',
        "populateFrom": metric.TARGET,
    }


def rows() -> list[Row]:
    """Return the rows of the middle part."""
    head = "## One target\nThe three graphs below show the target that is chosen at the top."
    flow = graph(
        "Chosen target: calls a minute",
        [
            chosen(metric.PASSED_THROUGH, "passed through", color=GREY),
            chosen(metric.CAPTURED, "captured", color=BLUE),
            chosen(metric.RECORDED, "in the ledger", color=SKY),
            chosen(metric.SUCCEEDED, "succeeded", color=GREEN),
            chosen(metric.DEAD_LETTERED, "dead-lettered", color=VERMILION),
            chosen(metric.RETRIED, "to be retried", color=ORANGE),
            chosen(metric.WASTED_REPLAYS, "throttled replays", color=PURPLE),
        ],
        unit="calls a minute",
        width=8,
    )
    age = graph(
        "Chosen target: age at success",
        [
            chosen(metric.AGE_AT_SUCCESS, "half", "p50", GREEN),
            chosen(metric.AGE_AT_SUCCESS, "95 %", "p95", BLUE),
            chosen(metric.AGE_AT_SUCCESS, "all", "Maximum", GREY),
        ],
        unit="seconds",
        width=8,
    )
    drain = graph(
        "Chosen target: backlog, and how long it takes",
        [
            chosen(metric.BACKLOG, "backlog", "Maximum", BLUE),
            on_the_right(chosen(metric.TIME_TO_DRAIN, "time to drain", "Maximum", ORANGE)),
            on_the_right(chosen(metric.GATE_HOLD_AGE, "gate held for", "Maximum", PURPLE)),
        ],
        unit=("calls", "seconds"),
        width=8,
        lines=[Line(label="empty", value=0)],
    )
    return [Row(2, (text(head),)), Row(6, (flow, age, drain))]

"""What schedules do: runs of jobs, and pings that keep functions warm."""

from __future__ import annotations

from reprise import metric
from reprise_dashboard.series import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    ours,
)
from reprise_dashboard.widget import Widget, graph


def scheduled_runs() -> Widget:
    """Return the runs of jobs, by what was decided of them."""
    return graph(
        "Scheduled runs a minute",
        [
            ours(metric.RUNS_STARTED, "started", color=GREEN),
            ours(metric.RUNS_SKIPPED, "skipped", color=GREY),
            ours(metric.RUNS_QUEUED, "queued", color=BLUE),
            ours(metric.RUNS_EXPIRED, "expired", color=ORANGE),
            ours(metric.RUNS_RECOVERED, "their runner died", color=PURPLE),
            ours(metric.RUNS_FAILED, "failed", color=VERMILION),
        ],
        unit="runs a minute",
    )


def warm_pings() -> Widget:
    """Return the pings, and what they met."""
    return graph(
        "Warm pings a minute",
        [
            ours(metric.WARM_PINGS, "pings", color=GREEN),
            ours(metric.WARM_COLD_STARTS, "met no warm environment", color=SKY),
            ours(metric.WARM_THROTTLED, "throttled", color=ORANGE),
            ours(metric.WARM_FAILED, "failed", color=VERMILION),
        ],
        unit="pings a minute",
    )

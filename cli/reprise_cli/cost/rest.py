"""What a stack uses in a month of 730 hours in which nothing is captured: pure rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise_cli.cost.bill import Use
from reprise_cli.cost.calls import READ_BACK_MB
from reprise_cli.cost.prices import GB_BYTES, Sku
from reprise_cli.cost.scenario import gb_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_REST: Final = "at rest"
POLLING: Final = "polling"
OBSERVER: Final = "observer"
RECONCILER: Final = "reconciler"

MONTH_MIN: Final = 730 * 60
SECRETS: Final = 3
ALARM_METRICS: Final = 26
"""Metrics that the alarms read, each a price of its own: 2.60 of the 3.10 USD of metrics.md."""
COMPOSITES: Final = 1
STACK_GAUGES: Final = 7
TARGET_GAUGES: Final = 4
"""Metrics that have data at all times (docs/reference/metrics.md, "What it costs")."""
DASHBOARDS: Final = 1
POLLED_QUEUES: Final = 3
POLLS_PER_MIN: Final = 5 * 3
"""Assumed: Lambda keeps five connections to a queue that is empty, each waiting for 20 s."""
RECONCILER_EVERY_MIN: Final = 10
RECONCILER_S: Final = 0.3
"""Assumed, of a run that finds nothing due."""
OBSERVER_S: Final = 0.1
OBSERVER_MB: Final = 256
OBSERVER_LOG_BYTES: Final = 600
"""Assumed, of a run; it writes the gauges."""


def rest_uses(targets: int) -> Iterator[Use]:
    """Return what a month uses."""
    gauges = STACK_GAUGES + TARGET_GAUGES * targets
    yield Use(AT_REST, Sku.SECRET_MONTH, SECRETS, "keys of invoker, pipeline and operators")
    yield Use(AT_REST, Sku.ALARM_MONTH, ALARM_METRICS, "metrics that alarms read")
    yield Use(AT_REST, Sku.COMPOSITE_MONTH, COMPOSITES, "needs-a-person")
    yield Use(AT_REST, Sku.METRIC_MONTH, gauges, "gauges: 7, and 4 a target")
    yield Use(AT_REST, Sku.DASHBOARD_MONTH, DASHBOARDS, "free among an account's first three")
    yield Use(
        POLLING, Sku.SQS_REQUEST, POLLED_QUEUES * POLLS_PER_MIN * MONTH_MIN, "three empty queues"
    )
    yield Use(OBSERVER, Sku.SCHEDULE, MONTH_MIN, "one a minute")
    yield Use(OBSERVER, Sku.LAMBDA_REQUEST, MONTH_MIN, "one a minute")
    seconds = gb_seconds(0, OBSERVER_S, OBSERVER_MB)
    yield Use(OBSERVER, Sku.LAMBDA_GB_S, MONTH_MIN * seconds, "0.1 s at 256 MB, assumed")
    yield Use(OBSERVER, Sku.S3_PUT, MONTH_MIN, "a list request each")
    logged = MONTH_MIN * (OBSERVER_LOG_BYTES + OBSERVER_LOG_BYTES // 2 * targets)
    yield Use(OBSERVER, Sku.LOG_GB, logged / GB_BYTES, "gauges, assumed")
    runs = MONTH_MIN / RECONCILER_EVERY_MIN
    yield Use(RECONCILER, Sku.SCHEDULE, runs, "one in ten minutes")
    yield Use(RECONCILER, Sku.LAMBDA_REQUEST, runs, "one in ten minutes")
    seconds = gb_seconds(0, RECONCILER_S, READ_BACK_MB)
    yield Use(RECONCILER, Sku.LAMBDA_GB_S, runs * seconds, "0.3 s at 512 MB, assumed")
    yield Use(RECONCILER, Sku.WRITE_UNIT, runs, "how far it has come")

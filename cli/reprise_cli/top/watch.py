"""Look at gates, books and ages, as they are now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from reprise import metric
from reprise.aws.counters_table import MEMORY, CountersTable, StateItem
from reprise.aws.gate_table import GateTable
from reprise.aws.sqs import SqsQueueSize
from reprise.instant import utc_now
from reprise.metric import OTHER, labels, make_labeler
from reprise.monitor.gates import LEVELS
from reprise.monitor.snapshot import MonitorState, time_to_drain_s
from reprise_cli.dashboard.asking import MetricRequest, Query
from reprise_cli.dashboard.cloudwatch import CloudWatch
from reprise_cli.dashboard.model.rows import SeriesKey
from reprise_cli.dashboard.periods import chart_grid
from reprise_cli.gate_view import Gate, gate_of
from reprise_cli.policy.pauses import policy_watch
from reprise_cli.top.board import AgedNumber, Look

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise_cli.app import App

_RECENT_S: Final = 300
"""Metrics older than this say nothing of the present."""
_MINUTE_S: Final = 60
_NEVER: Final = AgedNumber(value=0.0, ago_s=0.0)
_MODES: Final = {level: mode for mode, level in LEVELS.items()}


class Watch:
    """Looks at one stack's targets."""

    def __init__(self, reprise: App) -> None:
        """Watch this stack."""
        stack = reprise.stack
        targets = stack.targets
        self._stack = stack.name
        self._labels = labels(targets)
        label = make_labeler(targets)
        self._gates = {label(arn): arn for arn in targets if not arn.endswith("*")}
        self._books = CountersTable(reprise.aws.dynamodb, stack.ledger_table)
        self._gate_table = GateTable(reprise.aws.dynamodb, stack.ledger_table)
        self._cloudwatch = CloudWatch(reprise.aws.cloudwatch)
        self._policy = policy_watch(reprise)
        self._memories = StateItem(reprise.aws.dynamodb, stack.ledger_table, MEMORY, MonitorState)
        self._dead_letters = SqsQueueSize(reprise.aws.sqs, stack.dead_letter_queue_url)

    def look(self) -> Look:
        """Return how the targets stand now.

        Raises:
            StoreError: If the ledger's table cannot be read.
        """
        now = utc_now()
        measured = self._measured(int(now.timestamp()))
        now_ms = int(now.timestamp() * 1000)
        gates = {
            name: gate_of(self._gate_table.read(function), now_ms)
            for name, function in self._gates.items()
        }
        # Targets that are listed by a pattern share a label; its gates are known by their metrics only.
        for name in self._labels:
            level = measured.get((metric.GATE_STATE, name))
            window = measured.get((metric.GATE_WINDOW, name))
            if name not in gates and level is not None:
                gates[name] = Gate(
                    mode=_MODES[round(level.value)],
                    window=window.value if window else None,
                    held_s=measured.get((metric.GATE_HOLD_AGE, name), _NEVER).value,
                )
        books = self._books.read(self._labels)
        looks = self._memories.load().looks
        drain_s = {
            name: time_to_drain_s(looks, books, at_s=now.timestamp(), label=name) for name in books
        }
        return Look(
            at_s=time.monotonic(),
            books={name: book for name, book in books.items() if name != OTHER or book.known},
            gates=gates,
            oldest_s={
                name: value
                for (metric_name, name), value in measured.items()
                if metric_name == metric.OLDEST_WAITING_AGE
            },
            drain_s={name: value for name, value in drain_s.items() if value is not None},
            dead_letters=self._dead_letters(),
            policy=self._policy.look(),
        )

    def _measured(self, now_s: int) -> dict[tuple[str, str], AgedNumber]:
        """Return the last values of metrics, by name and label."""
        grid = chart_grid(now_s, _RECENT_S, _MINUTE_S, _MINUTE_S)
        queries = {f"m{number}": asked for number, asked in enumerate(self._gauges())}
        request = MetricRequest(
            grid=grid,
            queries=tuple(
                Query(id=query_id, metric=key, stat="Maximum")
                for query_id, (key, _) in queries.items()
            ),
        )
        (answer,) = self._cloudwatch.ask([request])
        return {
            queries[result.id][1]: AgedNumber(
                value=result.points[max(result.points)],
                # A point is named by the minute's beginning.
                ago_s=max(0, now_s - max(result.points) - _MINUTE_S),
            )
            for result in answer.results
            if result.points
        }

    def _gauges(self) -> Iterable[tuple[SeriesKey, tuple[str, str]]]:
        for name in self._labels:
            for metric_name in _GAUGES:
                key = SeriesKey(
                    namespace=metric.NAMESPACE,
                    name=metric_name,
                    dimensions=((metric.STACK, self._stack), (metric.TARGET, name)),
                )
                yield key, (metric_name, name)


_GAUGES: Final = (
    metric.OLDEST_WAITING_AGE,
    metric.GATE_STATE,
    metric.GATE_WINDOW,
    metric.GATE_HOLD_AGE,
)

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from doubles import InMemoryCounters
from reprise import metric
from reprise.metric import MetricKey
from reprise.monitor.counters import BacklogCounters, CounterPublisher, changes
from reprise.telemetry import EmfMeter

if TYPE_CHECKING:
    import pytest

ORDERS = "arn:aws:lambda:eu-central-1:123456789012:function:orders"


def test_a_batch_adds_what_began_and_what_ended() -> None:
    measured = {
        MetricKey(metric.RECORDED, "orders"): 5.0,
        MetricKey(metric.REDRIVEN, "orders"): 1.0,
        MetricKey(metric.SUCCEEDED, "orders"): 2.0,
        MetricKey(metric.DEAD_LETTERED, "orders", reason="expired"): 1.0,
        MetricKey(metric.DEAD_LETTERED, "mail", reason="unknown"): 1.0,
        MetricKey(metric.WASTED_REPLAYS, "orders"): 9.0,
        MetricKey(metric.QUARANTINED, reason="bad_mac"): 4.0,
    }
    assert changes(measured) == {
        "mail": BacklogCounters(ended=1, dead={"unknown": 1}),
        "orders": BacklogCounters(known=6, ended=3, dead={"expired": 1}),
    }


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_backlog_is_never_below_zero(known: int, ended: int) -> None:
    assert BacklogCounters(known=known, ended=ended).backlog == max(0, known - ended)


def test_backlog_is_gauged_when_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    meter, books = EmfMeter(targets=(ORDERS,)), InMemoryCounters()
    keeper = CounterPublisher(counters=books, meter=meter)
    meter.count(metric.RECORDED, 5, target=ORDERS)
    keeper.post()
    meter.flush()
    meter.count(metric.SUCCEEDED, 2, target=ORDERS)
    keeper.post()
    meter.flush()
    assert books.kept == {"orders": BacklogCounters(known=5, ended=2)}
    assert gauges(capsys, "Backlog") == [5, 3]


def test_books_that_are_away_cost_a_count_and_nothing_else() -> None:
    meter, books = EmfMeter(targets=(ORDERS,)), InMemoryCounters()
    books.faults.fail("add")
    meter.count(metric.RECORDED, target=ORDERS)
    CounterPublisher(counters=books, meter=meter).post()
    assert meter.flush() == {
        MetricKey(metric.RECORDED, "orders"): 1,
        MetricKey(metric.STORE_FAULTS): 1,
    }


def gauges(capsys: pytest.CaptureFixture[str], name: str) -> list[Any]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [value for line in lines for value in line.get(name, [])]

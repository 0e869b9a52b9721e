from __future__ import annotations

import io
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise import metric
from reprise.metric import MetricKey
from reprise.telemetry import CallFilter, EmfMeter, about_call, make_logger, write_stdout

ORDERS = "arn:aws:lambda:eu-central-1:123456789012:function:orders"
TARGETS = (ORDERS,)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Reprise")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "invoker")
    monkeypatch.setenv("REPRISE_STACK", "shop")
    # What is done to the root's handlers must not be done to pytest's own.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_metrics_of_one_target_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    meter = EmfMeter(targets=TARGETS)
    meter.count(metric.CAPTURED, target=ORDERS)
    meter.count(metric.CAPTURED, 2, target=ORDERS)
    meter.count(metric.RETRIED, target=ORDERS)
    assert meter.flush() == {
        MetricKey(metric.CAPTURED, "orders"): 3,
        MetricKey(metric.RETRIED, "orders"): 1,
    }
    (document,) = lines(capsys)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Reprise"
    assert directive["Dimensions"] == [["stack"], ["stack", "target"]]
    assert directive["Metrics"] == [
        {"Name": "Captured", "Unit": "Count"},
        {"Name": "Retried", "Unit": "Count"},
    ]
    assert (document["stack"], document["target"]) == ("shop", "orders")
    assert (document["Captured"], document["Retried"]) == ([3], [1])
    assert "service" not in document


def test_reasons_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    meter = EmfMeter(targets=TARGETS)
    meter.count(metric.DEAD_LETTERED, target=ORDERS, reason="exhausted")
    meter.count(metric.DEAD_LETTERED, target=ORDERS, reason="expired")
    meter.flush()
    found = lines(capsys)
    assert [document["reason"] for document in found] == ["exhausted", "expired"]
    for document in found:
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        assert directive["Dimensions"] == [
            ["stack"],
            ["stack", "target"],
            ["stack", "target", "reason"],
        ]


def test_a_set_that_names_what_is_not_known_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    meter = EmfMeter(targets=TARGETS)
    meter.count(metric.DEAD_LETTERED)
    meter.flush()
    (document,) = lines(capsys)
    assert document["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stack"]]


def test_observed_values_are_kept_apart_for_percentiles(capsys: pytest.CaptureFixture[str]) -> None:
    meter = EmfMeter(targets=TARGETS)
    for value in (1.5, 2.5, 40.0):
        meter.observe(metric.AGE_AT_SUCCESS, value, target=ORDERS)
    meter.flush()
    (document,) = lines(capsys)
    assert document["AgeAtSuccess"] == [1.5, 2.5, 40.0]


def test_more_values_than_a_line_takes_go_out_in_several(
    capsys: pytest.CaptureFixture[str],
) -> None:
    meter = EmfMeter(targets=TARGETS)
    for value in range(250):
        meter.observe(metric.AGE_AT_SUCCESS, value, target=ORDERS)
    meter.count(metric.SUCCEEDED, 250, target=ORDERS)
    meter.flush()
    found = lines(capsys)
    assert [v for document in found for v in document["AgeAtSuccess"]] == list(range(250))
    assert max(len(document["AgeAtSuccess"]) for document in found) <= 100
    assert [document["Succeeded"] for document in found if "Succeeded" in document] == [[250]]


def test_the_last_value_of_a_gauge_counts(capsys: pytest.CaptureFixture[str]) -> None:
    meter = EmfMeter(targets=TARGETS)
    meter.gauge(metric.BACKLOG, 7, label="orders")
    meter.gauge(metric.BACKLOG, 3, label="orders")
    meter.flush()
    (document,) = lines(capsys)
    assert document["Backlog"] == [3]
    assert document["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stack", "target"]]


def test_nothing_counted_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    meter = EmfMeter()
    meter.count(metric.GATE_WAITS, 0)
    assert meter.flush() == {}
    assert capsys.readouterr().out == ""


def test_a_flush_starts_from_zero() -> None:
    meter = EmfMeter()
    meter.count(metric.CAPTURED)
    meter.flush()
    assert meter.flush() == {}


def test_counts_of_several_threads_are_all_there() -> None:
    meter = EmfMeter()

    def count_many() -> None:
        for _ in range(500):
            meter.count(metric.RETRIED)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(count_many)
    assert meter.flush() == {MetricKey(metric.RETRIED): 2000}


def test_a_process_without_settings_can_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The library runs in callers' processes, which set none."""
    for name in ("POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME", "REPRISE_STACK"):
        monkeypatch.delenv(name)
    meter = EmfMeter()
    meter.count(metric.CAPTURED, target=ORDERS)
    meter.flush()
    (document,) = lines(capsys)
    assert document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Reprise"
    assert (document["stack"], document["target"]) == ("reprise", "other")


def test_a_callers_own_namespace_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A caller that uses Powertools sets one; our dashboard and alarms look in ours."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Shop")
    meter = EmfMeter()
    meter.count(metric.CAPTURED, target=ORDERS)
    meter.flush()
    (document,) = lines(capsys)
    assert document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Reprise"


def test_a_line_goes_out_whole_with_its_newline(capsys: pytest.CaptureFixture[str]) -> None:
    write_stdout('{"reprise":1}')
    assert capsys.readouterr().out == '{"reprise":1}\n'


def test_the_logger_writes_json(capsys: pytest.CaptureFixture[str]) -> None:
    logger = make_logger()
    logger.info("unpacked", extra={"sent": 3})
    (document,) = lines(capsys)
    assert (document["message"], document["sent"]) == ("unpacked", 3)
    assert "call_id" not in document


def test_every_line_about_a_call_names_it_and_its_target() -> None:
    class ObjectWriter(logging.Handler):
        """Stands for the runtime's own handler, which is there before ours is imported."""

        def __init__(self) -> None:
            super().__init__()
            self.kept: list[dict[str, Any]] = []

        def emit(self, record: logging.LogRecord) -> None:
            self.kept.append(record.__dict__)

    keeper = ObjectWriter()
    logging.getLogger().addHandler(keeper)
    try:
        make_logger()
        make_logger()
        with about_call("id-1", ORDERS):
            logging.getLogger("reprise.aws.sqs").warning("message was not accepted")
            logging.getLogger("reprise.replay").warning("other", extra={"call_id": "id-2"})
        logging.getLogger("reprise.replay").warning("afterwards")
    finally:
        logging.getLogger().removeHandler(keeper)
    named, own, after = keeper.kept
    assert (named["call_id"], named["target"]) == ("id-1", ORDERS)
    assert own["call_id"] == "id-2"
    assert "call_id" not in after
    # Powertools adds one of its own where a logger was made before.
    assert sum(isinstance(each, CallFilter) for each in keeper.filters) == 1


@given(
    text=st.text(st.characters(codec="utf-8") | st.sampled_from("\x00\x1b\x7f\x9b\u202e\u2066\n"))
)
def test_no_line_holds_what_a_terminal_would_obey(text: str) -> None:
    """The runtime's own JSON escapes C0 only; an error's message and a call's id may be anybody's."""

    class RuntimesOwn(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return f"{json.dumps(record.__dict__['told'], ensure_ascii=False)}\n"

    root, lines = logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(RuntimesOwn())
    handler.terminator = ""
    root.addHandler(handler)
    try:
        make_logger()
        root.warning("it happened", extra={"told": text})
    finally:
        root.removeHandler(handler)
    (line,) = lines.getvalue().splitlines()
    assert line.isprintable()
    assert json.loads(line) == text

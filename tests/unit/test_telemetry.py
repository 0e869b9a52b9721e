from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from reprise.telemetry import EmfMeter, make_logger, write_stdout


@pytest.fixture(autouse=True)
def _namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Reprise")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "invoker")


def test_counts_are_written_as_one_emf_line(capsys: pytest.CaptureFixture[str]) -> None:
    meter = EmfMeter()
    meter.count("Captured")
    meter.count("Captured", 2)
    meter.count("Retried")
    assert meter.flush() == {"Captured": 3, "Retried": 1}
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Reprise"
    assert directive["Dimensions"] == [["service"]]
    assert document["service"] == "invoker"
    assert document["Captured"] == [3]


def test_nothing_counted_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    meter = EmfMeter()
    meter.count("GateWaits", 0)
    assert meter.flush() == {}
    assert capsys.readouterr().out == ""


def test_a_flush_starts_from_zero() -> None:
    meter = EmfMeter()
    meter.count("Captured")
    meter.flush()
    assert meter.flush() == {}


def test_counts_of_several_threads_are_all_there() -> None:
    meter = EmfMeter()

    def count_many() -> None:
        for _ in range(500):
            meter.count("Retried")

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(count_many)
    assert meter.flush() == {"Retried": 2000}


def test_a_process_without_powertools_settings_can_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The library runs in callers' processes, which set none."""
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE")
    monkeypatch.delenv("POWERTOOLS_SERVICE_NAME")
    meter = EmfMeter()
    meter.count("Captured")
    meter.flush()
    assert '"Namespace":"Reprise"' in capsys.readouterr().out


def test_a_line_goes_out_whole_with_its_newline(capsys: pytest.CaptureFixture[str]) -> None:
    write_stdout('{"reprise":1}')
    assert capsys.readouterr().out == '{"reprise":1}\n'


def test_the_logger_writes_json(capsys: pytest.CaptureFixture[str]) -> None:
    logger = make_logger()
    logger.info("unpacked", extra={"sent": 3})
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (document["message"], document["sent"]) == ("unpacked", 3)

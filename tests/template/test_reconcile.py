"""What is read back of the capture log groups, where that is switched on."""

from __future__ import annotations

import pytest

from reprise.monitor.read_back import DUE_S, LATE_S
from reprise.settings import MonitorSettings, ReconcilerSettings
from template.conftest import TARGET
from template.deployment import Deployment
from template.templates import SOURCES, read

RECONCILER = "reprise-reconciler"


@pytest.mark.parametrize("options", read(SOURCES[0])["Parameters"]["Options"]["AllowedValues"])
def test_each_option_is_on_where_it_is_named_and_nowhere_else(options: str) -> None:
    deployment = Deployment({"Targets": TARGET, "Options": options})
    names = {
        each.properties["FunctionName"]
        for each in deployment.resources("AWS::Lambda::Function").values()
    }
    schedules = {
        each.properties["Name"]
        for each in deployment.resources("AWS::Scheduler::Schedule").values()
    }
    is_read_back = "read-back" in options
    assert (RECONCILER in names, RECONCILER in schedules) == (is_read_back, is_read_back)
    observer = MonitorSettings.from_env(deployment.environment("observer"))
    assert observer.is_read_back is is_read_back
    told = deployment.environment("replayer")["REPRISE_SUCCESS_EVENTS"]
    assert told == ("true" if "success-events" in options else "false")


def test_the_reconciler_reads_what_the_unpacker_believes_lines_from(full: Deployment) -> None:
    settings = ReconcilerSettings.from_env(full.environment("reconciler"))
    unpacker = full.environment("unpacker")
    assert set(settings.log_groups) == set(unpacker["REPRISE_LOG_GROUPS"].split(","))
    assert settings.account_id == unpacker["REPRISE_ACCOUNT_ID"]
    assert settings.due_s == DUE_S


def test_a_line_is_missed_when_the_longest_buffering_is_over_and_half_an_hour() -> None:
    longest_s = read(SOURCES[0])["Parameters"]["BufferingSeconds"]["MaxValue"]
    assert longest_s + 1800 == DUE_S


def test_no_two_runs_of_the_reconciler_meet(plain: Deployment) -> None:
    [schedule] = [
        each.properties
        for each in plain.resources("AWS::Scheduler::Schedule").values()
        if each.properties["Name"] == RECONCILER
    ]
    assert schedule["ScheduleExpression"] == "rate(10 minutes)"
    assert int(plain.function("reconciler").properties["Timeout"]) < 600


def test_it_is_an_incident_when_reading_back_is_late(plain: Deployment) -> None:
    [alarm] = [
        each.properties
        for each in plain.resources("AWS::CloudWatch::Alarm").values()
        if each.properties["AlarmName"] == "reprise-read-back-late"
    ]
    assert int(alarm["Threshold"]) == LATE_S

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_schedules.warm import InvocationReport, read_report
from reprise_schedules_cli.schedule.cron import parse_cron
from reprise_schedules_cli.warm.shares import (
    Seen,
    bare_name,
    by_hour,
    hours_field,
    live_by_hour,
    ping_cost_usd,
    suggest_hours,
)

NINE_UTC = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TEXT = (
    "REPORT RequestId: 8f5b-1\tDuration: 79.67 ms\tBilled Duration: 80 ms\t"
    "Memory Size: 128 MB\tMax Memory Used: 73 MB\tInit Duration: 402.35 ms\t\n"
)
JSON = (
    '{"time":"2026-11-21T09:00:00.000Z","type":"platform.report","record":{"requestId":"8f5b-1",'
    '"metrics":{"durationMs":79.67,"billedDurationMs":80,"memorySizeMB":128,"initDurationMs":402.35}}}'
)


@pytest.mark.parametrize("line", [TEXT, JSON], ids=["text", "json"])
def test_report_is_read_alike_from_text_and_json(line: str) -> None:
    assert read_report(line) == InvocationReport(
        request_id="8f5b-1", billed_ms=80.0, memory_mb=128, init_ms=402.35
    )


@pytest.mark.parametrize("between", ["\t", " "])
@pytest.mark.parametrize("first", ["Restore", "Billed Restore"])
def test_start_from_a_snapshot_took_what_restoring_took_and_not_what_was_billed(
    between: str, first: str
) -> None:
    """Both stand in the line (aws/aws-sam-cli, `sam logs`; alexcasalboni/aws-lambda-power-tuning#305)."""
    second = {"Restore": "Billed Restore", "Billed Restore": "Restore"}[first]
    took = {"Restore": "398.97 ms", "Billed Restore": "182 ms"}
    restored = between.join(f"{name} Duration: {took[name]}" for name in (first, second))
    report = TEXT.partition("Init")[0].replace("\t", between) + restored
    document = json.loads(JSON)
    del document["record"]["metrics"]["initDurationMs"]
    document["record"]["metrics"] |= {"billedRestoreDurationMs": 182, "restoreDurationMs": 398.97}
    for line in (report, json.dumps(document)):
        found = read_report(line)
        assert found is not None
        assert (found.init_ms, found.billed_ms, found.memory_mb) == (398.97, 80.0, 128)


def test_warm_report_tells_of_no_start() -> None:
    found = read_report(TEXT.partition("Init")[0])
    assert found is not None
    assert found.init_ms is None


@given(st.text() | st.just('{"type":"platform.report"}') | st.just("REPORT RequestId: 1"))
def test_other_lines_are_no_reports(line: str) -> None:
    assert read_report(line) is None


def seen(hours: float, *, cold: bool = False, function: str = "orders") -> Seen:
    report = InvocationReport(
        request_id="r", billed_ms=1000.0, memory_mb=1024, init_ms=300.0 if cold else None
    )
    return Seen(function=function, at=NINE_UTC + timedelta(hours=hours), report=report)


def test_shares_are_by_the_hour_of_the_asked_zone() -> None:
    """Nine in the morning in UTC is six in the evening in Seoul."""
    (hour,) = by_hour([seen(0, cold=True), seen(0.5), seen(24.1), seen(48)], ZoneInfo("Asia/Seoul"))
    assert (hour.hour, hour.invocations, hour.cold_starts) == (18, 4, 1)
    assert hour.cold_share == 0.25


def test_pings_do_not_count_as_live_calls() -> None:
    hours = by_hour([seen(0)] * 20 + [seen(1)] * 6, ZoneInfo("UTC"))
    assert live_by_hour(hours, {"orders": {9: 12, 10: 12}}) == {9: 8, 10: 0}


def test_a_function_that_the_window_does_not_list_gets_no_pings() -> None:
    hours = by_hour([seen(0)] * 20 + [seen(0, function="basket")] * 5, ZoneInfo("UTC"))
    assert live_by_hour(hours, {"orders": {9: 12}}) == {9: 8 + 5}


@pytest.mark.parametrize(
    "name", ["orders", "orders:live", "arn:aws:lambda:eu-west-1:111122223333:function:orders:live"]
)
def test_a_function_is_known_by_its_own_name_whatever_its_alias(name: str) -> None:
    assert bare_name(name) == "orders"


def test_tighter_window_leaves_out_hours_with_few_calls() -> None:
    assert suggest_hours({6: 100, 7: 100, 12: 190, 3: 5, 4: 0}) == [6, 7, 12]
    assert suggest_hours({}) == []


@given(st.dictionaries(st.integers(0, 23), st.integers(0, 1000)))
def test_suggested_hours_hold_the_share_and_none_can_be_spared(live: dict[int, int]) -> None:
    chosen = suggest_hours(live)
    covered, total = sum(live[hour] for hour in chosen), sum(live.values())
    assert covered >= 0.95 * total
    assert all(covered - live[hour] < 0.95 * total for hour in chosen)


@given(st.sets(st.integers(0, 23), min_size=1))
def test_hours_are_written_as_cron_reads_them(hours: set[int]) -> None:
    assert parse_cron(f"cron(0 {hours_field(hours)} * * ? *)").hours == tuple(sorted(hours))


def test_ping_costs_its_request_and_the_cheapest_warm_run() -> None:
    """A thousand pings of one GB-second: 1,000 * (0.0000166667 + 0.0000002) USD."""
    cost_usd = ping_cost_usd([seen(0), seen(1, cold=True)], {"orders": 1000})
    assert cost_usd == pytest.approx(0.0168667)

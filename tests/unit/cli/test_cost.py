from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.cost import measured
from reprise_cli.cost.bill import Use, bill
from reprise_cli.cost.calls import call_uses, letter_uses, redrive_uses, replay_uses
from reprise_cli.cost.outage import outage_uses
from reprise_cli.cost.prices import MILLION, PRICES, Service, Sku
from reprise_cli.cost.rest import rest_uses
from reprise_cli.cost.scenario import (
    Scenario,
    alone_requests,
    batch_requests,
    firehose_bytes,
    gb_seconds,
    write_units,
)

SMALLEST_USD: Final = 1e-9
SCENARIOS = st.builds(
    Scenario,
    calls=st.integers(1, 10**8),
    outage_s=st.floats(1, 86_400),
    payload_bytes=st.integers(0, 6 * 1024 * 1024),
    reply_bytes=st.integers(0, 100_000),
    targets=st.integers(1, 200),
    memory_mb=st.integers(128, 10_240),
    failures=st.floats(0, 30),
    target_s=st.floats(0, 300),
)


def million(scenario: Scenario) -> float:
    return bill(call_uses(scenario, MILLION)).usd


def outage(scenario: Scenario) -> float:
    return bill(outage_uses(scenario)).usd


def counts(uses: list[Use], sku: Sku) -> float:
    return sum(use.count for use in uses if use.sku is sku)


def not_below(after: float, before: float) -> bool:
    return after >= before * (1 - SMALLEST_USD)


@given(SCENARIOS, st.integers(1, 10**8))
def test_more_calls_never_cost_less(scenario: Scenario, more: int) -> None:
    larger = replace(scenario, calls=scenario.calls + more)
    assert not_below(outage(larger), outage(scenario))


@given(SCENARIOS, st.integers(1, 1_000_000))
def test_a_longer_payload_never_costs_less_while_it_travels_the_same_way(
    scenario: Scenario, more: int
) -> None:
    size = scenario.payload_bytes
    most = 6 * 1024 * 1024 if scenario.is_claim_check else measured.INLINE_PAYLOAD_BYTES
    larger = replace(scenario, payload_bytes=min(size + more, most))
    assert not_below(million(larger), million(scenario))
    assert not_below(outage(larger), outage(scenario))


@given(SCENARIOS, st.integers(1, 20), st.floats(0, 10), st.floats(0, 3_600))
def test_more_targets_failures_or_hours_never_cost_less(
    scenario: Scenario, targets: int, failures: float, longer_s: float
) -> None:
    for larger in (
        replace(scenario, targets=scenario.targets + targets),
        replace(scenario, failures=scenario.failures + failures),
        replace(scenario, outage_s=scenario.outage_s + longer_s),
    ):
        assert not_below(outage(larger), outage(scenario))


@given(SCENARIOS)
def test_stations_services_and_cells_each_add_up_to_the_total(scenario: Scenario) -> None:
    for found in (
        bill(call_uses(scenario, MILLION)),
        bill(outage_uses(scenario)),
        bill(rest_uses(scenario.targets)),
        bill([*letter_uses(scenario, MILLION), *redrive_uses(scenario, MILLION)]),
    ):
        assert all(use.count >= 0 for use in found.uses)
        for parts in (found.by_station(), found.by_service(), found.cells()):
            assert math.isclose(sum(parts.values()), found.usd)


@given(st.integers(0, 400_000), st.integers(0, 400_000))
def test_sqs_bills_longer_messages_no_less(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert batch_requests(small) <= batch_requests(large)
    assert alone_requests(small) <= alone_requests(large)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (batch_requests(1_857), 0.1),  # ten messages, 18,570 bytes, one chunk
        (batch_requests(12_000), 0.2),  # 120,000 bytes: two chunks
        (batch_requests(200_000), 16 / 5),  # five fit in a mebibyte: 1,000,000 bytes, 16 chunks
        (alone_requests(65_537), 2),
        (write_units(0), 1),
        (write_units(1_024), 1),
        (write_units(1_025), 2),
        (firehose_bytes(1), 5_120),
        (firehose_bytes(5_121), 10_240),
        # At 1,024 MB a second of CPU takes 1,769/1,024 of a second, and so one GB-second at 1,769 MB.
        (gb_seconds(1, 0, 1_024), 1_769 / 1_024),
        (gb_seconds(1, 0, 512), 1_769 / 1_024),
        (gb_seconds(0, 2, 512), 1.0),
        (gb_seconds(1, 0, 2_048), 2.0),
    ],
    ids=[
        "ten short messages",
        "ten of 12 KB",
        "five of 200 KB",
        "one past a chunk",
        "an empty item",
        "an item of a kilobyte",
        "an item past it",
        "a short record",
        "a record past 5 KB",
        "CPU below a vCPU",
        "CPU far below a vCPU",
        "waiting",
        "CPU above a vCPU",
    ],
)
def test_units_are_rounded_as_aws_rounds_them(got: float, expected: float) -> None:
    assert got == pytest.approx(expected)


def test_a_reply_that_takes_the_row_past_a_kilobyte_costs_a_write_unit() -> None:
    # 590 + 70 + 260 bytes beside the result: 920, so that 104 fit the first kilobyte.
    units = [
        counts(list(replay_uses(Scenario(reply_bytes=size), 10)), Sku.WRITE_UNIT)
        for size in (104, 105)
    ]
    # Lease, end, and the batch's four; then one more for each of ten ends.
    assert units == [10 + 10 + 4, 10 + 20 + 4]


def test_the_price_falls_where_a_payload_becomes_a_claim_check_and_there_only() -> None:
    inline, claimed = (
        million(Scenario(payload_bytes=measured.INLINE_PAYLOAD_BYTES + more)) for more in (0, 1)
    )
    assert claimed < inline


def test_every_unit_has_a_price_and_every_service_a_unit() -> None:
    assert set(PRICES) == set(Sku)
    assert {price.service for price in PRICES.values()} == set(Service)
    assert all(price.usd > 0 and price.per >= 1 and price.as_of for price in PRICES.values())


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--calls", {"calls": 0}),
        ("--outage", {"outage_s": 0.5}),
        ("--outage", {"outage_s": math.nan}),
        ("--payload-bytes", {"payload_bytes": 6 * 1024 * 1024 + 1}),
        ("--targets", {"targets": 0}),
        ("--memory-mb", {"memory_mb": 64}),
        ("--failures", {"failures": -1.0}),
        ("--failures", {"failures": math.inf}),
    ],
)
def test_what_no_stack_could_have_is_refused_by_option(
    option: str, values: dict[str, float]
) -> None:
    with pytest.raises(ValueError, match=f"^{option} must be from "):
        Scenario(**values)  # type: ignore[arg-type] # that is the point

"""Some cells of the bench of slow targets: their calls end in the ledger, and wait for that in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reprise.retry.policy import Policy
from slow_targets import QUICK, cell, row, run

if TYPE_CHECKING:
    from replay_sim.slow_world import SlowScenario

CELLS = [scenario for scenario in QUICK if scenario.records <= 1000]
NAMES = [f"{one.records} calls of {one.service_s:g} s, {one.most} at once" for one in CELLS]


@pytest.mark.parametrize("scenario", CELLS, ids=NAMES)
def test_every_call_ends_in_the_ledger_at_a_bounded_cost(scenario: SlowScenario) -> None:
    result = run(scenario, seed=1)
    assert result.faults == []
    assert result.counts.succeeded + result.counts.expired == scenario.records


def test_a_capped_target_keeps_its_backlog_in_s3() -> None:
    """Nearly all of it was in the replay queue before the cap bounded the window."""
    result = run(cell(1, 10, 10_000), seed=1)
    assert result.counts.deepest < 500


def test_few_replayers_do_not_empty_s3_into_the_replay_queue() -> None:
    """Slow start takes the window beyond what five batches can use: it is not starved for that."""
    result = run(cell(10, 1000, 5000, policy=None, replayers=5), seed=1)
    assert result.faults == []
    assert result.counts.expired == 0


def test_a_slow_target_is_used_as_far_as_its_cap_allows() -> None:
    """Six hours of two calls at a time, five minutes each, are 144."""
    result = run(cell(300, 10, 1000, policy=Policy(max_concurrency=2)), seed=1)
    assert result.counts.succeeded >= 0.9 * 144


def test_the_table_fits_a_terminal() -> None:
    result = run(cell(0.1, 1000, 100, policy=None), seed=1)
    assert len(row(result)) <= 80

"""The promise of the design, checked after every run of the simulation; a failing seed is a test."""

from __future__ import annotations

import json

import pytest

from reprise import metric
from reprise.ledger.states import TERMINAL, State
from simulation import Simulation


@pytest.mark.parametrize("seed", range(25))
def test_under_any_faults_no_call_is_lost_and_none_runs_twice(seed: int) -> None:
    simulation = Simulation(seed)

    simulation.run()

    rows = simulation.pipeline.ledger.rows
    assert set(rows) == set(simulation.ids)
    assert {row.state for row in rows.values()} <= TERMINAL
    assert max(simulation.executions.values()) == 1
    letters = {
        json.loads(message.body)["reprise"]["id"]
        for message in simulation.pipeline.dead_letters.sent
    }
    dead = {row.id for row in rows.values() if row.state is State.DEAD_LETTERED}
    assert letters == dead
    executed = sum(simulation.executions.values())
    succeeded = sum(row.state is State.SUCCEEDED for row in rows.values())
    assert succeeded <= executed
    # Only the poison calls and those whose outcome nobody could know were given up.
    reasons = {row.reason for row in rows.values() if row.state is State.DEAD_LETTERED}
    assert reasons <= {"exhausted", "unknown"}


@pytest.mark.parametrize("seed", range(40, 46))
def test_under_any_faults_every_call_of_an_idempotent_target_succeeds_or_is_poison(
    seed: int,
) -> None:
    policy = '{"default":{"idempotent":true,"max_attempts":50,"max_age_s":86400}}'
    simulation = Simulation(seed, policy=policy)

    simulation.run()

    rows = simulation.pipeline.ledger.rows
    assert {row.state for row in rows.values()} <= TERMINAL
    dead = sum(row.state is State.DEAD_LETTERED for row in rows.values())
    assert dead == len([number for number in range(40) if str(number).endswith("7")])


def test_simulation_folds_parks_and_opens_objects_and_breaks_on_the_way() -> None:
    """Without this the seeds above could pass by never coming near the backlog."""
    simulation = Simulation(11)

    simulation.run()

    counts = simulation.pipeline.meter.counts
    assert counts[metric.OBJECTS_PARKED] > 5
    assert counts[metric.FOLDED_LOOKS] > 5
    assert counts[metric.OBJECTS_FAILED] > 5
    rows = simulation.pipeline.ledger.rows.values()
    # Wherever a call waited, its row names the object that it was captured in.
    assert {(row.capture_object or "").partition("captured/")[1] for row in rows} == {"captured/"}

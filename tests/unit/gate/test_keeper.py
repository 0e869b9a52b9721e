from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reprise.errors import StoreError
from reprise.gate.keeper import GateKeeper, tally_of
from reprise.gate.state import GateState, Mode, Tally
from reprise.outcome.outcome import OutcomeKind
from reprise.stage.verdict import Ended, GiveBack
from reprise.testing import FakeClock, InMemoryGates
from strategies import NOW_MS, ORDERS

if TYPE_CHECKING:
    from reprise.stage.verdict import Verdict

HOLDING = GateState(mode=Mode.HOLDING, holding_since_ms=NOW_MS - 60_000, probe_at_ms=NOW_MS)
THROTTLE = Tally(throttled=1)


class RacingGates(InMemoryGates):
    """Gates of which somebody else writes first, a number of times."""

    def __init__(self, theirs: GateState, times: int) -> None:
        super().__init__()
        self.theirs = theirs
        self.times = times

    def write(self, function: str, state: GateState) -> GateState | None:
        if self.times:
            self.times -= 1
            there = self.states.get(function, GateState())
            self.states[function] = replace(self.theirs, version=there.version + 1)
        return super().write(function, state)


def _keeper(store: InMemoryGates) -> GateKeeper:
    return GateKeeper(store=store, clock=FakeClock(), probe_lease_s=40)


def test_a_target_without_trouble_costs_no_write() -> None:
    store = InMemoryGates()
    keeper = _keeper(store)
    assert keeper.admit(ORDERS, wanted=5, owner="a").permits == 5
    keeper.settle(ORDERS, Tally(succeeded=5), owner="a")
    assert store.writes == 0


def test_a_throttle_is_written() -> None:
    store = InMemoryGates()
    _keeper(store).settle(ORDERS, THROTTLE, owner="a")
    assert store.states[ORDERS].mode is Mode.HOLDING


def test_of_two_askers_one_gets_the_probe() -> None:
    store = InMemoryGates(states={ORDERS: HOLDING})
    permits = [_keeper(store).admit(ORDERS, wanted=5, owner=owner).permits for owner in "ab"]
    assert permits == [1, 0]


def test_who_loses_the_race_for_the_probe_waits() -> None:
    theirs = replace(HOLDING, mode=Mode.PROBING, probe_at_ms=NOW_MS + 40_000, probe_owner="b")
    store = RacingGates(theirs, times=1)
    store.states[ORDERS] = HOLDING
    admission = _keeper(store).admit(ORDERS, wanted=5, owner="a")
    assert (admission.permits, admission.wait_s) == (0, 6)


def test_who_finds_the_gate_flowing_after_a_lost_race_goes_on() -> None:
    store = RacingGates(GateState(), times=1)
    store.states[ORDERS] = HOLDING
    assert _keeper(store).admit(ORDERS, wanted=5, owner="a").permits == 5


def test_who_loses_every_race_lets_nothing_through() -> None:
    store = RacingGates(HOLDING, times=99)
    store.states[ORDERS] = HOLDING
    admission = _keeper(store).admit(ORDERS, wanted=5, owner="a")
    assert (admission.permits, admission.wait_s) == (0, 1)


def test_a_throttle_is_told_again_after_a_lost_race() -> None:
    store = RacingGates(GateState(), times=2)
    _keeper(store).settle(ORDERS, THROTTLE, owner="a")
    assert store.states[ORDERS].mode is Mode.HOLDING


def test_a_throttle_that_never_gets_through_is_given_up() -> None:
    store = RacingGates(GateState(), times=99)
    _keeper(store).settle(ORDERS, THROTTLE, owner="a")
    assert store.states[ORDERS].mode is Mode.FLOWING


@pytest.mark.parametrize("operation", ["read", "write"])
def test_a_store_that_is_away_lets_nothing_through(operation: str) -> None:
    store = InMemoryGates(states={ORDERS: HOLDING})
    store.faults.fail(operation, times=2)
    with pytest.raises(StoreError):
        _keeper(store).admit(ORDERS, wanted=5, owner="a")


def test_a_tally_counts_who_was_asked_and_keeps_the_longest_word() -> None:
    kinds = [
        OutcomeKind.SUCCEEDED,
        OutcomeKind.FUNCTION_ERROR,
        OutcomeKind.TRANSIENT,
        OutcomeKind.UNKNOWN,
        OutcomeKind.PERMANENT,
    ]
    verdicts: list[Verdict] = [
        *(Ended(kind=kind) for kind in kinds),
        Ended(),
        GiveBack(wait_s=1),
        GiveBack(wait_s=1, kind=OutcomeKind.THROTTLED, retry_after_s=3),
        GiveBack(wait_s=1, kind=OutcomeKind.THROTTLED, retry_after_s=9),
    ]
    assert tally_of(verdicts) == Tally(
        succeeded=1, throttled=2, executed=1, lost=3, retry_after_s=9
    )

"""A target whose calls share CPUs, two rules of the literature, and a few overloads that are over or not."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from overload import (
    CAPPED,
    EXCEPTIONS,
    HEAD,
    KINDS,
    Result,
    Row,
    add,
    capped,
    kept,
    play,
    players_of,
)
from replay_sim.limits import Credits, Gradient
from replay_sim.overload_world import CALM_S, OverloadScenario, OverloadWorld, Target, Trigger, draw
from replay_sim.players import FullJitter, Ours, PlainAimd
from replay_sim.shared_target import Capacity, SharedTarget
from replay_sim.world import Call

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = OverloadScenario(
    name="small",
    trigger=Trigger.DROP,
    severity=0.0,
    outage_s=CALM_S + 30,
    concurrency=20,
    service_s=1.0,
    live_share=0.4,
)
SLOW_AND_MANAGED = OverloadScenario(
    name="slow and managed",
    trigger=Trigger.SLOW,
    severity=6.0,
    outage_s=CALM_S + 40,
    concurrency=400,
    cpus=6,
    service_s=0.5,
    spread=0.0,
    live_share=0.5,
)


class Clock:
    """Time for one target."""

    def __init__(self, capacity: Capacity, timeout_s: float = 60.0) -> None:
        self.now_s = 0.0
        self.capacity = capacity
        self.ends: list[tuple[str, float, bool]] = []
        self._serial = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self.target = SharedTarget(
            now_s=lambda: self.now_s,
            after=self.after,
            capacity=lambda: self.capacity,
            timeout_s=timeout_s,
        )

    def after(self, delay_s: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now_s + delay_s, next(self._serial), what))

    def offer(self, name: str, work_s: float) -> bool:
        return self.target.offer(
            work_s, lambda is_in_time: self.ends.append((name, round(self.now_s, 6), is_in_time))
        )

    def run(self, until_s: float = 1000.0) -> None:
        while self._events and self._events[0][0] <= until_s:
            self.now_s, _, what = heapq.heappop(self._events)
            what()
        self.now_s = until_s


def test_a_call_with_a_cpu_of_its_own_takes_its_work() -> None:
    clock = Clock(Capacity(places=10, cpus=2))
    clock.offer("a", 1.0)
    clock.offer("b", 3.0)
    clock.run()
    assert clock.ends == [("a", 1.0, True), ("b", 3.0, True)]


def test_calls_share_cpus_and_speed_up_as_others_end() -> None:
    """Two on one CPU: half speed until the shorter has ended at 2, and full speed after it."""
    clock = Clock(Capacity(places=10, cpus=1))
    clock.offer("a", 1.0)
    clock.offer("b", 3.0)
    clock.run()
    assert clock.ends == [("a", 2.0, True), ("b", 4.0, True)]


def test_a_call_that_comes_later_slows_those_that_run() -> None:
    clock = Clock(Capacity(places=10, cpus=1))
    clock.offer("a", 2.0)
    clock.run(1.0)
    clock.offer("b", 0.5)
    clock.run()
    assert clock.ends == [("b", 2.0, True), ("a", 2.5, True)]


def test_places_are_refused_beyond_their_number_only() -> None:
    clock = Clock(Capacity(places=1))
    assert clock.offer("a", 1.0)
    assert not clock.offer("b", 1.0)
    clock.run()
    assert clock.offer("c", 1.0)


def test_an_execution_fails_at_its_timeout_and_leaves_its_cpu() -> None:
    """Both had 1.75 by then, so the other has a quarter left, and the CPU to itself."""
    clock = Clock(Capacity(places=10, cpus=1), timeout_s=4.0)
    clock.offer("a", 9.0)
    clock.run(0.5)
    clock.offer("b", 2.0)
    clock.run()
    assert clock.ends == [("a", 4.0, False), ("b", 4.25, True)]


def test_a_change_of_the_capacity_counts_for_what_runs() -> None:
    clock = Clock(Capacity(places=10, slowness=4.0))
    clock.offer("a", 1.0)
    clock.run(2.0)
    clock.capacity = Capacity(places=10)
    clock.target.touch()
    clock.run()
    assert clock.ends == [("a", 2.5, True)]


def test_without_a_cpu_nothing_is_done_until_the_timeout() -> None:
    clock = Clock(Capacity(places=10, cpus=0.0), timeout_s=5.0)
    clock.offer("a", 1.0)
    clock.run()
    assert clock.ends == [("a", 5.0, False)]


def test_credits_grow_by_one_a_round_trip_while_calls_take_what_they_usually_do() -> None:
    pool = Credits()
    for now_s in range(1, 4):
        for _ in range(now_s):
            pool.end(float(now_s), 1.0, in_flight=now_s - 1, is_refused=False)
    assert pool.limit == 4


def test_credits_that_nobody_uses_do_not_grow() -> None:
    pool = Credits(limit=4.0, least_s=1.0)
    for _ in range(4):
        pool.end(1.0, 1.0, in_flight=0, is_refused=False)
    assert pool.limit == 4


def test_credits_shrink_with_the_delay_beyond_its_target() -> None:
    """Four times the least: a delay of three, twice beyond the target of one; 1 - 0.02 x 2."""
    pool = Credits(limit=10.0, least_s=1.0)
    for _ in range(10):
        pool.end(4.0, 4.0, in_flight=9, is_refused=False)
    assert pool.limit == pytest.approx(9.6)


def test_credits_are_halved_at_most() -> None:
    pool = Credits(limit=10.0, least_s=1.0)
    for _ in range(10):
        pool.end(4.0, 0.03, in_flight=9, is_refused=True)
    assert pool.limit == 5


def test_the_gradient_lets_a_limit_in_use_grow_by_a_part_of_its_queue() -> None:
    """A fifth of four."""
    limit = Gradient()
    limit.end(1.0, 1.0, in_flight=19, is_refused=False)
    assert limit.limit == pytest.approx(20.8)
    limit.end(1.0, 1.0, in_flight=3, is_refused=False)
    assert limit.limit == pytest.approx(20.8)


def test_the_gradient_follows_latencies_down() -> None:
    """Three times as long: a gradient of a half, so 20 x 0.5 + 4 is wanted."""
    limit = Gradient(long_s=1.0, samples=10**9)
    limit.end(1.0, 3.0, in_flight=19, is_refused=False)
    assert limit.limit == pytest.approx(20 - 0.2 * 6)


def test_the_gradient_is_halved_by_a_refusal_once_a_second() -> None:
    limit = Gradient()
    for now_s in (1.0, 1.5, 2.0):
        limit.end(now_s, 0.03, in_flight=5, is_refused=True)
    assert limit.limit == 5


@pytest.mark.parametrize(("trigger", "target"), KINDS, ids=[f"{a}-{b}" for a, b in KINDS])
def test_a_seed_draws_the_same_scenario_again(trigger: Trigger, target: Target) -> None:
    scenario = draw(7, trigger, target)
    assert scenario == draw(7, trigger, target)
    assert scenario != draw(8, trigger, target)


def test_each_player_meets_the_same_live_calls() -> None:
    worlds = [OverloadWorld(SMALL, player, 1) for player in (PlainAimd, Ours)]
    for world in worlds:
        world.run(limit_s=90)
    assert worlds[0].shadow_done == worlds[1].shadow_done


def test_a_bound_is_what_the_calls_of_the_trigger_take_beside_live_ones() -> None:
    """Twelve places are left, and calls take a second; nothing is there before half a buffer's time."""
    assert SMALL.bound_of(1200) == 101
    assert SMALL.bound_of(1) == 31


def test_replays_by_full_jitter_keep_an_overload_of_cpus_alive_and_capped_ones_do_not() -> None:
    """Each replay slows all others, until none ends before its timeout."""
    naive = OverloadWorld(SLOW_AND_MANAGED, FullJitter, 1)
    naive.run(limit_s=200)
    assert naive.goodput() < 0.5
    assert kept(1.0, result := play(SLOW_AND_MANAGED, CAPPED, 1))
    assert result.live > 0.95
    assert result.slowness < 2


@pytest.mark.parametrize("trigger", [Trigger.DROP, Trigger.STEP])
def test_live_calls_are_as_before_one_bound_after_the_trigger(trigger: Trigger) -> None:
    severity = 0.0 if trigger is Trigger.DROP else 4.0
    result = play(replace(SMALL, trigger=trigger, severity=severity), Ours.name, 1)
    assert kept(result.live, result), result


def test_a_call_has_no_failures_of_one_that_is_gone() -> None:
    """Its memory may be that of the other: an address is no name."""
    ours = Ours(OverloadWorld(SMALL, Ours, 1))
    for _ in range(50):
        call = Call(0.0, is_cohort=True, is_poison=False)
        assert ours.failures(call) == 0
        ours.settle(call, "failed")
        del call


def test_a_cap_is_half_of_the_cpus_that_live_calls_leave() -> None:
    assert capped(SLOW_AND_MANAGED).most == 2
    assert CAPPED in players_of(Target.MANAGED)
    assert CAPPED not in players_of(Target.WIDE)


def test_a_run_is_compared_with_the_best_player() -> None:
    rows = [Row(Trigger.DROP, Target.WIDE, name) for name in ("one", "other")]
    add(rows, [_result(0.96), _result(1.2)])
    assert rows[0].margins == [pytest.approx(0.8)]
    assert not rows[0].is_kept()
    assert rows[1].is_kept()


def test_a_run_whose_calls_never_end_is_not_kept() -> None:
    row = Row(Trigger.DROP, Target.WIDE, "one")
    add([row], [replace(_result(1.0), drained=None)])
    assert row.open_runs == 1
    assert not row.is_kept()


def test_each_exception_is_a_row_and_has_its_reason() -> None:
    names = {Row(*kind, name).name for kind in KINDS for name in players_of(kind[1])}
    assert EXCEPTIONS.keys() <= names
    assert all(EXCEPTIONS.values())


def test_the_table_is_as_wide_as_its_head() -> None:
    row = Row(Trigger.ERRORS, Target.MANAGED, CAPPED)
    add([row], [_result(1.0)])
    assert len(row.line()) == len(HEAD)


def _result(live: float) -> Result:
    return Result(live=live, slowness=1.0, drained=1.5, wasted=0.1, lost=0.0)

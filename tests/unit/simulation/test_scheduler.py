from __future__ import annotations

from random import Random

import pytest

from simulation.executor import Executor, wait
from simulation.scheduler import Crash, Process, Scheduler


def test_tasks_interleave_by_the_time_that_they_take() -> None:
    scheduler, said = Scheduler(), list[str]()

    def work(name: str, step_s: float) -> None:
        for number in range(3):
            scheduler.sleep(step_s)
            said.append(f"{name}{number} {scheduler.now_s:g}")

    for name, step_s in (("a", 2.0), ("b", 3.0)):
        scheduler.start(Process(name), lambda name=name, step_s=step_s: work(name, step_s))  # type: ignore[misc]
    scheduler.run()

    # b sleeps until 6 since 3, a since 4.
    assert said == ["a0 2", "b0 3", "a1 4", "b1 6", "a2 6", "b2 9"]


def test_a_process_that_crashes_ends_its_other_tasks_where_they_sleep() -> None:
    scheduler, said = Scheduler(), list[str]()
    process, other = Process("p"), Process("o")

    def dies() -> None:
        scheduler.sleep(1)
        raise Crash

    def sleeps(name: str) -> None:
        scheduler.sleep(5)
        said.append(f"{name} lives")

    scheduler.start(process, dies)
    scheduler.start(process, lambda: sleeps("lane"))
    scheduler.start(other, lambda: sleeps("other"))
    scheduler.run()

    assert said == ["other lives"]
    assert process.is_dead
    assert not other.is_dead


def test_a_process_is_killed_when_its_time_is_over() -> None:
    scheduler, said = Scheduler(), list[str]()

    def work() -> None:
        try:
            scheduler.sleep(5)
        except Crash:
            said.append(f"killed at {scheduler.now_s:g}")
            raise

    scheduler.start(Process("p", ends_at_s=3.0), work)
    scheduler.run()
    assert said == ["killed at 5"]


def test_other_tasks_of_a_process_sit_out_a_still_sleep_and_other_processes_do_not() -> None:
    """So a lane may hold a lock while it asks a store, and none of its own kind runs into it."""
    scheduler, said = Scheduler(), list[str]()
    process = Process("p")

    def holds() -> None:
        scheduler.sleep(10, is_still=True)
        said.append(f"holder {scheduler.now_s:g}")

    def goes(name: str) -> None:
        scheduler.sleep(1)
        said.append(f"{name} {scheduler.now_s:g}")

    scheduler.start(process, holds)
    scheduler.start(process, lambda: goes("lane"))
    scheduler.start(Process("o"), lambda: goes("other"))
    scheduler.run()
    assert said == ["other 1", "holder 10", "lane 11"]


def test_a_process_that_stands_still_goes_on_later() -> None:
    scheduler, said = Scheduler(), list[float]()
    process = Process("p", stands_until_s=60.0)

    def work() -> None:
        scheduler.sleep(1)
        said.append(scheduler.now_s)

    scheduler.start(process, work)
    scheduler.run()
    assert said == [61.0]


def test_what_a_task_raises_ends_the_run_and_is_raised_there() -> None:
    scheduler = Scheduler()

    def fails() -> None:
        scheduler.sleep(1)
        raise ValueError("found")

    scheduler.start(Process("a"), fails)
    scheduler.start(Process("b"), lambda: scheduler.sleep(10**6))
    with pytest.raises(ValueError, match="found"):
        scheduler.run()
    assert scheduler.now_s == 1


def test_a_run_without_an_end_is_ended() -> None:
    scheduler = Scheduler(limit_s=100.0)

    def runs() -> None:
        while True:
            scheduler.sleep(1)

    scheduler.start(Process("p"), runs)
    with pytest.raises(TimeoutError):
        scheduler.run()


def test_lanes_run_side_by_side_and_are_waited_for_as_futures_are() -> None:
    scheduler, said = Scheduler(), list[str]()

    def lane(seconds: float) -> str:
        scheduler.sleep(seconds)
        return f"{seconds:g}"

    def batch() -> None:
        with Executor(scheduler, Random(0)) as pool:
            running = {pool.submit(lane, seconds) for seconds in (5.0, 2.0, 20.0)}
            while running:
                ended, running = wait(scheduler, running, 10.0, "FIRST_COMPLETED")
                said.append(
                    f"{scheduler.now_s:.0f}: {' '.join(lane.result() for lane in ended) or 'none'}"
                )

    scheduler.start(Process("p"), batch)
    scheduler.run()
    assert said == ["2: 2", "5: 5", "15: none", "20: 20"]

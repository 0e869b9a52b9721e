from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from reprise_cli.chaos.history import History
from reprise_cli.chaos.nemeses import NAMES, RESIZE, find_nemeses, read_names
from reprise_cli.chaos.nemesis import FunctionFaults, SystemUnderTest
from reprise_cli.chaos.nemesis_runner import NemesisRunner
from reprise_cli.exits import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient

    from local_engine.control import Engine

PIPELINE = ("reprise-invoker", "reprise-unpacker", "reprise-replayer")


@dataclass
class FakeEngine:
    """Engine and Lambda; tells what they were asked."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    fails: bool = False
    idle_for: int = 0
    """Questions for which functions are idle."""
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)

    def admin(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        if self.fails and path == "kill":
            message = "the engine does not answer"
            raise ConnectionError(message)
        self.asked.append((method, path, body))
        if method == "GET":
            return self.shown.get(path, {"hits": 7})
        self.idle_for -= 1
        return {"hit": int(self.idle_for < 0)}

    def put_function_concurrency(self, **request: Any) -> None:
        self.asked.append((request["FunctionName"], request["ReservedConcurrentExecutions"]))


def make_system(engine: FakeEngine, *, has_engine: bool = True) -> SystemUnderTest:
    return SystemUnderTest(
        engine=cast("Engine", engine) if has_engine else None,
        functions=cast("LambdaClient", engine),
        pipeline=PIPELINE,
        target="orders",
        ledger_table="ledger",
        concurrency=5,
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_a_nemesis_switches_on_it_switches_off(name: str) -> None:
    engine = FakeEngine()
    (nemesis,) = find_nemeses([name], make_system(engine)).values()
    chance = random.Random(1)
    said = [nemesis.begin(), *(nemesis.strike(chance) for _ in range(20))]
    assert any(said)
    nemesis.heal()
    methods = {asked[0] for asked in engine.asked}
    on = {asked[1] for asked in engine.asked if asked[0] == "POST"}
    off = {asked[1] for asked in engine.asked if asked[0] == "DELETE"}
    # What is done to a function is over by itself.
    assert off == on - {"kill", "freeze"}
    assert (methods == {"orders"}) is (name == RESIZE)


def test_every_function_of_the_pipeline_is_killed_in_time() -> None:
    engine = FakeEngine()
    (nemesis,) = find_nemeses(["kill"], make_system(engine)).values()
    chance = random.Random(1)
    for _ in range(40):
        nemesis.strike(chance)
    assert {asked[2]["function"] for asked in engine.asked} == set(PIPELINE)


def test_a_function_that_is_idle_is_tried_again_until_it_is_at_work() -> None:
    waits: list[float] = []
    engine = FakeEngine(idle_for=3)
    kill = FunctionFaults(
        system=make_system(engine), path="kill", victims=("orders",), pause=waits.append
    )
    assert kill.strike(random.Random(1)) == "1 of orders"
    assert (len(waits), kill.hits()) == (3, 1)
    engine.idle_for = 1000
    assert kill.strike(random.Random(1)) == ""
    assert kill.hits() == 1


def test_the_targets_concurrency_ends_as_the_run_has_it() -> None:
    engine = FakeEngine()
    (nemesis,) = find_nemeses([RESIZE], make_system(engine, has_engine=False)).values()
    chance = random.Random(1)
    for _ in range(40):
        nemesis.strike(chance)
    assert {asked[1] for asked in engine.asked} >= {0, 1, 5}
    nemesis.heal()
    assert engine.asked[-1] == ("orders", 5)


def test_a_nemesis_tells_how_often_it_met_anything() -> None:
    engine = FakeEngine()
    named = find_nemeses(["kill", RESIZE, "skew-clocks", "refuse-s3"], make_system(engine))
    for nemesis in named.values():
        nemesis.begin()
        nemesis.strike(random.Random(1))
    planned = next(asked[2] for asked in engine.asked if asked[1] == "faults")
    strange = {"service": "s3", "status": 404, "hits": 5}
    engine.shown["faults"] = {"faults": [{**planned, "operation": "*", "hits": 4}, strange]}
    engine.shown["clocks"] = {"skew_s": 10.0, "hits": 2}
    assert [nemesis.hits() for nemesis in named.values()] == [1, 1, 2, 4]


@pytest.mark.parametrize("name", [name for name in NAMES if name != RESIZE])
def test_what_aws_cannot_do_is_refused_there(name: str) -> None:
    with pytest.raises(UsageError, match="local engine only"):
        find_nemeses([RESIZE, name], make_system(FakeEngine(), has_engine=False))


def test_names_are_read_once_each_and_a_wrong_one_shows_them_all() -> None:
    assert read_names("kill, freeze,kill") == ("kill", "freeze")
    with pytest.raises(UsageError, match=r"there is no 'flood'.*kill, freeze"):
        read_names("kill,flood")


# --- the runner ---


def read_events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@dataclass
class FakeNemesis:
    """A nemesis that tells how often it struck."""

    struck: threading.Event = field(default_factory=threading.Event)
    heals: int = 0
    fails_to_heal: bool = False

    def begin(self) -> str:
        return "began"

    def strike(self, _chance: random.Random, /) -> str:
        self.struck.set()
        return "struck"

    def hits(self) -> int:
        return 3

    def heal(self) -> None:
        self.heals += 1
        if self.fails_to_heal:
            message = "the engine does not answer"
            raise ConnectionError(message)


def test_a_disturbance_is_written_down_and_healed_once(tmp_path: Path) -> None:
    fake = FakeNemesis()
    with History(tmp_path / "h") as history:
        with NemesisRunner(nemeses={"fake": fake}, history=history, gap_s=0.001) as runner:
            runner.start()
            assert fake.struck.wait(10)
            runner.stop_after(0.0)
        events = read_events(tmp_path / "h")
    assert fake.heals == 1
    assert [found["what"] for found in events[:2]] == ["began", "struck"]
    assert [found["event"] for found in events].count("healed") == 1
    assert events[-1]["event"] == "healed"
    assert events[-2] == {**events[-2], "name": "fake", "what": "is over", "hits": 3}


def test_a_disturbance_that_never_began_is_healed_all_the_same(tmp_path: Path) -> None:
    fake = FakeNemesis()
    with History(tmp_path / "h") as history, NemesisRunner(nemeses={"fake": fake}, history=history):
        pass
    assert fake.heals == 1
    assert [found["event"] for found in read_events(tmp_path / "h")] == ["fault", "healed"]


def test_what_cannot_be_undone_is_told() -> None:
    runner = NemesisRunner(
        nemeses={"a": FakeNemesis(fails_to_heal=True), "b": FakeNemesis()}, history=History()
    )
    with pytest.raises(ConnectionError), runner:
        pass
    assert [
        nemesis.heals for nemesis in runner.nemeses.values() if isinstance(nemesis, FakeNemesis)
    ] == [
        1,
        1,
    ]


def test_a_fault_that_cannot_be_made_is_written_down_and_ends_nothing(tmp_path: Path) -> None:
    engine = FakeEngine(fails=True)
    fake = FakeNemesis()
    nemeses = {**find_nemeses(["kill"], make_system(engine)), "fake": fake}
    with History(tmp_path / "h") as history:
        with NemesisRunner(nemeses=nemeses, history=history, gap_s=0.001) as runner:
            runner.start()
            assert fake.struck.wait(10)
        events = read_events(tmp_path / "h")
    assert events[1] == {**events[1], "name": "kill", "what": "failed: the engine does not answer"}

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from doubles import FakeClock
from reprise.errors import StoreError
from reprise.testing import START_AT
from reprise_cli.calling import InvokerAnswer
from reprise_cli.chaos.call import CallState, Receipt, plan_calls
from reprise_cli.chaos.checker import HistoryError, check
from reprise_cli.chaos.history import History
from reprise_cli.chaos.live import LiveCall, LiveEnd
from reprise_cli.chaos.load import Load, Script
from reprise_cli.chaos.run import ChaosPlan, ChaosTest
from reprise_cli.chaos.view import ChaosView, proof_table
from reprise_cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reprise_cli.chaos.checker import CheckResult
    from reprise_cli.chaos.proof import Proof


@dataclass
class Pipeline:
    """A pipeline in memory: captures while held, and ends calls some looks after it is let go."""

    looks_until_end: int = 2
    loses: frozenset[int] = frozenset()
    """Calls that never end."""
    doubles: frozenset[int] = frozenset()
    """Calls that run twice."""
    times_out: frozenset[int] = frozenset()
    """Calls that the invoker never answers."""
    gives_up: frozenset[int] = frozenset()
    """Calls that were to succeed, and are given up."""
    silent: frozenset[int] = frozenset()
    """Calls that are said to have succeeded, and did not run."""
    letters_too: frozenset[int] = frozenset()
    """Calls that succeed and have a dead letter."""
    late_copies: frozenset[int] = frozenset()
    """Calls of which a copy runs after the ledger has said that they ended."""
    is_busy: bool = False
    """Whether the queues never get empty."""
    live_twice: bool = False
    is_held: bool = False
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    looks: int = 0

    waits: int = 0
    bounds: int = 0
    ends_after_s: float = 3.0

    phases = ("holding", "held", "let go")

    @contextmanager
    def bounded(self) -> Iterator[None]:
        self.bounds += 1
        yield

    @contextmanager
    def held(self) -> Iterator[None]:
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False

    def call(self, request: Mapping[str, Any], /) -> InvokerAnswer:
        assert self.is_held
        number = request["Payload"]["call"]
        if number in self.times_out:
            raise ReadTimeoutError(endpoint_url="http://x")
        self.asked.append(request)
        return InvokerAnswer(document={"StatusCode": 202, "reprise": {"id": f"id-{number}"}})

    def standings(self, call_ids: Sequence[str]) -> dict[str, CallState]:
        self.looks += 1
        if self.looks < self.looks_until_end:
            return {}
        return {
            call_id: CallState(
                is_succeeded=not self._is_dead(call_id) and not self._is_lost(call_id),
                is_dead_lettered=self._is_dead(call_id),
                updated_at=START_AT + timedelta(seconds=self.ends_after_s),
                reason="exhausted" if self._is_dead(call_id) else None,
            )
            for call_id in call_ids
        }

    def receipts(self, run: str) -> list[Receipt]:
        if run == "run-1-live":
            return [Receipt(call=number, is_ok=True) for number in LIVE_ANSWERED] * (
                1 + self.live_twice
            )
        assert {request["Payload"]["run"] for request in self.asked} == {run}
        return [
            Receipt(call=request["Payload"]["call"], is_ok=is_ok)
            for request in self.asked
            for is_ok in self._runs(request["Payload"])
        ]

    def seen(self, call_ids: frozenset[str]) -> frozenset[str]:
        letters = frozenset(f"id-{number}" for number in self.letters_too)
        return frozenset(filter(self._is_dead, call_ids)) | (letters & call_ids)

    def wait(self) -> bool:
        self.waits += 1
        return not self.is_busy

    def _runs(self, payload: Mapping[str, Any]) -> list[bool]:
        if payload["behaviour"] == "poison":
            return [False, False, False]
        if payload["call"] in self.gives_up | self.silent:
            return []
        late = payload["call"] in self.late_copies and self.waits > 0
        return [True] * (1 + (payload["call"] in self.doubles) + late)

    def _is_lost(self, call_id: str) -> bool:
        return int(call_id.removeprefix("id-")) in self.loses

    def _is_dead(self, call_id: str) -> bool:
        return int(call_id.removeprefix("id-")) in self.gives_up or any(
            request["Payload"]["behaviour"] == "poison"
            for request in self.asked
            if f"id-{request['Payload']['call']}" == call_id
        )


LIVE_ANSWERED = (*range(1, 11), *range(11, 21, 2))


def make_test(pipeline: Pipeline, text: io.StringIO, *, timeout_s: float = 20.0) -> ChaosTest:
    return ChaosTest(
        plan=ChaosPlan(
            run="run-1",
            calls=plan_calls(20, poison=2, large=0),
            hold_s=0.0,
            timeout_s=timeout_s,
        ),
        holder=pipeline,
        load=Load(pipeline, Script(run="run-1", target="orders"), 4),
        books=pipeline,
        letters=pipeline,
        queues=pipeline,
        view=ChaosView(Output(is_json=True, stdout=io.StringIO(), stderr=text)),
        clock=FakeClock(),
    )


def test_a_pipeline_that_keeps_its_promise_is_proven() -> None:
    text = io.StringIO()
    proof = make_test(Pipeline(), text).run()
    assert proof.holds
    assert (proof.captured, proof.succeeded, proof.dead_lettered) == (20, 18, 2)
    assert proof.restore_to_success_s.document() == {"p50": 3.0, "p95": 3.0, "max": 3.0}
    assert "captured     20  waiting      0  replayed     18  dead    2" in text.getvalue()


@pytest.mark.parametrize(
    ("pipeline", "lost", "twice"),
    [
        (Pipeline(looks_until_end=1, loses=frozenset({3, 4})), 2, 0),
        (Pipeline(looks_until_end=1, doubles=frozenset({5})), 0, 1),
        (Pipeline(looks_until_end=1, times_out=frozenset({6})), 0, 0),
    ],
    ids=["lost", "doubled", "never answered"],
)
def test_a_pipeline_that_breaks_its_promise_is_found_out(
    pipeline: Pipeline, lost: int, twice: int
) -> None:
    proof = make_test(pipeline, io.StringIO(), timeout_s=0.1).run()
    assert (proof.lost, proof.executed_twice) == (lost, twice)
    assert not proof.holds


def test_what_runs_late_is_seen_since_receipts_are_read_when_nothing_can_run() -> None:
    proof = make_test(
        Pipeline(looks_until_end=1, late_copies=frozenset({5, 6})), io.StringIO()
    ).run()
    assert (proof.executed_twice, proof.holds) == (2, False)


def test_queues_that_others_keep_busy_are_waited_for_and_named() -> None:
    text = io.StringIO()
    pipeline = Pipeline(looks_until_end=1, is_busy=True)
    assert make_test(pipeline, text).run().holds
    assert pipeline.waits == 1
    assert "the queues serve others, too" in text.getvalue()


def test_calls_that_have_not_ended_in_time_are_not_waited_for_again() -> None:
    pipeline = Pipeline(looks_until_end=1, loses=frozenset({3}))
    assert not make_test(pipeline, io.StringIO(), timeout_s=0.1).run().holds
    assert pipeline.waits == 0


@pytest.mark.parametrize(
    ("pipeline", "problem"),
    [
        (
            Pipeline(looks_until_end=1, gives_up=frozenset({3})),
            "1 calls that were not made to fail were given up: id-3",
        ),
        (
            Pipeline(looks_until_end=1, letters_too=frozenset({4})),
            "1 calls succeeded and have a dead letter, too: id-4",
        ),
    ],
    ids=["given up", "two ends"],
)
def test_a_wrong_end_is_named_in_the_report(pipeline: Pipeline, problem: str) -> None:
    """Letters are asked for of all calls: one that has none to have would not be looked for else."""
    proof = make_test(pipeline, io.StringIO()).run()
    assert not proof.holds
    text = io.StringIO()
    Output(is_json=False, stdout=text).show(proof_table(proof))
    assert problem in text.getvalue()


def test_the_target_is_let_go_when_the_test_is_interrupted() -> None:
    pipeline = Pipeline()
    test = make_test(pipeline, io.StringIO())

    def interrupt(calls: object) -> None:
        del calls
        raise KeyboardInterrupt

    test.load.start = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        test.run()
    assert not pipeline.is_held


@dataclass
class Traffic:
    """Live traffic: a call is throttled once in two while replays run, and never without them."""

    pipeline: Pipeline
    clock: FakeClock
    phases: int = 0
    run: str = "run-1-live"

    @contextmanager
    def flowing(self) -> Iterator[list[LiveCall]]:
        assert not self.pipeline.is_held
        assert self.pipeline.bounds
        self.phases += 1
        calls: list[LiveCall] = []
        yield calls
        if self.phases == 1:
            # The first half of it is warming up.
            self.clock.advance(10)
        # From the restore to far beyond the last success, which is 3 s after it.
        calls += [
            LiveCall(
                number=10 * (self.phases - 1) + second + 1,
                started_at=START_AT + timedelta(seconds=second + 10 * (self.phases == 2)),
                end=LiveEnd.THROTTLED if self.phases == 2 and second % 2 else LiveEnd.ANSWERED,
            )
            for second in range(10)
        ]


def test_a_live_call_that_ran_twice_is_executed_twice() -> None:
    pipeline = Pipeline(looks_until_end=1, ends_after_s=13.0, live_twice=True)
    test = make_test(pipeline, io.StringIO())
    test = replace(test, clock=(clock := FakeClock()), live=Traffic(pipeline, clock))
    proof = test.run()
    assert (proof.executed_twice, proof.holds) == (len(LIVE_ANSWERED), False)


def test_live_traffic_is_compared_without_replay_and_while_replays_succeed() -> None:
    pipeline, text = Pipeline(ends_after_s=13.0), io.StringIO()
    test = make_test(pipeline, text)
    test = replace(test, clock=(clock := FakeClock()), live=Traffic(pipeline, clock))
    proof = test.run()
    assert proof.holds
    assert proof.document()["live"] == {
        "without_replay": {"calls": 5, "throttled": 0, "failed": 0, "throttled_percent": 0.0},
        "with_replay": {"calls": 4, "throttled": 2, "failed": 0, "throttled_percent": 50.0},
        "extra_throttled_percent": 50.0,
    }
    assert "live" not in make_test(Pipeline(), io.StringIO()).run().document()


def read_result(path: Path) -> CheckResult:
    with path.open() as file:
        return check(file)


def run_with_history(pipeline: Pipeline, path: Path, *, timeout_s: float = 20.0) -> Proof:
    test = make_test(pipeline, io.StringIO(), timeout_s=timeout_s)
    history = History(path)
    load = Load(pipeline, test.load.script, 4, history)
    return replace(test, history=history, load=load).run()


def test_the_history_of_a_run_says_what_its_proof_says(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert run_with_history(Pipeline(), path).holds
    result = read_result(path)
    assert result.holds
    assert (result.calls, result.answers) == (20, {"captured": 20})
    assert result.ends == {"dead_lettered: exhausted": 2, "succeeded": 18}


@pytest.mark.parametrize(
    ("pipeline", "found"),
    [
        (Pipeline(looks_until_end=1, loses=frozenset({3, 4})), (2, 0, 0, 0)),
        (Pipeline(looks_until_end=1, doubles=frozenset({5})), (0, 1, 0, 0)),
        (Pipeline(looks_until_end=1, late_copies=frozenset({5, 6})), (0, 2, 0, 0)),
        (Pipeline(looks_until_end=1, silent=frozenset({7})), (0, 0, 1, 0)),
        (Pipeline(looks_until_end=1, letters_too=frozenset({4})), (0, 0, 0, 1)),
    ],
    ids=["lost", "doubled", "doubled late", "success without a run", "two ends"],
)
def test_a_history_gives_away_a_pipeline_that_breaks_its_promise(
    pipeline: Pipeline, found: tuple[int, ...], tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl"
    run_with_history(pipeline, path, timeout_s=0.1 if pipeline.loses else 20.0)
    result = read_result(path)
    parts = (result.lost, result.twice, result.fake, result.contradictions)
    assert tuple(map(len, parts)) == found


def test_a_run_that_dies_leaves_a_history_that_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"

    @dataclass
    class Dying(Pipeline):
        def receipts(self, run: str) -> list[Receipt]:
            raise KeyboardInterrupt(run)

    with pytest.raises(KeyboardInterrupt):
        run_with_history(Dying(), path)
    with pytest.raises(HistoryError, match="0 events 'done'"):
        read_result(path)


def test_a_ledger_that_cannot_be_read_for_a_moment_ends_no_test() -> None:
    @dataclass
    class Blinking(Pipeline):
        def standings(self, call_ids: Sequence[str]) -> dict[str, CallState]:
            found = super().standings(call_ids)
            if self.looks == 2:
                raise StoreError("dynamodb", "BatchGetItem", "ThrottlingException", "slow down")
            return found

    assert make_test(Blinking(), io.StringIO()).run().holds

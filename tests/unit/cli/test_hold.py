from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from doubles import FakeClock
from reprise_cli.chaos.deadman import DeadMan, restore_target
from reprise_cli.chaos.hold import Holder
from reprise_cli.exits import CommandError
from reprise_cli.interrupt import interruptible

ROLE = "arn:aws-cn:iam::123456789012:role/chaos-scheduler"


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


@dataclass
class FakeLambda:
    """Lambda's concurrency settings; a new setting of 0 takes hold after some invocations."""

    reserved: int | None = None
    lag: int = 0
    refusals: list[ClientError] = field(default_factory=list)
    invoked: int = 0

    def get_function_concurrency(self, **_: object) -> dict[str, Any]:
        return {} if self.reserved is None else {"ReservedConcurrentExecutions": self.reserved}

    def put_function_concurrency(
        self,
        *,
        FunctionName: str,
        ReservedConcurrentExecutions: int,
    ) -> None:
        del FunctionName
        self._refuse()
        self.reserved = ReservedConcurrentExecutions

    def delete_function_concurrency(self, **_: object) -> None:
        self._refuse()
        self.reserved = None

    def invoke(self, **_: object) -> dict[str, Any]:
        self.invoked += 1
        if self.reserved == 0 and self.invoked > self.lag:
            raise refusal("TooManyRequestsException")
        return {}

    def _refuse(self) -> None:
        if self.refusals and self.reserved == 0:
            raise self.refusals.pop()


@dataclass
class FakeScheduler:
    """EventBridge Scheduler."""

    schedules: dict[str, Any] = field(default_factory=dict)
    refused: bool = False

    def create_schedule(self, **request: Any) -> None:
        if self.refused:
            raise refusal("ValidationException")
        self.schedules[request["Name"]] = request

    def delete_schedule(self, *, Name: str) -> None:
        if self.refused:
            raise refusal("InternalServerException")
        del self.schedules[Name]


@dataclass
class Rig:
    """A holder on fakes."""

    functions: FakeLambda = field(default_factory=FakeLambda)
    scheduler: FakeScheduler = field(default_factory=FakeScheduler)
    said: list[str] = field(default_factory=list)
    role: str | None = ROLE

    def holder(self, limit_s: float = 5.0) -> Holder:
        client: Any = self.functions
        scheduler: Any = self.scheduler
        dead_man = DeadMan(
            scheduler, self.role, after_s=900, clock=FakeClock(), tell=self.said.append
        )
        return Holder(
            functions=client, calls=client, function="orders", dead_man=dead_man, limit_s=limit_s
        )


@pytest.mark.parametrize("reserved", [None, 7])
def test_a_held_target_gets_its_concurrency_back(reserved: int | None) -> None:
    rig = Rig(functions=FakeLambda(reserved=reserved))
    with rig.holder().held():
        assert rig.functions.reserved == 0
        assert len(rig.scheduler.schedules) == 1
    assert rig.functions.reserved == reserved
    assert rig.scheduler.schedules == {}
    assert rig.said == []


@pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_a_target_is_let_go_whatever_happens(error: BaseException) -> None:
    rig = Rig(functions=FakeLambda(reserved=3))
    with pytest.raises(type(error)), rig.holder().held():
        raise error
    assert rig.functions.reserved == 3


def test_a_terminated_test_lets_its_target_go() -> None:
    rig = Rig()
    with pytest.raises(KeyboardInterrupt), interruptible(), rig.holder().held():
        signal.raise_signal(signal.SIGTERM)
    assert rig.functions.reserved is None
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_the_first_throttle_is_awaited() -> None:
    rig = Rig(functions=FakeLambda(lag=2))
    with rig.holder().held():
        assert rig.functions.invoked == 3


def test_a_target_that_goes_on_answering_is_let_go_with_an_error() -> None:
    rig = Rig(functions=FakeLambda(lag=10**6))
    with pytest.raises(CommandError, match="still answers"), rig.holder(0.01).held():
        pass
    assert rig.functions.reserved is None


def test_an_error_other_than_a_throttle_is_no_throttle() -> None:
    rig = Rig()

    def invoke(**_: object) -> dict[str, Any]:
        raise refusal("ResourceNotFoundException")

    rig.functions.invoke = invoke  # type: ignore[method-assign]
    with pytest.raises(ClientError), rig.holder().held():
        pass
    assert rig.functions.reserved is None


def test_a_target_held_by_somebody_else_is_left_alone() -> None:
    rig = Rig(functions=FakeLambda(reserved=0))
    with pytest.raises(CommandError, match="is 0 already"), rig.holder().held():
        pass
    assert rig.functions.reserved == 0
    assert rig.scheduler.schedules == {}


def test_letting_go_is_tried_again() -> None:
    rig = Rig(functions=FakeLambda(refusals=[refusal("TooManyRequestsException")]))
    with rig.holder().held():
        pass
    assert rig.functions.reserved is None


@pytest.mark.parametrize(
    ("rig", "words"),
    [
        (Rig(role=None), "ChaosSchedulerRoleArn"),
        (Rig(scheduler=FakeScheduler(refused=True)), "ValidationException"),
    ],
    ids=["no role", "refused"],
)
def test_without_a_dead_man_switch_the_test_says_so_and_goes_on(rig: Rig, words: str) -> None:
    with rig.holder().held():
        while_held = rig.functions.reserved
    assert (while_held, rig.functions.reserved) == (0, None)
    assert len(rig.said) == 1
    assert words in rig.said[0]


def test_the_schedule_fires_once_after_everything_should_be_over() -> None:
    rig = Rig()
    with rig.holder().held():
        (schedule,) = rig.scheduler.schedules.values()
    # FakeClock starts at 10:00; 900 seconds later.
    assert schedule["ScheduleExpression"] == "at(2026-11-21T10:15:00)"
    assert schedule["ActionAfterCompletion"] == "DELETE"


def test_a_schedule_that_cannot_be_deleted_is_said_and_harmless() -> None:
    rig = Rig()
    with rig.holder().held():
        rig.scheduler.refused = True
    assert rig.functions.reserved is None
    assert "could not be deleted" in rig.said[0]


@pytest.mark.parametrize(
    ("reserved", "action", "request_input"),
    [
        (None, "deleteFunctionConcurrency", {"FunctionName": "orders"}),
        (
            7,
            "putFunctionConcurrency",
            {"FunctionName": "orders", "ReservedConcurrentExecutions": 7},
        ),
    ],
)
def test_the_schedule_restores_what_was_saved(
    reserved: int | None, action: str, request_input: dict[str, Any]
) -> None:
    target = restore_target("orders", reserved, ROLE)
    assert target["Arn"] == f"arn:aws-cn:scheduler:::aws-sdk:lambda:{action}"
    assert json.loads(target["Input"]) == request_input


@pytest.mark.parametrize("reserved", [None, 7])
def test_a_bounded_target_is_restored_to_the_tests_bound_and_then_to_what_it_had(
    reserved: int | None,
) -> None:
    rig = Rig(functions=FakeLambda(reserved=reserved))
    holder = replace(rig.holder(), bound=10)
    with holder.bounded():
        assert rig.functions.reserved == 10
        with holder.held():
            assert rig.functions.reserved == 0
            # One switch, and it knows what was there before the test.
            (schedule,) = rig.scheduler.schedules.values()
            assert ("put" in schedule["Target"]["Arn"]) == (reserved is not None)
        assert rig.functions.reserved == 10
    assert rig.functions.reserved == reserved
    assert rig.scheduler.schedules == {}


def test_a_bounded_target_is_let_go_whatever_happens() -> None:
    rig = Rig()
    holder = replace(rig.holder(), bound=10)
    with pytest.raises(RuntimeError), holder.bounded(), holder.held():
        raise RuntimeError
    assert rig.functions.reserved is None


def test_without_a_bound_nothing_is_set_before_the_hold() -> None:
    rig = Rig()
    with rig.holder().bounded():
        assert rig.functions.reserved is None
        assert rig.scheduler.schedules == {}


def test_a_hold_that_the_account_does_not_allow_says_what_to_ask_for() -> None:
    rig = Rig()

    def put_function_concurrency(**_: object) -> None:
        raise refusal("InvalidParameterValueException")

    rig.functions.put_function_concurrency = put_function_concurrency  # type: ignore[method-assign]
    with pytest.raises(CommandError, match="does not let orders reserve 0") as caught:
        rig.holder().held().__enter__()
    assert "higher quota" in caught.value.next_step
    assert rig.scheduler.schedules == {}

"""Repeated calls of a chaos test: which, how they are answered, and what is found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from reprise_cli.calling import InvokerAnswer
from reprise_cli.chaos.call import AnswerKind, Call, CallAnswer
from reprise_cli.chaos.load import Script
from reprise_cli.chaos.resubmit import Repeat, RepeatEnd, Resubmitter, problems_of, tally
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPT = Script(run="r", target="orders", has_keys=True)


@dataclass
class Door:
    documents: list[dict[str, Any]]
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def call(self, request: Mapping[str, Any], /) -> InvokerAnswer:
        self.asked.append(request)
        if not self.documents:
            raise CommandError("invoker", "failed", "See its log")
        return InvokerAnswer(document=self.documents.pop(0))


def answers(captured: int) -> list[CallAnswer]:
    """Return answers 202, the last of a poison call, and one of another kind."""
    kept = [
        CallAnswer(
            call=Call(number=number, is_poison=number == captured),
            kind=AnswerKind.CAPTURED,
            call_id=f"id-{number}",
        )
        for number in range(1, captured + 1)
    ]
    direct = CallAnswer(call=Call(number=captured + 1), kind=AnswerKind.DIRECT)
    return [*kept, direct]


@pytest.mark.parametrize(("share", "chosen"), [(0.1, 2), (0.5, 10), (1.0, 20), (0.001, 1)])
def test_a_share_of_the_202s_is_repeated_once_each_with_the_same_key_and_payload(
    share: float, chosen: int
) -> None:
    door = Door([{"StatusCode": 200, "Payload": "1"}] * 99)
    resubmitter = Resubmitter(door=door, script=SCRIPT, share=share, gap_s=0.0)
    with resubmitter.during(answers(21)):
        pass
    assert len(door.asked) == chosen
    numbers = {request["Payload"]["call"] for request in door.asked}
    assert len(numbers) == chosen
    assert numbers <= set(range(1, 21))
    for request in door.asked:
        assert request == SCRIPT.request(Call(number=request["Payload"]["call"]))
        assert request["IdempotencyKey"] == f"r-{request['Payload']['call']}"


@pytest.mark.parametrize(
    ("document", "end"),
    [
        ({"StatusCode": 200, "Payload": "1"}, RepeatEnd.LIVE),
        (
            {"StatusCode": 200, "Payload": "1", "reprise": {"id": "id-1", "late_result": True}},
            RepeatEnd.LATE_RESULT,
        ),
        ({"StatusCode": 202, "reprise": {"id": "id-1"}}, RepeatEnd.CAPTURED),
        ({"StatusCode": 202, "reprise": {"id": "another"}}, RepeatEnd.FAILED),
        ({"StatusCode": 200, "FunctionError": "Unhandled"}, RepeatEnd.FAILED),
        ({"StatusCode": 429, "error": {}}, RepeatEnd.FAILED),
        (None, RepeatEnd.FAILED),
    ],
)
def test_how_a_repeated_call_was_answered(document: dict[str, Any] | None, end: RepeatEnd) -> None:
    door = Door([] if document is None else [document])
    resubmitter = Resubmitter(door=door, script=SCRIPT, share=0.1)
    resubmitter.after(answers(2))
    (repeat,) = resubmitter.repeats
    assert (repeat.end, repeat.number, repeat.is_after) == (end, 1, True)
    assert bool(repeat.problem) == (end is RepeatEnd.FAILED)


def test_a_call_that_had_ended_and_has_no_late_result_is_a_problem() -> None:
    good = Repeat(number=1, end=RepeatEnd.LATE_RESULT, is_after=True)
    early = Repeat(number=2, end=RepeatEnd.CAPTURED, is_after=False)
    assert problems_of([good, early]) == []
    (problem,) = problems_of([good, early, Repeat(number=3, end=RepeatEnd.LIVE, is_after=True)])
    assert "call 3" in problem
    (problem,) = problems_of(
        [Repeat(number=4, end=RepeatEnd.FAILED, is_after=False, problem="why")]
    )
    assert "why" in problem
    assert tally([good, early]) == {
        "calls": 2,
        "live": 0,
        "late_result": 1,
        "captured": 1,
        "failed": 0,
    }

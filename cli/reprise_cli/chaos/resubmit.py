"""Call again, live, with the keys of captured calls: what impatient callers do."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from reprise_cli.chaos.call import AnswerKind
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reprise_cli.chaos.call import CallAnswer
    from reprise_cli.chaos.load import CallEndpoint, Script

_GAP_S: Final = 0.05
"""Between two repeated calls, so that they meet the replay at every stage."""
_OK: Final = 200


class RepeatEnd(StrEnum):
    """How a repeated call was answered."""

    LIVE = "live"
    """The target ran it now: its captured call had not run."""
    LATE_RESULT = "late_result"
    """With the reply to its captured call."""
    CAPTURED = "captured"
    """202, with the id of its captured call."""
    FAILED = "failed"
    """Otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """One repeated call."""

    number: int
    """Of the call."""
    end: RepeatEnd
    is_after: bool
    """Whether its captured call had ended before."""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resubmitter:
    """Repeats a share of the calls that were answered 202, but for those that always fail."""

    door: CallEndpoint
    script: Script
    share: float
    """From 0 to 1."""
    gap_s: float = _GAP_S
    repeats: list[Repeat] = field(default_factory=list)

    @contextmanager
    def during(self, answers: Sequence[CallAnswer]) -> Iterator[None]:
        """Repeat calls while what is inside goes on; at its end each chosen one has been repeated."""
        stop = threading.Event()

        def work() -> None:
            for answer in self._chosen(answers):
                self._repeat(answer, is_after=False)
                stop.wait(self.gap_s)

        thread = threading.Thread(target=work, name="resubmit", daemon=True)
        thread.start()
        try:
            yield
        finally:
            # No more pauses: the rest is repeated at once.
            stop.set()
            thread.join()

    def after(self, answers: Sequence[CallAnswer]) -> None:
        """Repeat the same calls once more, now that they have ended."""
        for answer in self._chosen(answers):
            self._repeat(answer, is_after=True)

    def _chosen(self, answers: Sequence[CallAnswer]) -> list[CallAnswer]:
        """Return the share of the calls, spread evenly over them, at least one."""
        able = [
            answer
            for answer in answers
            if answer.kind is AnswerKind.CAPTURED and not answer.call.is_poison
        ]
        count = min(len(able), max(1, round(self.share * len(able))))
        return [able[index * len(able) // count] for index in range(count)]

    def _repeat(self, answer: CallAnswer, *, is_after: bool) -> None:
        end, problem = self._ask(answer)
        number = answer.call.number
        self.repeats.append(Repeat(number=number, end=end, is_after=is_after, problem=problem))

    def _ask(self, first: CallAnswer) -> tuple[RepeatEnd, str]:
        try:
            answer = self.door.call(self.script.request(first.call))
        except (ClientError, BotoCoreError, CommandError) as error:
            return RepeatEnd.FAILED, str(error)
        block = answer.document.get("reprise")
        said: dict[str, Any] = block if isinstance(block, dict) else {}
        if "id" in said and said["id"] != first.call_id:
            return RepeatEnd.FAILED, f"told of {said['id']}, and not of {first.call_id}"
        if answer.call_id is not None:
            return RepeatEnd.CAPTURED, ""
        if answer.status != _OK or "FunctionError" in answer.document:
            return RepeatEnd.FAILED, str(answer.document)[:300]
        return (RepeatEnd.LATE_RESULT if said.get("late_result") else RepeatEnd.LIVE), ""


def tally(repeats: Sequence[Repeat]) -> dict[str, int]:
    """Return how repeated calls were answered, for programs; its keys are a contract."""
    ends = Counter(repeat.end for repeat in repeats)
    return {"calls": len(repeats), **{end.value: ends[end] for end in RepeatEnd}}


def problems_of(repeats: Sequence[Repeat]) -> list[str]:
    """Return what does not add up about repeated calls, one line each."""
    failed = [repeat for repeat in repeats if repeat.end is RepeatEnd.FAILED]
    ended = [repeat for repeat in repeats if repeat.is_after]
    astray = [repeat for repeat in ended if repeat.end is not RepeatEnd.LATE_RESULT]
    astray = [repeat for repeat in astray if repeat.end is not RepeatEnd.FAILED]
    found = {
        f"{len(failed)} repeated calls were neither answered nor kept, the first because: "
        f"{failed[0].problem if failed else ''}": bool(failed),
        f"{len(astray)} calls that had ended were repeated without their late result, the first "
        f"call {astray[0].number if astray else ''}": bool(astray),
    }
    return [problem for problem, is_found in found.items() if is_found]

"""Judge a chaos run from its history alone: lost, run twice, a success that was none, waits without bound.

It reads one JSON object a line, in any order, and knows nothing of how the run was made: it imports the
standard library and nothing of this project, so that no mistake of the run excuses itself. Also to be had as
`python -m reprise_cli.chaos.checker FILE`.

What a line may say is in docs/reference/chaos-history.md. No result rests on a time that somebody else told.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSION: Final = 1
_KINDS: Final = frozenset({"direct", "captured", "refused", "failed"})


class HistoryError(Exception):
    """It is no history of a run that was seen to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a history shows; each finding is one line that names its call."""

    run: str
    calls: int
    answers: dict[str, int]
    ends: dict[str, int]
    """By state; dead letters by reason, too."""
    faults: dict[str, int]
    """How often each nemesis met anything."""
    lost: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    fake: tuple[str, ...] = ()
    """Told a success without an execution, or told of a refusal that was none."""
    late: tuple[str, ...] = ()
    """Answered, or ended, later than the bound allows."""
    contradictions: tuple[str, ...] = ()
    """What cannot all be true."""
    slowest_s: float = 0.0
    """Longest wait of a captured call for its end, counted as the bound is."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Return all that was found, the worst first."""
        return (*self.lost, *self.twice, *self.fake, *self.late, *self.contradictions)

    @property
    def holds(self) -> bool:
        """Tell whether nothing was found."""
        return not self.findings

    def document(self) -> dict[str, Any]:
        """Return the result for programs; its keys are a contract."""
        more = {"findings": list(self.findings)} if self.findings else {}
        return {
            "run": self.run,
            "calls": self.calls,
            "answers": self.answers,
            "ends": self.ends,
            "faults": self.faults,
            "lost": len(self.lost),
            "executed_twice": len(self.twice),
            "fake_successes": len(self.fake),
            "waited_too_long": len(self.late),
            "contradictions": len(self.contradictions),
            "slowest_end_s": round(self.slowest_s, 3),
            **more,
        }


@dataclass(slots=True)
class _Call:
    """What a history says of one call."""

    made: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    runs: list[bool] = field(default_factory=list)
    """Executions, and whether each was a success."""

    @property
    def successes(self) -> int:
        return sum(self.runs)


@dataclass(slots=True, kw_only=True)
class _Judge:
    """Collects what is found."""

    bound_s: float
    healed_s: float
    ends: dict[str, list[dict[str, Any]]]
    letters: set[str]
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    fake: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def judge(self, name: str, call: _Call) -> None:
        """Look at one call."""
        if call.successes > 1:
            self.twice.append(f"{name} ran well {call.successes} times")
        if len(call.made) != 1 or len(call.answers) != 1:
            times = f"made {len(call.made)} times, and answered {len(call.answers)} times"
            self.odd.append(f"{name} was {times}")
            return
        (made,), (answer,) = call.made, call.answers
        wait_s = answer["at_s"] - made["at_s"]
        if wait_s > self.bound_s:
            self.late.append(f"{name} was answered after {wait_s:.0f} s")
        match answer["kind"]:
            case "direct":
                if not (call.runs if made.get("fails") else call.successes):
                    self.fake.append(f"{name} was answered, and did not run")
            case "refused":
                if call.runs:
                    self.fake.append(f"{name} was refused, and ran all the same")
            case "captured":
                self._judge_end(f"{name}, {answer.get('id')},", call, answer)
            case _:
                """Who was told nothing has no end to expect."""

    def _judge_end(self, name: str, call: _Call, answer: dict[str, Any]) -> None:
        """Look at what became of a captured call."""
        ends = self.ends.get(answer.get("id", ""), [])
        if not ends:
            self.lost.append(f"{name} was captured, and has no end")
            return
        since_s = max(answer["at_s"], self.healed_s)
        wait_s = min(end["at_s"] for end in ends) - since_s
        self.slowest_s = max(self.slowest_s, wait_s)
        if wait_s > self.bound_s:
            self.late.append(f"{name} ended {wait_s:.0f} s after everything was well again")
        states = {end["state"] for end in ends}
        has_letter = answer["id"] in self.letters
        if "succeeded" in states and not call.successes:
            self.fake.append(f"{name} is said to have succeeded, and did not run well")
        if "succeeded" in states and (len(states) > 1 or has_letter):
            self.odd.append(f"{name} succeeded, and was given up")
        elif "dead_lettered" in states and not has_letter:
            self.lost.append(f"{name} was given up, and its letter is nowhere")
        reasons = {end.get("reason") for end in ends if end["state"] == "dead_lettered"}
        # Who says that nobody knows whether it ran is right, too, if it did.
        if call.successes and reasons - {"unknown"}:
            self.odd.append(f"{name} ran well, and was given up: {', '.join(map(str, reasons))}")


def check(lines: Iterable[str]) -> CheckResult:
    """Return what a history shows.

    Raises:
        HistoryError: If it is none, or its run was not seen to its end.
    """
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in _read(lines):
        by_name[event["event"]].append(event)
    begin, healed = _only(by_name, "begin"), _only(by_name, "healed")
    _only(by_name, "done")
    if begin.get("history") != VERSION:
        msg = f"it is of version {begin.get('history')}, and not of {VERSION}"
        raise HistoryError(msg)
    calls: dict[int, _Call] = defaultdict(_Call)
    for event in by_name["call"]:
        calls[event["call"]].made.append(event)
    for event in by_name["answer"]:
        calls[event["call"]].answers.append(event)
    for event in by_name["execution"]:
        calls[event["call"]].runs.append(event["ok"])
    ends: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in by_name["end"]:
        ends[event["id"]].append(event)
    judge = _Judge(
        bound_s=float(begin["bound_s"]),
        healed_s=float(healed["at_s"]),
        ends=ends,
        letters={event["id"] for event in by_name["letter"]},
    )
    for number, call in sorted(calls.items()):
        judge.judge(f"call {number}", call)
    made = len(by_name["call"])
    judge.odd += [f"{made} of {begin['calls']} calls were made"] * (made != begin["calls"])
    judge.odd += _strangers(by_name["answer"], ends)
    return CheckResult(
        run=str(begin["run"]),
        calls=made,
        answers=_counts(event["kind"] for event in by_name["answer"]),
        ends=_counts(map(_name_of, by_name["end"])),
        faults=_sums((event["name"], event.get("hits", 0)) for event in by_name["fault"]),
        lost=tuple(judge.lost),
        twice=tuple(judge.twice),
        fake=tuple(judge.fake),
        late=tuple(judge.late),
        contradictions=tuple(judge.odd),
        slowest_s=judge.slowest_s,
    )


def _strangers(answers: list[dict[str, Any]], ends: Iterable[str]) -> list[str]:
    """Return ids that two calls share, and those that nobody was told."""
    ids = Counter(answer.get("id") for answer in answers if answer["kind"] == "captured")
    odd = [f"{count} calls share the id {call_id}" for call_id, count in ids.items() if count > 1]
    return odd + [
        f"{call_id} ended, and nobody was told of it" for call_id in ends if call_id not in ids
    ]


def _name_of(end: dict[str, Any]) -> str:
    return f"{end['state']}: {end['reason']}" if end.get("reason") else str(end["state"])


def _counts(names: Iterable[str]) -> dict[str, int]:
    return _sums((name, 1) for name in names)


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for name, number in pairs:
        sums[name] += number
    return dict(sorted(sums.items()))


def _read(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            is_sound = isinstance(event["event"], str) and event["at_s"] >= 0
            if event["event"] == "answer":
                is_sound = is_sound and event["kind"] in _KINDS
        except (KeyError, TypeError, ValueError):
            is_sound = False
        if not is_sound:
            msg = f"line {number} is no event"
            raise HistoryError(msg)
        yield event


def _only(by_name: dict[str, list[dict[str, Any]]], name: str) -> dict[str, Any]:
    found = by_name[name]
    if len(found) != 1:
        msg = f"it has {len(found)} events {name!r}, and not one"
        raise HistoryError(msg)
    return found[0]


def main(path: str) -> int:
    """Print the result on a file; return the exit code."""
    with Path(path).open(encoding="utf-8") as file:
        result = check(file)
    print(json.dumps(result.document(), indent=2))  # noqa: T201 - a program of its own
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

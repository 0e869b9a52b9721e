"""What exploration would find, were it in the product: each planted fault by a shortest trace."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest

from exploration.promise import EARLY, FOUND, HELD, STUCK
from exploration.scenes import Scene
from exploration.search import Explorer, lines_of
from exploration.state import Bounds
from reprise.replay.finish import Finisher
from reprise.retry.decision import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.replay.attempt import Concluded
    from reprise.replay.batch import Replayer
    from reprise.replay.message import Disposition, ReplayMessage

ONE_ATTEMPT = (("maximum_attempts", 1), ("max_age_s", 600))


def scene(bounds: Bounds, *, calls: int = 1, ticks: int = 1) -> Scene:
    return Scene(name="planted", calls=calls, ticks=ticks, bounds=bounds, policy=ONE_ATTEMPT)


def owner_left_out(request: dict[str, Any]) -> dict[str, Any]:
    """Settle without asking whose the lease is."""
    check = " AND #lease_owner = :mine"
    if check not in request.get("ConditionExpression", ""):
        return request
    return {
        **request,
        "ConditionExpression": request["ConditionExpression"].replace(check, ""),
        "ExpressionAttributeNames": _without(request["ExpressionAttributeNames"], "#lease_owner"),
        "ExpressionAttributeValues": _without(request["ExpressionAttributeValues"], ":mine"),
    }


def lease_compared_the_wrong_way(request: dict[str, Any]) -> dict[str, Any]:
    """Take over what is not over yet."""
    condition = request.get("ConditionExpression", "")
    wrong = condition.replace("#until < :now_ms", "#until > :now_ms")
    return {**request, "ConditionExpression": wrong} if wrong != condition else request


def nothing_claimed(request: dict[str, Any]) -> dict[str, Any]:
    """Lease what is due, whoever holds it: without the states."""
    condition = request.get("ConditionExpression", "")
    if "#due <= :now_ms" not in condition:
        return request
    states = "#state IN (:open0, :open1)"
    return {**request, "ConditionExpression": condition.replace(states, f"({states} OR {BUSY})")}


BUSY = "#state IN (:held0)"


class LetterBeforeLedger(Finisher):
    """Tells the queue of a call that is given up, and then the ledger."""

    def finish(self, ended: Concluded) -> Disposition:
        if isinstance(ended.decision, DeadLetter):
            row = replace(ended.attempt.row, reason=ended.decision.reason.value)
            self.send_letter(ended.attempt.message, row)
        return super().finish(ended)


class Forgetful(Finisher):
    """Does not let the queue remember what the ledger could not be told."""

    def _queue(self, message: ReplayMessage, delay_s: int = 0) -> None:
        del message, delay_s


def composed_with(kind: type[Finisher]) -> Callable[[Replayer], Replayer]:
    """Return what composes a replayer with another finisher."""

    def changed(replayer: Replayer) -> Replayer:
        old = replayer.attempts.finisher
        new = kind(**{field.name: getattr(old, field.name) for field in fields(Finisher)})
        return replace(replayer, attempts=replace(replayer.attempts, finisher=new))

    return changed


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {each: value for each, value in values.items() if each != name}


OUTLIVE = Bounds(faults=1, redrives=1)
CASES: dict[str, tuple[Scene, dict[str, Any], set[str], int]] = {
    "owner check left out": (
        scene(OUTLIVE),
        {"plant": owner_left_out},
        {HELD},
        30,
    ),
    "lease compared the wrong way": (
        scene(Bounds(faults=1)),
        {"plant": lease_compared_the_wrong_way},
        {STUCK},
        20,
    ),
    "a lease that takes what is held": (
        scene(Bounds(faults=1)),
        {"plant": nothing_claimed},
        {HELD},
        14,
    ),
    "letter before ledger": (
        scene(Bounds(failures=1)),
        {"change_replayer": composed_with(LetterBeforeLedger)},
        {EARLY},
        12,
    ),
    "what the ledger is owed is forgotten": (
        scene(Bounds(faults=1)),
        {"change_replayer": composed_with(Forgetful)},
        {FOUND},
        16,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_planted_fault_is_found_by_a_short_trace(name: str) -> None:
    planted, changes, wanted, steps = CASES[name]

    found = Explorer(planted.world(**changes)).run()

    assert found.broken in wanted, "\n".join(lines_of(found.trace))
    assert len(found.trace) <= steps, "\n".join(lines_of(found.trace))

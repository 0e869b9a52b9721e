"""Every call found, listed, shown and cancelled on the deployed stack while its target is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from e2e.world import new_run, poll
from reprise.ledger import State

if TYPE_CHECKING:
    from e2e.world import World

CALLS = 290
KEYED = 10


@pytest.mark.slow
def test_calls_of_a_hold_are_listed_named_and_cancelled_and_the_cancelled_never_run(
    world: World, guest: str
) -> None:
    run = new_run()
    world.hold(guest)
    waiting = world.capture(guest, run, CALLS)
    keys = {number: f"{run}-{number}" for number in range(CALLS + 1, CALLS + KEYED + 1)}
    keyed = {
        number: str(
            world.call(guest, {"run": run, "call": number}, IdempotencyKey=key)["reprise"]["id"]
        )
        for number, key in keys.items()
    }
    everything = {*waiting, *keyed.values()}

    def listed(*arguments: str) -> Any:
        return world.look("calls", "list", "--target", guest, *arguments, "--json").document

    def backlog() -> int:
        # All guests share a counter.
        return sum(line["backlog"] for line in world.look("top", "--json").document["targets"])

    # As soon as the objects are read, whatever the gate does.
    found = poll(lambda: told if (told := listed())["count"] == len(everything) else None)
    assert {call["id"] for call in found["calls"]} == everything
    times = [call["captured_at"] for call in found["calls"]]
    assert times == sorted(times, reverse=True)
    assert sum(group["calls"] for group in found["groups"]) == CALLS + KEYED
    ids = world.look("calls", "list", "--target", guest, "-o", "ids").stdout.split()
    assert set(ids) == everything

    # By key, by error, and by a beginning of an id.
    last = keys[CALLS + KEYED]
    assert [call["id"] for call in listed("--key", last)["calls"]] == [keyed[CALLS + KEYED]]
    assert listed("--error", "TooManyRequests")["count"] == CALLS + KEYED
    assert listed("--older-than", "1h")["count"] == 0
    shown = world.look("calls", "show", last, "--json").document
    assert shown["id"] == keyed[CALLS + KEYED]
    assert shown["captured_for"].startswith("throttled: TooManyRequestsException")
    assert "payload" not in shown
    assert world.look("status", f"{guest}:{last}", "--json").document["id"] == shown["id"]
    assert world.look("calls", "show", waiting[0][:23], "--json").document["id"] == waiting[0]
    assert "Did you mean" in world.look("calls", "show", f"{last}x").stderr

    # What is being tried as a probe just now is refused: once more gets it.
    before = backlog()
    wrong = {keyed[number] for number in keys if number % 2}

    def cancelled() -> bool:
        world.look("calls", "cancel", *wrong, "--why", "a wrong price", "--json")
        return world.states(sorted(wrong)) == {State.DEAD_LETTERED: len(wrong)}

    poll(cancelled)
    assert listed()["count"] == CALLS + KEYED - len(wrong)
    assert listed("--reason", "cancelled")["count"] == len(wrong)
    jobs = world.look("audit", "--json").document["jobs"]
    assert "a wrong price" in {job["why"] for job in jobs if job["verb"] == "cancel"}
    assert backlog() == before - len(wrong)

    world.let_go(guest)
    rows = world.await_end(sorted(everything - wrong), limit_s=180.0)
    assert {row.state for row in rows} == {State.SUCCEEDED}
    ran = [number for number, _ in world.receipts(run)]
    assert sorted(ran) == [
        number for number in range(1, CALLS + KEYED + 1) if keyed.get(number) not in wrong
    ]
    waited = world.look("calls", "wait", keys[CALLS + 2], "--json")
    assert waited.document["state"] == "succeeded"
    assert listed()["count"] == 0

"""The backlog on the deployed stack, with IAM enforced: parked while a target is held, and opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from e2e.world import new_run, poll

if TYPE_CHECKING:
    from e2e.world import World

MIXTURES = 5


def test_calls_of_a_held_target_wait_in_parked_objects_and_all_run_once(
    world: World, guest: str
) -> None:
    held, other = guest, world.make_guest()
    held_run, other_run = new_run(), new_run()
    world.hold(held)
    # The gate learns of it by a replay that is refused.
    waiting = world.capture(held, held_run, 2)
    poll(lambda: any(row and row.refusals for row in map(world.ledger.get, waiting)))
    passing: list[str] = []
    for mixture in range(MIXTURES):
        world.hold(other)
        for number in range(3):
            first = {"run": held_run, "call": 100 + 10 * mixture + number, "behaviour": "ok"}
            second = {**first, "run": other_run}
            waiting.append(world.call(held, first)["reprise"]["id"])
            passing.append(world.call(other, second)["reprise"]["id"])
        world.let_go(other)
        world.await_end(passing)
        if parked(world, held):
            break
    keys = parked(world, held)
    assert keys, "no object held calls of both targets"
    assert not parked(world, other)
    assert {row.state for row in world.await_end(passing)} == {"succeeded"}

    world.let_go(held)

    rows = world.await_end(waiting, limit_s=120.0)
    assert {row.state for row in rows} == {"succeeded"}
    # What was parked is still told by the object that it was captured in.
    assert {(row.capture_object or "").split("/")[3] for row in rows} == {"captured"}
    for run, calls in ((held_run, waiting), (other_run, passing)):
        assert len(world.receipts(run)) == len(calls)
    world.functions.delete_function(FunctionName=other)


def parked(world: World, function: str) -> list[str]:
    found = world.s3.list_objects_v2(Bucket=world.stack.bucket, Prefix=f"parked/{function}/")
    return [item["Key"] for item in found.get("Contents", [])]

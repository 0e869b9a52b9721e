"""A second stack beside the one of all tests: found, proven to be at work, and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from e2e.world import World, new_run
from reprise.ledger import State
from reprise_cli.aws import Aws
from reprise_cli.stack import read_stack

if TYPE_CHECKING:
    from collections.abc import Sequence


def at_work(world: World, stack: str) -> World:
    """Return a stack that was deployed, found as the command finds it."""
    aws = Aws(world.place)
    return World(world.engine, read_stack(aws.cloudformation, stack, aws.region))


def assert_call_is_captured_and_replayed(world: World, guest: str) -> None:
    """Prove that a stack does what it is for."""
    world.hold(guest)
    (call_id,) = world.capture(guest, new_run(), 1)
    world.let_go(guest)
    (row,) = world.await_end([call_id])
    assert row.state is State.SUCCEEDED


def delete_stack(world: World, stack: str) -> None:
    """Delete a stack, which leaves what holds calls."""
    cloudformation = world.client("cloudformation")
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300}
    )


def kept_of(stack: str) -> Sequence[str]:
    """Return the names of what outlives a stack: bucket, ledger and dead-letter queues."""
    bucket = f"{stack}-000000000000-us-east-1"
    return [bucket, *(f"{stack}-{name}" for name in ("ledger", "capture-dlq", "dead-letter"))]


def leave_nothing_of(world: World, stack: str) -> None:
    """Delete a stack and what it kept."""
    delete_stack(world, stack)
    done = world.look("cleanup", "--stack-name", stack, *kept_of(stack))
    assert done.code == 0, done.stderr

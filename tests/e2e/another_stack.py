"""A second stack beside the one of all tests: found, proven to be at work, and taken away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from e2e.world import World, new_run
from reprise.ledger import State
from reprise_cli.aws import Aws
from reprise_cli.stack import read_stack

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOP: Final = """
import json, os
import boto3

orders = boto3.client("lambda")

def handler(event, context):
    answer = orders.invoke(FunctionName=os.environ["ORDERS"], Payload=json.dumps(event))
    return [answer["StatusCode"], answer.get("FunctionError"), json.loads(answer["Payload"].read())]
"""
"""What a shop had before it had heard of us; it calls the function that ORDERS names."""


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


def assert_calls_survive(world: World, stack: str, *, caller: str, target: str) -> None:
    """Prove that a caller like `SHOP` loses no call of a target that refuses it."""
    run = new_run()
    event = {"run": run, "call": 1, "behaviour": "ok"}
    assert _ask(world, caller, event)[:2] == [200, None]
    world.hold(target)
    status, error, body = _ask(world, caller, {**event, "call": 2})
    assert (status, error) == (202, "Captured"), body
    world.let_go(target)
    (row,) = at_work(world, stack).await_end([body["reprise"]["id"]])
    assert row.state is State.SUCCEEDED
    assert world.receipts(run) == [(1, True), (2, True)]


def _ask(world: World, function: str, event: object) -> list[Any]:
    answer = world.functions.invoke(FunctionName=function, Payload=json.dumps(event))
    reply: list[Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, reply
    return reply

"""Each permission of the deployed roles is used, or has its reason; without one, somebody is told."""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from e2e.permissions import has_reason, unused
from e2e.world import new_run, poll
from reprise.instant import utc_now
from reprise.ledger import State
from reprise_cli.calling import InvokerClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.world import World

pytestmark = pytest.mark.slow


def tour(world: World, guest: str) -> None:
    """Do what a stack does in an ordinary week."""
    run, name = new_run(), world.stack.name
    invoker = InvokerClient(world.functions, world.stack.invoker)
    world.call(guest, {"run": run, "call": 1}, IdempotencyKey=run)
    world.hold(guest)
    long_reply = run + "x" * 2_020
    kept = {
        number: world.call(guest, payload, IdempotencyKey=f"{run}-{number}")
        for number, payload in enumerate(
            (
                {"run": run, "call": 2},
                {"run": long_reply, "call": 3},
                {"run": run, "call": 4, "filler": secrets.token_hex(150_000)},
            )
        )
    }
    call_ids = [str(each["reprise"]["id"]) for each in kept.values()]
    world.call(guest, {"run": run, "call": 2}, IdempotencyKey=f"{run}-0")
    world.let_go(guest)
    world.await_end(call_ids, limit_s=120)
    for each in kept.values():
        said = each["reprise"]
        asked = {"StatusOf": said["id"], "StatusToken": said["status_token"]}
        assert invoker.call(asked).document["reprise"]["state"] == "succeeded"
    # Answered from what was kept.
    world.call(guest, {"run": long_reply, "call": 3}, IdempotencyKey=f"{run}-1")

    done = world.reprise(
        *("chaos", "--json", "--hold", "3s", "--concurrency", "4", "--timeout", "60s"),
        *("--calls", "30", "--poison", "2", "--large", "1"),
    )
    assert done.code == 0, done.stderr
    target = world.stack.chaos_target or ""
    options = ("--target", target, "--in-stack", "--no-canary", "--yes", "--json")
    redriven = world.reprise("dlq", "redrive", *options)
    assert redriven.code == 0, redriven.stderr
    for function in ("observer", "reconciler"):
        answer = world.functions.invoke(FunctionName=f"{name}-{function}")
        assert "FunctionError" not in answer, answer["Payload"].read()


def test_each_permission_is_used_or_has_its_reason(world: World, guest: str) -> None:
    tour(world, guest)
    idle = {grant for grant in unused(world) if not has_reason(grant)}
    assert idle == set(), "\n".join(" ".join(grant) for grant in sorted(idle))


@contextmanager
def denied(world: World, function: str, action: str) -> Iterator[None]:
    """Take an action from a function's role inside: a denial weighs more than any grant."""
    iam, full_name = world.client("iam"), f"{world.stack.name}-{function}"
    role = world.functions.get_function_configuration(FunctionName=full_name)["Role"].rpartition(
        "/"
    )[2]
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="denial", PolicyDocument=document)
    try:
        # New environments: what a process has read it keeps.
        with world.reconfigured(full_name, variables={"REPRISE_TEST": action}):
            yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denial")


def counted(world: World, metric: str) -> float:
    """Return what a metric of the stack has counted of late."""
    now = utc_now()
    found = world.client("cloudwatch").get_metric_statistics(
        Namespace="Reprise",
        MetricName=metric,
        Dimensions=[{"Name": "stack", "Value": world.stack.name}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))


@pytest.mark.parametrize(
    ("function", "action", "metric"),
    [
        ("unpacker", "s3:GetObject*", "ObjectsFailed"),
        ("unpacker", "sqs:SendMessage", "ObjectsFailed"),
        ("unpacker", "secretsmanager:GetSecretValue", "ObjectsFailed"),
        ("replayer", "dynamodb:UpdateItem", "StoreFaults"),
    ],
)
def test_a_permission_that_is_taken_away_is_told_and_loses_nothing(
    world: World, guest: str, function: str, action: str, metric: str
) -> None:
    run, before = new_run(), counted(world, metric)
    world.hold(guest)
    with denied(world, function, action):
        (call_id,) = world.capture(guest, run, 1)
        world.let_go(guest)
        poll(lambda: counted(world, metric) > before, limit_s=90)
        assert any("AccessDenied" in line for line in world.complaints())
        assert world.receipts(run) == []
    (row,) = world.await_end([call_id], limit_s=180)
    assert row.state is State.SUCCEEDED
    assert world.receipts(run) == [(1, True)]


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("secretsmanager:GetSecretValue", {}),
        ("s3:PutObject", {"filler": secrets.token_hex(150_000)}),
    ],
)
def test_an_invoker_that_cannot_keep_a_call_says_so_to_its_caller(
    world: World, guest: str, action: str, payload: dict[str, Any]
) -> None:
    run, before = new_run(), counted(world, "CaptureFailed")
    world.hold(guest)
    with denied(world, "invoker", action):
        answer = world.call(guest, {"run": run, "call": 1, **payload})
    world.let_go(guest)
    assert answer["StatusCode"] >= 400, answer
    assert "id" not in answer.get("reprise", {}), answer
    poll(lambda: counted(world, "CaptureFailed") > before)

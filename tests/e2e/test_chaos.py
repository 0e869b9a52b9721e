"""The chaos test itself, through the command, with IAM enforced."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from e2e.world import poll
from reprise.instant import utc_now
from reprise_cli.chaos.deadman import DeadMan

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.world import World

CALLS, POISON, LARGE = 200, 4, 3


def test_a_throttled_target_loses_nothing_and_runs_nothing_twice(
    world: World, tmp_path: Path
) -> None:
    done = world.reprise(
        *("chaos", "--json", "--hold", "2s", "--concurrency", "8", "--timeout", "100s"),
        *("--calls", str(CALLS), "--poison", str(POISON), "--large", str(LARGE)),
        *("--history", str(tmp_path / "history.jsonl")),
    )
    assert done.code == 0, done.stderr
    proof = done.document
    assert list(proof) == [
        "calls",
        "direct",
        "captured",
        "succeeded",
        "dead_lettered",
        "lost",
        "executed_twice",
        "restore_to_success_s",
        "wasted_replays",
        "history",
    ]
    assert (proof["calls"], proof["direct"], proof["captured"]) == (CALLS, 0, CALLS)
    assert (proof["succeeded"], proof["dead_lettered"]) == (CALLS - POISON, POISON)
    assert (proof["lost"], proof["executed_twice"]) == (0, 0)
    assert proof["history"]["ends"] == {
        "dead_lettered: exhausted": POISON,
        "succeeded": CALLS - POISON,
    }
    assert "findings" not in proof["history"]
    times = proof["restore_to_success_s"]
    assert 0 <= times["p50"] <= times["p95"] <= times["max"]
    kept = world.s3.list_objects_v2(Bucket=world.stack.bucket, Prefix="payloads/")
    assert kept["KeyCount"] == LARGE
    target = world.stack.chaos_target
    assert "ReservedConcurrentExecutions" not in world.functions.get_function_concurrency(
        FunctionName=target
    )
    # Headroom is only left if the limit may be read.
    unknown = [line for line in world.complaints() if "concurrency is not known" in line]
    assert not [line for line in unknown if "AccessDenied" in line]


def test_a_call_that_is_repeated_with_its_key_has_one_effect(world: World, guest: str) -> None:
    done = world.reprise(
        *("chaos", "--json", "--hold", "1s", "--concurrency", "8", "--timeout", "100s"),
        *("--calls", "60", "--poison", "0", "--large", "1", "--resubmit", "10%"),
        # Not the stack's own target: a repeated call has a row and is not captured, or the other way round.
        *("--target", guest, "--receipts-table", str(world.stack.receipts_table)),
    )
    assert done.code == 0, done.stderr
    proof = done.document
    assert (proof["captured"], proof["succeeded"], proof["dead_lettered"]) == (60, 60, 0)
    assert (proof["lost"], proof["executed_twice"]) == (0, 0)
    repeats = proof["resubmitted"]
    # A tenth of them while they are replayed, and the same once they have ended.
    assert repeats["calls"] == 12
    assert repeats["failed"] == 0
    assert repeats["late_result"] >= 6
    refused = [line for line in world.complaints() if "keys are not protected" in line]
    assert refused == []


def test_the_pipeline_refuses_to_be_held(world: World) -> None:
    done = world.reprise("chaos", "--target", world.stack.replayer)
    assert done.code == 2
    assert "part of the pipeline" in done.stderr


def test_a_schedule_lets_the_target_go_when_the_test_is_dead(world: World, guest: str) -> None:
    iam = world.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "scheduler.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    permission = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                # Which of the two is called depends on what was saved.
                "Action": ["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"],
                "Resource": f"arn:aws:lambda:us-east-1:000000000000:function:{guest}",
            }
        ],
    }
    role = iam.create_role(RoleName=guest, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName=guest, PolicyName="p", PolicyDocument=json.dumps(permission))
    said: list[str] = []
    dead_man = DeadMan(
        world.client("scheduler"), role["Arn"], after_s=2.0, clock=utc_now, tell=said.append
    )
    world.hold(guest)
    dead_man.arm(guest, None)
    poll(
        lambda: (
            "ReservedConcurrentExecutions"
            not in world.functions.get_function_concurrency(FunctionName=guest)
        ),
        limit_s=10.0,
    )
    assert said == []

"""One call at a time: an unmodified SDK, the command, and what becomes of hopeless calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from e2e.world import new_run, poll
from reprise.ledger import State

if TYPE_CHECKING:
    from e2e.world import World


def test_an_unmodified_sdk_gets_the_answer_or_an_early_202_and_the_late_result(
    world: World, guest: str
) -> None:
    sdk, run = world.client("lambda"), new_run()

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        response = sdk.invoke(FunctionName=world.stack.invoker, Payload=json.dumps(request))
        document: dict[str, Any] = json.load(response["Payload"])
        return document

    request = {"FunctionName": guest, "Payload": {"run": run, "call": 1}}
    assert ask(request) == {
        "StatusCode": 200,
        "Payload": {"run": run, "call": 1},
        "ExecutedVersion": "$LATEST",
    }
    world.hold(guest)
    captured = ask({"FunctionName": guest, "Payload": {"run": run, "call": 2}})
    assert captured["StatusCode"] == 202
    assert captured["reprise"]["outcome"]["kind"] == "throttled"
    call_id = captured["reprise"]["id"]
    assert captured["reprise"]["status_url"] == f"reprise://reprise/calls/{call_id}"
    world.let_go(guest)
    world.await_end([call_id])
    assert ask({"StatusOf": call_id})["StatusCode"] == 403
    token = captured["reprise"]["status_token"]
    status = ask({"StatusOf": call_id, "StatusToken": token})
    assert status["reprise"]["state"] == "succeeded"
    assert json.loads(status["Payload"]) == {"run": run, "call": 2}
    assert world.receipts(run) == [(1, True), (2, True)]


def test_the_command_tells_answered_captured_and_refused_by_its_exit_code(
    world: World, guest: str
) -> None:
    payload = json.dumps({"run": new_run(), "call": 1})
    answered = world.reprise("invoke", guest, "--payload", payload, "--json")
    assert (answered.code, answered.document["StatusCode"]) == (0, 200)
    assert json.loads(answered.document["Payload"]) == json.loads(payload)
    world.hold(guest)
    captured = world.reprise("invoke", guest, "--payload", payload, "--json")
    assert captured.code == 3
    refused = world.reprise("invoke", "strangers", "--json")
    assert (refused.code, refused.document["error"]["field"]) == (1, "FunctionName")
    world.let_go(guest)
    world.await_end([captured.document["reprise"]["id"]])
    status = world.reprise("status", captured.document["reprise"]["status_url"], "--json")
    assert (status.code, status.document["state"]) == (0, "succeeded")


def test_a_call_of_a_deleted_target_is_given_up_at_once_with_what_to_do(world: World) -> None:
    guest = world.make_guest()
    world.hold(guest)
    (call_id,) = world.capture(guest, new_run(), 1)
    world.functions.delete_function(FunctionName=guest)
    (row,) = world.await_end([call_id])
    assert (row.state, row.reason) == (State.DEAD_LETTERED, "permanent")
    assert row.message is not None
    assert "deploy it again, then redrive" in row.message


def test_a_call_without_permission_is_given_up_and_a_redrive_brings_it_back(
    world: World, guest: str
) -> None:
    iam, run = world.client("iam"), new_run()
    configuration = world.functions.get_function_configuration(FunctionName=world.stack.replayer)
    role = configuration["Role"].rpartition("/")[2]
    denial = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": "lambda:InvokeFunction",
                "Resource": f"arn:aws:lambda:us-east-1:000000000000:function:{guest}",
            }
        ],
    }
    world.hold(guest)
    (call_id,) = world.capture(guest, run, 1)
    iam.put_role_policy(RoleName=role, PolicyName="denial", PolicyDocument=json.dumps(denial))
    world.let_go(guest)
    (row,) = world.await_end([call_id])
    iam.delete_role_policy(RoleName=role, PolicyName="denial")
    assert (row.state, row.reason) == (State.DEAD_LETTERED, "permanent")
    assert "check Targets and the function's policy" in (row.message or "")
    assert world.receipts(run) == []

    listed = world.reprise("dlq", "list", "--target", guest, "--json").document
    assert [letter["id"] for letter in listed["letters"]] == [call_id]
    shown = world.reprise("dlq", "show", call_id, "--payload", "--json").document
    assert json.loads(shown["body"])["requestPayload"] == {"run": run, "call": 1, "behaviour": "ok"}
    rehearsed = world.reprise("dlq", "redrive", call_id, "--dry-run", "--json").document
    assert rehearsed["selected"] == 1
    assert world.ledger.get(call_id) == row

    redriven = world.reprise("dlq", "redrive", "--target", guest, "--yes", "--json")
    assert (redriven.code, redriven.document["redriven"]) == (0, 1), redriven.stderr
    (row,) = world.await_end([call_id])
    assert row.state is State.SUCCEEDED
    assert world.receipts(run) == [(1, True)]
    assert world.reprise("dlq", "list", "--target", guest, "--json").document["count"] == 0


def test_a_letter_that_sqs_moved_by_itself_can_be_redriven(world: World, guest: str) -> None:
    run = new_run()
    world.hold(guest)
    (call_id,) = world.capture(guest, run, 1)
    queue = {"QueueUrl": world.stack.replay_queue_url, "AttributeNames": ["All"]}
    limits = world.sqs.get_queue_attributes(**queue)["Attributes"]["RedrivePolicy"]
    # A message that was received once may be moved at once: as after a thousand crashes.
    hasty = json.dumps({**json.loads(limits), "maxReceiveCount": 1})

    def set_limits(policy: str) -> None:
        world.sqs.set_queue_attributes(
            QueueUrl=world.stack.replay_queue_url, Attributes={"RedrivePolicy": policy}
        )

    set_limits(hasty)
    try:
        moved = poll(
            lambda: [
                letter
                for letter in world.reprise("dlq", "list", "--json").document["letters"]
                if letter["id"] == call_id
            ]
        )
    finally:
        set_limits(limits)
    assert (moved[0]["kind"], moved[0]["reason"]) == ("replay_message", "undeliverable")
    # Whoever finds it tells the ledger, so that both say the same.
    (found,) = world.await_end([call_id])
    assert (found.state, found.reason) == (State.DEAD_LETTERED, "undeliverable")
    world.let_go(guest)
    assert world.reprise("dlq", "redrive", call_id).code == 0
    (row,) = world.await_end([call_id])
    assert row.state is State.SUCCEEDED
    assert world.receipts(run) == [(1, True)]
